// Recorders: protocols that note what a loop tells them, and the lines that open them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/scenarios/steps.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios {

/// What all recorders share: marks "made", "lost", "paused" and "resumed", and hooks into each.
template <class Base>
class Recorder : public Base {
 public:
  explicit Recorder(Context& cx) : cx_(cx) {}

  void connection_made(BaseTransport& made_for) override {
    transport = &made_for;
    note("made");
    if (on_made) on_made();
  }
  void connection_lost(const Error* why) override {
    ++lost;
    if (why != nullptr) reason = *why;
    note("lost");
    if (on_lost) on_lost();
  }
  void pause_writing() override {
    ++pauses;
    note("paused");
    if (on_pause) on_pause();
  }
  void resume_writing() override {
    ++resumes;
    note("resumed");
    if (on_resume) on_resume();
  }

  BaseTransport* transport = nullptr;
  unsigned lost = 0, pauses = 0, resumes = 0;
  std::optional<Error> reason;  // of the loss; empty: clean, or not lost
  std::function<void()> on_made, on_lost, on_pause, on_resume;

 protected:
  void note(std::string_view what) {
    cx_.mark(what);
    latest_ = what;
  }
  /// Several in a row are one mark: how a stream is cut into pieces is nobody's promise.
  void note_once(std::string_view what) {
    if (latest_ != what) note(what);
  }

 private:
  Context& cx_;
  std::string_view latest_;
};

/// Marks "data" (once for several in a row) and "eof"; keeps the bytes.
class StreamRecorder final : public Recorder<Protocol> {
 public:
  using Recorder::Recorder;
  void data_received(ByteView piece) override {
    data += text(piece);
    note_once("data");
    if (on_data) on_data();
  }
  bool eof_received() override {
    note("eof");
    if (on_eof) on_eof();
    return keep_open;
  }

  std::string data;
  bool keep_open = false;  // what eof_received answers
  std::function<void()> on_data, on_eof;
};

/// The same for a protocol that lends `capacity` bytes of its own.
class BufferedRecorder final : public Recorder<BufferedProtocol> {
 public:
  BufferedRecorder(Context& cx, std::size_t capacity) : Recorder(cx), lent_(capacity) {}
  std::span<std::byte> get_buffer(std::ptrdiff_t) override { return lent_; }
  void buffer_updated(std::size_t count) override {
    data += text(ByteView(lent_).first(count));
    note_once("data");
    if (on_data) on_data();
  }
  bool eof_received() override {
    note("eof");
    return false;
  }

  std::string data;
  std::function<void()> on_data;

 private:
  Bytes lent_;
};

/// Marks "datagram" and "error" (each once for several in a row); keeps all of them.
class DatagramRecorder final : public Recorder<DatagramProtocol> {
 public:
  using Recorder::Recorder;
  void datagram_received(ByteView data, const Endpoint& sender) override {
    datagrams.push_back({Bytes(data.begin(), data.end()), sender});
    note_once("datagram");
    if (on_datagram) on_datagram();
  }
  void error_received(const Error& error) override {
    errors.push_back(error);
    note_once("error");
  }
  /// The datagrams as text, in the order of their arrival.
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const Datagram& one : datagrams) all.push_back(text(one.data));
    return all;
  }

  std::vector<Datagram> datagrams;
  std::vector<Error> errors;
  std::function<void()> on_datagram;
};

/// A transport with the recorder that watches it: `pipe->write(...)`, `pipe.seen->data`.
template <class T, class P>
struct Watched {
  std::shared_ptr<T> transport;
  std::shared_ptr<P> seen;
  T* operator->() const { return transport.get(); }
};
using WatchedStream = Watched<Transport, StreamRecorder>;
using WatchedDatagram = Watched<DatagramTransport, DatagramRecorder>;

inline WatchedStream connect_reader(Context& cx, std::shared_ptr<StreamRecorder> seen,
                                    PipeEnd end) {
  auto made = cx.loop().connect_read_pipe([&] { return seen; }, std::move(end));
  const Result<Link> link = cx.loop().run_until_complete(made);
  cx.ok(link, "connect_read_pipe takes the descriptor");
  return {link->transport, seen};
}
inline WatchedStream connect_reader(Context& cx, PipeEnd end) {
  return connect_reader(cx, std::make_shared<StreamRecorder>(cx), std::move(end));
}
inline WatchedStream connect_writer(Context& cx, std::shared_ptr<StreamRecorder> seen,
                                    PipeEnd end) {
  auto made = cx.loop().connect_write_pipe([&] { return seen; }, std::move(end));
  const Result<Link> link = cx.loop().run_until_complete(made);
  cx.ok(link, "connect_write_pipe takes the descriptor");
  return {link->transport, seen};
}
inline WatchedStream connect_writer(Context& cx, PipeEnd end) {
  return connect_writer(cx, std::make_shared<StreamRecorder>(cx), std::move(end));
}
inline WatchedDatagram open_endpoint(Context& cx, DatagramOptions options) {
  const auto seen = std::make_shared<DatagramRecorder>(cx);
  auto made = cx.loop().create_datagram_endpoint([&] { return seen; }, std::move(options));
  const Result<DatagramLink> link = cx.loop().run_until_complete(made);
  cx.ok(link, "create_datagram_endpoint opens the endpoint");
  return {link->transport, seen};
}
inline WatchedDatagram open_endpoint(Context& cx, AddressFamily family = AddressFamily::ipv4) {
  DatagramOptions options;
  options.local_addr = Endpoint::loopback(family);
  return open_endpoint(cx, std::move(options));
}

/// The address that a transport reports under `name`; unnamed when it reports none.
inline Endpoint address_of(const BaseTransport& transport, std::string_view name = "sockname") {
  const ExtraInfo info = transport.get_extra_info(name);
  const Endpoint* address = std::get_if<Endpoint>(&info);
  return address == nullptr ? Endpoint() : *address;
}
/// The descriptor that a transport reports as "pipe" or "socket"; kInvalid when it reports none.
inline os::NativeSocket descriptor_of(const BaseTransport& transport, std::string_view name) {
  const ExtraInfo info = transport.get_extra_info(name);
  const os::NativeSocket* fd = std::get_if<os::NativeSocket>(&info);
  return fd == nullptr ? os::kInvalid : *fd;
}

/// Writes blocks of 'x' until the system takes no more. The number of bytes written.
///
/// What a thread or the kernel writes for a loop is buffered, too, until it has come to that.
inline std::size_t write_until_buffered(Context& cx, Transport& transport) {
  const std::string block(16'384, 'x');
  const os::NativeSocket pipe = descriptor_of(transport, "pipe");
  std::size_t written = 0;
  while (transport.get_write_buffer_size() == 0 ||
         (pipe != os::kInvalid && tools::writable(pipe))) {
    if (written > 64 * 1'048'576u) cx.failed("writing fills a pipe", "a buffered byte", "none");
    if (transport.get_write_buffer_size() == 0) {
      transport.write(view(block));
      written += block.size();
    }
    cx.run_once();
  }
  return written;
}

}  // namespace loopscope::scenarios
