// The tallies behind the wait monitor.
#include "harness/wait_monitor.hpp"

#include <atomic>
#include <numeric>

#include "loops/current.hpp"

namespace loopscope::waits {
namespace {

// Process-wide by nature: what is counted are the calls of the process.
thread_local Tally t_mine;
std::array<std::atomic<std::uint64_t>, kCalls> g_inside_loops{};

}  // namespace

std::string_view name(Call call) {
  static constexpr std::array<std::string_view, kCalls> kNames{
      "select",     "pselect",     "poll",         "ppoll",
      "epoll_wait", "epoll_pwait", "epoll_pwait2", "io_uring_enter"};
  return kNames[static_cast<std::size_t>(call)];
}

std::uint64_t Tally::total() const {
  return std::accumulate(calls.begin(), calls.end(), std::uint64_t{0});
}

void count(Call call) noexcept {
  const auto index = static_cast<std::size_t>(call);
  ++t_mine.calls[index];
  if (running_loop() != nullptr) g_inside_loops[index].fetch_add(1, std::memory_order_relaxed);
}

Tally of_this_thread() noexcept { return t_mine; }

Tally inside_loops() noexcept {
  Tally tally;
  for (std::size_t i = 0; i < kCalls; ++i) {
    tally.calls[i] = g_inside_loops[i].load(std::memory_order_relaxed);
  }
  return tally;
}

}  // namespace loopscope::waits
