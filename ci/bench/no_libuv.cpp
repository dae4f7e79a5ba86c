// The raw half of the benchmark in a build without libuv: nothing to compare with.
#include "ci/bench/bench_streams.hpp"

namespace loopscope::bench {
RawLibuv raw_libuv() { return {}; }
RawEcho raw_libuv_echo() { return nullptr; }
}  // namespace loopscope::bench
