// The report channel's descriptor on POSIX.
#include "harness/cell_channel.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace loopscope::cell {
namespace {
int g_fd = -1;
pid_t g_owner = 0;
}  // namespace

void open_channel(int fd) {
  g_fd = fd;
  g_owner = ::getpid();
  if (fd >= 0) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int channel_fd() noexcept { return g_fd >= 0 && ::getpid() == g_owner ? g_fd : -1; }

void say(std::string_view json_object) {
  const int fd = channel_fd();
  if (fd < 0) return;
  std::string line(json_object);
  line += '\n';
  // Lines up to PIPE_BUF are atomic; longer ones come from one thread, after the others ended.
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t count = ::write(fd, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;  // The parent has gone, and this process is about to go with it.
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace loopscope::cell
