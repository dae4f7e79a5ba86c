// The exit codes of the command line, and which one wins when several apply.
#pragma once

namespace loopscope {

enum class ExitCode : int {
  green = 0,          // complete, and everything as expected
  red = 1,            // an unexpected fail, hang, crash or leak, or an expected failure that passes
  unknown = 2,        // incomplete, broken, an inconclusive must, facts that contradict each other
  stale = 3,          // only the bookkeeping is wrong: an expectation that matches nothing
  nothing_ran = 4,    // an empty selection, or every cell skipped or unsupported
  flaky = 5,          // results that changed between repeats, under --flaky=fail
  gate = 6,           // a gate is not met
  usage = 64,         // wrong usage, unreadable input, an output that cannot be written
  bug = 70,           // a bug in loopscope
  interrupted = 130,  // SIGINT
  terminated = 143,   // SIGTERM
};

constexpr int value(ExitCode code) { return static_cast<int>(code); }

/// The table that every --help ends with.
inline constexpr const char* kExitCodeTable =
    "Exit codes:\n"
    "    0  green: complete, and everything as expected\n"
    "    1  red: an unexpected fail, hang, crash or leak, or an expected failure that passes\n"
    "    2  unknown: incomplete, broken, an inconclusive must, or facts that contradict\n"
    "       each other\n"
    "    3  only bookkeeping is wrong: an expectation that matches nothing\n"
    "    4  nothing ran: an empty selection, or everything skipped or unsupported\n"
    "    5  flaky: outcomes changed between repeats, under --flaky=fail\n"
    "    6  a gate is not met\n"
    "   64  wrong usage, unreadable input, or an output that cannot be written\n"
    "   70  a bug in loopscope\n"
    "  130  interrupted (SIGINT)\n"
    "  143  terminated (SIGTERM)\n";

}  // namespace loopscope
