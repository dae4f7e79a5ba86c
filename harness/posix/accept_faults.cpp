// accept and accept4 of libc, defined here: they fail on demand, and are raw system calls else.
#include "harness/posix/accept_faults.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

namespace loopscope::posix {
namespace {

std::array<std::atomic<int>, 16> planned{};
std::atomic<std::size_t> next{0}, end{0};

/// The errno value for this call; 0: none is due.
int due() {
  std::size_t index = next.load();
  while (index < end.load()) {
    if (next.compare_exchange_weak(index, index + 1)) return planned[index % planned.size()];
  }
  return 0;
}

}  // namespace

void fail_accepts(const std::vector<int>& errors) {
  next = end.load();
  std::size_t index = end;
  for (const int error : errors) planned[index++ % planned.size()] = error;
  end = index;
}

std::size_t accept_failures_left() { return end.load() - next.load(); }

}  // namespace loopscope::posix

extern "C" {

int accept4(int fd, sockaddr* __restrict address, socklen_t* __restrict size, int flags) {
  if (const int error = loopscope::posix::due(); error != 0) {
    errno = error;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_accept4, fd, address, size, flags));
}

int accept(int fd, sockaddr* __restrict address, socklen_t* __restrict size) {
  return accept4(fd, address, size, 0);
}

}  // extern "C"
