// Loopback networking: whether addresses of this machine work at all.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "probe/probe_context.hpp"

namespace loopscope::probes::loopback {

namespace {

bool readable(int fd) {
  pollfd slot{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&slot, 1, 200) == 1;
}

/// Binds, listens, connects and accepts on one address.
FactResult tcp_over(ProbeContext& cx, int family, sockaddr* address, socklen_t size) {
  const os::UniqueFd listener(
      cx.call("socket", ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
  if (!listener) return cx.refused("this kernel has no such sockets");
  const os::UniqueFd client(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!client) return cx.unknown();
  if (cx.call("bind(loopback, port 0)", ::bind(listener.get(), address, size)) != 0) {
    return cx.refused("the loopback address is not configured");
  }
  if (cx.call("listen", ::listen(listener.get(), 1)) != 0 ||
      cx.call("getsockname", ::getsockname(listener.get(), address, &size)) != 0) {
    return cx.unknown();
  }
  const int rc = cx.call("connect", ::connect(client.get(), address, size));
  if (rc != 0 && errno != EINPROGRESS) return cx.refused();
  if (!readable(listener.get())) return no(Reason::failed, "no connection arrived in 200 ms");
  const os::UniqueFd accepted(
      cx.call("accept4", ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  return accepted ? yes("connected and accepted") : cx.refused();
}

FactResult ipv4(ProbeContext& cx) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return tcp_over(cx, AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

FactResult ipv6(ProbeContext& cx) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  return tcp_over(cx, AF_INET6, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

FactResult loopback_only(ProbeContext& cx) {
  ifaddrs* list = nullptr;
  if (cx.call("getifaddrs", ::getifaddrs(&list)) != 0) return cx.unknown();
  std::string other;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    const int family = one->ifa_addr->sa_family;
    const bool up = (one->ifa_flags & IFF_UP) != 0 && (one->ifa_flags & IFF_LOOPBACK) == 0;
    if (up && (family == AF_INET || family == AF_INET6)) other = one->ifa_name;
  }
  ::freeifaddrs(list);
  FactResult result = other.empty() ? yes() : no(Reason::none, "also " + other);
  result.method = Method::api;
  return result;
}

/// A datagram to a group of the local scope, over the loopback interface only.
FactResult multicast(ProbeContext& cx) {
  const os::UniqueFd receiver(
      cx.call("socket(udp)", ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
  const os::UniqueFd sender(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!receiver || !sender) return cx.refused();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (cx.call("bind(any, port 0)", ::bind(receiver.get(), raw, size)) != 0 ||
      ::getsockname(receiver.get(), raw, &size) != 0) {
    return cx.unknown();
  }
  constexpr in_addr_t kGroup = 0xEFFF4C53;  // 239.255.76.83: administratively scoped
  in_addr lo{.s_addr = htonl(INADDR_LOOPBACK)};
  ip_mreq membership{};
  membership.imr_multiaddr.s_addr = htonl(kGroup);
  membership.imr_interface = lo;
  if (cx.call("setsockopt(IP_ADD_MEMBERSHIP on loopback)",
              ::setsockopt(receiver.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership,
                           sizeof membership)) != 0 ||
      cx.call("setsockopt(IP_MULTICAST_IF)",
              ::setsockopt(sender.get(), IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof lo)) != 0) {
    return cx.refused();
  }
  address.sin_addr.s_addr = htonl(kGroup);
  if (cx.call("sendto(group)", ::sendto(sender.get(), "x", 1, MSG_NOSIGNAL, raw, size)) != 1) {
    return cx.refused();
  }
  return readable(receiver.get()) ? yes("a datagram to a group came back over loopback")
                                  : no(Reason::failed, "nothing arrived in 200 ms");
}

constexpr Fact kFacts[] = {
    {"env.ipv4_lo", "Does TCP over 127.0.0.1 work?", "RFC 1122, 3.2.1.3", ipv4,
     "almost every test of sockets needs it"},
    {"env.ipv6_lo", "Does TCP over ::1 work?", "RFC 4291, 2.5.3", ipv6,
     "containers often have no IPv6"},
    {"env.loopback_only", "Is loopback the only network?", "man 3 getifaddrs", loopback_only,
     "which tests of sockets can run"},
    {"env.multicast", "Does IPv4 multicast work over loopback?", "man 7 ip, IP_ADD_MEMBERSHIP",
     multicast, "which tests of datagrams can run"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "loopback network", .group = "B8", .facts = kFacts, .effect = Effect::traffic};

}  // namespace loopscope::probes::loopback
