// Measuring the socket options of Windows by what they change.
#include <array>
#include <optional>

#include "loops/os/net.hpp"
#include "loops/os/windows/winsock.hpp"
#include "probe/probe_context.hpp"
#include "probe/windows/answers.hpp"
#include "probe/windows/port.hpp"

namespace loopscope::windows {
namespace {

SOCKET winsock_of(const os::UniqueFd& socket) { return static_cast<SOCKET>(socket.get()); }

/// An ioctl of Winsock that takes a truth value.
bool switch_to(ProbeContext& cx, const char* name, const os::UniqueFd& socket, DWORD code,
               DWORD on) {
  DWORD size = 0;
  const int set =
      ::WSAIoctl(winsock_of(socket), code, &on, sizeof on, nullptr, 0, &size, nullptr, nullptr);
  cx.note(std::string("WSAIoctl(") + name + ")", outcome(set == 0));
  return set == 0;
}

FactResult fast_path(ProbeContext& cx) {
  constexpr DWORD kFastPath = _WSAIOW(IOC_VENDOR, 16);  // SIO_LOOPBACK_FAST_PATH
  auto socket = os::open_socket(AddressFamily::ipv4, SocketType::stream);
  if (!socket.ok()) return null(Reason::failed, to_string(socket.error()));
  return switch_to(cx, "SIO_LOOPBACK_FAST_PATH", *socket, kFastPath, 1) ? yes()
                                                                        : no(Reason::not_supported);
}

/// Does a second listener with SO_REUSEADDR get the port of a first one that has set `option`?
std::optional<bool> stolen(ProbeContext& cx, const char* name, int option) {
  auto first = os::open_socket(AddressFamily::ipv4, SocketType::stream);
  auto second = os::open_socket(AddressFamily::ipv4, SocketType::stream);
  if (!first.ok() || !second.ok()) return std::nullopt;
  const BOOL on = TRUE;
  const auto set = [&](const os::UniqueFd& socket, int which) {
    return ::setsockopt(winsock_of(socket), SOL_SOCKET, which, reinterpret_cast<const char*>(&on),
                        sizeof on) == 0;
  };
  if (!set(*first, option) || !set(*second, SO_REUSEADDR)) {
    cx.note(std::string("setsockopt(") + name + ")", last_error());
    return std::nullopt;
  }
  if (!os::bind(first->get(), Endpoint::loopback(AddressFamily::ipv4)).ok()) return std::nullopt;
  if (!os::listen(first->get(), 1).ok()) return std::nullopt;
  const auto where = os::local_address(first->get());
  if (!where.ok()) return std::nullopt;
  const Result<void> again = os::bind(second->get(), *where);
  cx.note(std::string("bind beside a listener with ") + name,
          again.ok() ? "0" : to_string(again.error()));
  return again.ok();
}

FactResult exclusive(ProbeContext& cx) {
  const std::optional<bool> reused = stolen(cx, "SO_REUSEADDR", SO_REUSEADDR);
  const std::optional<bool> kept = stolen(cx, "SO_EXCLUSIVEADDRUSE", SO_EXCLUSIVEADDRUSE);
  if (!kept) return no(Reason::not_supported);
  if (*kept) return no(Reason::failed);
  return yes(reused.value_or(false) ? "" : "SO_REUSEADDR takes no port over either");
}

/// What a receive says after a datagram was sent to a port where nobody is.
std::string after_unreachable(ProbeContext& cx, bool silenced, bool& set) {
  auto closed = os::open_socket(AddressFamily::ipv4, SocketType::datagram);
  auto socket = os::open_socket(AddressFamily::ipv4, SocketType::datagram);
  if (!closed.ok() || !socket.ok()) return "no socket";
  if (!os::bind(closed->get(), Endpoint::loopback(AddressFamily::ipv4)).ok() ||
      !os::bind(socket->get(), Endpoint::loopback(AddressFamily::ipv4)).ok()) {
    return "no address";
  }
  const auto where = os::local_address(closed->get());
  if (!where.ok()) return "no address";
  closed->reset();
  constexpr DWORD kConnReset = _WSAIOW(IOC_VENDOR, 12);  // SIO_UDP_CONNRESET
  if (silenced) set = switch_to(cx, "SIO_UDP_CONNRESET", *socket, kConnReset, 0);
  (void)os::sendto(socket->get(), std::as_bytes(std::span("x", 1)), &*where);
  ::Sleep(50);
  std::array<char, 16> bytes{};
  const int got = ::recv(winsock_of(*socket), bytes.data(), static_cast<int>(bytes.size()), 0);
  const bool nothing = got < 0 && ::WSAGetLastError() == WSAEWOULDBLOCK;
  return nothing ? "nothing" : outcome(got >= 0);
}

FactResult connreset(ProbeContext& cx) {
  bool set = false;
  const std::string by_default = after_unreachable(cx, false, set);
  const std::string silenced = after_unreachable(cx, true, set);
  cx.note("recv after an unreachable port", by_default);
  cx.note("the same with SIO_UDP_CONNRESET off", silenced);
  if (!set) return no(Reason::not_supported);
  if (silenced == "ECONNRESET") return no(Reason::failed, "accepted, without an effect");
  if (by_default != "ECONNRESET") {
    return null(Reason::failed, "it is accepted, and there is no such error here to silence");
  }
  return yes();
}

FactResult segmentation(ProbeContext& cx) {
  constexpr int kSendMessageSize = 2, kReceiveMost = 3;  // UDP_SEND_MSG_SIZE, UDP_RECV_MAX_...
  std::vector<std::string> works;
  auto from = os::open_socket(AddressFamily::ipv4, SocketType::datagram);
  auto to = os::open_socket(AddressFamily::ipv4, SocketType::datagram);
  if (!from.ok() || !to.ok()) return null(Reason::failed);
  if (!os::bind(to->get(), Endpoint::loopback(AddressFamily::ipv4)).ok()) {
    return null(Reason::failed);
  }
  const auto where = os::local_address(to->get());
  if (!where.ok()) return null(Reason::failed, to_string(where.error()));
  const auto set = [&](const char* name, const os::UniqueFd& socket, int option, DWORD value) {
    const int done = ::setsockopt(winsock_of(socket), IPPROTO_UDP, option,
                                  reinterpret_cast<const char*>(&value), sizeof value);
    cx.note(std::string("setsockopt(") + name + ")", outcome(done == 0));
    return done == 0;
  };
  if (set("UDP_SEND_MSG_SIZE", *from, kSendMessageSize, 1000)) {
    const std::array<std::byte, 3000> data{};
    (void)os::sendto(from->get(), data, &*where);
    ::Sleep(20);
    std::array<std::byte, 4096> into{};
    const auto got = os::recv(to->get(), into);
    const bool cut = got.ok() && *got && **got == 1000;
    cx.note("size of the first datagram", got.ok() && *got ? std::to_string(**got) : "none");
    if (cut) works.emplace_back("send");
  }
  DWORD kept = 0;
  int size = sizeof kept;
  if (set("UDP_RECV_MAX_COALESCED_SIZE", *to, kReceiveMost, 8000) &&
      ::getsockopt(winsock_of(*to), IPPROTO_UDP, kReceiveMost, reinterpret_cast<char*>(&kept),
                   &size) == 0 &&
      kept == 8000) {
    works.emplace_back("receive");
  }
  return word_set(std::move(works));
}

constexpr PlatformAnswer kSocketAnswers[] = {
    {"tcp.win.loopback_fast_path", fast_path},
    {"tcp.win.exclusive_addruse", exclusive},
    {"udp.win.connreset_ioctl", connreset},
    {"udp.uro_uso", segmentation},
};

}  // namespace

std::span<const PlatformAnswer> socket_answers() { return kSocketAnswers; }

}  // namespace loopscope::windows
