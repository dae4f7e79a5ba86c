// Readers, writers and signals over a Selector.
#include "loops/selector/selector_loop.hpp"

#include <cerrno>

#include "loops/os/pipe.hpp"
#include "loops/os/process_id.hpp"

namespace loopscope {

SelectorLoop::SelectorLoop(const LoopOptions& options, std::unique_ptr<Selector> selector,
                           std::unique_ptr<os::Waker> waker)
    : LoopBase(options),
      selector_(std::move(selector)),
      waker_(std::move(waker)),
      generation_(os::fork_generation()),
      ops_(static_cast<Readiness&>(*this)),
      child_watcher_(options.child_watcher) {}

SelectorLoop::~SelectorLoop() {
  if (is_closed()) return;
  if (get_debug()) log(LogLevel::warning, "unclosed event loop");
  (void)close();  // Fails only while running, and then nobody could destroy it.
}

Result<std::unique_ptr<SelectorLoop>> SelectorLoop::make(const LoopOptions& options,
                                                         std::unique_ptr<Selector> selector) {
  auto waker = os::make_waker();
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
  info.internal_descriptors.push_back(waker_->descriptor());
  return info;
}

// --- waiting

Result<void> SelectorLoop::take_over() {
  Result<std::unique_ptr<os::Waker>> fresh = os::make_waker();
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
      descriptor_gone(ready);
    } else {
      if (ready.what.read) dispatch(ready.socket, Direction::read);
      if (ready.what.write) dispatch(ready.socket, Direction::write);
    }
  }
  if (any_signal_.exchange(false, std::memory_order_acq_rel)) collect_signals();
  return {};
}

SelectorLoop::Entry* SelectorLoop::entry_of(os::NativeSocket fd) {
  if (fd < 0 || static_cast<std::size_t>(fd) >= entries_.size()) return nullptr;
  return &entries_[static_cast<std::size_t>(fd)];
}

void SelectorLoop::dispatch(os::NativeSocket fd, Direction direction) {
  Entry* entry = entry_of(fd);
  if (entry == nullptr || !entry->of(direction).callback) return;
  const std::uint64_t serial = entry->of(direction).serial;
  ready_.push([this, serial, fd, direction] { run_watch(fd, direction, serial); });
}

void SelectorLoop::run_watch(os::NativeSocket fd, Direction direction, std::uint64_t serial) {
  Entry* entry = entry_of(fd);
  // Removed or replaced by an earlier callback of this iteration: the event was for another.
  if (entry == nullptr || entry->of(direction).serial != serial) return;
  const std::shared_ptr<std::function<void()>> callback = entry->of(direction).callback;
  if (callback) (*callback)();
}

/// The selector does not watch it any more. The callbacks run once, so that an operation that
/// waits on it finds out; then the descriptor is forgotten.
void SelectorLoop::descriptor_gone(const Ready& ready) {
  const Entry* entry = entry_of(ready.socket);
  if (entry == nullptr) return;
  for (const Direction direction : {Direction::read, Direction::write}) {
    Watch& watch = entries_[static_cast<std::size_t>(ready.socket)].of(direction);
    const std::shared_ptr<std::function<void()>> callback = std::exchange(watch.callback, nullptr);
    watch.serial = 0;
    if (callback) ready_.push([callback] { (*callback)(); });
  }
  log(LogLevel::warning,
      "descriptor " + std::to_string(ready.socket) +
          " was closed while it was watched; its reader and writer were removed");
}

// --- readers and writers

Result<void> SelectorLoop::may_watch(std::string_view op, os::NativeSocket fd) const {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, op);
  if (owned_.contains(fd)) {
    return make_error(Errc::invalid_state, op, "the descriptor belongs to a transport");
  }
  const Result<os::FdKind> kind = os::kind_of(fd);
  if (!kind.ok()) return kind.error();
  // epoll says EPERM by itself. poll and select would report the file ready for ever.
  if (*kind == os::FdKind::regular || *kind == os::FdKind::directory) {
    return errno_error_of(EPERM, op, "a regular file or directory is always ready");
  }
  return {};
}

Result<void> SelectorLoop::watch(os::NativeSocket fd, Direction direction,
                                 std::function<void()> ready) {
  if (is_closed()) return make_error(Errc::closed, "watch");
  if (fd < 0) return errno_error_of(EBADF, "watch");
  if (static_cast<std::size_t>(fd) >= entries_.size()) {
    entries_.resize(static_cast<std::size_t>(fd) + 1);
  }
  Entry& entry = entries_[static_cast<std::size_t>(fd)];
  const bool had_read = entry.read.callback != nullptr;
  const bool had_write = entry.write.callback != nullptr;
  const Interest interest{had_read || direction == Direction::read,
                          had_write || direction == Direction::write};
  // Also when the interest stays the same: the number may belong to a new descriptor by now.
  const Result<void> armed =
      had_read || had_write ? selector_->modify(fd, interest) : selector_->add(fd, interest);
  if (!armed.ok()) return armed;
  Watch replaced = std::move(entry.of(direction));  // destroyed when all is in order
  entry.of(direction) = {std::make_shared<std::function<void()>>(std::move(ready)), next_serial_++};
  return {};
}

