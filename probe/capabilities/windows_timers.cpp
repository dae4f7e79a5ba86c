// The clocks and waits of Windows: listed everywhere, measured where the mechanism exists.
#include "probe/probe.hpp"

namespace loopscope::probes::windows_timers {

namespace {

constexpr Fact kFacts[] = {
    {"wait.early_return", "By how much do waits on a completion port end early?",
     "Microsoft Learn, GetQueuedCompletionStatusEx", nullptr, "timers that fire before their time"},
    {"wait.max_timeout.gqcs", "What is the longest wait that a completion port accepts?",
     "Microsoft Learn, GetQueuedCompletionStatus", nullptr, "DWORD milliseconds wrap"},
    {"timer.win.tick", "How long is the system tick, and how short can it be made?",
     "Microsoft Learn, timeBeginPeriod", nullptr, "15.6 ms by default"},
    {"timer.win.timeBeginPeriod_effect", "What does timeBeginPeriod change, and for whom?",
     "Microsoft Learn, timeBeginPeriod", nullptr, "per process since Windows 10 2004"},
    {"timer.win.high_resolution_waitable", "Are there high-resolution waitable timers?",
     "Microsoft Learn, CreateWaitableTimerEx", nullptr, "short waits without a faster system tick"},
    {"timer.win.wait_completion_packet", "Can waitable objects post to a completion port?",
     "ntdll, NtAssociateWaitCompletionPacket", nullptr, "timers and processes on one port"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "Windows timers",
                            .group = "B1",
                            .facts = kFacts,
                            .absent_because = "needs Windows"};

}  // namespace loopscope::probes::windows_timers
