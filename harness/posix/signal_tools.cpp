// Signal tools over sigaction, pthread_sigmask, kill and fork.
#include "harness/tools/signal_tools.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <new>
#include <thread>

#include "harness/posix/thread_id.hpp"
#include "loops/base/error.hpp"

namespace loopscope::tools {

const int kUserSignal = SIGUSR1;
const int kOtherSignal = SIGUSR2;
const int kBrokenPipeSignal = SIGPIPE;
const int kHangupSignal = SIGHUP, kStopSignal = SIGSTOP, kContinueSignal = SIGCONT;
const int kChildSignal = SIGCHLD;

namespace {

static_assert(sizeof(struct sigaction) <= 256);
volatile std::sig_atomic_t counted = 0;

void count_one(int) { counted = counted + 1; }

sigset_t only(int signum) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signum);
  return set;
}

struct sigaction action_of(int signum) {
  struct sigaction action {};
  if (::sigaction(signum, nullptr, &action) != 0) throw Failure(errno_error("sigaction"));
  return action;
}

pid_t checked_fork() {
  const pid_t child = ::fork();
  if (child < 0) throw Failure(errno_error("fork"));
  return child;
}

constexpr char kUntold = '?';

/// The letter of /proc/self/task/<id>/stat: 'S' and 'D' sleep, 'R' runs. kUntold without /proc.
char state_of(long thread) {
  std::ifstream stat("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string line;
  std::getline(stat, line);
  const std::size_t end = line.rfind(')');  // the name before it may hold anything
  return end == std::string::npos || end + 2 >= line.size() ? kUntold : line[end + 2];
}

struct Chain {
  struct sigaction first {};
  void (*second)(int) = nullptr;
};
std::array<Chain, NSIG> chains;

void run_chain(int signum, siginfo_t* info, void* context) {
  const Chain& chain = chains[static_cast<std::size_t>(signum)];
  if ((chain.first.sa_flags & SA_SIGINFO) != 0) {
    chain.first.sa_sigaction(signum, info, context);
  } else if (chain.first.sa_handler != SIG_DFL && chain.first.sa_handler != SIG_IGN) {
    chain.first.sa_handler(signum);
  }
  chain.second(signum);
}

}  // namespace

void raise_here(int signum) {
  const int error = ::pthread_kill(::pthread_self(), signum);
  if (error != 0) throw Failure(errno_error_of(error, "pthread_kill"));
}

void raise_in_process(int signum) {
  if (::kill(::getpid(), signum) != 0) throw Failure(errno_error("kill"));
}

long thread_id() { return threads::own_id(); }

void wait_until_asleep(long thread) {
  // Twice in a row, so that a thread that only waited for a lock is rarely taken for a sleeper.
  constexpr int kPatience = 20'000;
  int asleep = 0;
  for (int i = 0; i < kPatience && asleep < 2; ++i) {
    const char state = state_of(thread);
    asleep = state == 'S' || state == 'D' || state == kUntold ? asleep + 1 : 0;
    if (state == kUntold) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } else {
      ::sched_yield();
    }
  }
}

std::string disposition(int signum) {
  const struct sigaction action = action_of(signum);
  if ((action.sa_flags & SA_SIGINFO) != 0) return "handler";
  if (action.sa_handler == SIG_DFL) return "default";
  return action.sa_handler == SIG_IGN ? "ignore" : "handler";
}

std::vector<int> blocked_signals() {
  sigset_t mask;
  sigemptyset(&mask);
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  std::vector<int> blocked;
  for (int signum = 1; signum < NSIG; ++signum) {
    if (sigismember(&mask, signum) == 1) blocked.push_back(signum);
  }
  return blocked;
}

int signals_blocked_in_child() {
  const pid_t child = checked_fork();
  if (child == 0) {
    sigset_t mask;
    sigemptyset(&mask);
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    int blocked = 0;
    for (int signum = 1; signum < NSIG; ++signum) blocked += sigismember(&mask, signum) == 1;
    ::_exit(blocked);
  }
  const int status = wait_for_child(child);
  return status < 0 ? -1 : status;
}

int errno_after_raise(int signum, int before) {
  errno = before;
  ::pthread_kill(::pthread_self(), signum);
  return errno;
}

void restart_calls_after(int signum) {
  struct sigaction action = action_of(signum);
  action.sa_flags |= SA_RESTART;
  if (::sigaction(signum, &action, nullptr) != 0) throw Failure(errno_error("sigaction"));
}

int raise_in_child(int signum) {
  const pid_t child = checked_fork();
  if (child == 0) {
    ::pthread_kill(::pthread_self(), signum);
    ::_exit(0);
  }
  return wait_for_child(child);
}

long start_child(int exit_code) {
  const pid_t child = checked_fork();
  if (child == 0) ::_exit(exit_code);
  return child;
}

int wait_for_child(long child) {
  constexpr int kNoStatus = -1000;
  int status = 0;
  pid_t got = -1;
  do {
    got = ::waitpid(static_cast<pid_t>(child), &status, 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return kNoStatus;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

Blocked::Blocked(int signum) : signum_(signum) {
  const sigset_t set = only(signum);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}
Blocked::~Blocked() {
  const sigset_t set = only(signum_);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

Disposition::Disposition(int signum, Kind kind) : signum_(signum) {
  counted = 0;
  struct sigaction wanted {};
  wanted.sa_handler = kind == Kind::standard ? SIG_DFL : count_one;
  sigemptyset(&wanted.sa_mask);
  auto* previous = ::new (static_cast<void*>(storage_)) struct sigaction();
  if (::sigaction(signum, &wanted, previous) != 0) throw Failure(errno_error("sigaction"));
}
Disposition::~Disposition() {
  const auto* previous = std::launder(reinterpret_cast<struct sigaction*>(storage_));
  ::sigaction(signum_, previous, nullptr);
}
int Disposition::count() { return counted; }

void append_handler(int signum, void (*second)(int)) {
  Chain& chain = chains[static_cast<std::size_t>(signum)];
  chain.second = second;
  const struct sigaction present = action_of(signum);
  if ((present.sa_flags & SA_SIGINFO) != 0 && present.sa_sigaction == run_chain) return;
  chain.first = present;
  struct sigaction both = chain.first;
  both.sa_flags |= SA_SIGINFO;
  both.sa_sigaction = run_chain;
  ::sigaction(signum, &both, nullptr);
}

}  // namespace loopscope::tools
