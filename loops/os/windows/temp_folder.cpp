// Temporary folders on Windows: of a name that nobody has.
#include "loops/os/temp_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <random>

namespace loopscope::os {

Result<std::string> make_temp_folder(std::string_view prefix) {
  const char* named = std::getenv("TMPDIR");
  std::error_code error;
  const std::filesystem::path parent = named == nullptr || *named == '\0'
                                           ? std::filesystem::temp_directory_path(error)
                                           : std::filesystem::path(named);
  if (error) return Error{error, "GetTempPath"};
  std::random_device random;
  for (int tries = 0; tries < 100; ++tries) {
    const auto path = parent / (std::string(prefix) + "." + std::to_string(random()));
    if (std::filesystem::create_directory(path, error)) return path.string();
    if (error) return Error{error, "CreateDirectory", path.string()};
  }
  return errno_error_of(EEXIST, "CreateDirectory", parent.string());
}

}  // namespace loopscope::os
