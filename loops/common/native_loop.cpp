// Readers, writers, signals and the end of our own loops.
#include "loops/common/native_loop.hpp"

#include <cerrno>

#include "loops/os/pipe.hpp"

namespace loopscope {

NativeLoop::NativeLoop(const LoopOptions& options)
    : LoopBase(options), child_watcher_(options.child_watcher) {}

NativeLoop::~NativeLoop() = default;

void NativeLoop::close_unclosed() {
  if (is_closed()) return;
  if (get_debug()) log(LogLevel::warning, "unclosed event loop");
  (void)close();  // Fails only while running, and then nobody could destroy it.
}

// --- readers and writers

NativeLoop::Entry* NativeLoop::entry_of(os::NativeSocket fd) {
  if (!os::may_exist(fd) || os::index_of(fd) >= entries_.size()) return nullptr;
  return &entries_[os::index_of(fd)];
}

Interest NativeLoop::interest_in(os::NativeSocket fd) const {
  if (!os::may_exist(fd) || os::index_of(fd) >= entries_.size()) return {};
  return entries_[os::index_of(fd)].interest();
}

void NativeLoop::dispatch(os::NativeSocket fd, Direction direction) {
  Entry* entry = entry_of(fd);
  if (entry == nullptr || !entry->of(direction).callback) return;
  const std::uint64_t serial = entry->of(direction).serial;
  ready_.push([this, serial, fd, direction] { run_watch(fd, direction, serial); });
}

void NativeLoop::run_watch(os::NativeSocket fd, Direction direction, std::uint64_t serial) {
  Entry* entry = entry_of(fd);
  // Removed or replaced by an earlier callback of this iteration: the event was for another.
  if (entry == nullptr || entry->of(direction).serial != serial) return;
  const std::shared_ptr<std::function<void()>> callback = entry->of(direction).callback;
  if (!callback) return;
  run_as(direction == Direction::read ? "reader of descriptor" : "writer of descriptor",
         static_cast<long long>(fd), *callback);
}

void NativeLoop::descriptor_gone(os::NativeSocket fd) {
  Entry* entry = entry_of(fd);
  if (entry == nullptr) return;
  for (const Direction direction : {Direction::read, Direction::write}) {
    Watch& watch = entry->of(direction);
    const std::shared_ptr<std::function<void()>> callback = std::exchange(watch.callback, nullptr);
    watch.serial = 0;
    if (callback) ready_.push([callback] { (*callback)(); });
  }
  log(LogLevel::warning,
      "descriptor " + std::to_string(fd) +
          " was closed while it was watched; its reader and writer were removed");
}

Result<void> NativeLoop::may_watch(std::string_view op, os::NativeSocket fd) const {
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

Result<void> NativeLoop::watch(os::NativeSocket fd, Direction direction,
                               std::function<void()> ready) {
  if (is_closed()) return make_error(Errc::closed, "watch");
  if (!os::may_exist(fd)) return errno_error_of(EBADF, "watch");
  const std::size_t index = os::index_of(fd);
  if (index >= entries_.size()) entries_.resize(index + 1);
  Entry& entry = entries_[index];
  const Interest before = entry.interest();
  const Interest wanted{before.read || direction == Direction::read,
                        before.write || direction == Direction::write};
  // Also when the interest stays the same: the number may belong to a new descriptor by now.
  const Result<void> armed = set_interest(fd, before, wanted);
  if (!armed.ok()) return armed;
  Watch replaced = std::move(entry.of(direction));  // destroyed when all is in order
  entry.of(direction) = {std::make_shared<std::function<void()>>(std::move(ready)), next_serial_++};
  return {};
}

Result<bool> NativeLoop::forget(os::NativeSocket fd, Direction direction) {
  Entry* entry = entry_of(fd);
  if (entry == nullptr || !entry->of(direction).callback) return false;
  const Interest before = entry->interest();
  const Watch removed = std::exchange(entry->of(direction), Watch{});
  const Result<void> changed = set_interest(fd, before, entry->interest());
  // A closed descriptor leaves the kernel's set by itself; it was registered, so the answer is yes.
  if (!changed.ok() && !changed.error().is_errno(EBADF)) return changed.error();
  return true;
}

Result<void> NativeLoop::add_reader(FileObj file, std::function<void()> callback) {
  const Result<void> may = may_watch("add_reader", file.native());
  return may.ok() ? watch(file.native(), Direction::read, std::move(callback)) : may;
}
Result<void> NativeLoop::add_writer(FileObj file, std::function<void()> callback) {
  const Result<void> may = may_watch("add_writer", file.native());
  return may.ok() ? watch(file.native(), Direction::write, std::move(callback)) : may;
}
Result<bool> NativeLoop::remove_reader(FileObj file) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, "remove_reader");
  if (owned_.contains(file.native())) return make_error(Errc::invalid_state, "remove_reader");
  return forget(file.native(), Direction::read);
}
Result<bool> NativeLoop::remove_writer(FileObj file) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, "remove_writer");
  if (owned_.contains(file.native())) return make_error(Errc::invalid_state, "remove_writer");
  return forget(file.native(), Direction::write);
}

void NativeLoop::adopt(os::NativeSocket fd, LoopResource* resource) {
  if (fd != os::kInvalid) owned_.insert(fd);
  resources_.insert(resource);
}
void NativeLoop::release(os::NativeSocket fd, LoopResource* resource) {
  owned_.erase(fd);
  resources_.erase(resource);
}

// --- signals

Result<void> NativeLoop::add_signal_handler(int signum, std::function<void()> callback) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, "add_signal_handler");
  if (const Result<void> taken = os::watch_signal(signum, *this); !taken.ok()) return taken;
  Watch& handler = signal_handlers_[static_cast<std::size_t>(signum)];
  const Watch replaced = std::exchange(
      handler, Watch{std::make_shared<std::function<void()>>(std::move(callback)), next_serial_});
  ++next_serial_;
  return {};
}

Result<bool> NativeLoop::remove_signal_handler(int signum) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, "remove_signal_handler");
  const Result<bool> owned = os::unwatch_signal(signum, *this);
  if (!owned.ok() || !*owned) return owned;
  const Watch removed = std::exchange(signal_handlers_[static_cast<std::size_t>(signum)], Watch{});
  signal_pending_[static_cast<std::size_t>(signum)] = false;
  return true;
}

void NativeLoop::mark_signal(int signum) noexcept {
  signal_pending_[static_cast<std::size_t>(signum)].store(true, std::memory_order_release);
  any_signal_.store(true, std::memory_order_release);
}

void NativeLoop::signal_arrived(int signum) noexcept {
  mark_signal(signum);
  wake();
}

void NativeLoop::collect_signals() {
  if (!any_signal_.exchange(false, std::memory_order_acq_rel)) return;
  for (int signum = 1; signum < os::kMaxSignal; ++signum) {
    const auto index = static_cast<std::size_t>(signum);
    if (!signal_pending_[index].exchange(false, std::memory_order_acq_rel)) continue;
    const std::uint64_t serial = signal_handlers_[index].serial;
    ready_.push([this, signum, serial] { run_signal(signum, serial); });
  }
}

void NativeLoop::run_signal(int signum, std::uint64_t serial) {
  const Watch handler = signal_handlers_[static_cast<std::size_t>(signum)];
  if (!handler.callback || handler.serial != serial) return;
  run_as("handler of signal", signum, *handler.callback);
}

// --- the end

void NativeLoop::close_backend() {
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
  const std::vector<Entry> dropped = std::exchange(entries_, {});
}

}  // namespace loopscope
