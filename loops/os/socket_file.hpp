// The file that bind(2) makes for a Unix socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "loops/base/result.hpp"

namespace loopscope::os {

/// A socket file as it was when it was looked at; the path is absolute.
struct SocketFile {
  std::string path;
  std::uint64_t device, inode;
};

/// nullopt: nothing is there, or something that is not a socket. Symbolic links are not followed.
std::optional<SocketFile> socket_file_at(const std::string& path);
/// Removes the file, unless another has taken its place. One that has gone is a success.
Result<void> remove_socket_file(const SocketFile& file);

}  // namespace loopscope::os