Result<bool> SelectorLoop::forget(os::NativeSocket fd, Direction direction) {
  Entry* entry = entry_of(fd);
  if (entry == nullptr || !entry->of(direction).callback) return false;
  const Watch removed = std::exchange(entry->of(direction), Watch{});
  const Interest left{entry->read.callback != nullptr, entry->write.callback != nullptr};
  const Result<void> changed =
      left == Interest{} ? selector_->remove(fd) : selector_->modify(fd, left);
  // A closed descriptor leaves the kernel's set by itself; it was registered, so the answer is yes.
  if (!changed.ok() && !changed.error().is_errno(EBADF)) return changed.error();
  return true;
}

Result<void> SelectorLoop::add_reader(FileObj file, std::function<void()> callback) {
  const Result<void> may = may_watch("add_reader", file.native());
  return may.ok() ? watch(file.native(), Direction::read, std::move(callback)) : may;
}
Result<void> SelectorLoop::add_writer(FileObj file, std::function<void()> callback) {
  const Result<void> may = may_watch("add_writer", file.native());
  return may.ok() ? watch(file.native(), Direction::write, std::move(callback)) : may;
}
Result<bool> SelectorLoop::remove_reader(FileObj file) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, "remove_reader");
  if (owned_.contains(file.native())) return make_error(Errc::invalid_state, "remove_reader");
  return forget(file.native(), Direction::read);
}
Result<bool> SelectorLoop::remove_writer(FileObj file) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, "remove_writer");
  if (owned_.contains(file.native())) return make_error(Errc::invalid_state, "remove_writer");
  return forget(file.native(), Direction::write);
}

void SelectorLoop::adopt(os::NativeSocket fd, LoopResource* resource) {
  if (fd != os::kInvalid) owned_.insert(fd);
  resources_.insert(resource);
}
void SelectorLoop::release(os::NativeSocket fd, LoopResource* resource) {
  owned_.erase(fd);
  resources_.erase(resource);
}

// --- signals

Result<void> SelectorLoop::add_signal_handler(int signum, std::function<void()> callback) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, "add_signal_handler");
  if (const Result<void> taken = os::watch_signal(signum, *this); !taken.ok()) return taken;
  Watch& handler = signal_handlers_[static_cast<std::size_t>(signum)];
  const Watch replaced = std::exchange(
      handler, Watch{std::make_shared<std::function<void()>>(std::move(callback)), next_serial_});
  ++next_serial_;
  return {};
}

Result<bool> SelectorLoop::remove_signal_handler(int signum) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, "remove_signal_handler");
  const Result<bool> owned = os::unwatch_signal(signum, *this);
  if (!owned.ok() || !*owned) return owned;
  const Watch removed = std::exchange(signal_handlers_[static_cast<std::size_t>(signum)], Watch{});
  signal_pending_[static_cast<std::size_t>(signum)] = false;
  return true;
}

void SelectorLoop::signal_arrived(int signum) noexcept {
  signal_pending_[static_cast<std::size_t>(signum)].store(true, std::memory_order_release);
  any_signal_.store(true, std::memory_order_release);
  waker_->wake();
}

void SelectorLoop::collect_signals() {
  for (int signum = 1; signum < os::kMaxSignal; ++signum) {
    const auto index = static_cast<std::size_t>(signum);
    if (!signal_pending_[index].exchange(false, std::memory_order_acq_rel)) continue;
    const std::uint64_t serial = signal_handlers_[index].serial;
    ready_.push([this, signum, serial] { run_signal(signum, serial); });
  }
}

void SelectorLoop::run_signal(int signum, std::uint64_t serial) {
  const Watch handler = signal_handlers_[static_cast<std::size_t>(signum)];
  if (handler.callback && handler.serial == serial) (*handler.callback)();
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
  processes_.reset();
  for (int signum = 1; signum < os::kMaxSignal; ++signum) {
    if (!signal_handlers_[static_cast<std::size_t>(signum)].callback) continue;
    (void)os::unwatch_signal(signum, *this);  // Ours, so it cannot be refused.
    signal_handlers_[static_cast<std::size_t>(signum)] = {};
  }
  while (!resources_.empty()) {
    LoopResource* resource = *resources_.begin();
    resources_.erase(resources_.begin());
    resource->loop_closed();
  }
  owned_.clear();
  ops_.clear();
  const std::vector<Entry> dropped = std::exchange(entries_, {});
  selector_.reset();
  waker_.reset();
}

}  // namespace loopscope
