// Sockets and addresses on Windows.
//
// Sockets are made overlapped, so that an I/O completion port can be given them, and not
// inheritable. Winsock is started with the program and never ended.
#include "loops/os/net.hpp"

#include "loops/os/windows/modes.hpp"
#include "loops/os/windows/winsock.hpp"
// After Winsock's own headers.
#include <afunix.h>
#include <iphlpapi.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>

#include "loops/os/sockaddr_endpoint.hpp"
#include "loops/os/socket_options.hpp"

namespace loopscope::os {

const bool kReuseAddress = false;

namespace {

/// Started once, and there for every thread and for what is destroyed after main().
bool start_winsock() {
  static const bool started = [] {
    WSADATA about{};
    return ::WSAStartup(MAKEWORD(2, 2), &about) == 0;
  }();
  return started;
}
const bool g_winsock = start_winsock();

SOCKET socket_of(NativeSocket fd) { return static_cast<SOCKET>(fd); }

int native_of(AddressFamily family) {
  switch (family) {
    case AddressFamily::ipv4:
      return AF_INET;
    case AddressFamily::ipv6:
      return AF_INET6;
    case AddressFamily::unix_domain:
      return AF_UNIX;
    case AddressFamily::unspecified:
      break;
  }
  return AF_UNSPEC;
}

const sockaddr* raw(const Endpoint& address) {
  return static_cast<const sockaddr*>(address.data());
}

/// For the last error of a call on this socket. Winsock says WSAENOTSOCK also of what is closed.
Error socket_error(NativeSocket fd, std::string_view op) {
  const DWORD number = ::GetLastError();
  DWORD flags = 0;
  if (number == WSAENOTSOCK &&
      (!may_exist(fd) || ::GetHandleInformation(handle_of(fd), &flags) == 0)) {
    return errno_error_of(EBADF, op);
  }
  return windows_error_of(number, op);
}

Result<void> set_option(NativeSocket fd, int level, int name, int value, std::string_view op) {
  if (::setsockopt(socket_of(fd), level, name, reinterpret_cast<const char*>(&value),
                   sizeof value) != 0) {
    return socket_error(fd, op);
  }
  return {};
}

Result<void> set_fionbio(NativeSocket fd, bool blocking) {
  u_long nonblocking = blocking ? 0 : 1;
  if (::ioctlsocket(socket_of(fd), static_cast<long>(FIONBIO), &nonblocking) != 0) {
    return socket_error(fd, "ioctlsocket(FIONBIO)");
  }
  remember_blocking(fd, blocking);
  return {};
}

/// From the result of a call that moves bytes.
Result<Transfer> transfer(NativeSocket fd, int count, std::string_view op) {
  if (count >= 0) return Transfer(static_cast<std::size_t>(count));
  if (::WSAGetLastError() == WSAEWOULDBLOCK) return Transfer();
  return socket_error(fd, op);
}

int cut(std::size_t size) { return static_cast<int>(std::min(size, kLargestTransfer)); }

/// A listener on loopback that takes the one connection which comes from `expected`.
Result<UniqueFd> accept_own(const UniqueFd& listener, const Endpoint& expected) {
  for (;;) {
    sockaddr_storage from{};
    int size = sizeof from;
    UniqueFd accepted(
        ::accept(socket_of(listener.get()), reinterpret_cast<sockaddr*>(&from), &size));
    if (!accepted) return windows_error("accept");
    ::SetHandleInformation(handle_of(accepted.get()), HANDLE_FLAG_INHERIT, 0);
    // Anybody on this host may have been quicker.
    if (Endpoint::from_raw(&from, static_cast<std::size_t>(size)) == expected) return accepted;
  }
}

Result<std::pair<UniqueFd, UniqueFd>> stream_pair() {
  auto listener = open_socket(AddressFamily::ipv4, SocketType::stream, true);
  if (!listener.ok()) return listener.error();
  if (auto bound = bind(listener->get(), Endpoint::loopback(AddressFamily::ipv4)); !bound.ok()) {
    return bound.error();
  }
  if (auto listening = listen(listener->get(), 1); !listening.ok()) return listening.error();
  const Result<Endpoint> where = local_address(listener->get());
  if (!where.ok()) return where.error();
  auto first = open_socket(AddressFamily::ipv4, SocketType::stream, true);
  if (!first.ok()) return first.error();
  if (auto connected = connect(first->get(), *where); !connected.ok()) return connected.error();
  const Result<Endpoint> name = local_address(first->get());
  if (!name.ok()) return name.error();
  Result<UniqueFd> second = accept_own(*listener, *name);
  if (!second.ok()) return second.error();
  // A Unix socket, which this stands for, sends at once.
  (void)set_nodelay(first->get(), true);
  (void)set_nodelay(second->get(), true);
  return std::pair(std::move(first).value(), std::move(second).value());
}

Result<std::pair<UniqueFd, UniqueFd>> datagram_pair() {
  std::array<UniqueFd, 2> ends;
  std::array<Endpoint, 2> names;
  for (std::size_t i = 0; i < 2; ++i) {
    auto opened = open_socket(AddressFamily::ipv4, SocketType::datagram, true);
    if (!opened.ok()) return opened.error();
    ends[i] = std::move(opened).value();
    auto bound = bind(ends[i].get(), Endpoint::loopback(AddressFamily::ipv4));
    if (!bound.ok()) return bound.error();
    Result<Endpoint> name = local_address(ends[i].get());
    if (!name.ok()) return name.error();
    names[i] = *name;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (auto joined = connect(ends[i].get(), names[1 - i]); !joined.ok()) return joined.error();
  }
  return std::pair(std::move(ends[0]), std::move(ends[1]));
}

}  // namespace

bool is_socket(NativeSocket fd) {
  int type = 0, size = sizeof type;
  return ::getsockopt(socket_of(fd), SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &size) ==
         0;
}

Result<UniqueFd> open_socket(AddressFamily family, SocketType type, bool blocking) {
  if (!g_winsock && !start_winsock()) return errno_error_of(ENETDOWN, "WSAStartup");
  const int kind = type == SocketType::stream ? SOCK_STREAM : SOCK_DGRAM;
  UniqueFd fd(::WSASocketW(native_of(family), kind, 0, nullptr, 0,
                           WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
  if (!fd) return windows_error("WSASocket");
  if (blocking) return fd;
  if (Result<void> set = set_fionbio(fd.get(), false); !set.ok()) return set.error();
  return fd;
}

Result<std::pair<UniqueFd, UniqueFd>> open_socketpair(SocketType type, bool blocking) {
  auto pair = type == SocketType::stream ? stream_pair() : datagram_pair();
  if (!pair.ok() || blocking) return pair;
  for (const UniqueFd* end : {&pair->first, &pair->second}) {
    if (Result<void> set = set_fionbio(end->get(), false); !set.ok()) return set.error();
  }
  return pair;
}

Result<void> set_blocking(NativeSocket fd, bool blocking) {
  if (is_socket(fd)) return set_fionbio(fd, blocking);
  DWORD flags = 0;
  if (::GetHandleInformation(handle_of(fd), &flags) == 0) {
    return windows_error("GetHandleInformation");
  }
  // Whether a call on a pipe waits is decided by each call, see pipe.cpp; where it can be decided.
  if (!blocking && is_synchronous(fd)) return refuse_synchronous("set_blocking");
  remember_blocking(fd, blocking);
  return {};
}

Result<bool> is_blocking(NativeSocket fd) {
  DWORD flags = 0;
  if (!may_exist(fd) || ::GetHandleInformation(handle_of(fd), &flags) == 0) {
    return errno_error_of(EBADF, "GetHandleInformation");
  }
  return known_blocking(fd);
}

Result<void> bind(NativeSocket fd, const Endpoint& address) {
  if (::bind(socket_of(fd), raw(address), static_cast<int>(address.size())) != 0) {
    return windows_error("bind", address.to_string());
  }
  return {};
}

Result<void> listen(NativeSocket fd, int backlog) {
  if (::listen(socket_of(fd), backlog) != 0) return socket_error(fd, "listen");
  return {};
}

Result<bool> connect(NativeSocket fd, const Endpoint& address) {
  if (::connect(socket_of(fd), raw(address), static_cast<int>(address.size())) == 0) return true;
  if (::WSAGetLastError() == WSAEWOULDBLOCK) return false;
  return windows_error("connect", address.to_string());
}

Result<void> connect_result(NativeSocket fd) {
  if (Result<void> pending = take_error(fd); !pending.ok()) return pending;
  const Result<Endpoint> peer = peer_address(fd);
  if (!peer.ok()) return peer.error();  // ENOTCONN: writable, and yet not connected.
  return {};
}

Result<std::optional<std::pair<UniqueFd, Endpoint>>> accept(NativeSocket fd) {
  using Accepted = std::pair<UniqueFd, Endpoint>;
  sockaddr_storage address{};
  int size = sizeof address;
  UniqueFd connection(::accept(socket_of(fd), reinterpret_cast<sockaddr*>(&address), &size));
  if (connection) {
    ::SetHandleInformation(handle_of(connection.get()), HANDLE_FLAG_INHERIT, 0);
    if (Result<void> set = set_fionbio(connection.get(), false); !set.ok()) return set.error();
    return std::optional(Accepted(std::move(connection),
                                  Endpoint::from_raw(&address, static_cast<std::size_t>(size))));
  }
  const int error = ::WSAGetLastError();
  // WSAECONNRESET: the client went away between its arrival and this call; wait for the next one.
  if (error == WSAEWOULDBLOCK || error == WSAECONNRESET) return std::optional<Accepted>();
  return windows_error_of(static_cast<unsigned long>(error), "accept");
}

Result<Transfer> recv(NativeSocket fd, std::span<std::byte> buffer) {
  return transfer(
      fd, ::recv(socket_of(fd), reinterpret_cast<char*>(buffer.data()), cut(buffer.size()), 0),
      "recv");
}

Result<Transfer> send(NativeSocket fd, ByteView data) {
  return transfer(
      fd, ::send(socket_of(fd), reinterpret_cast<const char*>(data.data()), cut(data.size()), 0),
      "send");
}

Result<Transfer> sendv(NativeSocket fd, std::span<const ByteView> pieces) {
  std::array<WSABUF, kMostPieces> buffers;  // only what count says is written
  DWORD count = 0, sent = 0;
  std::size_t room = kLargestTransfer;
  for (const ByteView piece : pieces) {
    if (count == kMostPieces || room == 0) break;
    if (piece.empty()) continue;
    const std::size_t size = std::min(piece.size(), room);
    // The call takes pointers to memory that it reads only.
    buffers[count++] = {static_cast<ULONG>(size),
                        reinterpret_cast<char*>(const_cast<std::byte*>(piece.data()))};
    room -= size;
  }
  if (count == 0) return Transfer(0);
  const int result = ::WSASend(socket_of(fd), buffers.data(), count, &sent, 0, nullptr, nullptr);
  return result == 0 ? Result<Transfer>(Transfer(sent)) : transfer(fd, -1, "WSASend");
}

// A datagram that does not fit is cut, as POSIX does silently and Winsock with WSAEMSGSIZE.
Result<Transfer> recvfrom(NativeSocket fd, std::span<std::byte> buffer, Endpoint& sender) {
  int size = static_cast<int>(Endpoint::kCapacity);
  const int got = ::recvfrom(socket_of(fd), reinterpret_cast<char*>(buffer.data()),
                             cut(buffer.size()), 0, static_cast<sockaddr*>(sender.data()), &size);
  const bool truncated = got < 0 && ::WSAGetLastError() == WSAEMSGSIZE;
  sender.resize(got < 0 && !truncated ? 0 : static_cast<std::size_t>(size));
  return truncated ? Result<Transfer>(Transfer(buffer.size())) : transfer(fd, got, "recvfrom");
}

Result<Transfer> sendto(NativeSocket fd, ByteView data, const Endpoint* to) {
  const sockaddr* address = to == nullptr ? nullptr : raw(*to);
  const int size = to == nullptr ? 0 : static_cast<int>(to->size());
  return transfer(fd,
                  ::sendto(socket_of(fd), reinterpret_cast<const char*>(data.data()),
                           static_cast<int>(data.size()), 0, address, size),
                  "sendto");
}

Result<void> shutdown_write(NativeSocket fd) {
  if (::shutdown(socket_of(fd), SD_SEND) != 0) return socket_error(fd, "shutdown(SD_SEND)");
  return {};
}

namespace {
using NameCall = int(WSAAPI*)(SOCKET, sockaddr*, int*);
Result<Endpoint> ask_name(NativeSocket fd, NameCall call, std::string_view op) {
  sockaddr_storage address{};
  int size = sizeof address;
  if (call(socket_of(fd), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return socket_error(fd, op);
  }
  return Endpoint::from_raw(&address, static_cast<std::size_t>(size));
}
}  // namespace

Result<Endpoint> local_address(NativeSocket fd) {
  return ask_name(fd, ::getsockname, "getsockname");
}
Result<Endpoint> peer_address(NativeSocket fd) {
  return ask_name(fd, ::getpeername, "getpeername");
}

Result<void> set_reuse_port(NativeSocket, bool on) {
  if (!on) return {};
  return make_error(Errc::not_supported, "setsockopt(SO_REUSEPORT)", "Windows has no such option");
}
Result<void> set_reset_on_close(NativeSocket fd) {
  const linger at_once{1, 0};
  if (::setsockopt(socket_of(fd), SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&at_once),
                   sizeof at_once) != 0) {
    return socket_error(fd, "setsockopt(SO_LINGER)");
  }
  return {};
}

Result<void> take_error(NativeSocket fd) {
  int error = 0, size = sizeof error;
  if (::getsockopt(socket_of(fd), SOL_SOCKET, SO_ERROR, reinterpret_cast<char*>(&error), &size) !=
      0) {
    return socket_error(fd, "getsockopt(SO_ERROR)");
  }
  if (error != 0) return windows_error_of(static_cast<unsigned long>(error), "connect");
  return {};
}

bool is_listening(NativeSocket fd) {
  int listening = 0, size = sizeof listening;
  return ::getsockopt(socket_of(fd), SOL_SOCKET, SO_ACCEPTCONN, reinterpret_cast<char*>(&listening),
                      &size) == 0 &&
         listening != 0;
}

Result<SocketType> type_of(NativeSocket fd) {
  int type = 0, size = sizeof type;
  if (::getsockopt(socket_of(fd), SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &size) !=
      0) {
    return socket_error(fd, "getsockopt(SO_TYPE)");
  }
  if (type == SOCK_STREAM) return SocketType::stream;
  if (type == SOCK_DGRAM) return SocketType::datagram;
  return make_error(Errc::invalid_argument, "getsockopt(SO_TYPE)",
                    "neither a stream nor a datagram socket");
}

}  // namespace loopscope::os
