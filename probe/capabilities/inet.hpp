// What the facts of sockets share: loopback addresses, listeners, and a port where nobody listens.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <string_view>

#include "probe/capabilities/subjects.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes {

/// 127.0.0.1 or ::1 with port 0.
SocketName loopback_name(int family);

/// A non-blocking listener on a loopback port that the kernel picks; a failure is recorded.
os::UniqueFd listen_tcp(ProbeContext& cx, int family = AF_INET);

/// A non-blocking datagram socket, bound to a loopback port; a failure is recorded.
os::UniqueFd bound_udp(ProbeContext& cx, int family = AF_INET);

/// A TCP port that is bound and does not listen: a connect to it is refused, and nobody else can
/// take it meanwhile.
class ClosedPort {
 public:
  explicit ClosedPort(ProbeContext& cx);
  explicit operator bool() const { return static_cast<bool>(socket_); }
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&name_.address); }
  socklen_t size() const { return name_.size; }

 private:
  os::UniqueFd socket_;
  SocketName name_;
};

/// setsockopt of an int, and what getsockopt says afterwards; both are recorded as `what`.
/// nullopt: one of them failed, and cx.last_error() says why.
std::optional<int> set_and_get(ProbeContext& cx, const os::UniqueFd& socket, int level, int option,
                               int value, std::string_view what);
/// "yes" when the option can be set and reads back as it was set.
FactResult settable(ProbeContext& cx, const os::UniqueFd& socket, int level, int option, int value,
                    std::string_view what, std::string note = {});

}  // namespace loopscope::probes
