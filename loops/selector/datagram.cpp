// Datagram endpoints over readiness: datagrams whole, in order, each with its sender.
#include <algorithm>
#include <cerrno>
#include <deque>

#include "loops/selector/transport_base.hpp"

namespace loopscope {
namespace {

constexpr std::size_t kLargest = 64 * 1024;  // no datagram is longer, so none is cut short
constexpr int kReadsPerEvent = 16;           // a flood must not keep the loop here

class SelectorDatagram final : public DatagramTransport,
                               public TransportCore,
                               public std::enable_shared_from_this<SelectorDatagram> {
 public:
  SelectorDatagram(SelectorLoop& loop, os::UniqueFd fd, std::shared_ptr<DatagramProtocol> protocol,
                   std::optional<Endpoint> remote)
      : TransportCore(loop, std::move(fd), protocol, false),
        datagrams_(std::move(protocol)),
        remote_(std::move(remote)) {}
  void open() { begin(shared_from_this()); }

  void close() override {
    if (closing_) return;
    closing_ = true;
    unwatch(Direction::read);
    if (queue_.empty()) lose({});
  }
  void abort() override { lose({}); }
  bool is_closing() const override { return closing_; }
  ExtraInfo get_extra_info(std::string_view name) const override { return describe(name); }
  void set_protocol(std::shared_ptr<BaseProtocol> protocol) override {
    datagrams_ = std::dynamic_pointer_cast<DatagramProtocol>(protocol);
    protocol_ = std::move(protocol);
  }
  std::shared_ptr<BaseProtocol> get_protocol() const override { return protocol_; }
  std::size_t get_write_buffer_size() const override { return queued_bytes_; }
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override {
    Result<void> set = flow_.set_limits(high, low);
    if (set.ok()) update_flow();
    return set;
  }
  Result<void> sendto(ByteView data, const Endpoint* to) override;

 private:
  struct Queued {
    Bytes data;
    std::optional<Endpoint> to;
  };
  void started() override {
    watch(Direction::read, [this] { on_readable(); });
  }
  void drop_buffer() override {
    queue_.clear();
    queued_bytes_ = 0;
  }
  std::size_t buffered() const override { return queued_bytes_; }
  void on_readable();
  void on_writable();
  void report(const Error& error);
  /// Errors that the endpoint cannot outlive; all others concern one datagram.
  static bool is_fatal(const Error& error) {
    return error.is_errno(EBADF) || error.is_errno(ENOTSOCK);
  }

  std::shared_ptr<DatagramProtocol> datagrams_;
  std::optional<Endpoint> remote_;
  std::deque<Queued> queue_;
  std::size_t queued_bytes_ = 0;
};

void SelectorDatagram::report(const Error& error) {
  if (is_fatal(error)) {
    lose(error);
    return;
  }
  const std::shared_ptr<DatagramProtocol> protocol = datagrams_;
  if (protocol) call([&] { protocol->error_received(error); }, "error_received");
}

void SelectorDatagram::on_readable() {
  const std::shared_ptr<SelectorDatagram> keep = shared_from_this();
  for (int i = 0; i < kReadsPerEvent && !closing_ && loop_ != nullptr; ++i) {
    const std::span<std::byte> buffer = loop_->scratch(kLargest);
    Endpoint sender;
    const Result<os::Transfer> got = os::recvfrom(fd_.get(), buffer, sender);
    if (!got.ok()) {
      report(got.error());
      return;
    }
    if (!*got) {
      // Ready, but no datagram: an error queue that nobody asked for would keep it ready.
      if (i == 0) os::drain_error_queue(fd_.get());
      return;
    }
    const std::shared_ptr<DatagramProtocol> protocol = datagrams_;
    if (!protocol) return;
    if (sender.size() == 0 && remote_) sender = *remote_;
    if (!call([&] { protocol->datagram_received(buffer.first(**got), sender); },
              "datagram_received")) {
      return;
    }
  }
}

Result<void> SelectorDatagram::sendto(ByteView data, const Endpoint* to) {
  if (closing_ || loop_ == nullptr) return make_error(Errc::closed, "sendto");
  if (remote_ && to != nullptr && !(*to == *remote_)) {
    return make_error(Errc::invalid_argument, "sendto",
                      "the endpoint is connected to " + remote_->to_string());
  }
  if (!remote_ && to == nullptr) {
    return make_error(Errc::invalid_argument, "sendto", "an address is needed");
  }
  const Endpoint* address = remote_ ? nullptr : to;
  if (queue_.empty()) {
    const Result<os::Transfer> sent = os::sendto(fd_.get(), data, address);
    if (!sent.ok()) {
      loop_->call_soon([keep = shared_from_this(), error = std::make_shared<Error>(sent.error())] {
        if (!keep->lost_) keep->report(*error);
      });
      return {};
    }
    if (*sent) return {};
    if (!watch(Direction::write, [this] { on_writable(); })) return {};
  }
  queue_.push_back({Bytes(data.begin(), data.end()),
                    address == nullptr ? std::nullopt : std::optional(*address)});
  queued_bytes_ += data.size();
  update_flow();
  return {};
}

void SelectorDatagram::on_writable() {
  const std::shared_ptr<SelectorDatagram> keep = shared_from_this();
  while (!queue_.empty()) {
    const Queued& first = queue_.front();
    const Result<os::Transfer> sent =
        os::sendto(fd_.get(), first.data, first.to ? &*first.to : nullptr);
    if (sent.ok() && !*sent) break;
    const Queued done = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= done.data.size();
    if (!sent.ok()) {
      report(sent.error());
      if (lost_) return;
    }
  }
  const bool drained = queue_.empty();
  if (drained) unwatch(Direction::write);
  update_flow();
  if (drained && queue_.empty() && closing_) lose({});
}

/// A new socket as the options ask for, bound and connected.
Result<os::UniqueFd> open_datagram_socket(const DatagramOptions& options) {
  const Endpoint& named = options.local_addr ? *options.local_addr : *options.remote_addr;
  if (options.local_addr && options.remote_addr &&
      options.local_addr->family() != options.remote_addr->family()) {
    return make_error(Errc::invalid_argument, "create_datagram_endpoint",
                      "local and remote address are of different families");
  }
  Result<os::UniqueFd> fd = os::open_socket(named.family(), SocketType::datagram);
  if (!fd.ok()) return fd;
  if (options.allow_broadcast) {
    if (auto set = os::set_broadcast(fd->get(), true); !set.ok()) return set.error();
  }
  if (options.reuse_port) {
    if (auto set = os::set_reuse_port(fd->get(), true); !set.ok()) return set.error();
  }
  if (options.local_addr) {
    if (auto bound = os::bind(fd->get(), *options.local_addr); !bound.ok()) return bound.error();
  }
  if (options.remote_addr) {
    const Result<bool> connected = os::connect(fd->get(), *options.remote_addr);
    if (!connected.ok()) return connected.error();
  }
  return fd;
}

/// The caller's socket: it has to be a datagram socket, and no option may contradict it.
Result<os::UniqueFd> adopt_datagram_socket(DatagramOptions& options) {
  if (options.local_addr || options.remote_addr || options.allow_broadcast || options.reuse_port) {
    return make_error(Errc::invalid_argument, "create_datagram_endpoint",
                      "a socket and options for a new one were given");
  }
  const Result<SocketType> type = os::type_of(options.sock->native());
  if (!type.ok()) return type.error();
  if (*type != SocketType::datagram) {
    return make_error(Errc::invalid_argument, "create_datagram_endpoint",
                      "a datagram socket was expected");
  }
  if (auto set = os::set_blocking(options.sock->native(), false); !set.ok()) return set.error();
  return options.sock->release();
}

}  // namespace

Future<DatagramLink> SelectorLoop::create_datagram_endpoint(DatagramFactory factory,
                                                            DatagramOptions options) {
  const std::string_view op = "create_datagram_endpoint";
  if (const std::optional<Errc> why = refuses()) {
    return done_future<DatagramLink>(make_error(*why, op));
  }
  if (options.sock == nullptr && !options.local_addr && !options.remote_addr) {
    return done_future<DatagramLink>(make_error(Errc::invalid_argument, op, "no address given"));
  }
  Result<os::UniqueFd> fd =
      options.sock != nullptr ? adopt_datagram_socket(options) : open_datagram_socket(options);
  if (!fd.ok()) return done_future<DatagramLink>(fd.error());
  Future<DatagramLink> future = create_future<DatagramLink>();
  DatagramLink link;
  try {
    link.protocol = factory();
  } catch (const ExitException&) {
    throw;
  } catch (...) {
    future.set_exception(std::current_exception());
    return future;
  }
  std::optional<Endpoint> remote;
  if (const auto peer = os::peer_address(fd->get()); peer.ok()) remote = *peer;
  auto transport = std::make_shared<SelectorDatagram>(*this, std::move(fd).value(), link.protocol,
                                                      std::move(remote));
  transport->open();
  link.transport = std::move(transport);
  deliver(*this, future, std::move(link));
  return future;
}

}  // namespace loopscope
