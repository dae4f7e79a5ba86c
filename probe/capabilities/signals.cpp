// Signals: what this process inherited, and what the kernel keeps of them while they are blocked.
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/types.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::signals {

namespace {

// The two that tell what was inherited come first: the others change it.
FactResult sigchld_ignored(ProbeContext& cx) {
  struct sigaction action {};
  if (cx.call("sigaction(SIGCHLD, null)", ::sigaction(SIGCHLD, nullptr, &action)) != 0) {
    return cx.unknown();
  }
  const bool ignored = action.sa_handler == SIG_IGN;
  const bool no_wait = (action.sa_flags & SA_NOCLDWAIT) != 0;
  if (ignored || no_wait) return yes("children vanish unreaped until it is reset");
  return no(Reason::none, "waiting for children works");
}

FactResult blocked_at_start(ProbeContext& cx) {
  sigset_t mask;
  if (cx.call("sigprocmask(null)", ::sigprocmask(SIG_BLOCK, nullptr, &mask)) != 0) {
    return cx.unknown();
  }
  std::vector<std::string> names;
  for (int signum = 1; signum <= SIGRTMAX; ++signum) {
    if (::sigismember(&mask, signum) == 1) names.push_back("signal " + std::to_string(signum));
  }
  const std::string status = status_field("SigBlk");
  std::uint64_t seen = 0;
  for (int signum = 1; signum <= SIGRTMAX; ++signum) {
    if (::sigismember(&mask, signum) == 1) seen |= std::uint64_t{1} << (signum - 1);
  }
  cx.note("/proc/self/status SigBlk", status.empty() ? "missing" : status);
  if (!status.empty() && std::strtoull(status.c_str(), nullptr, 16) != seen) {
    cx.disagree("sigprocmask", std::to_string(names.size()) + " blocked",
                "/proc/self/status SigBlk", status);
  }
  const char* note = names.empty() ? "" : "inherited from the process that started this one";
  return word_set(std::move(names), note);
}

FactResult rt_range(ProbeContext& cx) {
  cx.note("SIGRTMIN, SIGRTMAX", std::to_string(SIGRTMIN) + ", " + std::to_string(SIGRTMAX));
  FactResult result = words(std::to_string(SIGRTMIN) + ".." + std::to_string(SIGRTMAX));
  result.method = Method::api;
  result.note = "the C library keeps the ones from 32 on that are missing";
  return result;
}

volatile std::sig_atomic_t g_arrived = 0;
void arrive(int) { g_arrived = g_arrived + 1; }

/// Raises `signum` five times while it is blocked; how often the handler runs afterwards.
int delivered_of_five(ProbeContext& cx, int signum) {
  struct sigaction action {};
  action.sa_handler = arrive;
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, signum);
  if (cx.call("sigaction", ::sigaction(signum, &action, nullptr)) != 0) return -1;
  (void)::sigprocmask(SIG_BLOCK, &set, nullptr);
  g_arrived = 0;
  for (int i = 0; i < 5; ++i) {
    if (cx.call("kill(own process)", ::kill(::getpid(), signum)) != 0) return -1;
  }
  (void)::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  cx.note("handler runs", std::to_string(g_arrived));
  return g_arrived;
}

FactResult coalescing(ProbeContext& cx) {
  const int runs = delivered_of_five(cx, SIGUSR1);
  if (runs < 0) return cx.unknown();
  if (runs == 1) return yes("five raised while blocked, one delivered");
  return no(Reason::none, std::to_string(runs) + " of five were delivered");
}

FactResult rt_queued(ProbeContext& cx) {
  const int runs = delivered_of_five(cx, SIGRTMIN);
  if (runs < 0) return cx.unknown();
  if (runs == 5) return yes("five raised while blocked, five delivered");
  return no(Reason::none, std::to_string(runs) + " of five were delivered");
}

FactResult signalfd_reads(ProbeContext& cx) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGUSR2);
  (void)::sigprocmask(SIG_BLOCK, &set, nullptr);
  const os::UniqueFd fd(cx.call("signalfd", ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)));
  if (!fd) return cx.refused();
  if (cx.call("kill(own process)", ::kill(::getpid(), SIGUSR2)) != 0) return cx.unknown();
  signalfd_siginfo info{};
  const ssize_t n = cx.call("read(signalfd)", ::read(fd.get(), &info, sizeof info));
  if (n == sizeof info && info.ssi_signo == static_cast<std::uint32_t>(SIGUSR2) &&
      info.ssi_pid == static_cast<std::uint32_t>(::getpid())) {
    return yes("with number and sender; the signal must stay blocked in every thread");
  }
  return no(Reason::failed, "the signal could not be read");
}

constexpr Fact kFacts[] = {
    {"signal.sigchld_ignored_at_start", "Is SIGCHLD ignored when this process starts?",
     "POSIX wait, SIG_IGN for SIGCHLD", sigchld_ignored,
     "parents like nohup and some inits break waiting for children"},
    {"signal.blocked_at_start", "Which signals are blocked when this process starts?",
     "POSIX exec: the mask is inherited", blocked_at_start,
     "a blocked signal never reaches add_signal_handler"},
    {"signal.rt_range", "Which real-time signals may a program use?", "man 7 signal", rt_range,
     "the numbers below belong to the C library"},
    {"signal.coalescing", "Do several of one blocked signal become one?", "man 7 signal, Queueing",
     coalescing, "a handler must not count"},
    {"signal.rt_queued", "Are real-time signals queued one by one?", "man 7 signal, Real-time",
     rt_queued, "the only signals that can be counted"},
    {"signalfd", "Can a blocked signal be read from a descriptor?", "man 2 signalfd",
     signalfd_reads, "signals as ordinary readiness"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "signals", .group = "B3", .facts = kFacts, .effect = Effect::process};

}  // namespace loopscope::probes::signals
