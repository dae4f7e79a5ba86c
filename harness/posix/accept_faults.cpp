// accept and accept4 of libc, defined here: they fail on demand, and else they are those of libc.
#include "harness/tools/accept_faults.hpp"

#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

namespace loopscope::tools {
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

}  // namespace loopscope::tools

namespace {

/// libc's function of that name; null in a static program, which has no second one.
template <class Function>
Function* next_of(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

/// Without flags it is what accept does; not every architecture has the older call.
int accept_by_system_call([[maybe_unused]] int fd, [[maybe_unused]] sockaddr* address,
                          [[maybe_unused]] socklen_t* size, [[maybe_unused]] int flags) {
#ifdef SYS_accept4
  return static_cast<int>(::syscall(SYS_accept4, fd, address, size, flags));
#else
  errno = ENOSYS;
  return -1;
#endif
}

}  // namespace

extern "C" {

int accept(int fd, sockaddr* __restrict address, socklen_t* __restrict size) {
  static auto* const next = next_of<int(int, sockaddr*, socklen_t*)>("accept");
  if (loopscope::tools::fails()) return -1;
  return next != nullptr ? next(fd, address, size) : accept_by_system_call(fd, address, size, 0);
}

#ifdef SOCK_NONBLOCK  // with these flags comes the call that takes them
int accept4(int fd, sockaddr* __restrict address, socklen_t* __restrict size, int flags) {
  static auto* const next = next_of<int(int, sockaddr*, socklen_t*, int)>("accept4");
  if (loopscope::tools::fails()) return -1;
  return next != nullptr ? next(fd, address, size, flags)
                         : accept_by_system_call(fd, address, size, flags);
}
#endif

}  // extern "C"
