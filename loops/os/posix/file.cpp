// Reading files at an offset on POSIX.
#include "loops/os/file.hpp"

#include <unistd.h>

#include <cerrno>

namespace loopscope::os {

static_assert(sizeof(off_t) == sizeof(std::int64_t), "offsets beyond 2 GiB need a 64-bit off_t");

Result<std::size_t> read_at(NativeSocket file, std::uint64_t offset, std::span<std::byte> buffer) {
  ssize_t got = 0;
  do {
    got = ::pread(file, buffer.data(), buffer.size(), static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return errno_error("pread");
  return static_cast<std::size_t>(got);
}

Result<void> set_position(NativeSocket file, std::uint64_t offset) {
  if (::lseek(file, static_cast<off_t>(offset), SEEK_SET) < 0) return errno_error("lseek");
  return {};
}

}  // namespace loopscope::os
