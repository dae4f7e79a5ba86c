// File tools over memfd_create, ftruncate, lseek, fcntl and recv(MSG_TRUNC).
#include "harness/tools/file_tools.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "loops/base/error.hpp"

namespace loopscope::tools {

os::UniqueFd sparse_file(std::uint64_t size_bytes) {
  os::UniqueFd file(::memfd_create("loopscope", MFD_CLOEXEC));
  if (!file) throw Failure(errno_error("memfd_create"));
  truncate(file.get(), size_bytes);
  return file;
}

void truncate(os::NativeSocket file, std::uint64_t size_bytes) {
  if (::ftruncate(file, static_cast<off_t>(size_bytes)) != 0) {
    throw Failure(errno_error("ftruncate"));
  }
}

std::uint64_t position(os::NativeSocket file) {
  const off_t at = ::lseek(file, 0, SEEK_CUR);
  if (at < 0) throw Failure(errno_error("lseek"));
  return static_cast<std::uint64_t>(at);
}

void refuse_native_transfer(os::NativeSocket out) {
  const int flags = ::fcntl(out, F_GETFL);
  if (flags < 0) throw Failure(errno_error("fcntl(F_GETFL)"));
  if (::fcntl(out, F_SETFL, flags | O_APPEND) != 0) throw Failure(errno_error("fcntl(F_SETFL)"));
}

std::uint64_t discard_until_end(os::NativeSocket socket) {
  constexpr std::size_t kPiece = 1024 * 1024;
  std::vector<char> unused(kPiece);
  std::uint64_t total = 0;
  for (;;) {
    const ssize_t got = ::recv(socket, unused.data(), unused.size(), MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Failure(errno_error("recv(MSG_TRUNC)"));
    if (got == 0) return total;
    total += static_cast<std::uint64_t>(got);
  }
}

}  // namespace loopscope::tools
