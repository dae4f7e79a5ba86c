// This program's own file by Darwin's dynamic linker. Source: macOS man 3 dyld.
#include <mach-o/dyld.h>

#include <cerrno>
#include <cstdint>

#include "harness/child.hpp"

namespace loopscope {

Result<std::string> own_executable() {
  std::uint32_t size = 0;
  (void)::_NSGetExecutablePath(nullptr, &size);
  std::string path(size, '\0');
  if (::_NSGetExecutablePath(path.data(), &size) != 0) {
    return errno_error_of(ENAMETOOLONG, "_NSGetExecutablePath");
  }
  path.resize(path.find('\0'));
  return path;
}

}  // namespace loopscope
