// Inbox: callbacks from other threads, and whether the loop has to be woken for them.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "loops/base/callback.hpp"
#include "loops/base/ready_queue.hpp"

namespace loopscope {

/// Posting while the loop is awake makes no system call: the loop says when it is about to sleep,
/// and only the first post after that wakes it.
class Inbox {
 public:
  /// Any thread. wake is called under the lock, and only when the loop sleeps: the channel it
  /// writes to cannot be closed meanwhile. nullopt: closed, nothing was queued.
  template <class Wake>
  std::optional<std::uint64_t> post(Callback&& callback, Wake&& wake) {
    const std::lock_guard lock(mutex_);
    if (closed_) return std::nullopt;
    waiting_.push_back(std::move(callback));
    has_mail_.store(true, std::memory_order_relaxed);
    if (std::exchange(asleep_, false)) wake();
    return first_id_ + waiting_.size() - 1;
  }
  /// The loop's thread, before it waits. false: there is work, do not block.
  bool may_sleep() {
    const std::lock_guard lock(mutex_);
    asleep_ = waiting_.empty();
    return asleep_;
  }
  /// Any thread, without the lock. What happened before the call is seen.
  bool has_mail() const { return has_mail_.load(std::memory_order_relaxed); }
  /// The loop's thread, after a wait: moves all that was posted to the ready queue.
  void drain(ReadyQueue& ready);
  /// Any thread. true: it will never run. false: too late, or already cancelled.
  /// ready: the loop's queue when the loop's own thread asks, else null.
  bool cancel(std::uint64_t id, ReadyQueue* ready);
  /// Refuses everything from now on and drops what waits.
  void close();

 private:
  struct Drained {  // where callbacks went that are still in the ready queue
    std::uint64_t first_id, count, first_ready;
  };
  std::mutex mutex_;
  std::vector<Callback> waiting_, spare_;
  std::uint64_t first_id_ = 0;  // of waiting_[0]
  std::deque<Drained> drained_;
  std::atomic<bool> has_mail_{false};  // waiting_ is not empty
  bool asleep_ = false;
  bool closed_ = false;
};

}  // namespace loopscope
