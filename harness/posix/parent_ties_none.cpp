// No ties to the parent: a child outlives a killed harness until it writes to its report channel.
#include "harness/posix/parent_ties.hpp"

namespace loopscope {
void end_with_parent() noexcept {}
void adopt_orphans_of_children() noexcept {}
}  // namespace loopscope
