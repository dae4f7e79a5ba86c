// Descriptor tools on Windows; what only POSIX has is said to be lacking.
#include "harness/tools/descriptor_tools.hpp"

#include <malloc.h>

#include <string>

#include "harness/peer.hpp"
#include "harness/tools/windows_pipes.hpp"
#include "harness/windows/lacking.hpp"
#include "harness/windows/system_table.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::tools {
namespace {

SOCKET socket_of(os::NativeSocket fd) { return static_cast<SOCKET>(fd); }

fd_set set_of(os::NativeSocket fd) {
  fd_set one;
  one.fd_count = 1;
  one.fd_array[0] = socket_of(fd);
  return one;
}

template <class T>
T checked(Result<T> result) {
  if (!result.ok()) throw Failure(result.error());
  return std::move(result).value();
}

struct Option {
  int level, name;
};
Option option_of(SocketFlag flag) {
  switch (flag) {
    case SocketFlag::broadcast:
      return {SOL_SOCKET, SO_BROADCAST};
    case SocketFlag::reuse_address:
      return {SOL_SOCKET, SO_REUSEADDR};
    case SocketFlag::keep_alive:
      return {SOL_SOCKET, SO_KEEPALIVE};
    case SocketFlag::no_delay:
      return {IPPROTO_TCP, TCP_NODELAY};
    case SocketFlag::reuse_port:
      break;
  }
  windows::lacks("SO_REUSEPORT");
}

}  // namespace

os::UniqueFd open_path(const std::string& path, Access access) {
  return checked(os::open_path(path, access == Access::write));
}

os::UniqueFd create_file(const std::string& path, const std::string& content) {
  os::UniqueFd file(
      os::checked_native(::CreateFileW(os::wide(path).c_str(), GENERIC_READ | GENERIC_WRITE,
                                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                       nullptr, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr)));
  if (!file) throw Failure(os::windows_error("CreateFile", path));
  DWORD count = 0;
  if (::WriteFile(os::handle_of(file.get()), content.data(), static_cast<DWORD>(content.size()),
                  &count, nullptr) == 0) {
    throw Failure(os::windows_error("WriteFile", path));
  }
  (void)::SetFilePointer(os::handle_of(file.get()), 0, nullptr, FILE_BEGIN);
  return file;
}

os::UniqueFd open_directory(const std::string& path) { return checked(os::open_path(path)); }

bool readable(os::NativeSocket fd) {
  if (os::is_socket(fd)) {
    fd_set one = set_of(fd);
    const timeval at_once{};
    return ::select(0, &one, nullptr, nullptr, &at_once) == 1;
  }
  DWORD waiting = 0;
  return ::PeekNamedPipe(os::handle_of(fd), nullptr, 0, nullptr, &waiting, nullptr) == 0 ||
         waiting > 0;
}

bool writable(os::NativeSocket fd) {
  if (!os::is_socket(fd)) return false;
  fd_set one = set_of(fd);
  const timeval at_once{};
  return ::select(0, nullptr, &one, nullptr, &at_once) == 1;
}

std::size_t bytes_waiting(os::NativeSocket fd) {
  if (os::is_socket(fd)) {
    u_long waiting = 0;
    if (::ioctlsocket(socket_of(fd), static_cast<long>(FIONREAD), &waiting) != 0) {
      throw Failure(os::windows_error("ioctlsocket(FIONREAD)"));
    }
    return waiting;
  }
  DWORD waiting = 0;
  if (::PeekNamedPipe(os::handle_of(fd), nullptr, 0, nullptr, &waiting, nullptr) == 0) {
    if (::GetLastError() == ERROR_BROKEN_PIPE) return 0;  // the end, and nothing before it
    throw Failure(os::windows_error("PeekNamedPipe"));
  }
  return waiting;
}

bool is_open(os::NativeSocket fd) { return os::is_inheritable(fd).ok(); }

std::string identity(os::NativeSocket fd) {
  const os::FdIdentity known = checked(os::identity_of(fd));
  return std::to_string(known.device) + ":" + std::to_string(known.inode);
}

void write_nothing(os::NativeSocket pipe) {
  DWORD count = 0;
  OVERLAPPED at_start{};
  (void)::WriteFile(os::handle_of(pipe), "", 0, &count, &at_start);
}

os::Pipe open_synchronous_pipe() {
  HANDLE read = nullptr, write = nullptr;
  if (::CreatePipe(&read, &write, nullptr, 0) == 0) throw Failure(os::windows_error("CreatePipe"));
  return {os::UniqueFd(os::native_of(read)), os::UniqueFd(os::native_of(write))};
}

std::size_t set_pipe_capacity(os::NativeSocket, std::size_t) { windows::lacks("F_SETPIPE_SZ"); }

void hang_up(os::NativeSocket fd) {
  if (::shutdown(socket_of(fd), SD_BOTH) != 0) throw Failure(os::windows_error("shutdown"));
}

void send_urgent(os::NativeSocket fd, char byte) {
  if (::send(socket_of(fd), &byte, 1, MSG_OOB) != 1) throw Failure(os::windows_error("send(OOB)"));
}

bool socket_flag(os::NativeSocket fd, SocketFlag flag) {
  const Option option = option_of(flag);
  int value = 0, size = sizeof value;
  if (::getsockopt(socket_of(fd), option.level, option.name, reinterpret_cast<char*>(&value),
                   &size) != 0) {
    throw Failure(os::windows_error("getsockopt"));
  }
  return value != 0;
}

void set_socket_flag(os::NativeSocket fd, SocketFlag flag, bool on) {
  const Option option = option_of(flag);
  const int value = on ? 1 : 0;
  if (::setsockopt(socket_of(fd), option.level, option.name, reinterpret_cast<const char*>(&value),
                   sizeof value) != 0) {
    throw Failure(os::windows_error("setsockopt"));
  }
}

void enable_error_queue(os::NativeSocket) { windows::lacks("IP_RECVERR"); }
std::pair<os::UniqueFd, os::UniqueFd> seqpacket_pair() { windows::lacks("SOCK_SEQPACKET"); }
void send_descriptor(os::NativeSocket, os::NativeSocket) { windows::lacks("SCM_RIGHTS"); }
void peek_descriptors(os::NativeSocket) { windows::lacks("SCM_RIGHTS"); }
std::string terminal_modes(os::NativeSocket) { windows::lacks("termios"); }
void make_terminal_raw(os::NativeSocket) { windows::lacks("termios"); }

std::size_t available_memory() {
  MEMORYSTATUSEX memory{};
  memory.dwLength = sizeof memory;
  if (::GlobalMemoryStatusEx(&memory) == 0)
    throw Failure(os::windows_error("GlobalMemoryStatusEx"));
  return memory.ullAvailPhys;
}

ZeroPages::ZeroPages(std::size_t size) {
  void* memory = ::VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_READONLY);
  if (memory == nullptr) throw Failure(os::windows_error("VirtualAlloc"));
  bytes_ = ByteView(static_cast<const std::byte*>(memory), size);
}
ZeroPages::~ZeroPages() {
  (void)::VirtualFree(const_cast<std::byte*>(bytes_.data()), 0, MEM_RELEASE);
}

std::size_t heap_in_use() {
  std::size_t used = 0;
  _HEAPINFO entry{};
  while (::_heapwalk(&entry) == _HEAPOK) {
    if (entry._useflag == _USEDENTRY) used += entry._size;
  }
  return used;
}

std::size_t thread_count() { return windows::threads().size(); }

}  // namespace loopscope::tools
