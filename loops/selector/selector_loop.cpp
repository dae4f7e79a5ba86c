// Waiting with a Selector, and sock_* over it.
#include "loops/selector/selector_loop.hpp"

#include "loops/os/process_id.hpp"

namespace loopscope {

SelectorLoop::SelectorLoop(const LoopOptions& options, std::unique_ptr<Selector> selector,
                           std::unique_ptr<os::Waker> waker)
    : NativeLoop(options),
      selector_(std::move(selector)),
      waker_(std::move(waker)),
      generation_(os::fork_generation()),
      ops_(static_cast<Readiness&>(*this)) {}

Result<std::unique_ptr<SelectorLoop>> SelectorLoop::make(const LoopOptions& options,
                                                         std::unique_ptr<Selector> selector) {
  auto waker = selector->make_waker();
  if (!waker.ok()) return waker.error();
  auto loop =
      std::make_unique<SelectorLoop>(options, std::move(selector), std::move(waker).value());
  if (const Result<void> opened = loop->open(); !opened.ok()) return opened.error();
  return loop;
}

Result<void> SelectorLoop::open() { return selector_->add(waker_->descriptor(), {true, false}); }

BackendInfo SelectorLoop::backend() const {
  BackendInfo info;
  if (!selector_) return info;  // closed
  info.mechanism = selector_->mechanism();
  info.wait_descriptor = selector_->descriptor();
  if (info.wait_descriptor != os::kInvalid)
    info.internal_descriptors.push_back(info.wait_descriptor);
  if (waker_->descriptor() != info.wait_descriptor)
    info.internal_descriptors.push_back(waker_->descriptor());
  return info;
}

// --- waiting

Result<void> SelectorLoop::take_over() {
  Result<std::unique_ptr<os::Waker>> fresh = selector_->make_waker();
  if (!fresh.ok()) return fresh.error();
  if (Result<void> gone = selector_->remove(waker_->descriptor()); !gone.ok()) return gone;
  waker_ = std::move(fresh).value();
  generation_ = os::fork_generation();
  return open();
}

Result<void> SelectorLoop::poll(std::optional<Duration> timeout) {
  if (generation_ != os::fork_generation()) {
    if (Result<void> own = take_over(); !own.ok()) return own;
  }
  events_.clear();
  if (Result<void> waited = selector_->wait(timeout, events_); !waited.ok()) return waited;
  for (const Ready& ready : events_) {
    if (ready.socket == waker_->descriptor()) {
      // At the end of the channel nothing can be learnt from it, and watching it would spin.
      if (!waker_->drain() || ready.gone) (void)selector_->remove(ready.socket);
    } else if (ready.gone) {
      descriptor_gone(ready.socket);
    } else {
      if (ready.what.read) dispatch(ready.socket, Direction::read);
      if (ready.what.write) dispatch(ready.socket, Direction::write);
    }
  }
  collect_signals();
  return {};
}

Result<void> SelectorLoop::set_interest(os::NativeSocket fd, Interest before, Interest after) {
  if (after == Interest{}) return selector_->remove(fd);
  return before == Interest{} ? selector_->add(fd, after) : selector_->modify(fd, after);
}

// --- sockets

Future<Bytes> SelectorLoop::sock_recv(Socket& socket, std::size_t max_bytes) {
  return ops_.recv(socket, max_bytes);
}
Future<std::size_t> SelectorLoop::sock_recv_into(Socket& socket, std::span<std::byte> buffer) {
  return ops_.recv_into(socket, buffer);
}
Future<Datagram> SelectorLoop::sock_recvfrom(Socket& socket, std::size_t max_bytes) {
  return ops_.recvfrom(socket, max_bytes);
}
Future<std::pair<std::size_t, Endpoint>> SelectorLoop::sock_recvfrom_into(
    Socket& socket, std::span<std::byte> buffer) {
  return ops_.recvfrom_into(socket, buffer);
}
Future<void> SelectorLoop::sock_sendall(Socket& socket, Bytes data) {
  return ops_.sendall(socket, std::move(data));
}
Future<std::size_t> SelectorLoop::sock_sendto(Socket& socket, Bytes data, Endpoint peer) {
  return ops_.sendto(socket, std::move(data), peer);
}
Future<void> SelectorLoop::sock_connect(Socket& socket, Endpoint peer) {
  return ops_.connect(socket, peer);
}
Future<Accepted> SelectorLoop::sock_accept(Socket& listener) { return ops_.accept(listener); }
Future<std::uint64_t> SelectorLoop::sock_sendfile(Socket& socket, FileRange range) {
  return ops_.sendfile(socket, range);
}

// --- the end

void SelectorLoop::close_backend() {
  NativeLoop::close_backend();
  ops_.clear();
  selector_.reset();
  waker_.reset();
}

}  // namespace loopscope
