// Moments: letting time pass inside a callback, and acting while the loop waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>

#include "harness/context.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios {

/// True in a build whose allocator keeps freed memory for a while: sizes say nothing there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kMemoryIsMeasurable = false;
#else
inline constexpr bool kMemoryIsMeasurable = true;
#endif

/// True in a build that notes who accessed each byte, and that knows no threads in a child which a
/// process with threads has forked.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

/// A callback that keeps its thread: a slow callback, or a process that was stopped for a while.
inline void stall_until(TimePoint end) {
  while (now() < end) {
  }
}
inline void stall(Duration length) { stall_until(now() + length); }

/// A span in which this thread does nothing, where the span itself is what is observed. Never to
/// wait for something.
inline void let_pass(Duration length) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_until(lock, now() + length, [] { return false; });
}

/// Runs `work` in another thread once the calling thread sleeps in the system.
inline void when_parked(Context& cx, std::function<void()> work) {
  const long parked = tools::thread_id();
  cx.thread([parked, run = std::move(work)] {
    tools::wait_until_asleep(parked);
    run();
  });
}

}  // namespace loopscope::scenarios
