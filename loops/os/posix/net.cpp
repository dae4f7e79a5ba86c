// Sockets and addresses on POSIX.
#include "loops/os/net.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "loops/os/posix/close_on_exec.hpp"
#include "loops/os/posix/gather.hpp"
#include "loops/os/posix/transfer.hpp"
#include "loops/os/sockaddr_endpoint.hpp"
#include "loops/os/socket_options.hpp"

namespace loopscope::os {

const bool kReuseAddress = true;

namespace {

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

int native_of(SocketType type) { return type == SocketType::stream ? SOCK_STREAM : SOCK_DGRAM; }

const sockaddr* raw(const Endpoint& address) {
  return static_cast<const sockaddr*>(address.data());
}

template <class Call>
ssize_t retry(Call&& call) {
  ssize_t result = 0;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

Result<void> set_option(NativeSocket fd, int level, int name, int value, std::string_view op) {
  if (::setsockopt(fd, level, name, &value, sizeof value) != 0) return errno_error(op);
  return {};
}

}  // namespace

Result<UniqueFd> open_socket(AddressFamily family, SocketType type, bool blocking) {
  UniqueFd fd(own_socket(native_of(family), native_of(type), blocking));
  if (!fd) return errno_error("socket");
  return fd;
}

Result<std::pair<UniqueFd, UniqueFd>> open_socketpair(SocketType type, bool blocking) {
  int fds[2];
  if (own_socketpair(native_of(type), blocking, fds) != 0) return errno_error("socketpair");
  return std::pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

Result<void> set_blocking(NativeSocket fd, bool blocking) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return errno_error("fcntl(F_GETFL)");
  const int wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  if (wanted != flags && ::fcntl(fd, F_SETFL, wanted) < 0) return errno_error("fcntl(F_SETFL)");
  return {};
}

Result<bool> is_blocking(NativeSocket fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return errno_error("fcntl(F_GETFL)");
  return (flags & O_NONBLOCK) == 0;
}

Result<void> bind(NativeSocket fd, const Endpoint& address) {
  if (::bind(fd, raw(address), static_cast<socklen_t>(address.size())) != 0) {
    return errno_error("bind", address.to_string());
  }
  return {};
}

Result<void> listen(NativeSocket fd, int backlog) {
  if (::listen(fd, backlog) != 0) return errno_error("listen");
  return {};
}

Result<bool> connect(NativeSocket fd, const Endpoint& address) {
  if (::connect(fd, raw(address), static_cast<socklen_t>(address.size())) == 0) return true;
  // EINTR: the connection goes on in the background, exactly like EINPROGRESS (POSIX connect).
  if (errno == EINPROGRESS || errno == EINTR) return false;
  // EAGAIN, Unix sockets only: the listener's queue is full and nothing is in progress.
  return errno_error("connect", address.to_string());
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
  socklen_t size = sizeof address;
  const auto connection = retry([&] {
    size = sizeof address;
    return own_accept(fd, reinterpret_cast<sockaddr*>(&address), &size);
  });
  if (connection >= 0) {
    return std::optional(
        Accepted(UniqueFd(static_cast<int>(connection)), Endpoint::from_raw(&address, size)));
  }
  // ECONNABORTED: the client went away between its arrival and this call; wait for the next one.
  if (would_block() || errno == ECONNABORTED) return std::optional<Accepted>();
  return errno_error(kAcceptCall);
}

Result<Transfer> recv(NativeSocket fd, std::span<std::byte> buffer) {
  return transfer(retry([&] { return ::recv(fd, buffer.data(), buffer.size(), 0); }), "recv");
}

Result<Transfer> send(NativeSocket fd, ByteView data) {
  const std::size_t size = std::min(data.size(), kLargestTransfer);
  return transfer(retry([&] { return ::send(fd, data.data(), size, kNoSignal); }), "send");
}

Result<Transfer> sendv(NativeSocket fd, std::span<const ByteView> pieces) {
  Gathered gathered(pieces);
  msghdr message{};
  message.msg_iov = gathered.data();
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(gathered.count());
  return transfer(retry([&] { return ::sendmsg(fd, &message, kNoSignal); }), "sendmsg");
}

Result<Transfer> recvfrom(NativeSocket fd, std::span<std::byte> buffer, Endpoint& sender) {
  socklen_t size = 0;
  const ssize_t got = retry([&] {
    size = Endpoint::kCapacity;
    return ::recvfrom(fd, buffer.data(), buffer.size(), 0, static_cast<sockaddr*>(sender.data()),
                      &size);
  });
  sender.resize(got < 0 ? 0 : size);
  return transfer(got, "recvfrom");
}

Result<Transfer> sendto(NativeSocket fd, ByteView data, const Endpoint* to) {
  const sockaddr* address = to == nullptr ? nullptr : raw(*to);
  const auto size = static_cast<socklen_t>(to == nullptr ? 0 : to->size());
  return transfer(
      retry([&] { return ::sendto(fd, data.data(), data.size(), kNoSignal, address, size); }),
      "sendto");
}

Result<void> shutdown_write(NativeSocket fd) {
  if (::shutdown(fd, SHUT_WR) != 0) return errno_error("shutdown(SHUT_WR)");
  return {};
}

namespace {
using NameCall = int (*)(int, sockaddr*, socklen_t*);
Result<Endpoint> ask_name(NativeSocket fd, NameCall call, std::string_view op) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (call(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return errno_error(op);
  return Endpoint::from_raw(&address, size);
}
}  // namespace

Result<Endpoint> local_address(NativeSocket fd) {
  return ask_name(fd, ::getsockname, "getsockname");
}
Result<Endpoint> peer_address(NativeSocket fd) {
  return ask_name(fd, ::getpeername, "getpeername");
}

Result<void> set_reuse_port(NativeSocket fd, bool on) {
  return set_option(fd, SOL_SOCKET, SO_REUSEPORT, on, "setsockopt(SO_REUSEPORT)");
}
Result<void> set_reset_on_close(NativeSocket fd) {
  const linger at_once{1, 0};
  if (::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) != 0) {
    return errno_error("setsockopt(SO_LINGER)");
  }
  return {};
}

Result<void> take_error(NativeSocket fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
    return errno_error("getsockopt(SO_ERROR)");
  }
  if (error != 0) return errno_error_of(error, "connect");
  return {};
}

bool is_listening(NativeSocket fd) {
  int listening = 0;
  socklen_t size = sizeof listening;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

Result<SocketType> type_of(NativeSocket fd) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    return errno_error("getsockopt(SO_TYPE)");
  }
  if (type == SOCK_STREAM) return SocketType::stream;
  if (type == SOCK_DGRAM) return SocketType::datagram;
  return make_error(Errc::invalid_argument, "getsockopt(SO_TYPE)",
                    "neither a stream nor a datagram socket");
}

}  // namespace loopscope::os
