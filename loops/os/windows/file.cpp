// Reading files at an offset on Windows. Copying between two handles inside the system is the
// business of TransmitFile, which is an overlapped call: a completion loop's.
#include "loops/os/file.hpp"

#include <algorithm>
#include <cerrno>

#include "loops/os/pipe.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::os {
namespace {

Result<void> seek(NativeSocket file, std::uint64_t offset) {
  LARGE_INTEGER to{};
  to.QuadPart = static_cast<LONGLONG>(offset);
  if (::SetFilePointerEx(handle_of(file), to, nullptr, FILE_BEGIN) == 0) {
    return windows_error("SetFilePointerEx");
  }
  return {};
}

/// EBADF, EISDIR, ESPIPE for what has no bytes at offsets.
Result<void> check_file(NativeSocket file) {
  const Result<FdKind> kind = kind_of(file);
  if (!kind.ok()) return kind.error();
  if (*kind == FdKind::directory) return errno_error_of(EISDIR, "ReadFile");
  if (*kind != FdKind::regular) return errno_error_of(ESPIPE, "ReadFile");
  return {};
}

}  // namespace

Result<Transfer> sendfile(NativeSocket, NativeSocket, std::uint64_t, std::size_t) {
  return make_error(Errc::not_supported, "sendfile",
                    "Windows transfers between a file and a socket by overlapped calls alone");
}

// With an offset the call moves the position of a handle that is not overlapped; it is put back.
Result<std::size_t> read_at(NativeSocket file, std::uint64_t offset, std::span<std::byte> buffer) {
  if (const Result<void> fit = check_file(file); !fit.ok()) return fit.error();
  const LARGE_INTEGER nowhere{};
  LARGE_INTEGER before{};
  if (::SetFilePointerEx(handle_of(file), nowhere, &before, FILE_CURRENT) == 0) {
    return windows_error("SetFilePointerEx");
  }
  OVERLAPPED at{};
  at.Offset = static_cast<DWORD>(offset);
  at.OffsetHigh = static_cast<DWORD>(offset >> 32);
  DWORD got = 0;
  const auto size = static_cast<DWORD>(std::min(buffer.size(), kLargestTransfer));
  const bool read = ::ReadFile(handle_of(file), buffer.data(), size, &got, &at) != 0;
  const DWORD error = read ? NO_ERROR : ::GetLastError();
  (void)seek(file, static_cast<std::uint64_t>(before.QuadPart));
  if (read) return std::size_t{got};
  if (error == ERROR_HANDLE_EOF) return std::size_t{0};
  return windows_error_of(error, "ReadFile");
}

Result<void> set_position(NativeSocket file, std::uint64_t offset) { return seek(file, offset); }

}  // namespace loopscope::os
