// Temporary folders over mkdtemp(3).
#include "loops/os/temp_folder.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace loopscope::os {

Result<std::string> make_temp_folder(std::string_view prefix) {
  const char* named = std::getenv("TMPDIR");
  std::string path;
  for (const char* parent : {named, "/tmp", "."}) {
    if (parent == nullptr || *parent == '\0') continue;
    path = std::string(parent) + "/" + std::string(prefix) + ".XXXXXX";
    if (::mkdtemp(path.data()) != nullptr) {
      // Whoever gets it may change its working directory.
      std::error_code failed;
      const std::filesystem::path absolute = std::filesystem::absolute(path, failed);
      return failed ? path : absolute.lexically_normal().string();
    }
  }
  return errno_error("mkdtemp", path);
}

}  // namespace loopscope::os
