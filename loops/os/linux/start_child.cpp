// A child that borrows its parent's memory until execve: clone(2) as posix_spawn uses it.
//
// vfork(2) itself would return twice on one stack, which a compiler need not respect; here the
// child has a stack of its own. Emulators that know no CLONE_VM (qemu-user, WSL 1) make a copy
// instead, which is slower and as good: nothing comes back through the memory.
// Source: man 2 clone, CLONE_VM, CLONE_VFORK; man 2 vfork, CAVEATS; man 2 close_range.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "loops/os/spawn.hpp"

namespace loopscope::os {
namespace {
constexpr std::size_t kStackSize = std::size_t{64} * 1024;

// ThreadSanitizer keeps its own tables of handlers and descriptors. In borrowed memory they are the
// parent's, who would lose the handlers that the child gives up.
#if defined(__SANITIZE_THREAD__)
constexpr int kMemory = 0;
#else
constexpr int kMemory = CLONE_VM;
#endif
}  // namespace

int start_child(int (*child)(void*), void* argument) {
  void* stack = ::mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return -1;
  void* top = static_cast<std::byte*>(stack) + kStackSize;  // stacks grow down where we run
  const int pid = ::clone(child, top, kMemory | CLONE_VFORK | SIGCHLD, argument);
  const int failed = errno;
  ::munmap(stack, kStackSize);
  errno = failed;
  return pid;
}

void close_numbers(unsigned first, unsigned last) noexcept {
  if (first > last) return;
  if (::syscall(SYS_close_range, first, last, 0) == 0) return;
  // Before Linux 5.9, or refused by a filter: one by one, as far as numbers can go.
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  for (unsigned fd = first; fd <= last && fd < limit.rlim_cur; ++fd) ::close(static_cast<int>(fd));
}

}  // namespace loopscope::os
