// accept and accept4 of libc, defined here: they fail on demand, and are those of libc else.
#include "harness/posix/accept_faults.hpp"

#include <dlfcn.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>

namespace loopscope::posix {
namespace {

std::array<std::atomic<int>, 16> planned{};
std::atomic<std::size_t> next{0}, end{0};

/// Is this call one that has to fail? Then errno is set.
bool fails() {
  std::size_t index = next.load();
  while (index < end.load()) {
    if (!next.compare_exchange_weak(index, index + 1)) continue;
    errno = planned[index % planned.size()];
    return true;
  }
  return false;
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

int accept(int fd, sockaddr* __restrict address, socklen_t* __restrict size) {
  using Accept = int (*)(int, sockaddr*, socklen_t*);
  static const auto next = reinterpret_cast<Accept>(::dlsym(RTLD_NEXT, "accept"));
  return loopscope::posix::fails() ? -1 : next(fd, address, size);
}

#ifdef SOCK_NONBLOCK  // with these flags comes the call that takes them
int accept4(int fd, sockaddr* __restrict address, socklen_t* __restrict size, int flags) {
  using Accept4 = int (*)(int, sockaddr*, socklen_t*, int);
  static const auto next = reinterpret_cast<Accept4>(::dlsym(RTLD_NEXT, "accept4"));
  return loopscope::posix::fails() ? -1 : next(fd, address, size, flags);
}
#endif

}  // extern "C"
