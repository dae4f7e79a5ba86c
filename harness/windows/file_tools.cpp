// File tools over sparse files, SetFileInformationByHandle and SetFilePointerEx.
#include "harness/tools/file_tools.hpp"

#include <winioctl.h>

#include <array>
#include <vector>

#include "harness/windows/lacking.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::tools {

os::UniqueFd sparse_file(std::uint64_t size_bytes) {
  std::array<wchar_t, MAX_PATH> folder{}, name{};
  if (::GetTempPathW(static_cast<DWORD>(folder.size()), folder.data()) == 0 ||
      ::GetTempFileNameW(folder.data(), L"lsp", 0, name.data()) == 0) {
    throw Failure(os::windows_error("GetTempFileName"));
  }
  os::UniqueFd file(os::checked_native(::CreateFileW(
      name.data(), GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr,
      CREATE_ALWAYS, FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, nullptr)));
  if (!file) throw Failure(os::windows_error("CreateFile"));
  DWORD unused = 0;  // Where it is refused, the file takes the room it has.
  (void)::DeviceIoControl(os::handle_of(file.get()), FSCTL_SET_SPARSE, nullptr, 0, nullptr, 0,
                          &unused, nullptr);
  truncate(file.get(), size_bytes);
  return file;
}

void truncate(os::NativeSocket file, std::uint64_t size_bytes) {
  FILE_END_OF_FILE_INFO end{};
  end.EndOfFile.QuadPart = static_cast<LONGLONG>(size_bytes);
  if (::SetFileInformationByHandle(os::handle_of(file), FileEndOfFileInfo, &end, sizeof end) == 0) {
    throw Failure(os::windows_error("SetFileInformationByHandle"));
  }
}

std::uint64_t position(os::NativeSocket file) {
  const LARGE_INTEGER nowhere{};
  LARGE_INTEGER at{};
  if (::SetFilePointerEx(os::handle_of(file), nowhere, &at, FILE_CURRENT) == 0) {
    throw Failure(os::windows_error("SetFilePointerEx"));
  }
  return static_cast<std::uint64_t>(at.QuadPart);
}

void refuse_native_transfer(os::NativeSocket) {
  windows::lacks("socket into which it would not transfer a file");
}

std::uint64_t discard_until_end(os::NativeSocket socket) {
  std::vector<char> unused(1024 * 1024);
  std::uint64_t total = 0;
  for (;;) {
    const int got =
        ::recv(static_cast<SOCKET>(socket), unused.data(), static_cast<int>(unused.size()), 0);
    if (got < 0) throw Failure(os::windows_error("recv"));
    if (got == 0) return total;
    total += static_cast<std::uint64_t>(got);
  }
}

}  // namespace loopscope::tools
