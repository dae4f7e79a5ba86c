// The limits and environment of Windows: listed everywhere, measured where the mechanism exists.
#include "probe/probe.hpp"

namespace loopscope::probes::windows_host {

namespace {

constexpr Fact kFacts[] = {
    {"limit.sockets.win", "How many sockets can be opened?", "Microsoft Learn, WSAENOBUFS", nullptr,
     "servers at scale"},
    {"env.firewall_loopback", "Does the firewall let loopback connections through?",
     "Microsoft Learn, Windows Filtering Platform", nullptr, "emulated socket pairs"},
    {"env.rosetta_or_wow64", "Is this process emulated or of another word size?",
     "Microsoft Learn, IsWow64Process2; Apple, sysctl.proc_translated", nullptr, "timing"},
    {"env.session0", "Does this process run in session 0?",
     "Microsoft Learn, Service Changes for Windows Vista", nullptr, "consoles are missing there"},
    {"env.app_container", "Does this process run in an app container?",
     "Microsoft Learn, AppContainer isolation", nullptr, "refused handles and sockets"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "Windows environment",
                            .group = "B8",
                            .facts = kFacts,
                            .absent_because = "needs Windows"};

}  // namespace loopscope::probes::windows_host
