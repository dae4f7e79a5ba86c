// Measuring completion ports.
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "loops/base/clock.hpp"
#include "loops/os/net.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/windows/afd.hpp"
#include "loops/os/windows/winsock.hpp"
#include "probe/probe_context.hpp"
#include "probe/windows/answers.hpp"
#include "probe/windows/console.hpp"
#include "probe/windows/port.hpp"

namespace loopscope::windows {
namespace {

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

/// Something to read from, by overlapped calls, and what a byte has to be put into for that.
struct Readable {
  const char* kind;
  os::UniqueFd read, write;
  bool put() const {
    DWORD count = 0;
    OVERLAPPED request{};
    request.hEvent = ::CreateEventW(nullptr, TRUE, FALSE, nullptr);
    const BOOL at_once = ::WriteFile(os::handle_of(write.get()), "x", 1, nullptr, &request);
    const bool begun = at_once != 0 || ::GetLastError() == ERROR_IO_PENDING;
    const bool done =
        begun && ::GetOverlappedResult(os::handle_of(write.get()), &request, &count, TRUE) != 0;
    ::CloseHandle(request.hEvent);
    return done;
  }
};

std::vector<Readable> one_of_each_kind() {
  std::vector<Readable> all;
  if (auto tcp = os::open_socketpair(SocketType::stream); tcp.ok()) {
    all.push_back({"tcp", std::move(tcp->first), std::move(tcp->second)});
  }
  if (auto udp = os::open_socketpair(SocketType::datagram); udp.ok()) {
    all.push_back({"udp", std::move(udp->first), std::move(udp->second)});
  }
  if (auto pipe = os::open_pipe(); pipe.ok()) {
    all.push_back({"pipe", std::move(pipe->read), std::move(pipe->write)});
  }
  return all;
}

/// The kinds for which a mode can be set and `changed(port, readable)` then sees its effect.
template <class Changed>
FactResult kinds_with_mode(ProbeContext& cx, const char* name, UCHAR mode, Changed changed) {
  std::vector<std::string> kinds;
  for (const Readable& one : one_of_each_kind()) {
    const Port port;
    const std::string what = std::string(name) + " on " + one.kind;
    if (!port.take(one.read.get())) {
      cx.note("CreateIoCompletionPort(" + std::string(one.kind) + ")", last_error());
      continue;
    }
    const bool set = ::SetFileCompletionNotificationModes(os::handle_of(one.read.get()), mode) != 0;
    cx.note("SetFileCompletionNotificationModes(" + what + ")", outcome(set));
    if (!set) continue;
    const bool seen = changed(port, one);
    cx.note("effect of " + what, seen ? "seen" : "none");
    if (seen) kinds.emplace_back(one.kind);
  }
  return word_set(std::move(kinds));
}

FactResult skip_on_success(ProbeContext& cx) {
  return kinds_with_mode(
      cx, "SKIP_COMPLETION_PORT_ON_SUCCESS", FILE_SKIP_COMPLETION_PORT_ON_SUCCESS,
      [](const Port& port, const Readable& one) {
        char byte = 0;
        OVERLAPPED request{};
        DWORD error = 0;
        if (!one.put()) return false;
        ::Sleep(5);  // Until the byte has arrived: the read is to be done at once.
        const BOOL at_once = ::ReadFile(os::handle_of(one.read.get()), &byte, 1, nullptr, &request);
        const bool packet = port.wait(error, at_once != 0 ? 20 : kPatienceMs) != nullptr;
        return at_once != 0 && !packet;
      });
}

FactResult skip_set_event(ProbeContext& cx) {
  return kinds_with_mode(
      cx, "SKIP_SET_EVENT_ON_HANDLE", FILE_SKIP_SET_EVENT_ON_HANDLE,
      [](const Port& port, const Readable& one) {
        char byte = 0;
        OVERLAPPED request{};
        DWORD error = 0;
        // Beginning it makes the handle unsignalled; its end would signal it.
        (void)::ReadFile(os::handle_of(one.read.get()), &byte, 1, nullptr, &request);
        if (!one.put()) (void)::CancelIoEx(os::handle_of(one.read.get()), &request);
        if (port.wait(error) != &request) return false;
        return ::WaitForSingleObject(os::handle_of(one.read.get()), 0) == WAIT_TIMEOUT;
      });
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

FactResult timer_latency(ProbeContext& cx) {
  const Port port;
  FactResult result{.unit = Unit::nanoseconds, .note = "a wait of 1 ms", .curve_over = "ms asked"};
  for (const DWORD asked : {1, 5, 16}) {
    CurvePoint point{.x = static_cast<double>(asked)};
    for (int i = 0; i < cx.rounds(6, 50); ++i) {
      DWORD error = 0;
      const TimePoint begin = now();
      (void)port.wait(error, asked);
      point.samples.push_back(static_cast<double>((now() - begin).count()));
    }
    const FactResult middle = median_of(point.samples, Unit::nanoseconds);
    const auto took = std::get<std::int64_t>(middle.value);
    point.value = static_cast<double>(took);
    if (asked == 1) {
      result.value = took;
      result.samples = point.samples;
    }
    result.curve.push_back(std::move(point));
  }
  return result;
}

/// How many threads have been let out of a port and do not wait again yet, at most.
int released_at_once(DWORD allowed) {
  constexpr int kThreads = 4;
  const Port port(allowed);
  std::atomic<int> running{0}, most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      DWORD error = 0;
      (void)port.wait(error);
      const int here = ++running;
      for (int seen = most; here > seen && !most.compare_exchange_weak(seen, here);) {
      }
      // A thread that runs, and does not wait: a port counts those alone.
      for (const TimePoint end = now() + std::chrono::milliseconds(10); now() < end;) {
      }
      --running;
    });
  }
  ::Sleep(20);  // All of them wait by then; those that came later find their packet there.
  for (int i = 0; i < kThreads; ++i) (void)::PostQueuedCompletionStatus(port.get(), 0, 1, nullptr);
  for (std::thread& thread : threads) thread.join();
  return most;
}

