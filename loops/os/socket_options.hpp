// Socket options that POSIX and Winsock spell alike: included once on each, by the file that has
// included the headers of its platform and defines set_option.
#pragma once

#include "loops/os/net.hpp"

namespace loopscope::os {
namespace {

/// setsockopt with an int. op: what the error names.
Result<void> set_option(NativeSocket fd, int level, int name, int value, std::string_view op);

}  // namespace

Result<void> set_reuse_address(NativeSocket fd, bool on) {
  return set_option(fd, SOL_SOCKET, SO_REUSEADDR, on, "setsockopt(SO_REUSEADDR)");
}
Result<void> set_broadcast(NativeSocket fd, bool on) {
  return set_option(fd, SOL_SOCKET, SO_BROADCAST, on, "setsockopt(SO_BROADCAST)");
}
Result<void> set_keep_alive(NativeSocket fd, bool on) {
  return set_option(fd, SOL_SOCKET, SO_KEEPALIVE, on, "setsockopt(SO_KEEPALIVE)");
}
Result<void> set_v6_only(NativeSocket fd, bool on) {
  return set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, on, "setsockopt(IPV6_V6ONLY)");
}
Result<void> set_nodelay(NativeSocket fd, bool on) {
  return set_option(fd, IPPROTO_TCP, TCP_NODELAY, on, "setsockopt(TCP_NODELAY)");
}
Result<void> set_buffer_sizes(NativeSocket fd, int send_bytes, int receive_bytes) {
  if (send_bytes > 0) {
    Result<void> set = set_option(fd, SOL_SOCKET, SO_SNDBUF, send_bytes, "setsockopt(SO_SNDBUF)");
    if (!set.ok()) return set;
  }
  if (receive_bytes <= 0) return {};
  return set_option(fd, SOL_SOCKET, SO_RCVBUF, receive_bytes, "setsockopt(SO_RCVBUF)");
}

}  // namespace loopscope::os
