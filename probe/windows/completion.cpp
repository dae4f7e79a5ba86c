// Measuring completion ports.
#include <algorithm>
#include <array>

#include "loops/base/clock.hpp"
#include "loops/os/net.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/windows/afd.hpp"
#include "loops/os/windows/winsock.hpp"
#include "probe/probe_context.hpp"
#include "probe/windows/answers.hpp"

namespace loopscope::windows {
namespace {

constexpr DWORD kPatienceMs = 300;

/// Records the last error of Windows beside a call.
std::string last_error() { return error_name(os::code_of_windows(::GetLastError())); }

class Port {
 public:
  Port() : handle_(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1)) {}
  ~Port() {
    if (handle_ != nullptr) ::CloseHandle(handle_);
  }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  HANDLE get() const { return handle_; }
  bool take(os::NativeSocket fd) const {
    return ::CreateIoCompletionPort(os::handle_of(fd), handle_, 1, 0) != nullptr;
  }
  /// Which request completed within the patience, and how; null: none.
  OVERLAPPED* wait(DWORD& error, DWORD patience_ms = kPatienceMs) const {
    DWORD count = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* done = nullptr;
    const BOOL good = ::GetQueuedCompletionStatus(handle_, &count, &key, &done, patience_ms);
    error = good != 0 ? NO_ERROR : ::GetLastError();
    return done;
  }

