// Processes: pidfds, clone3, and how a child can be watched and left for others to reap.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "probe/capabilities/linux_calls.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::processes {

namespace {

constexpr idtype_t kPidfdId = static_cast<idtype_t>(3);  // P_PIDFD

/// A child that lives until `release` (or its owner) is gone, then ends with code 7.
class Child {
 public:
  explicit Child(ProbeContext& cx) {
    int ends[2];
    if (cx.call("pipe2", ::pipe2(ends, O_CLOEXEC)) != 0) return;
    const os::UniqueFd read(ends[0]);
    gate_ = os::UniqueFd(ends[1]);
    pid_ = cx.call("fork", ::fork());
    if (pid_ != 0) return;
    gate_.reset();
    char octet = 0;
    (void)!::read(read.get(), &octet, 1);  // The end of the pipe is the signal to go.
    ::_exit(7);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0 || reaped_) return;
    (void)::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
  }

  bool started() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  void release() { gate_.reset(); }
  void reaped() { reaped_ = true; }

 private:
  pid_t pid_ = -1;
  os::UniqueFd gate_;
  bool reaped_ = false;
};

os::UniqueFd open_pidfd(ProbeContext& cx, const Child& child) {
  return os::UniqueFd(
      static_cast<int>(cx.call("pidfd_open", ::syscall(kPidfdOpen, child.pid(), 0))));
}

short poll_for(ProbeContext& cx, std::string_view what, int fd, int timeout_ms) {
  pollfd slot{.fd = fd, .events = POLLIN, .revents = 0};
  (void)cx.call(what, ::poll(&slot, 1, timeout_ms));
  return slot.revents;
}

FactResult pidfd_open(ProbeContext& cx) {
  const Child child(cx);
  if (!child.started()) return cx.unknown();
  return open_pidfd(cx, child) ? yes() : cx.refused();
}

FactResult pidfd_poll(ProbeContext& cx) {
  Child child(cx);
  if (!child.started()) return cx.unknown();
  const os::UniqueFd pidfd = open_pidfd(cx, child);
  if (!pidfd) return cx.refused();
  const short before = poll_for(cx, "poll(pidfd), running", pidfd.get(), 0);
  child.release();
  const short after = poll_for(cx, "poll(pidfd), exiting", pidfd.get(), 300);
  if (before == 0 && (after & POLLIN) != 0) return yes("readable exactly when the child ended");
  return no(Reason::not_supported, "readiness did not follow the child's end");
}

FactResult pidfd_waitid(ProbeContext& cx) {
  Child child(cx);
  if (!child.started()) return cx.unknown();
  const os::UniqueFd pidfd = open_pidfd(cx, child);
  if (!pidfd) return cx.refused();
  child.release();
  siginfo_t info{};
  if (cx.call("waitid(P_PIDFD)",
              ::waitid(kPidfdId, static_cast<id_t>(pidfd.get()), &info, WEXITED)) != 0) {
    return cx.refused();
  }
  child.reaped();
  return info.si_status == 7 ? yes() : no(Reason::failed, "another status came back");
}

FactResult pidfd_send_signal(ProbeContext& cx) {
  Child child(cx);
  if (!child.started()) return cx.unknown();
  const os::UniqueFd pidfd = open_pidfd(cx, child);
  if (!pidfd) return cx.refused();
  if (cx.call("pidfd_send_signal(SIGKILL)",
              ::syscall(kPidfdSendSignal, pidfd.get(), SIGKILL, nullptr, 0)) != 0) {
    return cx.refused();
  }
  int status = 0;
  if (cx.call("waitpid", ::waitpid(child.pid(), &status, 0)) != child.pid()) return cx.unknown();
  child.reaped();
  return WIFSIGNALED(status) ? yes() : no(Reason::failed, "the child did not die of it");
}

