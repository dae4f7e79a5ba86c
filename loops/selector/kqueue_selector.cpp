// kqueue(2) selector: level-triggered, a cost per ready descriptor, and more than descriptors.
//
// Each change is a call of its own: its refusal is then the call's error on every system, and no
// event is taken out of turn. Quirks handled here:
//   kqueue.kinds         old Darwin refuses terminals and other devices with EINVAL, other systems
//                        some devices with ENODEV: select(2) watches them, and the queue itself.
//   kqueue.fork_inherited  a forked child has no queue: it makes one with all that is watched.
//   kqueue.timeout_cap   FreeBSD cuts a wait after 24 hours: so do we, everywhere.
// Further: closing a descriptor takes it out of the queue, so a removal may find nothing (ENOENT,
// EBADF). EVFILT_WRITE of a pipe whose reader has left is refused with EPIPE on FreeBSD and Darwin,
// where other systems report it as writable for ever, and so do we. Darwin puts off the end of a
// wait to save power, but not a timer that is called critical.
// Source: FreeBSD man 2 kqueue; macOS man 2 kqueue, NOTE_CRITICAL; libuv, uv__stream_try_select.
#include "loops/selector/kqueue_selector.hpp"

#include <algorithm>
#include <cerrno>

#include "loops/os/pipe.hpp"
#include "loops/os/waker.hpp"

namespace loopscope {
namespace {

using Action = QueueChange::Action;
constexpr std::uintptr_t kWakeIdent = 0, kTimerIdent = 0;
constexpr Duration kLongestWait = std::chrono::hours(24);

class UserEventWaker final : public os::Waker {
 public:
  explicit UserEventWaker(std::shared_ptr<KernelQueue> queue) : queue_(std::move(queue)) {}
  os::NativeSocket descriptor() const override { return queue_->descriptor(); }
  void wake() noexcept override {
    const int saved = errno;
    // Refused only when the loop has taken the event out again, or for want of memory.
    (void)queue_->change({Filter::user, kWakeIdent, Action::trigger});
    errno = saved;
  }
  bool drain() noexcept override { return true; }

