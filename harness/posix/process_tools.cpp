// Process tools over waitid, /proc, and dup2.
#include "harness/tools/process_tools.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "harness/peer.hpp"
#include "harness/posix/proc.hpp"

namespace loopscope::tools {
namespace {

int look(idtype_t kind, long child, int what, siginfo_t& info) {
  int got = -1;
  do {
    got = ::waitid(kind, static_cast<id_t>(child), &info, what | WNOWAIT);
  } while (got < 0 && errno == EINTR);
  return got;
}

}  // namespace

void wait_until_some_child_ended() {
  siginfo_t info{};
  if (look(P_ALL, 0, WEXITED, info) != 0) throw PeerFailure(errno_error("waitid"));
}

bool wait_until_ended(long child) {
  siginfo_t info{};
  return look(P_PID, child, WEXITED, info) == 0;
}

bool has_ended(long child) {
  siginfo_t info{};
  return look(P_PID, child, WEXITED | WNOHANG, info) == 0 && info.si_pid != 0;
}

void wait_until_stopped(long child) {
  siginfo_t info{};
  if (look(P_PID, child, WSTOPPED | WEXITED, info) != 0) throw PeerFailure(errno_error("waitid"));
}

void wait_until_gone(long process) {
  const std::string status = "/proc/" + std::to_string(process) + "/status";
  for (;;) {
    const std::string state = proc::field(status, "State:");
    if (state.empty() || state.front() == 'Z') return;
    ::sched_yield();
  }
}

std::size_t child_count() {
  std::size_t count = 0;
  for (const proc::Process& process : proc::all_processes()) count += process.parent == ::getpid();
  return count;
}

void replace_descriptor(int number, os::NativeSocket fd) {
  if (::dup2(fd, number) < 0) throw PeerFailure(errno_error("dup2"));
}

void make_inheritable(os::NativeSocket fd) {
  if (::fcntl(fd, F_SETFD, 0) != 0) throw PeerFailure(errno_error("fcntl(F_SETFD)"));
}

std::string link_of(os::NativeSocket fd) {
  return proc::link_target("/proc/self/fd/" + std::to_string(fd));
}

}  // namespace loopscope::tools
