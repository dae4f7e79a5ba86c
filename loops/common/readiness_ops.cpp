// sock_* over readiness: try, arm, try again.
#include "loops/common/readiness_ops.hpp"

#include "loops/common/socket_checks.hpp"

namespace loopscope {

Result<void> LoopReadiness::watch(os::NativeSocket fd, Direction direction,
                                  std::function<void()> ready) {
  return direction == Direction::read ? loop_.add_reader(fd, std::move(ready))
                                      : loop_.add_writer(fd, std::move(ready));
}
void LoopReadiness::unwatch(os::NativeSocket fd, Direction direction) {
  // Nothing to tell the operation that is over: the loop may be closed or the descriptor gone.
  (void)(direction == Direction::read ? loop_.remove_reader(fd) : loop_.remove_writer(fd));
}

/// One try yields nullopt as long as it would block.
template <class T, class Try>
struct ReadinessOps::OperationOf final : Operation {
  OperationOf(Future<T> future, Try once) : future_(std::move(future)), once_(std::move(once)) {}
  bool attempt() override {
    if (future_.done()) return true;
    Result<std::optional<detail::Stored<T>>> tried = once_();
    if (!tried.ok()) {
      future_.set_error(tried.error());
      return true;
    }
    if (!tried.value()) return false;
    future_.set_result(std::move(*tried.value()));
    return true;
  }
  Future<T> future_;
  Try once_;
};

template <class T, class Try>
Future<T> ReadinessOps::start(std::string_view op, Socket& socket, Direction direction,
                              Try attempt, bool blocks_when_ready) {
  EventLoop& loop = readiness_.event_loop();
  if (const Result<void> may = check_socket(loop, op, socket); !may.ok()) {
    return loop.template done_future<T>(may.error());
  }
  Future<T> future = loop.template create_future<T>();
  auto operation = std::make_shared<OperationOf<T, Try>>(future, std::move(attempt));
  operation->blocks_when_ready = blocks_when_ready;
  const Key key{socket.native(), direction};
  // An earlier operation that waits goes first.
  if (!pending_.contains(key) && operation->attempt()) return future;
  if (const Result<void> armed = enqueue(key, operation); !armed.ok()) {
    return loop.template done_future<T>(armed.error());
  }
  future.set_cancel_hook([this, key, raw = operation.get()] { drop(key, raw); });
  return future;
}

Result<void> ReadinessOps::arm(Key key) {
  return readiness_.watch(key.first, key.second, [this, key] { serve(key); });
}

void ReadinessOps::disarm(std::map<Key, Queue>::iterator served) {
  const Key key = served->first;
  served->second.pause_over.cancel();
  pending_.erase(served);
  readiness_.unwatch(key.first, key.second);
}

Result<void> ReadinessOps::enqueue(Key key, std::shared_ptr<Operation> operation) {
  Queue& queue = pending_[key];
  if (queue.operations.empty()) {
    const Result<void> armed = arm(key);
    if (!armed.ok()) {
      pending_.erase(key);
      return armed;
    }
  }
  queue.operations.push_back(std::move(operation));
  return {};
}

void ReadinessOps::drop(Key key, const Operation* operation) {
  const auto found = pending_.find(key);
  if (found == pending_.end()) return;
  auto& operations = found->second.operations;
  std::erase_if(operations, [operation](const auto& each) { return each.get() == operation; });
  if (operations.empty()) disarm(found);
}

void ReadinessOps::serve(Key key) {
  const auto found = pending_.find(key);
  if (found == pending_.end()) return;
  Queue& queue = found->second;
  const std::shared_ptr<Operation> first = queue.operations.front();
  if (!first->attempt()) {
    if (first->blocks_when_ready) pause(key, queue);
    return;  // else a spurious event: keep waiting
  }
  queue.backoff.reset();
  queue.operations.pop_front();
  // The next one is tried when the descriptor is still ready.
  if (queue.operations.empty()) disarm(found);
}

void ReadinessOps::pause(Key key, Queue& queue) {
  readiness_.unwatch(key.first, key.second);
  queue.pause_over = readiness_.event_loop().call_later(queue.backoff.next(), [this, key] {
    // An error: somebody else watches it now, or it is closed. Trying tells.
    if (pending_.contains(key) && !arm(key).ok()) serve(key);
  });
}

void ReadinessOps::clear() {
  std::map<Key, Queue> dropped = std::move(pending_);
  pending_.clear();
  for (auto& [key, queue] : dropped) queue.pause_over.cancel();
}

Future<Bytes> ReadinessOps::recv(Socket& socket, std::size_t max_bytes) {
  return start<Bytes>("sock_recv", socket, Direction::read,
                      [fd = socket.native(), max_bytes]() -> Result<std::optional<Bytes>> {
                        Bytes data(max_bytes);
                        const Result<os::Transfer> got = os::recv(fd, data);
                        if (!got.ok()) return got.error();
                        if (!*got) return std::optional<Bytes>();
                        data.resize(**got);
                        return std::optional<Bytes>(std::move(data));
                      });
}

Future<std::size_t> ReadinessOps::recv_into(Socket& socket, std::span<std::byte> buffer) {
  return start<std::size_t>("sock_recv_into", socket, Direction::read,
                            [fd = socket.native(), buffer] { return os::recv(fd, buffer); });
}

Future<Datagram> ReadinessOps::recvfrom(Socket& socket, std::size_t max_bytes) {
  return start<Datagram>("sock_recvfrom", socket, Direction::read,
                         [fd = socket.native(), max_bytes]() -> Result<std::optional<Datagram>> {
                           Datagram datagram;
                           datagram.data.resize(max_bytes);
                           const Result<os::Transfer> got =
                               os::recvfrom(fd, datagram.data, datagram.sender);
                           if (!got.ok()) return got.error();
                           if (!*got) return std::optional<Datagram>();
                           datagram.data.resize(**got);
                           return std::optional<Datagram>(std::move(datagram));
                         });
}

Future<std::pair<std::size_t, Endpoint>> ReadinessOps::recvfrom_into(Socket& socket,
                                                                     std::span<std::byte> buffer) {
  using Received = std::pair<std::size_t, Endpoint>;
  return start<Received>("sock_recvfrom_into", socket, Direction::read,
                         [fd = socket.native(), buffer]() -> Result<std::optional<Received>> {
                           Endpoint sender;
                           const Result<os::Transfer> got = os::recvfrom(fd, buffer, sender);
                           if (!got.ok()) return got.error();
                           if (!*got) return std::optional<Received>();
                           return std::optional<Received>(Received(**got, sender));
                         });
}

Future<void> ReadinessOps::sendall(Socket& socket, Bytes data) {
  return start<void>("sock_sendall", socket, Direction::write,
                     [fd = socket.native(), data = std::move(data),
                      sent = std::size_t{0}]() mutable -> Result<std::optional<detail::Unit>> {
                       while (sent < data.size()) {
                         const ByteView rest(data.data() + sent, data.size() - sent);
                         const Result<os::Transfer> taken = os::send(fd, rest);
                         if (!taken.ok()) return taken.error();
                         if (!*taken) return std::optional<detail::Unit>();
                         sent += **taken;
                         // One chunk an event: a fast reader must not keep the loop here.
                         if (**taken < rest.size()) return std::optional<detail::Unit>();
                       }
                       return std::optional<detail::Unit>(detail::Unit{});
                     });
}

// A Unix socket without a peer has room, and the receiver's queue has not: unix(7).
Future<std::size_t> ReadinessOps::sendto(Socket& socket, Bytes data, Endpoint peer) {
  return start<std::size_t>(
      "sock_sendto", socket, Direction::write,
      [fd = socket.native(), data = std::move(data), peer] {
        return os::sendto(fd, data, peer.size() == 0 ? nullptr : &peer);
      },
      true);
}

Future<void> ReadinessOps::connect(Socket& socket, Endpoint peer) {
  return start<void>("sock_connect", socket, Direction::write,
                     [fd = socket.native(), peer,
                      started = false]() mutable -> Result<std::optional<detail::Unit>> {
                       if (!started) {
                         started = true;
                         const Result<bool> connected = os::connect(fd, peer);
                         if (!connected.ok()) return connected.error();
                         if (!*connected) return std::optional<detail::Unit>();
                         return std::optional<detail::Unit>(detail::Unit{});
                       }
                       const Result<void> outcome = os::connect_result(fd);
                       if (!outcome.ok()) return outcome.error();
                       return std::optional<detail::Unit>(detail::Unit{});
                     });
}

Future<Accepted> ReadinessOps::accept(Socket& listener) {
  return start<Accepted>("sock_accept", listener, Direction::read,
                         [fd = listener.native()]() -> Result<std::optional<Accepted>> {
                           auto accepted = os::accept(fd);
                           if (!accepted.ok()) return accepted.error();
                           if (!*accepted) return std::optional<Accepted>();
                           auto& [socket, peer] = **accepted;
                           Accepted connection{Socket(std::move(socket)), peer};
                           return std::optional<Accepted>(std::move(connection));
                         });
}

Future<std::uint64_t> ReadinessOps::sendfile(Socket& socket, const FileRange& range) {
  constexpr std::string_view kOp = "sock_sendfile";
  EventLoop& loop = readiness_.event_loop();
  const Result<FileTransfer> transfer = check_sendfile(loop, kOp, socket, range);
  if (!transfer.ok()) return loop.done_future<std::uint64_t>(transfer.error());
  return start<std::uint64_t>(
      kOp, socket, Direction::write,
      [fd = socket.native(),
       transfer = *transfer]() mutable -> Result<std::optional<std::uint64_t>> {
        const Result<bool> over = transfer.step(fd, os::send);
        if (!over.ok()) return over.error();
        if (!*over) return std::optional<std::uint64_t>();
        return std::optional<std::uint64_t>(transfer.sent());
      });
}

}  // namespace loopscope
