// Opening and closing handles and sockets, and knowing the process, on Windows.
#include "loops/os/fd.hpp"

#include <cerrno>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "loops/os/descriptor_use.hpp"
#include "loops/os/process_id.hpp"
#include "loops/os/windows/modes.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::os {
namespace {

struct Modes {
  std::mutex mutex;
  std::unordered_set<NativeSocket> nonblocking;
  std::unordered_map<NativeSocket, std::uint64_t> closes;
};
Modes& modes() {
  static Modes all;
  return all;
}

using Users = std::unordered_map<NativeSocket, DescriptorUser*>;
Users& users() {
  thread_local Users all;
  return all;
}

void tell_user(NativeSocket fd) noexcept {
  const auto found = users().find(fd);
  if (found == users().end()) return;
  DescriptorUser* user = found->second;
  users().erase(found);
  user->descriptor_closes(fd);
}

}  // namespace

bool known_blocking(NativeSocket fd) noexcept {
  const std::lock_guard lock(modes().mutex);
  return !modes().nonblocking.contains(fd);
}

void remember_blocking(NativeSocket fd, bool blocking) {
  const std::lock_guard lock(modes().mutex);
  if (blocking) {
    modes().nonblocking.erase(fd);
  } else {
    modes().nonblocking.insert(fd);
  }
}

std::uint64_t closes_of(NativeSocket fd) noexcept {
  const std::lock_guard lock(modes().mutex);
  const auto found = modes().closes.find(fd);
  return found == modes().closes.end() ? 0 : found->second;
}

void note_close(NativeSocket fd) noexcept {
  const std::lock_guard lock(modes().mutex);
  modes().nonblocking.erase(fd);
  ++modes().closes[fd];
}

void begin_use(NativeSocket fd, DescriptorUser& user) { users()[fd] = &user; }
void end_use(NativeSocket fd) noexcept { users().erase(fd); }

Result<void> close_fd(NativeSocket fd) {
  if (!may_exist(fd)) return errno_error_of(EBADF, "CloseHandle");
  if (!users().empty()) tell_user(fd);
  note_close(fd);
  // Winsock has state of its own for a socket, which CloseHandle would leave behind.
  if (::closesocket(fd) == 0) return {};
  if (::WSAGetLastError() != WSAENOTSOCK) return windows_error("closesocket");
  if (::CloseHandle(handle_of(fd)) == 0) return windows_error("CloseHandle");
  return {};
}

Result<UniqueFd> open_path(const std::string& path, bool writable) {
  const DWORD access = GENERIC_READ | (writable ? GENERIC_WRITE : 0);
  HANDLE opened = ::CreateFileW(wide(path).c_str(), access,
                                FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr);
  if (opened == INVALID_HANDLE_VALUE) return windows_error("CreateFile", path);
  return UniqueFd(native_of(opened));
}

// A handle says what file it stands for. A socket does not say which socket it is: it is known by
// its number, and by how many before it had that.
Result<FdIdentity> identity_of(NativeSocket fd) {
  const FdIdentity by_number{~closes_of(fd), fd};
  if (is_socket(fd)) return by_number;
  BY_HANDLE_FILE_INFORMATION about{};
  if (::GetFileInformationByHandle(handle_of(fd), &about) != 0) {
    return FdIdentity{about.dwVolumeSerialNumber,
                      (std::uint64_t{about.nFileIndexHigh} << 32) | about.nFileIndexLow};
  }
  DWORD flags = 0;
  if (::GetHandleInformation(handle_of(fd), &flags) == 0) {
    return windows_error("GetHandleInformation");
  }
  return by_number;
}

Result<bool> is_inheritable(NativeSocket fd) {
  DWORD flags = 0;
  if (::GetHandleInformation(handle_of(fd), &flags) == 0) {
    return windows_error("GetHandleInformation");
  }
  return (flags & HANDLE_FLAG_INHERIT) != 0;
}

long process_id() noexcept { return static_cast<long>(::GetCurrentProcessId()); }
unsigned fork_generation() noexcept { return 0; }  // Nothing forks here.

}  // namespace loopscope::os
