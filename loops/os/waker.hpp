// Waker: makes a descriptor readable from any thread and from a signal handler.
#pragma once

#include <memory>

#include "loops/base/result.hpp"
#include "loops/os/native.hpp"

namespace loopscope::os {

class Waker {
 public:
  virtual ~Waker() = default;
  /// The descriptor to watch for reading.
  virtual NativeSocket descriptor() const = 0;
  /// Makes it readable. Any thread, async-signal-safe; preserves errno; a full channel is success.
  virtual void wake() noexcept = 0;
  /// Makes it unreadable again. The loop's thread only.
  /// returns false at end of file or on an unexpected error: the channel must not be watched on.
  virtual bool drain() noexcept = 0;
};

/// The best waker of this platform (eventfd on Linux).
Result<std::unique_ptr<Waker>> make_waker();
/// The portable one, kept alive beside it: a socket pair.
Result<std::unique_ptr<Waker>> make_socketpair_waker();

}  // namespace loopscope::os