 private:
  std::shared_ptr<KernelQueue> queue_;
};

bool is_device(os::NativeSocket fd) {
  const Result<os::FdKind> kind = os::kind_of(fd);
  return kind.ok() && (*kind == os::FdKind::terminal || *kind == os::FdKind::character);
}

bool refuses_device(const Error& error) {
  return error.is_errno(EINVAL) || error.is_errno(ENODEV) || error.is_errno(EOPNOTSUPP);
}

std::uintptr_t ident_of(int number) { return static_cast<std::uintptr_t>(number); }

}  // namespace

// --- descriptors

KqueueSelector::Watched& KqueueSelector::of(os::NativeSocket fd) {
  const std::size_t index = os::index_of(fd);
  if (index >= watched_.size()) watched_.resize(index + 1);
  return watched_[index];
}

Result<void> KqueueSelector::change(Filter filter, std::uintptr_t ident, Action action) {
  return queue_->change({filter, ident, action});
}

Result<void> KqueueSelector::start(os::NativeSocket fd, Filter filter) {
  Result<void> added = change(filter, ident_of(fd), Action::add);
  if (filter != Filter::write) return added;
  const bool no_reader = !added.ok() && added.error().is_errno(EPIPE);
  of(fd).no_reader = no_reader;
  if (!no_reader) {
    no_reader_.erase(fd);
    return added;
  }
  no_reader_.insert(fd);
  return {};
}

Result<void> KqueueSelector::stop(os::NativeSocket fd, Filter filter) {
  if (filter == Filter::write) {
    no_reader_.erase(fd);
    if (std::exchange(of(fd).no_reader, false)) return {};
  }
  Result<void> removed = change(filter, ident_of(fd), Action::remove);
  if (removed.ok()) return removed;
  // Closed meanwhile, and so dropped by the kernel; the number may be another descriptor's.
  if (removed.error().is_errno(ENOENT) || removed.error().is_errno(EBADF)) return {};
  return removed;
}

Result<void> KqueueSelector::watch_for(os::NativeSocket fd, Interest before, Interest after) {
  // Also what is watched already: the number may have come to mean another descriptor.
  if (after.read) {
    if (Result<void> started = start(fd, Filter::read); !started.ok()) return started;
  }
  if (after.write) {
    if (Result<void> started = start(fd, Filter::write); !started.ok()) {
      if (after.read && !before.read) (void)stop(fd, Filter::read);
      return started;
    }
  }
  if (before.read && !after.read) {
    if (Result<void> stopped = stop(fd, Filter::read); !stopped.ok()) return stopped;
  }
  if (before.write && !after.write) return stop(fd, Filter::write);
  return {};
}

Result<void> KqueueSelector::watch_device(os::NativeSocket fd, Interest interest, Error refused) {
  if (!refuses_device(refused) || !is_device(fd)) return refused;
  if (!devices_) {
    SelectorResult made = make_select_selector();
    if (!made.ok()) return made.error();
    if (Result<void> own = (*made)->add(queue_->descriptor(), {true, false}); !own.ok()) return own;
    devices_ = std::move(made).value();
  }
  if (Result<void> added = devices_->add(fd, interest); !added.ok()) return added;
  if (!std::exchange(of(fd).device, true)) ++device_count_;
  of(fd).interest = interest;
  return {};
}

Result<void> KqueueSelector::add(os::NativeSocket fd, Interest interest) {
  if (fd == queue_->descriptor()) {
    if (Result<void> own = take_over(); !own.ok()) return own;
    wakes_ = true;
    return change(Filter::user, kWakeIdent, Action::add);
  }
  return modify(fd, interest);
}

Result<void> KqueueSelector::modify(os::NativeSocket fd, Interest interest) {
  if (fd < 0) return errno_error_of(EBADF, "kevent");
  if (Result<void> own = take_over(); !own.ok()) return own;
  if (of(fd).device) return devices_->modify(fd, interest);
  Result<void> watched = watch_for(fd, of(fd).interest, interest);
  if (!watched.ok()) return watch_device(fd, interest, watched.error());
  of(fd).interest = interest;
  return {};
}

Result<void> KqueueSelector::remove(os::NativeSocket fd) {
  const bool ours = generation_ == os::fork_generation();
  if (fd == queue_->descriptor()) {
    if (!std::exchange(wakes_, false) || !ours) return {};
    return change(Filter::user, kWakeIdent, Action::remove);
  }
  if (fd < 0) return {};
  const Interest before = std::exchange(of(fd).interest, Interest{});
  if (std::exchange(of(fd).device, false)) {
    if (--device_count_ == 0) devices_.reset();
    return devices_ ? devices_->remove(fd) : Result<void>{};
  }
  if (ours) return watch_for(fd, before, {});
  no_reader_.erase(fd);
  of(fd).no_reader = false;
  return {};
}

// --- waiting

void KqueueSelector::report(os::NativeSocket fd, Interest what, bool gone,
                            std::vector<Ready>& ready) {
  std::size_t& at = of(fd).at;
  if (at == kNowhere) {
    at = ready.size();
    ready.push_back({fd, {}, false});
  }
  Ready& entry = ready[at];
  entry.what = {entry.what.read || what.read, entry.what.write || what.write};
  entry.gone = entry.gone || gone;
}

void KqueueSelector::take(const QueueEvent& event, std::vector<Ready>& ready) {
  const auto number = static_cast<int>(event.ident);
  switch (event.filter) {
    case Filter::read:
    case Filter::write: {
      const bool gone = !event.ended && (event.error == EBADF || event.error == ENOENT);
      const bool broken = event.error != 0;  // a reader or writer can then see it
      report(number,
             {event.filter == Filter::read || broken, event.filter == Filter::write || broken},
             gone, ready);
      return;
    }
    case Filter::user:
      report(queue_->descriptor(), {true, false}, false, ready);
      return;
    case Filter::signal:
      if (raised_ && signals_.contains(number)) raised_(number);
      return;
    case Filter::process:
      if (const auto found = exits_.find(number); found != exits_.end()) {
        const std::function<void()> ended = std::move(found->second);
        exits_.erase(found);
        ended();
      }
      return;
    case Filter::timer:  // has done its work
      return;
  }
}

/// Waits with select(2) for devices and the queue. value: has the queue something to say?
Result<bool> KqueueSelector::wait_for_devices(std::optional<Duration> timeout,
                                              std::vector<Ready>& ready) {
  found_.clear();
  if (Result<void> waited = devices_->wait(timeout, found_); !waited.ok()) return waited.error();
  bool queue = false;
  for (const Ready& entry : found_) {
    if (entry.socket == queue_->descriptor()) {
      queue = true;
      continue;
    }
    report(entry.socket, entry.what, entry.gone, ready);
    if (entry.gone && std::exchange(of(entry.socket).device, false)) --device_count_;
  }
  return queue;
}

Result<void> KqueueSelector::wait(std::optional<Duration> timeout, std::vector<Ready>& ready) {
  if (Result<void> own = take_over(); !own.ok()) return own;
  const std::size_t first = ready.size();
  if (timeout) timeout = std::min(*timeout, kLongestWait);
  if (!no_reader_.empty()) timeout = Duration::zero();
  std::size_t count = 0;
  bool ask = true;
  if (devices_) {
    const Result<bool> told = wait_for_devices(timeout, ready);
    if (!told.ok()) return told.error();
    ask = *told;
    timeout = Duration::zero();
  }
  if (ask) {
    std::optional<QueueChange> alarm;
    if (queue_->defers_timeouts() && timeout && *timeout > Duration::zero()) {
      alarm = QueueChange{Filter::timer, kTimerIdent, Action::add, *timeout};
    }
    const Result<std::size_t> waited = queue_->wait(alarm, timeout, events_);
    if (!waited.ok()) return waited.error();
    count = *waited;
  }
  for (std::size_t i = 0; i < count; ++i) take(events_[i], ready);
  for (const os::NativeSocket fd : no_reader_) report(fd, {false, true}, false, ready);
  for (std::size_t i = first; i < ready.size(); ++i) {
    of(ready[i].socket).at = kNowhere;
    if (ready[i].gone) of(ready[i].socket).interest = {};
  }
  if (devices_ && device_count_ == 0) devices_.reset();
  return {};
}

Result<void> KqueueSelector::take_over() {
  if (generation_ == os::fork_generation()) return {};
  if (Result<void> fresh = queue_->reopen(); !fresh.ok()) return fresh;
  generation_ = os::fork_generation();
  exits_.clear();  // they are the parent's children
  devices_.reset();
  device_count_ = 0;
  no_reader_.clear();
  for (std::size_t index = 0; index < watched_.size(); ++index) {
    const Interest interest = std::exchange(watched_[index], Watched{}).interest;
    // One that was closed meanwhile is refused, as it would have left the old queue by itself.
    if (!(interest == Interest{})) (void)modify(static_cast<int>(index), interest);
  }
  for (const int signum : signals_) (void)change(Filter::signal, ident_of(signum), Action::add);
  if (wakes_) return change(Filter::user, kWakeIdent, Action::add);
  return {};
}

Result<std::unique_ptr<os::Waker>> KqueueSelector::make_waker() {
  return std::unique_ptr<os::Waker>(std::make_unique<UserEventWaker>(queue_));
}

// --- signals and children

Result<void> KqueueSelector::watch_signal(int signum) {
  if (Result<void> own = take_over(); !own.ok()) return own;
  if (Result<void> added = change(Filter::signal, ident_of(signum), Action::add); !added.ok()) {
    return added;
  }
  signals_.insert(signum);
  return {};
}

void KqueueSelector::unwatch_signal(int signum) {
  if (signals_.erase(signum) == 0 || generation_ != os::fork_generation()) return;
  (void)change(Filter::signal, ident_of(signum), Action::remove);  // It is there.
}

Result<void> KqueueSelector::watch_exit(int pid, std::function<void()> ended) {
  if (Result<void> own = take_over(); !own.ok()) return own;
  if (Result<void> added = change(Filter::process, ident_of(pid), Action::add); !added.ok()) {
    return added;
  }
  exits_[pid] = std::move(ended);
  return {};
}

void KqueueSelector::unwatch_exit(int pid) {
  if (exits_.erase(pid) == 0 || generation_ != os::fork_generation()) return;
  // ENOENT: it has ended, and nobody has waited since.
  (void)change(Filter::process, ident_of(pid), Action::remove);
}

}  // namespace loopscope
