// Sockets on loopback for the facts that ask about sockets.
#include "probe/capabilities/inet.hpp"

#include <arpa/inet.h>

#include <cerrno>

namespace loopscope::probes {

SocketName loopback_name(int family) {
  SocketName name;
  if (family == AF_INET6) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&name.address);
    v6->sin6_family = AF_INET6;
    v6->sin6_addr = in6addr_loopback;
    name.size = sizeof *v6;
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&name.address);
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.size = sizeof *v4;
  }
  return name;
}

namespace {

os::UniqueFd bound(ProbeContext& cx, int family, int type) {
  os::UniqueFd socket(
      cx.call(std::string("socket(") + (family == AF_INET6 ? "AF_INET6" : "AF_INET") + ")",
              ::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
  if (!socket) return socket;
  SocketName name = loopback_name(family);
  if (cx.call("bind(loopback, port 0)", ::bind(socket.get(), name.raw(), name.size)) != 0) {
    const int error = errno;
    socket.reset();
    errno = error;
  }
  return socket;
}

}  // namespace

os::UniqueFd listen_tcp(ProbeContext& cx, int family) {
  os::UniqueFd socket = bound(cx, family, SOCK_STREAM);
  if (socket && cx.call("listen", ::listen(socket.get(), 16)) != 0) socket.reset();
  return socket;
}

os::UniqueFd bound_udp(ProbeContext& cx, int family) { return bound(cx, family, SOCK_DGRAM); }

ClosedPort::ClosedPort(ProbeContext& cx) : socket_(bound(cx, AF_INET, SOCK_STREAM)) {
  if (socket_) name_ = name_of(socket_);
}

std::optional<int> set_and_get(ProbeContext& cx, const os::UniqueFd& socket, int level, int option,
                               int value, std::string_view what) {
  const std::string name(what);
  if (cx.call("setsockopt(" + name + ", " + std::to_string(value) + ")",
              ::setsockopt(socket.get(), level, option, &value, sizeof value)) != 0) {
    return std::nullopt;
  }
  int got = 0;
  socklen_t size = sizeof got;
  if (cx.call("getsockopt(" + name + ")", ::getsockopt(socket.get(), level, option, &got, &size)) !=
      0) {
    return std::nullopt;
  }
  cx.note(name + " reads back", std::to_string(got));
  return got;
}

FactResult settable(ProbeContext& cx, const os::UniqueFd& socket, int level, int option, int value,
                    std::string_view what, std::string note) {
  if (!socket) return no_subject(cx);
  const std::optional<int> got = set_and_get(cx, socket, level, option, value, what);
  if (!got) return cx.refused();
  if (*got == value) return yes(std::move(note));
  return no(Reason::failed,
            "set to " + std::to_string(value) + ", reads back as " + std::to_string(*got));
}

}  // namespace loopscope::probes
