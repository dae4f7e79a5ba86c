// IPv6: whether it is there, and what its sockets do with IPv4.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "probe/capabilities/inet.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::ipv6 {

namespace {

os::UniqueFd fresh(ProbeContext& cx) {
  return os::UniqueFd(cx.call("socket(AF_INET6, SOCK_STREAM)",
                              ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
}

FactResult available(ProbeContext& cx) {
  const os::UniqueFd listener = fresh(cx);
  if (!listener) return cx.refused("this kernel has no IPv6");
  SocketName name = loopback_name(AF_INET6);
  if (cx.call("bind(::1, port 0)", ::bind(listener.get(), name.raw(), name.size)) != 0) {
    return cx.refused("the kernel knows IPv6; no interface has ::1");
  }
  return yes("::1 can be bound");
}

FactResult dualstack_default(ProbeContext& cx) {
  const os::UniqueFd socket = fresh(cx);
  if (!socket) return cx.unknown();
  int only = -1;
  socklen_t size = sizeof only;
  if (cx.call("getsockopt(IPV6_V6ONLY)",
              ::getsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, &size)) != 0) {
    return cx.unknown();
  }
  cx.note("IPV6_V6ONLY of a new socket", std::to_string(only));
  FactResult result = only == 0 ? yes("a listener on :: takes IPv4 as well")
                                : no(Reason::none, "a listener on :: takes IPv6 only");
  result.method = Method::api;
  return result;
}

FactResult v6only_settable(ProbeContext& cx) {
  const os::UniqueFd socket = fresh(cx);
  if (!socket) return cx.unknown();
  for (const int value : {1, 0}) {
    const auto got = set_and_get(cx, socket, IPPROTO_IPV6, IPV6_V6ONLY, value, "IPV6_V6ONLY");
    if (!got) return cx.refused();
    if (*got != value) return no(Reason::failed, "it does not read back");
  }
  return yes("both ways");
}

/// Binds a link-local address of this machine with its scope, and without.
FactResult linklocal_scope(ProbeContext& cx) {
  ifaddrs* list = nullptr;
  if (cx.call("getifaddrs", ::getifaddrs(&list)) != 0) return cx.unknown();
  sockaddr_in6 local{};
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET6) continue;
    const auto* found = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
    if (IN6_IS_ADDR_LINKLOCAL(&found->sin6_addr)) local = *found;
  }
  ::freeifaddrs(list);
  cx.note("a link-local address", local.sin6_family == AF_INET6 ? "found" : "none");
  if (local.sin6_family != AF_INET6) {
    return null(Reason::not_supported, "no interface has a link-local address to ask with");
  }
  local.sin6_port = 0;
  const os::UniqueFd with = fresh(cx);
  const os::UniqueFd without = fresh(cx);
  if (!with || !without) return cx.unknown();
  const auto* raw = reinterpret_cast<const sockaddr*>(&local);
  if (cx.call("bind(link-local address with scope)", ::bind(with.get(), raw, sizeof local)) != 0) {
    return cx.refused();
  }
  local.sin6_scope_id = 0;
  const int rc =
      cx.call("bind(link-local address without scope)", ::bind(without.get(), raw, sizeof local));
  return yes(rc == 0 ? "with a scope, and without one" : "only with its scope");
}

constexpr Fact kFacts[] = {
    {"ipv6.available", "Can ::1 be bound?", "RFC 4291, 2.5.3", available,
     "servers on all addresses fail in containers without IPv6"},
    {"ipv6.dualstack_default", "Does a new IPv6 socket take IPv4 as well?",
     "RFC 3493, 5.3; man 7 ipv6, IPV6_V6ONLY", dualstack_default,
     "two listeners on one port collide, or half of the clients are missing"},
    {"ipv6.v6only_settable", "Can IPV6_V6ONLY be set both ways?", "RFC 3493, 5.3", v6only_settable,
     "servers that open one socket for each family"},
    {"ipv6.linklocal_scope", "Can a link-local address be bound with its scope?",
     "RFC 4007; man 7 ipv6, sin6_scope_id", linklocal_scope,
     "addresses with %interface must keep it through a loop"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "IPv6", .group = "B5", .facts = kFacts};

}  // namespace loopscope::probes::ipv6
