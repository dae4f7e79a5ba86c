// Between: stands between a loop's transport and the user's protocol, and passes everything on.
// A faulty loop overrides what it gets wrong.
#pragma once

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "harness/testing/poll_based.hpp"
#include "loops/common/stream.hpp"

namespace loopscope::testing {

/// The user's protocol sees it as the transport, the loop's transport as the protocol.
class StreamBetween : public Protocol,
                      public Transport,
                      public std::enable_shared_from_this<StreamBetween> {
 public:
  explicit StreamBetween(SelectorLoop& loop) : loop_(loop) {}
  void set_user(std::shared_ptr<BaseProtocol> user) { user_ = std::move(user); }
  void set_below(std::shared_ptr<Transport> below) {
    kept_below_ = std::move(below);
    below_ = kept_below_.get();
  }
  const std::shared_ptr<BaseProtocol>& user() const { return user_; }

  // --- what the loop's transport calls
  void connection_made(BaseTransport& transport) override {
    below_ = dynamic_cast<Transport*>(&transport);
    // The user may go on calling when the loop has let go of its transport.
    if (auto* stream = dynamic_cast<StreamTransport*>(&transport)) {
      kept_below_ = stream->shared_from_this();
    }
    user_->connection_made(*this);
  }
  void connection_lost(const Error* why) override { user_->connection_lost(why); }
  void pause_writing() override { user_->pause_writing(); }
  void resume_writing() override { user_->resume_writing(); }
  void data_received(ByteView data) override { deliver(*user_, data); }
  bool eof_received() override {
    if (auto* plain = dynamic_cast<Protocol*>(user_.get())) return plain->eof_received();
    auto* lending = dynamic_cast<BufferedProtocol*>(user_.get());
    return lending != nullptr && lending->eof_received();
  }

  // --- what the user calls
  void close() override { below_->close(); }
  bool is_closing() const override { return below_->is_closing(); }
  ExtraInfo get_extra_info(std::string_view name) const override {
    return below_->get_extra_info(name);
  }
  void set_protocol(std::shared_ptr<BaseProtocol> user) override { user_ = std::move(user); }
  std::shared_ptr<BaseProtocol> get_protocol() const override { return user_; }
  bool is_reading() const override { return below_->is_reading(); }
  void pause_reading() override { below_->pause_reading(); }
  void resume_reading() override { below_->resume_reading(); }
  void write(ByteView data) override { below_->write(data); }
  void writelines(std::span<const ByteView> chunks) override { below_->writelines(chunks); }
  bool can_write_eof() const override { return below_->can_write_eof(); }
  Result<void> write_eof() override { return below_->write_eof(); }
  void abort() override { below_->abort(); }
  std::size_t get_write_buffer_size() const override { return below_->get_write_buffer_size(); }
  WriteBufferLimits get_write_buffer_limits() const override {
    return below_->get_write_buffer_limits();
  }
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override {
    return below_->set_write_buffer_limits(high, low);
  }

 protected:
  static void deliver(BaseProtocol& to, ByteView data) {
    if (auto* plain = dynamic_cast<Protocol*>(&to)) plain->data_received(data);
    auto* lending = dynamic_cast<BufferedProtocol*>(&to);
    while (lending != nullptr && !data.empty()) data = data.subspan(fill(*lending, data));
  }
  /// Copies into the lent memory as much as fits. How much that was.
  static std::size_t fill(BufferedProtocol& lending, ByteView data) {
    const std::span<std::byte> lent = lending.get_buffer(-1);
    if (lent.empty()) throw std::length_error("get_buffer gave an empty buffer");
    const std::size_t count = std::min(lent.size(), data.size());
    std::copy_n(data.begin(), count, lent.begin());
    lending.buffer_updated(count);
    return count;
  }
  os::NativeSocket descriptor() const {
    const ExtraInfo info = below_->get_extra_info("pipe");
    const os::NativeSocket* fd = std::get_if<os::NativeSocket>(&info);
    return fd == nullptr ? os::kInvalid : *fd;
  }

  SelectorLoop& loop_;
  std::shared_ptr<BaseProtocol> user_;
  Transport* below_ = nullptr;

 private:
  std::shared_ptr<Transport> kept_below_;
};

/// The same for datagrams.
class DatagramBetween : public DatagramProtocol,
                        public DatagramTransport,
                        public std::enable_shared_from_this<DatagramBetween> {
 public:
  explicit DatagramBetween(SelectorLoop& loop) : loop_(loop) {}
  void set_user(std::shared_ptr<DatagramProtocol> user) { user_ = std::move(user); }
  void set_below(std::shared_ptr<DatagramTransport> below) { kept_below_ = std::move(below); }
  const std::shared_ptr<DatagramProtocol>& user() const { return user_; }

  void connection_made(BaseTransport& transport) override {
    below_ = dynamic_cast<DatagramTransport*>(&transport);
    user_->connection_made(*this);
  }
  void connection_lost(const Error* why) override { user_->connection_lost(why); }
  void pause_writing() override { user_->pause_writing(); }
  void resume_writing() override { user_->resume_writing(); }
  void datagram_received(ByteView data, const Endpoint& sender) override {
    user_->datagram_received(data, sender);
  }
  void error_received(const Error& error) override { user_->error_received(error); }

  void close() override { below_->close(); }
  bool is_closing() const override { return below_->is_closing(); }
  ExtraInfo get_extra_info(std::string_view name) const override {
    return below_->get_extra_info(name);
  }
  void set_protocol(std::shared_ptr<BaseProtocol> user) override {
    user_ = std::dynamic_pointer_cast<DatagramProtocol>(std::move(user));
  }
  std::shared_ptr<BaseProtocol> get_protocol() const override { return user_; }
  Result<void> sendto(ByteView data, const Endpoint* to) override {
    return below_->sendto(data, to);
  }
  void abort() override { below_->abort(); }
  std::size_t get_write_buffer_size() const override { return below_->get_write_buffer_size(); }
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override {
    return below_->set_write_buffer_limits(high, low);
  }

 protected:
  os::NativeSocket descriptor() const {
    const ExtraInfo info = below_->get_extra_info("socket");
    const os::NativeSocket* fd = std::get_if<os::NativeSocket>(&info);
    return fd == nullptr ? os::kInvalid : *fd;
  }

  SelectorLoop& loop_;
  std::shared_ptr<DatagramProtocol> user_;
  DatagramTransport* below_ = nullptr;

 private:
  std::shared_ptr<DatagramTransport> kept_below_;
};

/// Calls `open` with a factory that puts a B in front of the user's protocol; the link that comes
/// out has the B as its transport.
template <class B, class LinkType, class Factory, class Open>
Future<LinkType> open_between(SelectorLoop& loop, Factory user_factory, Open open) {
  const auto between = std::make_shared<B>(loop);
  Future<LinkType> inner = open([between, user_factory] {
    between->set_user(user_factory());
    return between;
  });
  if (inner.done()) return inner;  // a refusal: nothing was made
  Future<LinkType> outer = loop.create_future<LinkType>();
  outer.set_cancel_hook([inner]() mutable { (void)inner.cancel(); });
  inner.add_done_callback([inner, outer, between]() mutable {
    try {
      const Result<LinkType> link = inner.result();
      if (!link.ok()) {
        outer.set_error(link.error());
        return;
      }
      between->set_below(link->transport);
      outer.set_result(LinkType{between, between->user()});
    } catch (...) {  // The user's factory raised.
      outer.set_exception(std::current_exception());
    }
  });
  return outer;
}

/// A poll loop whose stream transports all have a B in front of them.
template <class B>
class StreamsThrough : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    return open_between<B, Link>(*this, std::move(factory), [&](ProtocolFactory with_between) {
      return SelectorLoop::connect_read_pipe(std::move(with_between), std::move(pipe));
    });
  }
  Future<Link> connect_write_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    return open_between<B, Link>(*this, std::move(factory), [&](ProtocolFactory with_between) {
      return SelectorLoop::connect_write_pipe(std::move(with_between), std::move(pipe));
    });
  }
  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override {
    return open_between<B, Link>(*this, std::move(factory), [&](ProtocolFactory with_between) {
      return SelectorLoop::create_connection(std::move(with_between), std::move(options));
    });
  }
  Future<Link> connect_accepted_socket(ProtocolFactory factory, Socket& socket,
                                       std::optional<TlsOptions> tls) override {
    return open_between<B, Link>(*this, std::move(factory), [&](ProtocolFactory with_between) {
      return SelectorLoop::connect_accepted_socket(std::move(with_between), socket, std::move(tls));
    });
  }
  Future<std::shared_ptr<Server>> create_server(ProtocolFactory factory,
                                                ServerOptions options) override {
    return SelectorLoop::create_server(for_each_client(std::move(factory)), std::move(options));
  }

 private:
  /// A server's factory is called for each of its connections.
  ProtocolFactory for_each_client(ProtocolFactory user_factory) {
    return [this, user_factory = std::move(user_factory)] {
      const auto between = std::make_shared<B>(*this);
      between->set_user(user_factory());
      return between;
    };
  }
};

/// The row of such a loop. B has kCaughtBy, the scenarios that must catch it, and kKeeps.
template <class B>
constexpr FaultyLoop wrong_stream(std::string_view name, std::string_view defect) {
  return FaultyLoop{.loop = poll_based<StreamsThrough<B>>(name),
                    .defect = defect,
                    .must_fail = B::kCaughtBy,
                    .must_pass = B::kKeeps};
}

/// A poll loop whose datagram endpoints all have a B in front of them.
template <class B>
class DatagramsThrough : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<DatagramLink> create_datagram_endpoint(DatagramFactory factory,
                                                DatagramOptions options) override {
    return open_between<B, DatagramLink>(*this, std::move(factory),
                                         [&](DatagramFactory with_between) {
                                           return SelectorLoop::create_datagram_endpoint(
                                               std::move(with_between), std::move(options));
                                         });
  }
};

}  // namespace loopscope::testing
