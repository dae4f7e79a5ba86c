// No faults of accept: Darwin's programs do not put themselves before the functions of a library.
#include "harness/lacking.hpp"
#include "harness/tools/accept_faults.hpp"

namespace loopscope::tools {
void fail_accepts(const std::vector<int>&) { system_lacks("Darwin", "interposed functions"); }
std::size_t accept_failures_left() { return 0; }
}  // namespace loopscope::tools
