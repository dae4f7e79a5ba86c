// Socket files on POSIX: known by device and inode, so that a replacement is left alone.
#include "loops/os/socket_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace loopscope::os {

std::optional<SocketFile> socket_file_at(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return std::nullopt;
  std::error_code unreadable;  // of the working directory: the path stays as it is then
  const std::filesystem::path absolute = std::filesystem::absolute(path, unreadable);
  return SocketFile{unreadable ? path : absolute.string(), static_cast<std::uint64_t>(found.st_dev),
                    static_cast<std::uint64_t>(found.st_ino)};
}

Result<void> remove_socket_file(const SocketFile& file) {
  const std::optional<SocketFile> now = socket_file_at(file.path);
  if (!now || now->device != file.device || now->inode != file.inode) return {};
  if (::unlink(file.path.c_str()) != 0 && errno != ENOENT) return errno_error("unlink", file.path);
  return {};
}

}  // namespace loopscope::os