 private:
  HANDLE handle_;
};

/// A receive of a few bytes that stays pending as long as nothing is sent.
struct Receive {
  std::array<char, 16> bytes{};
  OVERLAPPED overlapped{};
  bool start(os::NativeSocket fd) {
    WSABUF buffer{static_cast<ULONG>(bytes.size()), bytes.data()};
    DWORD flags = 0;
    return ::WSARecv(static_cast<SOCKET>(fd), &buffer, 1, nullptr, &flags, &overlapped, nullptr) ==
               0 ||
           ::WSAGetLastError() == WSA_IO_PENDING;
  }
};

FactResult gqcsex(ProbeContext& cx) {
  const Port port;
  (void)::PostQueuedCompletionStatus(port.get(), 0, 7, nullptr);
  OVERLAPPED_ENTRY entries[4];
  ULONG count = 0;
  const BOOL taken =
      ::GetQueuedCompletionStatusEx(port.get(), entries, 4, &count, kPatienceMs, FALSE);
  cx.note("GetQueuedCompletionStatusEx", taken != 0 ? std::to_string(count) : last_error());
  return taken != 0 && count == 1 ? yes() : no(Reason::failed);
}

FactResult skip_on_success(ProbeContext& cx) {
  std::vector<std::string> kinds;
  const auto attempt = [&](const char* kind, os::NativeSocket fd) {
    const BOOL set = ::SetFileCompletionNotificationModes(
        os::handle_of(fd), FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE);
    cx.note(std::string("SetFileCompletionNotificationModes(") + kind + ")",
            set != 0 ? "0" : last_error());
    if (set != 0) kinds.emplace_back(kind);
  };
  if (auto tcp = os::open_socket(AddressFamily::ipv4, SocketType::stream); tcp.ok()) {
    attempt("tcp", tcp->get());
  }
  if (auto udp = os::open_socket(AddressFamily::ipv4, SocketType::datagram); udp.ok()) {
    attempt("udp", udp->get());
  }
  if (auto pipe = os::open_pipe(); pipe.ok()) attempt("pipe", pipe->read.get());
  return word_set(std::move(kinds));
}

FactResult cancelioex(ProbeContext& cx) {
  auto pair = os::open_socketpair(SocketType::stream);
  if (!pair.ok()) return null(Reason::failed, to_string(pair.error()));
  const Port port;
  Receive receive;
  if (!port.take(pair->first.get()) || !receive.start(pair->first.get())) {
    return null(Reason::failed, last_error());
  }
  const BOOL asked = ::CancelIoEx(os::handle_of(pair->first.get()), &receive.overlapped);
  cx.note("CancelIoEx", asked != 0 ? "0" : last_error());
  DWORD error = 0;
  const OVERLAPPED* done = port.wait(error);
  cx.note("GetQueuedCompletionStatus", error_name(os::code_of_windows(error)));
  return done == &receive.overlapped && error == ERROR_OPERATION_ABORTED ? yes()
                                                                         : no(Reason::failed);
}

FactResult cancel_scope(ProbeContext& cx) {
  auto pair = os::open_socketpair(SocketType::stream);
  if (!pair.ok()) return null(Reason::failed, to_string(pair.error()));
  const Port port;
  Receive first, second;
  if (!port.take(pair->first.get()) || !first.start(pair->first.get()) ||
      !second.start(pair->first.get())) {
    return null(Reason::failed, last_error());
  }
  (void)::CancelIoEx(os::handle_of(pair->first.get()), &second.overlapped);
  DWORD error = 0;
  const bool one = port.wait(error) == &second.overlapped;
  const bool other = port.wait(error, 50) != nullptr;
  cx.note("completions of the other receive", other ? "1" : "0");
  (void)::CancelIoEx(os::handle_of(pair->first.get()), nullptr);
  while (port.wait(error, 50) != nullptr) {
  }
  return words(!one ? "none" : other ? "all of the socket" : "the one that is named");
}

template <class Function>
FactResult extension(ProbeContext& cx, const char* name, GUID id) {
  auto socket = os::open_socket(AddressFamily::ipv4, SocketType::stream);
  if (!socket.ok()) return null(Reason::failed, to_string(socket.error()));
  Function function = nullptr;
  DWORD size = 0;
  const int found =
      ::WSAIoctl(static_cast<SOCKET>(socket->get()), SIO_GET_EXTENSION_FUNCTION_POINTER, &id,
                 sizeof id, &function, sizeof function, &size, nullptr, nullptr);
  cx.note(std::string("WSAIoctl(") + name + ")", found == 0 ? "0" : last_error());
  return found == 0 && function != nullptr ? yes() : no(Reason::not_implemented);
}
FactResult connectex(ProbeContext& cx) {
  return extension<LPFN_CONNECTEX>(cx, "ConnectEx", WSAID_CONNECTEX);
}
FactResult acceptex(ProbeContext& cx) {
  return extension<LPFN_ACCEPTEX>(cx, "AcceptEx", WSAID_ACCEPTEX);
}
FactResult disconnectex(ProbeContext& cx) {
  return extension<LPFN_DISCONNECTEX>(cx, "DisconnectEx", WSAID_DISCONNECTEX);
}
FactResult transmitfile(ProbeContext& cx) {
  return extension<LPFN_TRANSMITFILE>(cx, "TransmitFile", WSAID_TRANSMITFILE);
}
FactResult wsarecvmsg(ProbeContext& cx) {
  return extension<LPFN_WSARECVMSG>(cx, "WSARecvMsg", WSAID_WSARECVMSG);
}

FactResult rio(ProbeContext& cx) {
  auto socket = os::open_socket(AddressFamily::ipv4, SocketType::stream);
  if (!socket.ok()) return null(Reason::failed, to_string(socket.error()));
  // WSAID_MULTIPLE_RIO, RIO_EXTENSION_FUNCTION_TABLE: not in every mswsock.h.
  GUID id = {0x8509e081, 0x96dd, 0x4005, {0xb1, 0x65, 0x9e, 0x2e, 0xe8, 0xc7, 0x9e, 0x3f}};
  constexpr DWORD kGetMany = _WSAIORW(IOC_WS2, 36);
  struct {
    DWORD size = sizeof(void*) * 14;
    void* functions[13]{};
  } table;
  DWORD size = 0;
  const int found = ::WSAIoctl(static_cast<SOCKET>(socket->get()), kGetMany, &id, sizeof id, &table,
                               sizeof table, &size, nullptr, nullptr);
  cx.note("WSAIoctl(RIO)", found == 0 ? "0" : last_error());
  return found == 0 ? yes() : no(Reason::not_implemented);
}

FactResult pipe_cancel_latency(ProbeContext&) {
  std::vector<double> samples;
  for (int i = 0; i < 20; ++i) {
    auto pipe = os::open_pipe();
    if (!pipe.ok()) return null(Reason::failed, to_string(pipe.error()));
    const Port port;
    char byte = 0;
    OVERLAPPED read{};
    if (!port.take(pipe->read.get())) return null(Reason::failed, last_error());
    (void)::ReadFile(os::handle_of(pipe->read.get()), &byte, 1, nullptr, &read);
    const TimePoint begin = now();
    (void)::CancelIoEx(os::handle_of(pipe->read.get()), &read);
    DWORD error = 0;
    if (port.wait(error) != &read) return no(Reason::timeout, "no completion after CancelIoEx");
    samples.push_back(static_cast<double>((now() - begin).count()));
  }
  return median_of(std::move(samples), Unit::nanoseconds);
}

FactResult reassociate(ProbeContext& cx) {
  auto socket = os::open_socket(AddressFamily::ipv4, SocketType::datagram);
  if (!socket.ok()) return null(Reason::failed, to_string(socket.error()));
  const Port first, second;
  if (!first.take(socket->get())) return null(Reason::failed, last_error());
  const bool again = second.take(socket->get());
  cx.note("CreateIoCompletionPort(a second port)", again ? "0" : last_error());
  return again ? yes() : no(Reason::invalid);
}

FactResult timer_latency(ProbeContext&) {
  const Port port;
  std::vector<double> samples;
  for (int i = 0; i < 30; ++i) {
    DWORD error = 0;
    const TimePoint begin = now();
    (void)port.wait(error, 1);
    samples.push_back(static_cast<double>((now() - begin).count()));
  }
  return median_of(std::move(samples), Unit::nanoseconds);
}

FactResult afd_poll(ProbeContext& cx) {
  auto driver = os::afd::open();
  if (!driver.ok()) return no(Reason::not_supported, to_string(driver.error()));
  auto pair = os::open_socketpair(SocketType::stream);
  if (!pair.ok()) return null(Reason::failed, to_string(pair.error()));
  const Port port;
  if (!port.take(driver->get())) return null(Reason::failed, last_error());
  const Result<os::NativeSocket> base = os::afd::base_of(pair->first.get());
  if (!base.ok()) return no(Reason::not_supported, to_string(base.error()));
  os::afd::PollInfo info{};
  info.timeout.QuadPart = INT64_MAX;
  info.count = 1;
  info.handles[0] = {os::handle_of(*base), os::afd::kReceive, 0};
  IO_STATUS_BLOCK status{};
  const NTSTATUS asked =
      os::afd::poll(os::handle_of(driver->get()), info, status, &status, nullptr);
  cx.note("NtDeviceIoControlFile(IOCTL_AFD_POLL)", std::to_string(asked));
  DWORD error = 0;
  const bool early = port.wait(error, 30) != nullptr;
  (void)os::send(pair->second.get(), std::as_bytes(std::span("x", 1)));
  const void* done = port.wait(error);
  cx.note("completion before data", early ? "1" : "0");
  cx.note("events after data", std::to_string(info.handles[0].events));
  const bool right = !early && done == &status && (info.handles[0].events & os::afd::kReceive) != 0;
  return right ? yes() : no(Reason::failed);
}

FactResult base_handle(ProbeContext& cx) {
  auto socket = os::open_socket(AddressFamily::ipv4, SocketType::stream);
  if (!socket.ok()) return null(Reason::failed, to_string(socket.error()));
  const Result<os::NativeSocket> base = os::afd::base_of(socket->get());
  cx.note("WSAIoctl(SIO_BASE_HANDLE)", base.ok() ? "0" : to_string(base.error()));
  if (!base.ok()) return no(Reason::not_supported);
  return yes(*base == socket->get() ? "the socket itself: no layered provider" : "another handle");
}

FactResult unix_sockets(ProbeContext& cx) {
  const auto socket = os::open_socket(AddressFamily::unix_domain, SocketType::stream);
  cx.note("WSASocket(AF_UNIX)", socket.ok() ? "0" : to_string(socket.error()));
  return socket.ok() ? yes() : no(Reason::not_supported);
}

FactResult ioring(ProbeContext& cx) {
  const bool there =
      ::GetProcAddress(::GetModuleHandleW(L"kernelbase.dll"), "CreateIoRing") != nullptr;
  cx.note("GetProcAddress(CreateIoRing)", there ? "found" : "not found");
  return there ? yes() : no(Reason::not_implemented);
}

FactResult wine(ProbeContext&) {
  const std::string version = wine_version();
  return version.empty() ? no(Reason::none, "Windows itself") : words(version);
}

FactResult build(ProbeContext&) {
  const SystemVersion version = system_version();
  return version.major == 0 ? null(Reason::failed) : count(version.build);
}

constexpr PlatformAnswer kCompletionAnswers[] = {
    {"iocp.gqcsex", gqcsex},
    {"iocp.skip_on_success", skip_on_success},
    {"iocp.cancelioex", cancelioex},
    {"iocp.cancel_scope", cancel_scope},
    {"iocp.connectex", connectex},
    {"iocp.acceptex", acceptex},
    {"iocp.disconnectex", disconnectex},
    {"iocp.transmitfile", transmitfile},
    {"iocp.wsarecvmsg", wsarecvmsg},
    {"iocp.rio", rio},
    {"iocp.pipe_cancel_latency", pipe_cancel_latency},
    {"iocp.reassociate", reassociate},
    {"iocp.timer_latency", timer_latency},
    {"afd.poll", afd_poll},
    {"winsock.base_handle", base_handle},
    {"unix.win.af_unix", unix_sockets},
    {"ioring.win", ioring},
    {"wine", wine},
    {"win.build", build},
};

}  // namespace

std::span<const PlatformAnswer> completion_answers() { return kCompletionAnswers; }

}  // namespace loopscope::windows