FactResult pidfd_hup(ProbeContext& cx) {
  Child child(cx);
  if (!child.started()) return cx.unknown();
  const os::UniqueFd pidfd = open_pidfd(cx, child);
  if (!pidfd) return cx.unknown();
  child.release();
  if (cx.call("waitpid", ::waitpid(child.pid(), nullptr, 0)) != child.pid()) return cx.unknown();
  child.reaped();
  const short after = poll_for(cx, "poll(pidfd), reaped", pidfd.get(), 0);
  return (after & POLLHUP) != 0 ? yes("POLLHUP joins POLLIN once the child is reaped")
                                : no(Reason::not_implemented, "reaping is not shown");
}

/// struct clone_args in the size of its first version.
struct CloneArguments {
  std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

FactResult clone3_pidfd(ProbeContext& cx) {
  int pidfd = -1;
  CloneArguments arguments{};
  arguments.flags = 0x1000;  // CLONE_PIDFD
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  const long pid = ::syscall(kClone3, &arguments, sizeof arguments);
  if (pid == 0) ::_exit(7);
  (void)cx.call("clone3(CLONE_PIDFD)", pid);
  if (pid < 0) return cx.refused();
  const os::UniqueFd owner(pidfd);
  const short ready = owner ? poll_for(cx, "poll(pidfd)", owner.get(), 300) : short{0};
  int status = 0;
  (void)cx.call("waitpid", ::waitpid(static_cast<pid_t>(pid), &status, 0));
  if ((ready & POLLIN) != 0 && WIFEXITED(status) && WEXITSTATUS(status) == 7) {
    return yes("child and descriptor come from one call");
  }
  return no(Reason::failed, "no usable pidfd came back");
}

FactResult wnowait(ProbeContext& cx) {
  Child child(cx);
  if (!child.started()) return cx.unknown();
  child.release();
  siginfo_t info{};
  const auto id = static_cast<id_t>(child.pid());
  if (cx.call("waitid(WNOWAIT)", ::waitid(P_PID, id, &info, WEXITED | WNOWAIT)) != 0) {
    return cx.refused();
  }
  const int again = cx.call("waitid, second time", ::waitid(P_PID, id, &info, WEXITED));
  if (again == 0) child.reaped();
  return again == 0 && info.si_status == 7 ? yes("the status can be read and left in place")
                                           : no(Reason::failed, "the first look reaped the child");
}

FactResult vfork_shares(ProbeContext& cx) {
  volatile int written = 0;
  const pid_t pid = ::vfork();
  if (pid == 0) {
    written = 7;
    ::_exit(0);
  }
  (void)cx.call("vfork", pid);
  if (pid < 0) return cx.refused();
  (void)::waitpid(pid, nullptr, 0);
  cx.note("a variable that the child wrote", std::to_string(written));
  return written == 7 ? yes() : no(Reason::none, "vfork is a fork here");
}

constexpr Fact kFacts[] = {
    {"pidfd.open", "Can a child be opened as a descriptor?", "man 2 pidfd_open, Linux 5.3",
     pidfd_open, "watching children without SIGCHLD"},
    {"pidfd.poll", "Does a pidfd become readable when the child ends?", "man 2 pidfd_open",
     pidfd_poll, "exits as ordinary readiness"},
    {"pidfd.waitid", "Can a child be reaped through its pidfd?", "man 2 waitid, P_PIDFD",
     pidfd_waitid, "no race with reused process numbers"},
    {"pidfd.send_signal", "Can a signal be sent through a pidfd?", "man 2 pidfd_send_signal",
     pidfd_send_signal, "no race with reused process numbers"},
    {"pidfd.hup_after_reap", "Does a pidfd report a hang-up once the child is reaped?",
     "man 2 pidfd_open", pidfd_hup, "noticing that somebody else reaped it"},
    {"clone3.pidfd", "Does clone3 give child and pidfd in one call?", "man 2 clone3, CLONE_PIDFD",
     clone3_pidfd, "no window between fork and pidfd_open"},
    {"waitid.wnowait", "Can a child's status be read without reaping it?", "POSIX waitid, WNOWAIT",
     wnowait, "several watchers of one child"},
    {"vfork.shares_memory", "Does a vfork child write into its parent's memory?", "man 2 vfork",
     vfork_shares, "how a fast spawn reports a failed exec; emulators differ"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "processes", .group = "B3", .facts = kFacts, .effect = Effect::process};

}  // namespace loopscope::probes::processes
