// Signals as events: process-wide dispositions, fanned out to the loops that asked.
#pragma once

#include <atomic>

#include "loops/base/result.hpp"

namespace loopscope::os {

/// Receives signals for one loop.
class SignalSink {
 public:
  virtual ~SignalSink() = default;
  /// Called from the signal handler itself: async-signal-safe code only, errno is preserved.
  virtual void signal_arrived(int signum) noexcept = 0;
};

inline constexpr int kMaxSignal = 65;  // signal numbers are 1..64 on Linux

/// Takes a signal for a sink; the previous disposition is kept for unwatch_signal.
/// errors  EINVAL for numbers out of range and for SIGKILL and SIGSTOP; invalid_state when
///         another sink owns the signal. The state is unchanged after an error.
Result<void> watch_signal(int signum, SignalSink& sink);
/// Restores the disposition from before watch_signal. false: this sink did not own the signal.
Result<bool> unwatch_signal(int signum, SignalSink& sink);

/// Hears of a signal beside whoever handles it. Any number of them for one signal.
class SignalListener : public SignalSink {
 public:
  /// The next listener to the same signal; of signals.cpp.
  std::atomic<SignalListener*> next_listener{nullptr};
};

/// Adds a listener. What handled the signal before is still called: a sink that took it, else the
/// handler of the program. A program that ignored SIGCHLD still leaves no zombies.
/// errors  those of watch_signal, but for invalid_state.
Result<void> listen_signal(int signum, SignalListener& listener);
/// Removes it; no call of it is running when this returns. The last one gives the signal back,
/// unless somebody else has taken the disposition meanwhile. A stranger is no error.
void unlisten_signal(int signum, SignalListener& listener);

}  // namespace loopscope::os
