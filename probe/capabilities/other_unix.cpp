// The readiness mechanisms of other systems: listed everywhere, measured where the mechanism
// exists.
#include "probe/probe.hpp"

namespace loopscope::probes::other_unix {

namespace {

constexpr Fact kFacts[] = {
    {"evport.present", "Do event ports exist?", "illumos man 3C port_create", nullptr,
     "the native loop of illumos"},
    {"devpoll.present", "Does /dev/poll exist?", "illumos man 4D poll", nullptr,
     "the native loop of old Solaris"},
    {"pollset.present", "Do pollsets exist?", "AIX documentation, pollset_create", nullptr,
     "the native loop of AIX"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "other Unix",
                            .group = "B2",
                            .facts = kFacts,
                            .absent_because = "needs illumos, Solaris or AIX"};

}  // namespace loopscope::probes::other_unix
