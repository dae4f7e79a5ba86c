// The processes and consoles of Windows: listed everywhere, measured where the mechanism exists.
#include "probe/probe.hpp"

namespace loopscope::probes::windows_processes {

namespace {

constexpr Fact kFacts[] = {
    {"proc.win.handle_list_attr", "Can a child inherit a chosen list of handles?",
     "Microsoft Learn, UpdateProcThreadAttribute", nullptr, "no leak into children"},
    {"proc.win.job_nested", "Can jobs be nested?", "Microsoft Learn, Nested Jobs", nullptr,
     "killing a tree inside another job"},
    {"proc.win.job_iocp", "Does a job post exits to a completion port?",
     "Microsoft Learn, JOBOBJECT_ASSOCIATE_COMPLETION_PORT", nullptr,
     "exit watching without threads"},
    {"proc.win.wait_via_iocp", "How can a process exit reach a completion port?",
     "Microsoft Learn, RegisterWaitForSingleObject", nullptr, "exit watching"},
    {"console.win.ctrl_handler", "Do console control handlers run?",
     "Microsoft Learn, SetConsoleCtrlHandler", nullptr, "Ctrl-C"},
    {"console.win.conpty", "Are there pseudo-consoles?", "Microsoft Learn, CreatePseudoConsole",
     nullptr, "terminals for subprocesses"},
    {"console.win.vt_input", "Is there virtual terminal input?", "Microsoft Learn, SetConsoleMode",
     nullptr, "interactive input"},
    {"console.win.conpty_overlapped", "Do pseudo-consoles take overlapped pipes?",
     "Microsoft Learn, CreatePseudoConsole", nullptr, "terminals without threads"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "Windows processes",
                            .group = "B3",
                            .facts = kFacts,
                            .absent_because = "needs Windows"};

}  // namespace loopscope::probes::windows_processes
