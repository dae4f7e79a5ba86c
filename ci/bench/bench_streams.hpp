// The echo and memory halves of the benchmark.
#pragma once

#include <chrono>
#include <cstddef>

#include "ci/bench/bench.hpp"
#include "ci/bench/posix/clients.hpp"

namespace loopscope::bench {

struct EchoFigures {
  double processor_ns;  // of the serving thread, an echo
  double per_second;    // echoes, as time passes
};

/// Times a server from its first payload to its last, in the serving thread.
class EchoClock {
 public:
  explicit EchoClock(int echoes) : wanted_(static_cast<std::size_t>(echoes) * kPayload) {}
  void begins() {
    if (got_ > 0) return;
    processor_ = thread_processor_ns();
    began_ = std::chrono::steady_clock::now();
  }
  /// true: that was the last one.
  bool ends(std::size_t size) {
    got_ += size;
    if (got_ < wanted_) return false;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
    const double echoes = static_cast<double>(wanted_ / kPayload);
    figures_ = {(thread_processor_ns() - processor_) / echoes, echoes / took.count()};
    return true;
  }
  const EchoFigures& figures() const { return figures_; }

 private:
  std::size_t wanted_, got_ = 0;
  double processor_ = 0;
  std::chrono::steady_clock::time_point began_{};
  EchoFigures figures_{};
};

/// The same server by plain calls of libuv; null in a build without it.
using RawEcho = EchoFigures (*)(int connections, int echoes);
RawEcho raw_libuv_echo();

void run_echo(int rounds);
/// 128 000 echoes over 64 connections by one loop, and nothing else in this process: for tracers.
void run_serve(std::string_view loop);
void run_memory();

}  // namespace loopscope::bench
