// This program's own file by /proc, or else by what it was started as.
#if __has_include(<sys/auxv.h>)
#include <sys/auxv.h>
#endif

#include <cerrno>
#include <filesystem>

#include "harness/child.hpp"
#include "harness/posix/proc.hpp"

namespace loopscope {

Result<std::string> own_executable() {
  std::string path = proc::link_target("/proc/self/exe");
#ifdef AT_EXECFN
  if (path.empty()) {  // No /proc: as whoever started it named it, from the folder of that time.
    const auto* named = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
    std::error_code failed;
    if (named != nullptr) path = std::filesystem::absolute(named, failed).string();
    if (failed) path.clear();
  }
#endif
  if (path.empty()) return errno_error_of(ENOENT, "readlink", "/proc/self/exe");
  return path;
}

}  // namespace loopscope
