// A child with a copy of its parent's memory: fork(2), which all know. Source: POSIX.1-2017,
// fork().
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "loops/os/spawn.hpp"

namespace loopscope::os {
namespace {
// Where the limit is "none". What we open ourselves is close-on-exec at any number.
constexpr rlim_t kMostNumbers = 65'536;
}  // namespace

int start_child(int (*child)(void*), void* argument) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(child(argument));
  return pid;
}

void close_numbers(unsigned first, unsigned last) noexcept {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto end = static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, kMostNumbers));
  for (unsigned fd = first; fd <= last && fd < end; ++fd) ::close(static_cast<int>(fd));
}

}  // namespace loopscope::os
