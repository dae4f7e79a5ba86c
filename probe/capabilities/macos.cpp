// The facts of macOS: listed everywhere, measured where the mechanism exists.
#include "probe/probe.hpp"

namespace loopscope::probes::macos {

namespace {

constexpr Fact kFacts[] = {
    {"poll.mac.tty_works", "Does poll accept terminals?", "macOS man 2 poll, BUGS", nullptr,
     "which loop can serve a terminal"},
    {"fsevents", "Does FSEvents report a new file?",
     "Apple developer documentation, File System Events", nullptr, "file watching"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "macOS", .group = "B2", .facts = kFacts, .absent_because = "needs macOS"};

}  // namespace loopscope::probes::macos
