// The network's settings: from which ports connects come, and where packets vanish.
#include <cstdio>

#include "probe/capabilities/inet.hpp"
#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::network {

namespace {

FactResult ephemeral_range(ProbeContext& cx) {
  const auto text = read_text("/proc/sys/net/ipv4/ip_local_port_range");
  cx.call("read(/proc/sys/net/ipv4/ip_local_port_range)", text ? 0 : -1);
  if (!text) return cx.unknown();
  int low = 0;
  int high = 0;
  if (std::sscanf(text->c_str(), "%d %d", &low, &high) != 2) {
    return null(Reason::failed, "two numbers were expected: " + *text);
  }
  FactResult result = words(std::to_string(low) + ".." + std::to_string(high),
                            std::to_string(high - low + 1) + " connects to one address at once");
  result.method = Method::sysctl;
  return result;
}

/// FreeBSD can be told to drop what would be refused. On Linux a refusal over loopback shows that
/// nothing is dropped.
FactResult tcp_blackhole(ProbeContext& cx) {
  const ClosedPort closed(cx);
  const os::UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!closed || !client) return cx.unknown();
  const timeval patience{.tv_sec = 0, .tv_usec = 200'000};
  (void)::setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const int rc =
      cx.call("connect(closed port)", ::connect(client.get(), closed.address(), closed.size()));
  if (rc == -1 && errno == ECONNREFUSED) return no(Reason::none, "a closed port refuses");
  if (rc == -1 && errno == EINPROGRESS) return yes("no answer in 200 ms");
  return cx.unknown();
}

constexpr Fact kFacts[] = {
    {"net.ephemeral_range", "From which ports do connects come?", "man 7 ip, ip_local_port_range",
     ephemeral_range, "EADDRNOTAVAIL of clients at scale"},
    {.id = "net.tcp_blackhole",
     .question = "Do connects to closed ports vanish instead of being refused?",
     .source = "FreeBSD man 4 blackhole",
     .ask = tcp_blackhole,
     .why = "tests that expect a refusal hang",
     .effect = Effect::traffic},
};

}  // namespace

extern const ProbeFile file{.mechanism = "network settings", .group = "B5", .facts = kFacts};

}  // namespace loopscope::probes::network