FactResult concurrency(ProbeContext& cx) {
  const int one = released_at_once(1);
  cx.note("four threads on a port for one", std::to_string(one) + " at once");
  cx.note("four threads on a port for 0", std::to_string(released_at_once(0)) + " at once");
  return count(one, one == 1 ? "as many as were asked for" : "one was asked for");
}

FactResult console_handle(ProbeContext& cx) {
  const Console console;
  if (!console.input) return null(Reason::failed, "no console can be had: " + console.refused);
  const Port port;
  const std::string said = outcome(port.take(console.input.get()));
  cx.note("CreateIoCompletionPort(CONIN$)", said);
  return words(said == "0" ? "accepted" : said);
}

/// Requests to the driver of Winsock, many by one handle.
struct Polls {
  struct One {
    os::UniqueFd socket{};
    os::afd::PollInfo info{};
    OVERLAPPED request{};
  };
  os::UniqueFd driver{};
  std::vector<std::unique_ptr<One>> all{};

  bool ask(One& one, os::NativeSocket socket, ULONG events) const {
    const Result<os::NativeSocket> base = os::afd::base_of(socket);
    if (!base.ok()) return false;
    one.info.timeout.QuadPart = INT64_MAX;
    one.info.count = 1;
    one.info.handles[0] = {os::handle_of(*base), events, 0};
    return os::afd::poll(os::handle_of(driver.get()), one.info, one.request) >= 0;
  }
};

/// How long it takes to end so many polls, each of a socket of its own; nullopt: there was no time
/// for so many, or they cannot be had.
std::optional<Duration> cancel_polls(ProbeContext& cx, std::size_t size) {
  const Port port;
  Polls polls;
  auto driver = os::afd::open();
  if (!driver.ok() || !port.take(driver->get())) return std::nullopt;
  polls.driver = std::move(driver).value();
  while (polls.all.size() < size && !cx.is_late()) {
    auto one = std::make_unique<Polls::One>();
    auto socket = os::open_socket(AddressFamily::ipv4, SocketType::datagram);
    if (!socket.ok()) {
      cx.note("socket " + std::to_string(polls.all.size()), to_string(socket.error()));
      break;
    }
    one->socket = std::move(socket).value();
    if (!polls.ask(*one, one->socket.get(), os::afd::kReceive)) break;
    polls.all.push_back(std::move(one));
  }
  const TimePoint begin = now();
  for (auto& one : polls.all) os::afd::cancel(os::handle_of(polls.driver.get()), one->request);
  DWORD error = 0;
  std::size_t ended = 0;
  while (ended < polls.all.size() && port.wait(error, 5000) != nullptr) ++ended;
  return ended == size ? std::optional(now() - begin) : std::nullopt;
}

FactResult cancel_scaling(ProbeContext& cx) {
  FactResult result{.unit = Unit::nanoseconds, .curve_over = "polls"};
  for (const std::size_t size : {32, 512, 2048}) {
    CurvePoint point{.x = static_cast<double>(size)};
    if (cx.is_late() || (size > 512 && !cx.thorough())) {
      point.reason = Reason::not_asked;
      point.note = "takes long: ask with --thorough";
    } else if (const std::optional<Duration> took = cancel_polls(cx, size)) {
      point.value = static_cast<double>(took->count());
      result.value = took->count();
      result.note = "for " + std::to_string(size) + " polls by one handle of the driver";
    } else {
      point.reason = Reason::failed;
    }
    result.curve.push_back(std::move(point));
  }
  if (result.value.index() == 0) result.reason = Reason::failed;
  return result;
}

