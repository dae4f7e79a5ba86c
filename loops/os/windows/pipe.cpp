// Pipes and consoles on Windows, and what a handle is.
//
// Our pipes are named pipes with a name that nobody else can know, opened for overlapped calls on
// both ends: an I/O completion port takes no others. A call here that may wait does so on an event
// of its own, whose lowest bit keeps the call's end away from a port.
// Source: GetQueuedCompletionStatus, remarks on hEvent; CreateNamedPipe.
#include "loops/os/pipe.hpp"

#include <winternl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <random>

#include "loops/os/windows/modes.hpp"
#include "loops/os/windows/telling_pipe.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::os {
namespace {

constexpr DWORD kPipeBuffer = 64 * 1024;

class Event {
 public:
  Event() : handle_(::CreateEventW(nullptr, TRUE, FALSE, nullptr)) {}
  ~Event() {
    if (handle_ != nullptr) ::CloseHandle(handle_);
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  HANDLE get() const { return handle_; }
  HANDLE off_the_port() const {
    return reinterpret_cast<HANDLE>(reinterpret_cast<std::uintptr_t>(handle_) | 1);
  }

 private:
  HANDLE handle_;
};

std::wstring fresh_name() {
  static std::atomic<unsigned> number{0};
  std::random_device random;
  return wide("\\\\.\\pipe\\loopscope-" + std::to_string(::GetCurrentProcessId()) + "-" +
              std::to_string(++number) + "-" + std::to_string(random()));
}

/// Both ends of a fresh pipe, connected.
struct Ends {
  UniqueFd server, client;
};
Result<Ends> open_ends(DWORD server_access, DWORD client_access) {
  const std::wstring name = fresh_name();
  UniqueFd server(checked_native(::CreateNamedPipeW(
      name.c_str(), server_access | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED,
      PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1, kPipeBuffer,
      kPipeBuffer, 0, nullptr)));
  if (!server) return windows_error("CreateNamedPipe");
  UniqueFd client(checked_native(::CreateFileW(name.c_str(), client_access, 0, nullptr,
                                               OPEN_EXISTING, FILE_FLAG_OVERLAPPED, nullptr)));
  if (!client) return windows_error("CreateFile", "a pipe");
  return Ends{std::move(server), std::move(client)};
}

/// Runs an overlapped call to its end. value: bytes moved.
template <class Call>
Result<std::size_t> finished(HANDLE handle, std::string_view op, Call&& call) {
  const Event event;
  if (event.get() == nullptr) return windows_error("CreateEvent");
  OVERLAPPED overlapped{};
  overlapped.hEvent = event.off_the_port();
  DWORD count = 0;
  if (call(&overlapped) == 0 && ::GetLastError() != ERROR_IO_PENDING) return windows_error(op);
  if (::GetOverlappedResult(handle, &overlapped, &count, TRUE) == 0) return windows_error(op);
  return std::size_t{count};
}

struct PipeState {  // FILE_PIPE_LOCAL_INFORMATION of ntifs.h
  ULONG type, configuration, most_instances, instances, inbound_quota, read_available,
      outbound_quota, write_available, state, end;
};

std::optional<PipeState> state_of(HANDLE pipe) {
  constexpr auto kLocal = static_cast<FILE_INFORMATION_CLASS>(24);  // FilePipeLocalInformation
  PipeState state{};
  IO_STATUS_BLOCK status{};
  if (::NtQueryInformationFile(pipe, &status, &state, sizeof state, kLocal) != 0) {
    return std::nullopt;
  }
  return state;
}

/// What a pipe takes without waiting, in pieces. A piece for which there is no room is taken back,
/// as the system does not tell the room (Wine: it says 0).
Result<Transfer> write_now(HANDLE pipe, ByteView data) {
  constexpr std::size_t kPiece = 4096;
  const Event event;
  if (event.get() == nullptr) return windows_error("CreateEvent");
  std::size_t all = 0;
  while (!data.empty()) {
    const ByteView piece = data.first(std::min(data.size(), kPiece));
    OVERLAPPED overlapped{};
    overlapped.hEvent = event.off_the_port();
    const BOOL put =
        ::WriteFile(pipe, piece.data(), static_cast<DWORD>(piece.size()), nullptr, &overlapped);
    if (put == 0 && ::GetLastError() != ERROR_IO_PENDING) {
      if (all > 0) break;  // The next call says it.
      return windows_error("WriteFile");
    }
    if (put == 0) (void)::CancelIoEx(pipe, &overlapped);
    DWORD count = 0;
    const BOOL done = ::GetOverlappedResult(pipe, &overlapped, &count, TRUE);
    if (done == 0 && ::GetLastError() != ERROR_OPERATION_ABORTED && all == 0) {
      return windows_error("WriteFile");
    }
    all += done == 0 ? 0 : count;
    if (done == 0) break;
    data = data.subspan(count);
  }
  return all == 0 ? Transfer() : Transfer(all);
}

bool ended(DWORD error) {
  return error == ERROR_BROKEN_PIPE || error == ERROR_PIPE_NOT_CONNECTED ||
         error == ERROR_HANDLE_EOF;
}

}  // namespace

const bool kReadsAsEndedBeforeWriter = false;

Result<Pipe> open_pipe() {
  Result<Ends> ends = open_ends(PIPE_ACCESS_INBOUND, GENERIC_WRITE | FILE_READ_ATTRIBUTES);
  if (!ends.ok()) return ends.error();
  return Pipe{std::move(ends->server), std::move(ends->client)};
}

Result<Pipe> open_telling_pipe() {
  Result<Ends> ends = open_ends(PIPE_ACCESS_DUPLEX, GENERIC_READ | FILE_WRITE_ATTRIBUTES);
  if (!ends.ok()) return ends.error();
  return Pipe{std::move(ends->client), std::move(ends->server)};
}

Result<Pty> open_pty(bool) {
  return make_error(Errc::not_supported, "open_pty", "a pseudo console is no pair of handles");
}
Result<void> make_fifo(const std::string&) {
  return make_error(Errc::not_supported, "mkfifo", "Windows has no FIFOs in its file systems");
}

Result<FdKind> kind_of(NativeSocket fd) {
  if (!may_exist(fd)) return errno_error_of(EBADF, "GetFileType");
  switch (::GetFileType(handle_of(fd))) {
    case FILE_TYPE_DISK: {
      BY_HANDLE_FILE_INFORMATION about{};
      const bool directory = ::GetFileInformationByHandle(handle_of(fd), &about) != 0 &&
                             (about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
      return directory ? FdKind::directory : FdKind::regular;
    }
    case FILE_TYPE_PIPE:
      return is_socket(fd) ? FdKind::socket : FdKind::pipe;
    case FILE_TYPE_CHAR: {
      DWORD mode = 0;
      return ::GetConsoleMode(handle_of(fd), &mode) != 0 ? FdKind::terminal : FdKind::character;
    }
    default:
      break;
  }
  // Some handles are of no file at all: completion ports, processes.
  DWORD flags = 0;
  if (::GetHandleInformation(handle_of(fd), &flags) == 0) {
    return errno_error_of(EBADF, "GetHandleInformation");
  }
  return is_socket(fd) ? FdKind::socket : FdKind::other;
}

Result<Transfer> read(NativeSocket fd, std::span<std::byte> buffer) {
  const Result<FdKind> kind = kind_of(fd);
  if (!kind.ok()) return kind.error();
  if (*kind == FdKind::socket) return recv(fd, buffer);
  HANDLE handle = handle_of(fd);
  const auto size = static_cast<DWORD>(std::min(buffer.size(), kLargestTransfer));
  if (*kind == FdKind::pipe && (size == 0 || !known_blocking(fd))) {
    DWORD waiting = 0;
    if (::PeekNamedPipe(handle, nullptr, 0, nullptr, &waiting, nullptr) == 0) {
      if (ended(::GetLastError())) return Transfer(0);
      // What is open for writing alone is another direction's end, as EBADF says on POSIX.
      if (::GetLastError() == ERROR_ACCESS_DENIED) return errno_error_of(EBADF, "ReadFile");
      return windows_error("PeekNamedPipe");
    }
    if (size == 0) return Transfer(0);
    if (waiting == 0) return Transfer();
  }
  DWORD got = 0;
  if (*kind != FdKind::pipe) {
    if (::ReadFile(handle, buffer.data(), size, &got, nullptr) == 0) {
      if (ended(::GetLastError())) return Transfer(0);
      return windows_error("ReadFile");
    }
    return Transfer(got);
  }
  const Result<std::size_t> count = finished(handle, "ReadFile", [&](OVERLAPPED* overlapped) {
    return ::ReadFile(handle, buffer.data(), size, nullptr, overlapped);
  });
  if (count.ok()) return Transfer(*count);
  if (count.error().is_errno(EPIPE)) return Transfer(0);
  return count.error();
}

Result<Transfer> write(NativeSocket fd, ByteView data) {
  const Result<FdKind> kind = kind_of(fd);
  if (!kind.ok()) return kind.error();
  if (*kind == FdKind::socket) return send(fd, data);
  HANDLE handle = handle_of(fd);
  std::size_t size = std::min(data.size(), kLargestTransfer);
  DWORD put = 0;
  if (*kind != FdKind::pipe) {
    if (::WriteFile(handle, data.data(), static_cast<DWORD>(size), &put, nullptr) == 0) {
      return windows_error("WriteFile");
    }
    return Transfer(put);
  }
  if (size == 0) {
    const Result<bool> may = is_write_only(fd);
    if (may.ok() && !*may) return errno_error_of(EBADF, "WriteFile");
    return Transfer(0);
  }
  if (!known_blocking(fd)) return write_now(handle, data.first(size));
  const Result<std::size_t> count = finished(handle, "WriteFile", [&](OVERLAPPED* overlapped) {
    return ::WriteFile(handle, data.data(), static_cast<DWORD>(size), nullptr, overlapped);
  });
  if (!count.ok()) return count.error();
  return Transfer(*count);
}

Result<Transfer> writev(NativeSocket fd, std::span<const ByteView> pieces) {
  std::size_t all = 0;
  for (const ByteView piece : pieces.first(std::min(pieces.size(), kMostPieces))) {
    if (piece.empty()) continue;
    const Result<Transfer> put = write(fd, piece);
    if (!put.ok()) return all == 0 ? put : Result<Transfer>(Transfer(all));
    if (!*put) return all == 0 ? put : Result<Transfer>(Transfer(all));
    all += **put;
    if (**put < piece.size()) break;
  }
  return Transfer(all);
}

Result<bool> is_write_only(NativeSocket fd) {
  PUBLIC_OBJECT_BASIC_INFORMATION about{};
  if (::NtQueryObject(handle_of(fd), ObjectBasicInformation, &about, sizeof about, nullptr) != 0) {
    return errno_error_of(EBADF, "NtQueryObject");
  }
  return (about.GrantedAccess & FILE_READ_DATA) == 0 &&
         (about.GrantedAccess & FILE_WRITE_DATA) != 0;
}

bool is_synchronous(NativeSocket fd) {
  constexpr auto kMode = static_cast<FILE_INFORMATION_CLASS>(16);  // FileModeInformation
  constexpr ULONG kSynchronous = 0x10 | 0x20;  // FILE_SYNCHRONOUS_IO_ALERT, _NONALERT
  ULONG mode = 0;
  IO_STATUS_BLOCK status{};
  const auto asked = ::NtQueryInformationFile(handle_of(fd), &status, &mode, sizeof mode, kMode);
  return asked == 0 && (mode & kSynchronous) != 0;
}

Error refuse_synchronous(std::string_view op) {
  return make_error(Errc::not_supported, op,
                    "the handle was opened without FILE_FLAG_OVERLAPPED: its calls block");
}

bool reader_has_gone(NativeSocket pipe) {
  constexpr ULONG kConnected = 3;  // FILE_PIPE_CONNECTED_STATE
  const std::optional<PipeState> state = state_of(handle_of(pipe));
  return state && state->state != kConnected;
}

Result<UniqueFd> duplicate(NativeSocket fd) {
  if (is_socket(fd)) {
    WSAPROTOCOL_INFOW about{};
    if (::WSADuplicateSocketW(static_cast<SOCKET>(fd), ::GetCurrentProcessId(), &about) != 0) {
      return windows_error("WSADuplicateSocket");
    }
    UniqueFd copy(::WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &about,
                               0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
    if (!copy) return windows_error("WSASocket");
    remember_blocking(copy.get(), known_blocking(fd));
    return copy;
  }
  HANDLE copy = nullptr;
  if (::DuplicateHandle(::GetCurrentProcess(), handle_of(fd), ::GetCurrentProcess(), &copy, 0,
                        FALSE, DUPLICATE_SAME_ACCESS) == 0) {
    return windows_error("DuplicateHandle");
  }
  remember_blocking(native_of(copy), known_blocking(fd));
  return UniqueFd(native_of(copy));
}

}  // namespace loopscope::os
