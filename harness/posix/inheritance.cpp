// Daemons over fork(2) and setsid(2); close-on-exec flags.
#include "harness/tools/inheritance.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "harness/host.hpp"
#include "harness/tools/signal_tools.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::tools {
namespace {

/// In the grandchild: waits for its parent's end, works, and says what came of it.
[[noreturn]] void be_daemon(os::Pipe& parent_lives, os::Pipe& answer,
                            const std::function<int()>& work) {
  parent_lives.write.reset();
  char end = 0;
  while (::read(parent_lives.read.get(), &end, 1) < 0 && errno == EINTR) {
  }
  unsigned char status = 255;
  try {
    status = static_cast<unsigned char>(work());
  } catch (...) {
    // 255 says so.
  }
  (void)!::write(answer.write.get(), &status, 1);  // Nobody is left to tell of a failure.
  ::_exit(0);
}

}  // namespace

int in_daemon(const std::function<int()>& work) {
  os::Pipe answer = os::open_pipe().value();
  const pid_t child = ::fork();
  if (child < 0) throw Failure(errno_error("fork"));
  if (child == 0) {
    os::Pipe parent_lives = os::open_pipe().value();
    ::setsid();
    const pid_t grandchild = ::fork();
    if (grandchild == 0) be_daemon(parent_lives, answer, work);
    ::_exit(grandchild < 0 ? 1 : 0);
  }
  answer.write.reset();
  if (wait_for_child(child) != 0) return -1;
  unsigned char status = 0;
  for (;;) {
    const ssize_t count = ::read(answer.read.get(), &status, 1);
    if (count == 1) return status;
    if (count == 0 || errno != EINTR) return -1;
  }
}

std::vector<int> descriptors_after_exec() {
  std::vector<int> left;
  for (const int fd : host::open_descriptors()) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (fd > STDERR_FILENO && flags >= 0 && (flags & FD_CLOEXEC) == 0) left.push_back(fd);
  }
  return left;
}

}  // namespace loopscope::tools