FactResult two_polls(ProbeContext& cx) {
  auto pair = os::open_socketpair(SocketType::stream);
  if (!pair.ok()) return null(Reason::failed, to_string(pair.error()));
  const Port port;
  Polls polls;
  auto driver = os::afd::open();
  if (!driver.ok() || !port.take(driver->get())) return null(Reason::failed, last_error());
  polls.driver = std::move(driver).value();
  Polls::One reading, writing;
  DWORD error = 0;
  if (!polls.ask(reading, pair->first.get(), os::afd::kReceive) ||
      !polls.ask(writing, pair->first.get(), os::afd::kSend)) {
    return null(Reason::failed);
  }
  const bool writable = port.wait(error) == &writing.request;
  const bool early = port.wait(error, 20) != nullptr;
  (void)os::send(pair->second.get(), std::as_bytes(std::span("x", 1)));
  const bool readable = !early && port.wait(error) == &reading.request;
  cx.note("events of the write poll", std::to_string(writing.info.handles[0].events));
  cx.note("events of the read poll", std::to_string(reading.info.handles[0].events));
  const bool right = writable && readable && writing.info.handles[0].events == os::afd::kSend &&
                     reading.info.handles[0].events == os::afd::kReceive;
  if (!readable) {  // Neither memory may go while the driver has it.
    os::afd::cancel(os::handle_of(polls.driver.get()), reading.request);
    os::afd::cancel(os::handle_of(polls.driver.get()), writing.request);
    while (port.wait(error, 50) != nullptr) {
    }
  }
  return right ? yes() : no(Reason::failed);
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
  OVERLAPPED request{};
  const NTSTATUS asked = os::afd::poll(os::handle_of(driver->get()), info, request);
  cx.note("NtDeviceIoControlFile(IOCTL_AFD_POLL)", std::to_string(asked));
  DWORD error = 0;
  const bool early = port.wait(error, 30) != nullptr;
  (void)os::send(pair->second.get(), std::as_bytes(std::span("x", 1)));
  const OVERLAPPED* done = port.wait(error);
  cx.note("completion before data", early ? "1" : "0");
  cx.note("events after data", std::to_string(info.handles[0].events));
  const bool right =
      !early && done == &request && (info.handles[0].events & os::afd::kReceive) != 0;
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

FactResult layered_provider(ProbeContext& cx) {
  std::vector<std::byte> memory(64 * 1024);
  auto size = static_cast<DWORD>(memory.size());
  auto* protocols = reinterpret_cast<WSAPROTOCOL_INFOW*>(memory.data());
  const int found = ::WSAEnumProtocolsW(nullptr, protocols, &size);
  if (found == SOCKET_ERROR) {
    cx.note("WSAEnumProtocols", last_error());
    return null(Reason::failed);
  }
  cx.note("WSAEnumProtocols", std::to_string(found));
  // A base protocol has a chain of one; 0 is a layer itself, more is a chain with one.
  const bool layered = std::any_of(protocols, protocols + found, [](const WSAPROTOCOL_INFOW& one) {
    return one.ProtocolChain.ChainLen != BASE_PROTOCOL;
  });
  return layered ? yes() : no(Reason::none);
}

FactResult ifs_handles(ProbeContext& cx) {
  bool all = true;
  for (const auto& [name, type] :
       {std::pair("tcp", SocketType::stream), std::pair("udp", SocketType::datagram)}) {
    auto socket = os::open_socket(AddressFamily::ipv4, type);
    if (!socket.ok()) return null(Reason::failed, to_string(socket.error()));
    WSAPROTOCOL_INFOW info{};
    int size = sizeof info;
    const int asked = ::getsockopt(static_cast<SOCKET>(socket->get()), SOL_SOCKET,
                                   SO_PROTOCOL_INFOW, reinterpret_cast<char*>(&info), &size);
    cx.note(std::string("getsockopt(SO_PROTOCOL_INFO) of ") + name, outcome(asked == 0));
    if (asked != 0) return null(Reason::failed);
    all = all && (info.dwServiceFlags1 & XP1_IFS_HANDLES) != 0;
  }
  return all ? yes() : no(Reason::none);
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
    {"iocp.skip_set_event", skip_set_event},
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
    {"iocp.concurrency", concurrency},
    {"iocp.console_handle", console_handle},
    {"afd.poll", afd_poll},
    {"afd.cancel_scaling", cancel_scaling},
    {"afd.two_polls_one_socket", two_polls},
    {"winsock.base_handle", base_handle},
    {"winsock.lsp_present", layered_provider},
    {"winsock.ifs_handles", ifs_handles},
    {"unix.win.af_unix", unix_sockets},
    {"ioring.win", ioring},
    {"wine", wine},
    {"win.build", build},
};

}  // namespace

std::span<const PlatformAnswer> completion_answers() { return kCompletionAnswers; }

}  // namespace loopscope::windows
