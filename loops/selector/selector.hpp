// Selector: the whole seam for a readiness backend, four functions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "loops/base/clock.hpp"
#include "loops/base/result.hpp"
#include "loops/common/readiness.hpp"
#include "loops/os/native.hpp"
#include "loops/os/waker.hpp"

namespace loopscope {

struct Ready {
  os::NativeSocket socket;
  Interest what;      // hang-up and error count as both: a reader or writer can then see them
  bool gone = false;  // the descriptor was closed without being removed; it is no longer watched
};

class Selector {
 public:
  virtual ~Selector() = default;
  /// Watches a descriptor, level-triggered. Precondition: interest is not empty.
  /// errors  EBADF, EPERM (epoll: a file that cannot be polled), ENOSPC, ENOMEM; invalid_argument
  ///         beyond FD_SETSIZE (select). Nothing is registered after an error.
  virtual Result<void> add(os::NativeSocket socket, Interest interest) = 0;
  /// Changes what a watched descriptor is watched for. A descriptor that the kernel dropped
  /// because it was closed, and that was opened again since, is added.
  virtual Result<void> modify(os::NativeSocket socket, Interest interest) = 0;
  /// Forgets a descriptor. One that is closed already is forgotten without an error.
  virtual Result<void> remove(os::NativeSocket socket) = 0;
  /// Blocks until a watched descriptor is ready, the timeout passes, or a signal arrives.
  ///
  /// timeout  Upper bound; nullopt waits for ever, zero only polls. A backend with a coarser tick
  ///          rounds up, so a wait never ends early.
  /// ready    Appended to, never cleared. At most one entry per descriptor per call.
  /// returns  Success even when nothing is ready: EINTR is success with no entries.
  /// errors   The system's only. After an error the selector must be destroyed.
  /// thread   The loop's thread only. Blocks; everything else in this class returns at once.
  virtual Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) = 0;

  /// What wakes wait() from another thread; its descriptor is to be added. A selector that can be
  /// woken by itself gives its own descriptor().
  virtual Result<std::unique_ptr<os::Waker>> make_waker() { return os::make_waker(); }

  /// The wait call in use, as the wait monitor names it; may change when a fallback is taken.
  virtual std::string_view mechanism() const { return {}; }
  /// The descriptor that is waited on, for the proof of the backend; kInvalid where there is none.
  virtual os::NativeSocket descriptor() const { return os::kInvalid; }
};

using SelectorResult = Result<std::unique_ptr<Selector>>;
SelectorResult make_select_selector();
SelectorResult make_poll_selector();
SelectorResult make_epoll_selector();

}  // namespace loopscope
