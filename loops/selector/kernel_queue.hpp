// KernelQueue: what kqueue(2) and kevent(2) do, without their header, so that a test can script it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "loops/base/clock.hpp"
#include "loops/base/result.hpp"
#include "loops/os/native.hpp"

namespace loopscope {

/// The filters that a loop needs: EVFILT_READ and so on.
enum class Filter : std::uint8_t { read, write, signal, process, timer, user };

/// One entry of a change list.
struct QueueChange {
  enum class Action : std::uint8_t { add, remove, trigger };
  Filter filter;
  std::uintptr_t ident;  // a descriptor, signal number or process id; else any number
  Action action = Action::add;
  Duration after{0};  // timer: when it fires, once
};

/// One entry of an event list.
struct QueueEvent {
  Filter filter;
  std::uintptr_t ident;
  bool ended = false;  // EV_EOF
  int error = 0;       // errno: of EV_ERROR, or of a socket that has ended
};

/// Descriptors and signals are watched level-triggered, processes for their exit and once; a user
/// event that was triggered is over when it has been reported.
class KernelQueue {
 public:
  virtual ~KernelQueue() = default;
  virtual os::NativeSocket descriptor() const = 0;
  /// Makes one change. It is made also when a signal interrupts the call.
  /// errors  ENOENT for the removal of what is not there; EBADF; EINVAL, ENODEV, EOPNOTSUPP for a
  ///         descriptor that cannot be watched; EPIPE for a pipe without a reader; ESRCH, ENOSYS.
  /// thread  Any.
  virtual Result<void> change(const QueueChange& change) = 0;
  /// Makes a change, waits, and fills `events` from its start. value: how many there are; none
  /// after the timeout and when a signal interrupts the call.
  virtual Result<std::size_t> wait(const std::optional<QueueChange>& change,
                                   std::optional<Duration> timeout,
                                   std::span<QueueEvent> events) = 0;
  /// May the system put off the end of a wait to save power? A timer is punctual then.
  virtual bool defers_timeouts() const = 0;
  /// In a forked child, which has no copy of its parent's queue: a new one, empty.
  virtual Result<void> reopen() = 0;
};

using KernelQueueResult = Result<std::unique_ptr<KernelQueue>>;
/// kqueue(2). errors: ENOMEM, EMFILE, ENFILE.
KernelQueueResult open_kernel_queue();

}  // namespace loopscope
