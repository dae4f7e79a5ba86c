// Protocols of the ported programs that say what a loop tells them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ci/ported/program.hpp"

namespace loopscope::ported {

/// What is common: "NAME made", "NAME lost WHY", "NAME paused", "NAME resumed".
template <class Base>
class Recorder : public Base {
 public:
  Recorder(Stage& stage, std::string name) : s(stage), name_(std::move(name)) {}
  void connection_made(BaseTransport& made_for) override {
    transport = &made_for;
    say("made");
    if (on_made) on_made();
  }
  void connection_lost(const Error* why) override {
    lost = true;
    say("lost", why);
    if (on_lost) on_lost();
  }
  void pause_writing() override {
    say("paused");
    if (on_paused) on_paused();
  }
  void resume_writing() override { say("resumed"); }

  BaseTransport* transport = nullptr;
  bool lost = false;
  std::function<void()> on_made, on_lost, on_paused;

 protected:
  template <class... Words>
  void say(const Words&... words) {
    s.say(name_, words...);
  }
  Stage& s;

 private:
  std::string name_;
};

/// "NAME data TEXT" for every piece, unless `quiet`; "NAME eof".
class Stream final : public Recorder<Protocol> {
 public:
  using Recorder::Recorder;
  void data_received(ByteView piece) override {
    data += text(piece);
    if (!quiet) say("data", piece);
    if (on_data) on_data(piece);
  }
  bool eof_received() override {
    ended = true;
    say("eof");
    return keep_open;
  }

  std::string data;
  bool quiet = false, keep_open = false, ended = false;
  std::function<void(ByteView)> on_data;
};

/// The same into a buffer of its own of `size` bytes.
class Buffered final : public Recorder<BufferedProtocol> {
 public:
  Buffered(Stage& stage, std::string name, std::size_t size)
      : Recorder(stage, std::move(name)), buffer_(size) {}
  std::span<std::byte> get_buffer(std::ptrdiff_t) override { return buffer_; }
  void buffer_updated(std::size_t count) override {
    data += text(ByteView(buffer_).first(count));
    say("updated", count);
  }
  bool eof_received() override {
    say("eof");
    return false;
  }

  std::string data;

 private:
  Bytes buffer_;
};

/// "NAME datagram TEXT", "NAME error WHY".
class Datagrams final : public Recorder<DatagramProtocol> {
 public:
  using Recorder::Recorder;
  void datagram_received(ByteView received, const Endpoint& sender) override {
    data = text(received);
    say("datagram", received);
    senders.push_back(sender);
  }
  void error_received(const Error& error) override {
    ++errors;
    say("error", error);
  }

  std::string data;  // the latest
  std::vector<Endpoint> senders;
  int errors = 0;
};

inline std::shared_ptr<Stream> stream(Stage& s, std::string name) {
  return std::make_shared<Stream>(s, std::move(name));
}
/// The transport of a call that has to succeed.
template <class L>
auto transport_of(Stage& s, Future<L> made) {
  return s.loop().run_until_complete(std::move(made)).value().transport;
}

}  // namespace loopscope::ported
