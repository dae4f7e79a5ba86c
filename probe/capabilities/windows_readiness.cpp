// The readiness mechanisms of Windows: listed everywhere, measured where the mechanism exists.
#include "probe/probe.hpp"

namespace loopscope::probes::windows_readiness {

namespace {

constexpr Fact kFacts[] = {
    {"select.win.max_sockets", "How many sockets does select take in a grown set?",
     "Microsoft Learn, select", nullptr, "the limit is the array, not the system"},
    {"poll.win.WSAPoll", "Does WSAPoll work, and for what?", "Microsoft Learn, WSAPoll", nullptr,
     "sockets only"},
    {"poll.win.connect_failure_reported", "Does WSAPoll report a refused connect?",
     "Microsoft Learn, WSAPoll, Remarks", nullptr, "not before Windows 10 2004"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "Windows readiness",
                            .group = "B2",
                            .facts = kFacts,
                            .absent_because = "needs Windows"};

}  // namespace loopscope::probes::windows_readiness
