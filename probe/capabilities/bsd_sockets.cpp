// The socket options of BSD and macOS: listed everywhere, measured where the mechanism exists.
#include "probe/probe.hpp"

namespace loopscope::probes::bsd_sockets {

namespace {

constexpr Fact kFacts[] = {
    {"tcp.nopush", "Does TCP_NOPUSH exist?", "FreeBSD man 4 tcp, TCP_NOPUSH", nullptr,
     "headers and file in one segment, as TCP_CORK on Linux"},
    {"so.reuseport_lb", "Are connections shared out with SO_REUSEPORT_LB?",
     "FreeBSD man 2 setsockopt, SO_REUSEPORT_LB", nullptr, "one loop for each CPU on one port"},
    {"so.nosigpipe", "Does SO_NOSIGPIPE keep SIGPIPE away?", "macOS man 2 setsockopt, SO_NOSIGPIPE",
     nullptr, "a loop must not be killed by a peer that left"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "BSD sockets",
                            .group = "B5",
                            .facts = kFacts,
                            .absent_because = "needs macOS or a BSD"};

}  // namespace loopscope::probes::bsd_sockets
