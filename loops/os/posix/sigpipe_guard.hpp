// SigpipeGuard: makes a broken pipe an error of the call that met it, and nothing else.
#pragma once

#include <signal.h>

#include <cerrno>

namespace loopscope::os {

/// Takes one pending signal of the set away, where there is one.
void take_pending(const sigset_t& signals) noexcept;

/// Holds SIGPIPE back on this thread and swallows the one that a write may have raised, so that
/// neither the process nor its dispositions notice. For calls that have no MSG_NOSIGNAL.
class SigpipeGuard {
 public:
  SigpipeGuard() {
    sigemptyset(&only_);
    sigaddset(&only_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    if (!was_pending_) pthread_sigmask(SIG_BLOCK, &only_, &before_);
  }
  ~SigpipeGuard() {
    if (was_pending_) return;
    const int saved = errno;
    if (raised_) take_pending(only_);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = saved;
  }
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;
  void raised() { raised_ = true; }

 private:
  sigset_t only_, before_;
  bool was_pending_ = false;
  bool raised_ = false;
};

}  // namespace loopscope::os
