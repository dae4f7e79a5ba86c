// Children on POSIX: waitpid(2) for one child at a time, kill(2), and SIGCHLD as a descriptor.
#include "loops/os/child.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>

#include "loops/os/signals.hpp"
#include "loops/os/waker.hpp"

namespace loopscope::os {
namespace {

std::optional<ChildEnd> wait_for(int pid, int flags) {
  int status = 0;
  pid_t got = -1;
  do {
    got = ::waitpid(pid, &status, flags);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return ChildEnd{};  // ECHILD: collected already
  if (got == 0) return std::nullopt;
  return ChildEnd{WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)};
}

class WokenBySigchld final : public ChildSignal, private SignalListener {
 public:
  explicit WokenBySigchld(std::unique_ptr<Waker> waker) : waker_(std::move(waker)) {}
  ~WokenBySigchld() override { unlisten_signal(SIGCHLD, *this); }
  Result<void> open() { return listen_signal(SIGCHLD, *this); }
  NativeSocket descriptor() const override { return waker_->descriptor(); }
  void drain() noexcept override {
    (void)waker_->drain();
    awake_.store(false, std::memory_order_seq_cst);  // before the caller looks at its children
  }

 private:
  void signal_arrived(int) noexcept override {
    if (!awake_.exchange(true, std::memory_order_seq_cst)) waker_->wake();
  }
  std::unique_ptr<Waker> waker_;
  std::atomic<bool> awake_{false};
};

}  // namespace

const int kKillSignal = SIGKILL;
const int kTerminateSignal = SIGTERM;

std::optional<ChildEnd> collect(int pid) { return wait_for(pid, WNOHANG); }
ChildEnd collect_waiting(int pid) { return wait_for(pid, 0).value_or(ChildEnd{}); }

Result<void> signal_child(int pid, int signum) {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
    return errno_error_of(ESRCH, "kill");
  }
  if (::kill(pid, signum) != 0) return errno_error("kill");
  return {};
}

Result<std::unique_ptr<ChildSignal>> listen_to_children() {
  auto waker = make_socketpair_waker();  // a socket is what every selector takes
  if (!waker.ok()) return waker.error();
  auto signal = std::make_unique<WokenBySigchld>(std::move(waker).value());
  if (const Result<void> opened = signal->open(); !opened.ok()) return opened.error();
  return std::unique_ptr<ChildSignal>(std::move(signal));
}

}  // namespace loopscope::os
