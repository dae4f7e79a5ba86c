// Signal tools: what signal scenarios need of the platform, behind plain functions.
#pragma once

#include <csignal>
#include <string>
#include <vector>

namespace loopscope::tools {

/// Two signals that a program may use as it likes: SIGUSR1 and SIGUSR2; on Windows, which has none
/// of the kind, SIGTERM and SIGBREAK.
extern const int kUserSignal, kOtherSignal;
/// SIGPIPE; 0 where writing to a broken pipe raises no signal.
extern const int kBrokenPipeSignal;
/// SIGHUP, SIGSTOP, SIGCONT and SIGCHLD; 0 where there are none.
extern const int kHangupSignal, kStopSignal, kContinueSignal, kChildSignal;

/// Sends a signal to the calling thread; its handler has run when this returns.
void raise_here(int signum);
/// Sends a signal to the process, as another process would with kill(2).
void raise_in_process(int signum);

/// The calling thread, for wait_until_asleep.
long thread_id();
/// Returns when that thread of this process sleeps in the kernel, or has kept busy for very long.
/// Where the system does not tell the state of a thread, it is given two milliseconds instead.
void wait_until_asleep(long thread);

/// "default", "ignore" or "handler".
std::string disposition(int signum);
/// The signals that the calling thread blocks, in ascending order.
std::vector<int> blocked_signals();
/// How many signals a child process starts out with blocked. -1: no answer.
int signals_blocked_in_child();

/// errno after a signal was raised and handled while it was `before`.
int errno_after_raise(int signum, int before);

/// Forks a child that raises `signum` for itself and exits with 0. Its status, see wait_for_child.
int raise_in_child(int signum);
/// Forks a child that exits at once. Its process id.
long start_child(int exit_code);
/// The exit code; minus the signal that killed it; -1000 when it cannot be waited for.
int wait_for_child(long child);

/// Blocks one signal in the calling thread while it lives.
class Blocked {
 public:
  explicit Blocked(int signum);
  ~Blocked();
  Blocked(const Blocked&) = delete;
  Blocked& operator=(const Blocked&) = delete;

 private:
  int signum_;
};

/// Gives a signal another disposition while it lives: the default one, or a handler that counts.
class Disposition {
 public:
  enum class Kind { standard, counting };
  Disposition(int signum, Kind kind);
  ~Disposition();
  Disposition(const Disposition&) = delete;
  Disposition& operator=(const Disposition&) = delete;
  static int count();  // runs of the counting handler, in this process

 private:
  int signum_;

  alignas(16) unsigned char storage_[256]{};
};

/// Puts `second` behind whatever handles the signal now: a handler that runs the present one and
/// then `second`; instead of an earlier `second`. For loops that are wrong on purpose.
void append_handler(int signum, void (*second)(int));

/// System calls that this signal's handler interrupts are made again, as with SA_RESTART.
void restart_calls_after(int signum);

}  // namespace loopscope::tools
