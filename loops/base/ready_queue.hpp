// ReadyQueue: the callbacks of the next iteration, in call order, each with a number.
#pragma once

#include <cstdint>
#include <memory>

#include "loops/base/callback.hpp"

namespace loopscope {

/// A ring of callbacks. Pushing and popping allocate nothing once the ring has grown; a pending
/// callback costs 40 bytes. Not for several threads.
class ReadyQueue {
 public:
  bool empty() const { return head_ == tail_; }
  std::uint64_t size() const { return tail_ - head_; }
  /// The number that the next push gets; numbers are never reused.
  std::uint64_t tail() const { return tail_; }
  std::uint64_t head() const { return head_; }

  std::uint64_t push(Callback&& callback) {
    if (tail_ - head_ == capacity_) grow();
    ring_[tail_ & (capacity_ - 1)] = std::move(callback);
    return tail_++;
  }
  /// Precondition: not empty. An empty Callback stands for a cancelled one.
  Callback pop() { return std::move(ring_[head_++ & (capacity_ - 1)]); }
  /// Takes out the callback with this number; empty when it is not waiting any more.
  Callback take(std::uint64_t number) {
    if (number < head_ || number >= tail_) return {};
    return std::move(ring_[number & (capacity_ - 1)]);
  }
  /// Drops everything, oldest first. What the captures' destructors push is dropped as well.
  void clear() {
    while (!empty()) (void)pop();
  }

 private:
  void grow() {
    const std::uint64_t larger = capacity_ == 0 ? 64 : capacity_ * 2;
    auto ring = std::make_unique<Callback[]>(larger);
    for (std::uint64_t i = head_; i != tail_; ++i) {
      ring[i & (larger - 1)] = std::move(ring_[i & (capacity_ - 1)]);
    }
    ring_ = std::move(ring);
    capacity_ = larger;
  }

  std::unique_ptr<Callback[]> ring_;
  std::uint64_t capacity_ = 0;  // a power of two
  std::uint64_t head_ = 0, tail_ = 0;
};

}  // namespace loopscope
