// Opening and closing descriptors and knowing the process, on POSIX.
#include "loops/os/fd.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <unordered_map>

#include "loops/os/descriptor_use.hpp"
#include "loops/os/process_id.hpp"

namespace loopscope::os {
namespace {
std::atomic<unsigned> g_generation{0};
extern "C" void loopscope_forked() { g_generation.fetch_add(1, std::memory_order_relaxed); }

using Users = std::unordered_map<NativeSocket, DescriptorUser*>;
Users& users() {
  thread_local Users all;
  return all;
}

void tell_user(NativeSocket fd) noexcept {
  const auto found = users().find(fd);
  if (found == users().end()) return;
  DescriptorUser* user = found->second;
  users().erase(found);
  user->descriptor_closes(fd);
}

const int g_watched = ::pthread_atfork(nullptr, nullptr, loopscope_forked);
}  // namespace

void begin_use(NativeSocket fd, DescriptorUser& user) { users()[fd] = &user; }
void end_use(NativeSocket fd) noexcept { users().erase(fd); }

Result<void> close_fd(NativeSocket fd) {
  if (!users().empty()) tell_user(fd);
  if (::close(fd) != 0) return errno_error("close");
  return {};
}

Result<UniqueFd> open_path(const std::string& path, bool writable) {
  const int access = writable ? O_RDWR : O_RDONLY;
  for (;;) {
    UniqueFd opened(::open(path.c_str(), access | O_CLOEXEC | O_NOCTTY));
    if (opened) return opened;
    if (errno != EINTR) return errno_error("open", path);
  }
}

Result<FdIdentity> identity_of(NativeSocket fd) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) return errno_error("fstat");
  return FdIdentity{static_cast<std::uint64_t>(about.st_dev), about.st_ino};
}

Result<bool> is_inheritable(NativeSocket fd) {
  const int flags = ::fcntl(fd, F_GETFD);
  if (flags < 0) return errno_error("fcntl(F_GETFD)");
  return (flags & FD_CLOEXEC) == 0;
}

long process_id() noexcept { return static_cast<long>(::getpid()); }
unsigned fork_generation() noexcept {
  // Without the notice, for want of memory at the start, the process id still tells.
  if (g_watched != 0) return static_cast<unsigned>(::getpid());
  return g_generation.load(std::memory_order_relaxed);
}

}  // namespace loopscope::os
