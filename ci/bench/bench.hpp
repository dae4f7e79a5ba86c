// What the benchmark's two halves share: the workloads' sizes, and raw libuv as a subject.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>

namespace loopscope::bench {

inline constexpr int kBatch = 10'000, kBatches = 50;
inline constexpr int kChain = 500'000;
inline constexpr std::size_t kTimers = 1'000'000;
inline constexpr int kWakes = 20'000;
inline constexpr int kEchoes = 50'000;
inline constexpr std::size_t kPayload = 64;

/// Processor time of this process: other work on the machine does not count into it.
class ProcessorTime {
 public:
  double per_operation(double operations) const {
    return static_cast<double>(std::clock() - begin_) * (1e9 / CLOCKS_PER_SEC) / operations;
  }

 private:
  std::clock_t begin_ = std::clock();
};
/// Time as it passes, for what two threads do in turn.
class WallTime {
 public:
  double per_operation(double operations) const {
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin_;
    return took.count() / operations;
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// Delays of 1 s to 1 h, the same sequence for every subject.
class Delays {
 public:
  std::chrono::milliseconds next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return std::chrono::milliseconds(1'000 + (state_ >> 33) % 3'600'000);
  }

 private:
  std::uint64_t state_ = 42;
};

/// One workload by plain calls of libuv, in nanoseconds per operation; null where this build has
/// no libuv, or libuv nothing to compare.
using Measure = double (*)();
struct RawLibuv {
  Measure soon_batch = nullptr, soon_chain = nullptr;
  Measure timers_arm = nullptr, timers_cancel = nullptr, timers_fire = nullptr;
  Measure wake = nullptr, udp_echo = nullptr, pipe_echo = nullptr;
};
RawLibuv raw_libuv();

}  // namespace loopscope::bench
