// Job control over setsid(2), TIOCSCTTY and waitpid(2).
//
// A process cannot go to the background of a terminal that is not its session's: so the job has a
// parent, which leads a session and holds the foreground. Both go with the process that asked,
// where the system can promise that: a session is out of reach of a signal to the cell's group.
#include "harness/tools/job_control.hpp"

#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "harness/posix/parent_ties.hpp"
#include "harness/tools/signal_tools.hpp"
#include "loops/base/error.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::tools {
namespace {

[[noreturn]] void be_the_job(const std::function<int()>& work) {
  end_with_parent();
  (void)::setpgid(0, 0);
  int status = 255;
  try {
    status = work();
  } catch (...) {
    // 255 says so.
  }
  ::_exit(status);
}

/// false: the system refused something.
bool lead(os::NativeSocket terminal, const std::function<int()>& work, JobStory& story) {
  end_with_parent();
  if (::setsid() < 0 || ::ioctl(terminal, TIOCSCTTY, 0) != 0) return false;
  const pid_t job = ::fork();
  if (job < 0) return false;
  if (job == 0) be_the_job(work);
  for (;;) {
    int status = 0;
    if (::waitpid(job, &status, WUNTRACED) < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    if (!WIFSTOPPED(status)) {
      story.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
      return true;
    }
    if (story.stopped_by == 0) {
      story.stopped_by = WSTOPSIG(status);
      if (::tcsetpgrp(terminal, job) != 0) return false;
    }
    (void)::kill(-job, SIGCONT);
  }
}

}  // namespace

JobStory in_background_of(os::NativeSocket terminal, const std::function<int()>& work) {
  os::Pipe report = os::open_pipe().value();
  const pid_t leader = ::fork();
  if (leader < 0) throw Failure(errno_error("fork"));
  if (leader == 0) {
    JobStory story;
    const bool told = lead(terminal, work, story) &&
                      ::write(report.write.get(), &story, sizeof story) == sizeof story;
    ::_exit(told ? 0 : 1);
  }
  const int ended = wait_for_child(leader);
  JobStory story;
  if (ended != 0 || ::read(report.read.get(), &story, sizeof story) != sizeof story) {
    throw Failure(make_error(Errc::protocol, "in_background_of", "the session did not come off"));
  }
  return story;
}

}  // namespace loopscope::tools
