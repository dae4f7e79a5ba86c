// This program's own file by sysctl(3). Source: FreeBSD man 3 sysctl, KERN_PROC_PATHNAME; NetBSD
// man 7 sysctl. OpenBSD does not tell.
#include <sys/types.h>
// The types first: sysctl.h uses them.
#include <sys/sysctl.h>

#include <array>
#include <cerrno>

#include "harness/child.hpp"

namespace loopscope {

Result<std::string> own_executable() {
#if defined(KERN_PROC_PATHNAME)
#if defined(KERN_PROC_ARGS)
  constexpr std::array<int, 4> kName{CTL_KERN, KERN_PROC_ARGS, -1, KERN_PROC_PATHNAME};
  constexpr std::array<int, 4> kOtherName{CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1};
  for (const auto& name : {kName, kOtherName}) {
    std::array<char, 4096> path{};
    std::size_t size = path.size();
    if (::sysctl(name.data(), name.size(), path.data(), &size, nullptr, 0) == 0 && path[0] == '/') {
      return std::string(path.data());
    }
  }
#endif
  return errno_error("sysctl(KERN_PROC_PATHNAME)");
#else
  return errno_error_of(ENOSYS, "sysctl(KERN_PROC_PATHNAME)");
#endif
}

}  // namespace loopscope
