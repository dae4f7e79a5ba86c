// The raw half of the benchmark in a build without libuv: nothing to compare with.
#include "ci/bench/bench.hpp"

namespace loopscope::bench {
RawLibuv raw_libuv() { return {}; }
}  // namespace loopscope::bench
