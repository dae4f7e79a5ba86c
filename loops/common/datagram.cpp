// Datagram endpoints: how they are made, what they refuse, and the queue of what waits.
#include "loops/common/datagram.hpp"

#include <cerrno>

namespace loopscope {

DatagramEndpoint::DatagramEndpoint(NativeLoop& loop, os::UniqueFd fd,
                                   std::shared_ptr<DatagramProtocol> protocol,
                                   std::optional<Endpoint> remote)
    : TransportCore(loop, std::move(fd), protocol, false),
      datagrams_(std::move(protocol)),
      remote_(std::move(remote)) {}

void DatagramEndpoint::close() {
  if (closing_) return;
  closing_ = true;
  stop_receiving();
  if (queue_.empty()) lose({});
}

void DatagramEndpoint::set_protocol(std::shared_ptr<BaseProtocol> protocol) {
  datagrams_ = std::dynamic_pointer_cast<DatagramProtocol>(protocol);
  protocol_ = std::move(protocol);
}

Result<void> DatagramEndpoint::set_write_buffer_limits(std::optional<std::size_t> high,
                                                       std::optional<std::size_t> low) {
  Result<void> set = flow_.set_limits(high, low);
  if (set.ok()) update_flow();
  return set;
}

void DatagramEndpoint::drop_buffer() {
  queue_.clear();
  queued_bytes_ = 0;
}

bool DatagramEndpoint::is_fatal(const Error& error) {
  return error.is_errno(EBADF) || error.is_errno(ENOTSOCK);
}

void DatagramEndpoint::report(const Error& error) {
  if (is_fatal(error)) {
    lose(error);
    return;
  }
  const std::shared_ptr<DatagramProtocol> protocol = datagrams_;
  if (protocol) call([&] { protocol->error_received(error); }, "error_received");
}

void DatagramEndpoint::report_soon(const Error& error) {
  loop_->call_soon([keep = shared_from_this(), error = std::make_shared<Error>(error)] {
    if (!keep->lost_) keep->report(*error);
  });
}

bool DatagramEndpoint::received(ByteView data, Endpoint sender) {
  const std::shared_ptr<DatagramProtocol> protocol = datagrams_;
  if (!protocol) return false;
  if (sender.size() == 0 && remote_) sender = *remote_;
  return call([&] { protocol->datagram_received(data, sender); }, "datagram_received") &&
         !closing_ && loop_ != nullptr;
}

Result<void> DatagramEndpoint::sendto(ByteView data, const Endpoint* to) {
  if (closing_ || loop_ == nullptr) return make_error(Errc::closed, "sendto");
  if (remote_ && to != nullptr && !(*to == *remote_)) {
    return make_error(Errc::invalid_argument, "sendto",
                      "the endpoint is connected to " + remote_->to_string());
  }
  if (!remote_ && to == nullptr) {
    return make_error(Errc::invalid_argument, "sendto", "an address is needed");
  }
  const Endpoint* address = remote_ ? nullptr : to;
  const bool first = queue_.empty();
  if (first && offer(data, address)) return {};
  queue_.push_back({Bytes(data.begin(), data.end()),
                    address == nullptr ? std::nullopt : std::optional(*address)});
  queued_bytes_ += data.size();
  if (first) wait_for_room();
  if (!lost_) update_flow();
  return {};
}

bool DatagramEndpoint::sent_first(const Result<void>& sent) {
  const Queued done = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= done.data.size();
  if (!sent.ok()) report(sent.error());
  return !lost_;
}

void DatagramEndpoint::moved() {
  const bool drained = queue_.empty();
  if (drained) room_not_needed();
  update_flow();
  if (drained && queue_.empty() && closing_) lose({});
}

namespace {

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

Future<DatagramLink> NativeLoop::create_datagram_endpoint(DatagramFactory factory,
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
  auto transport = new_datagram_endpoint(std::move(fd).value(), link.protocol, std::move(remote));
  transport->open();
  link.transport = std::move(transport);
  deliver(*this, future, std::move(link));
  return future;
}

}  // namespace loopscope
