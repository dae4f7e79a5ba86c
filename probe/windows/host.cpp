// Measuring the limits and the environment of Windows.
#include <vector>

#include "loops/os/net.hpp"
#include "loops/os/windows/winsock.hpp"
#include "probe/probe_context.hpp"
#include "probe/windows/answers.hpp"
#include "probe/windows/port.hpp"

namespace loopscope::windows {
namespace {

FactResult many_sockets(ProbeContext& cx) {
  // Not until nothing is left: the other programs of the machine want sockets too.
  const auto tries = static_cast<std::size_t>(cx.rounds(1000, 8000));
  std::vector<os::UniqueFd> sockets;
  while (sockets.size() < tries && !cx.is_late()) {
    auto one = os::open_socket(AddressFamily::ipv4, SocketType::datagram);
    if (!one.ok()) {
      cx.note("WSASocket", to_string(one.error()));
      return count(static_cast<std::int64_t>(sockets.size()));
    }
    sockets.push_back(std::move(one).value());
  }
  return count(static_cast<std::int64_t>(sockets.size()),
               sockets.size() == tries ? "as many as were tried" : "as many as there was time for");
}

FactResult firewall_loopback(ProbeContext& cx) {
  const auto pair = os::open_socketpair(SocketType::stream);
  cx.note("a connection over 127.0.0.1", pair.ok() ? "0" : to_string(pair.error()));
  return pair.ok() ? yes() : no(Reason::denied);
}

/// Does a connection come about, and does it carry a byte?
FactResult loopback_works(ProbeContext& cx, AddressFamily family) {
  const auto failed = [&](const char* call, const Error& error) {
    cx.note(call, to_string(error));
    return no(reason_of_errno(error.code.value()));
  };
  auto listener = os::open_socket(family, SocketType::stream);
  auto client = os::open_socket(family, SocketType::stream, true);
  if (!listener.ok()) return failed("WSASocket", listener.error());
  if (!client.ok()) return failed("WSASocket", client.error());
  if (auto bound = os::bind(listener->get(), Endpoint::loopback(family)); !bound.ok()) {
    return failed("bind", bound.error());
  }
  if (auto set = os::listen(listener->get(), 1); !set.ok()) return failed("listen", set.error());
  const auto where = os::local_address(listener->get());
  if (!where.ok()) return failed("getsockname", where.error());
  if (auto made = os::connect(client->get(), *where); !made.ok()) {
    return failed("connect", made.error());
  }
  auto server = os::accept(listener->get());
  if (!server.ok()) return failed("accept", server.error());
  const bool sent =
      server.value() && os::send(client->get(), std::as_bytes(std::span("x", 1))).ok();
  cx.note("a byte over a connection", sent ? "0" : "nothing came");
  return sent ? yes() : no(Reason::failed);
}
FactResult ipv4_loopback(ProbeContext& cx) { return loopback_works(cx, AddressFamily::ipv4); }
FactResult ipv6_loopback(ProbeContext& cx) { return loopback_works(cx, AddressFamily::ipv6); }

std::string machine_name(USHORT machine) {
  switch (machine) {
    case IMAGE_FILE_MACHINE_I386:
      return "i686";
    case IMAGE_FILE_MACHINE_AMD64:
      return "x86_64";
    case IMAGE_FILE_MACHINE_ARM64:
      return "aarch64";
    case IMAGE_FILE_MACHINE_ARMNT:
      return "arm";
    default:
      return "machine " + std::to_string(machine);
  }
}

FactResult other_machine(ProbeContext& cx) {
  using Ask = BOOL(WINAPI*)(HANDLE, USHORT*, USHORT*);
  const auto ask = reinterpret_cast<Ask>(reinterpret_cast<void*>(
      ::GetProcAddress(::GetModuleHandleW(L"kernel32.dll"), "IsWow64Process2")));
  if (ask == nullptr) return null(Reason::not_implemented, "needs Windows 10 1511");
  USHORT process = 0, native = 0;
  const bool asked = ask(::GetCurrentProcess(), &process, &native) != 0;
  cx.note("IsWow64Process2",
          asked ? std::to_string(process) + ", " + std::to_string(native) : last_error());
  if (!asked) return null(Reason::failed);
    // An x86_64 program on an arm64 machine is "no WOW64 process", and emulated all the same.
#if defined(_M_ARM64) || defined(__aarch64__)
  constexpr USHORT kBuiltFor = IMAGE_FILE_MACHINE_ARM64;
#elif defined(_M_X64) || defined(__x86_64__)
  constexpr USHORT kBuiltFor = IMAGE_FILE_MACHINE_AMD64;
#else
  constexpr USHORT kBuiltFor = IMAGE_FILE_MACHINE_I386;
#endif
  if (kBuiltFor == native) return no(Reason::none, "a program of this machine");
  return yes(machine_name(kBuiltFor) + " on " + machine_name(native));
}

FactResult session_zero(ProbeContext& cx) {
  DWORD session = 0;
  const bool asked = ::ProcessIdToSessionId(::GetCurrentProcessId(), &session) != 0;
  cx.note("ProcessIdToSessionId", asked ? std::to_string(session) : last_error());
  if (!asked) return null(Reason::failed);
  return session == 0 ? yes() : no(Reason::none, "session " + std::to_string(session));
}

FactResult app_container(ProbeContext& cx) {
  HANDLE opened = nullptr;
  if (::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &opened) == 0) {
    return null(Reason::failed, last_error());
  }
  const os::UniqueFd token(os::native_of(opened));
  DWORD inside = 0, size = 0;
  const bool asked =
      ::GetTokenInformation(opened, TokenIsAppContainer, &inside, sizeof inside, &size) != 0;
  cx.note("GetTokenInformation(TokenIsAppContainer)",
          asked ? std::to_string(inside) : last_error());
  if (!asked) return null(Reason::failed);
  return inside != 0 ? yes() : no(Reason::none);
}

constexpr PlatformAnswer kHostAnswers[] = {
    {"limit.sockets.win", many_sockets},     {"env.firewall_loopback", firewall_loopback},
    {"env.ipv4_lo", ipv4_loopback},          {"env.ipv6_lo", ipv6_loopback},
    {"env.rosetta_or_wow64", other_machine}, {"env.session0", session_zero},
    {"env.app_container", app_container},
};

}  // namespace

std::span<const PlatformAnswer> host_answers() { return kHostAnswers; }

}  // namespace loopscope::windows
