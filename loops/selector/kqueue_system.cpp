// The kernel's queue: kqueue(2) and kevent(2).
//
// Source: FreeBSD man 2 kqueue; macOS man 2 kqueue; OpenBSD man 2 kqueue; NetBSD man 2 kqueue,
// which all but agree on names, and not on the types of struct kevent.
#include <sys/types.h>
// After the types: event.h of some systems uses them.
#include <fcntl.h>
#include <sys/event.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "loops/os/fd.hpp"
#include "loops/os/process_id.hpp"
#include "loops/selector/kernel_queue.hpp"

namespace loopscope {
namespace {

using Kevent = struct kevent;
using KeventFilter = decltype(Kevent::filter);
using KeventIdent = decltype(Kevent::ident);

struct FilterName {
  Filter filter;
  int number;
};
constexpr FilterName kFilters[] = {{Filter::read, EVFILT_READ},     {Filter::write, EVFILT_WRITE},
                                   {Filter::signal, EVFILT_SIGNAL}, {Filter::process, EVFILT_PROC},
                                   {Filter::timer, EVFILT_TIMER},   {Filter::user, EVFILT_USER}};

int number_of(Filter filter) {
  for (const FilterName& row : kFilters) {
    if (row.filter == filter) return row.number;
  }
  return 0;
}

Filter filter_of(int number) {
  for (const FilterName& row : kFilters) {
    if (row.number == number) return row.filter;
  }
  return Filter::timer;  // nothing else was asked for, and a timer means nothing
}

// Milliseconds everywhere; what is finer has a flag, where there is one.
#if defined(NOTE_NSECONDS)
constexpr unsigned kTimerUnit = NOTE_NSECONDS;
using TimerUnit = std::chrono::nanoseconds;
#else
constexpr unsigned kTimerUnit = 0;
using TimerUnit = std::chrono::milliseconds;
#endif
#if defined(NOTE_CRITICAL)
constexpr unsigned kPunctual = NOTE_CRITICAL;
#else
constexpr unsigned kPunctual = 0;
#endif

Kevent kevent_of(const QueueChange& change) {
  Kevent event{};
  event.ident = static_cast<KeventIdent>(change.ident);
  event.filter = static_cast<KeventFilter>(number_of(change.filter));
  unsigned flags = change.action == QueueChange::Action::remove ? EV_DELETE : EV_ADD;
  unsigned notes = 0;
  if (change.action == QueueChange::Action::trigger) {
    flags = 0;
    notes = NOTE_TRIGGER;
  } else if (change.filter == Filter::user) {
    flags |= EV_CLEAR;
  } else if (change.filter == Filter::process) {
    notes = NOTE_EXIT;
  } else if (change.filter == Filter::timer) {
    flags |= EV_ONESHOT;
    notes = kTimerUnit | kPunctual;
    event.data =
        static_cast<decltype(Kevent::data)>(std::chrono::ceil<TimerUnit>(change.after).count());
  }
  event.flags = static_cast<decltype(Kevent::flags)>(flags);
  event.fflags = static_cast<decltype(Kevent::fflags)>(notes);
  return event;
}

QueueEvent event_of(const Kevent& event) {
  QueueEvent result{filter_of(event.filter), static_cast<std::uintptr_t>(event.ident)};
  if ((event.flags & EV_ERROR) != 0) {
    result.error = static_cast<int>(event.data);
  } else if ((event.flags & EV_EOF) != 0) {
    result.ended = true;
    const bool descriptor = result.filter == Filter::read || result.filter == Filter::write;
    if (descriptor) result.error = static_cast<int>(event.fflags);  // SO_ERROR
  }
  return result;
}

/// Darwin's queue survives exec otherwise.
Result<void> keep_to_ourselves(int queue) {
  if (::fcntl(queue, F_SETFD, FD_CLOEXEC) != 0) return errno_error("fcntl(F_SETFD)");
  return {};
}

class SystemQueue final : public KernelQueue {
 public:
  explicit SystemQueue(os::UniqueFd queue) : queue_(std::move(queue)) {}
  ~SystemQueue() override {
    // A forked child has no such descriptor; the number may be another's.
    if (generation_ != os::fork_generation()) (void)queue_.release();
  }
  os::NativeSocket descriptor() const override { return queue_.get(); }

  Result<void> change(const QueueChange& change) override {
    const Kevent wanted = kevent_of(change);
    // EINTR: the change was made, so FreeBSD's and macOS's manuals.
    if (::kevent(queue_.get(), &wanted, 1, nullptr, 0, nullptr) >= 0 || errno == EINTR) return {};
    return errno_error("kevent");
  }

  Result<std::size_t> wait(const std::optional<QueueChange>& change,
                           std::optional<Duration> timeout, std::span<QueueEvent> events) override {
    const Kevent wanted = change ? kevent_of(*change) : Kevent{};
    const timespec limit = to_timespec(timeout.value_or(Duration::zero()));
    const std::size_t room = std::min(buffer_.size(), events.size());
    const int count = ::kevent(queue_.get(), change ? &wanted : nullptr, change ? 1 : 0,
                               buffer_.data(), static_cast<int>(room), timeout ? &limit : nullptr);
    if (count < 0) {
      if (errno == EINTR) return std::size_t{0};  // A signal is a spurious wake-up, no failure.
      return errno_error("kevent");
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      events[i] = event_of(buffer_[i]);
    }
    return static_cast<std::size_t>(count);
  }

  bool defers_timeouts() const override { return kPunctual != 0; }

  Result<void> reopen() override {
    const int fresh = ::kqueue();
    if (fresh < 0) return errno_error("kqueue");
    (void)queue_.release();  // it did not come along
    queue_ = os::UniqueFd(fresh);
    generation_ = os::fork_generation();
    return keep_to_ourselves(fresh);
  }

 private:
  os::UniqueFd queue_;
  unsigned generation_ = os::fork_generation();
  std::array<Kevent, 256> buffer_;
};

}  // namespace

KernelQueueResult open_kernel_queue() {
  os::UniqueFd queue(::kqueue());
  if (!queue) return errno_error("kqueue");
  if (const Result<void> own = keep_to_ourselves(queue.get()); !own.ok()) return own.error();
  return std::unique_ptr<KernelQueue>(std::make_unique<SystemQueue>(std::move(queue)));
}

}  // namespace loopscope
