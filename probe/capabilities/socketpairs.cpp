// Socket pairs: which families have them, and how few messages a small buffer takes.
#include <sys/socket.h>

#include <cerrno>

#include "probe/probe_context.hpp"

namespace loopscope::probes::socketpairs {

namespace {

struct Flavour {
  const char* name;
  int family;
  int type;
};
constexpr Flavour kFlavours[] = {{"unix stream", AF_UNIX, SOCK_STREAM},
                                 {"unix datagram", AF_UNIX, SOCK_DGRAM},
                                 {"unix seqpacket", AF_UNIX, SOCK_SEQPACKET},
                                 {"ipv4 stream", AF_INET, SOCK_STREAM},
                                 {"ipv6 stream", AF_INET6, SOCK_STREAM}};

FactResult families(ProbeContext& cx) {
  std::vector<std::string> usable;
  for (const Flavour& flavour : kFlavours) {
    int ends[2];
    if (cx.call(std::string("socketpair(") + flavour.name + ")",
                ::socketpair(flavour.family, flavour.type | SOCK_CLOEXEC, 0, ends)) != 0) {
      continue;
    }
    const os::UniqueFd one(ends[0]);
    const os::UniqueFd two(ends[1]);
    char octet = 0;
    if (::send(one.get(), "x", 1, MSG_NOSIGNAL) == 1 && ::recv(two.get(), &octet, 1, 0) == 1) {
      usable.emplace_back(flavour.name);
    }
  }
  if (usable.empty()) return cx.unknown();
  return word_set(std::move(usable), "made, and an octet went through");
}

FactResult min_messages(ProbeContext& cx) {
  int ends[2];
  if (cx.call("socketpair(AF_UNIX, SOCK_STREAM)",
              ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends)) != 0) {
    return cx.unknown();
  }
  const os::UniqueFd one(ends[0]);
  const os::UniqueFd two(ends[1]);
  const int least = 1;
  if (cx.call("setsockopt(SO_SNDBUF, 1)",
              ::setsockopt(one.get(), SOL_SOCKET, SO_SNDBUF, &least, sizeof least)) != 0) {
    return cx.unknown();
  }
  constexpr std::int64_t kEnough = 1 << 20;
  std::int64_t sent = 0;
  while (sent < kEnough && ::send(one.get(), "x", 1, MSG_NOSIGNAL) == 1) ++sent;
  cx.call("send(1 octet) until it fails", sent < kEnough ? -1 : 0);
  return count(sent, "one-octet sends until EAGAIN with SO_SNDBUF=1");
}

constexpr Fact kFacts[] = {
    {"socketpair.families", "Which families have socket pairs?", "man 2 socketpair", families,
     "the portable wake-up channel"},
    {"socketpair.min_sndbuf_messages", "How many one-octet sends does the least buffer take?",
     "man 7 socket, SO_SNDBUF", min_messages, "signals that share a wake-up socket can be lost"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "socket pairs", .group = "B3", .facts = kFacts};

}  // namespace loopscope::probes::socketpairs
