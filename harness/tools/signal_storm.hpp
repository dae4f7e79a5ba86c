// SignalStorm: interrupts the process every millisecond, to see which system calls mind.
#pragma once

#include "loops/base/clock.hpp"

namespace loopscope::tools {

/// SIGALRM from an interval timer, with a handler that only counts and without SA_RESTART, while
/// the object lives. One at a time.
class SignalStorm {
 public:
  explicit SignalStorm(Duration period);
  ~SignalStorm();
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;
  /// Signals that the thread which made the storm has handled.
  int interruptions() const;

 private:
  alignas(16) unsigned char previous_[256]{};
};

}  // namespace loopscope::tools
