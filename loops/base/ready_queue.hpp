// ReadyQueue: the callbacks of the next iteration, in call order, each with a number.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "loops/base/callback.hpp"

namespace loopscope {

/// A queue in blocks: a pending callback costs 40 bytes, whatever their number, and pushing
/// allocates nothing while emptied blocks are left. Not for several threads.
class ReadyQueue {
 public:
  bool empty() const { return head_ == tail_; }
  std::uint64_t size() const { return tail_ - head_; }
  /// The number that the next push gets; numbers are never reused.
  std::uint64_t tail() const { return tail_; }
  std::uint64_t head() const { return head_; }

  std::uint64_t push(Callback&& callback) {
    if (tail_ >> kShift == end_block_) add_block();
    at(tail_) = std::move(callback);
    return tail_++;
  }
  /// Precondition: not empty. An empty Callback stands for a cancelled one.
  Callback pop() {
    Callback callback = std::move(at(head_));
    if ((++head_ & (kBlock - 1)) == 0) drop_block();
    return callback;
  }
  /// Takes out the callback with this number; empty when it is not waiting any more.
  Callback take(std::uint64_t number) {
    if (number < head_ || number >= tail_) return {};
    return std::move(at(number));
  }
  /// Drops everything, oldest first. What the captures' destructors push is dropped as well.
  void clear() {
    while (!empty()) (void)pop();
  }

 private:
  static constexpr unsigned kShift = 8;
  static constexpr std::size_t kBlock = 1u << kShift;
  static constexpr std::size_t kSpares = 64;  // blocks: 640 KiB
  using Block = std::array<Callback, kBlock>;

  /// Where a block is in a ring of this size. Numbers have 64 bits everywhere and never wrap; an
  /// index may be narrower, as the ring's size is.
  static std::size_t place_in(const std::vector<std::unique_ptr<Block>>& ring,
                              std::uint64_t block) {
    return static_cast<std::size_t>(block) & (ring.size() - 1);
  }
  Callback& at(std::uint64_t number) {
    return (
        *ring_[place_in(ring_, number >> kShift)])[static_cast<std::size_t>(number) & (kBlock - 1)];
  }
  void add_block() {
    const std::uint64_t first = head_ >> kShift;
    if (end_block_ - first == ring_.size()) {
      std::vector<std::unique_ptr<Block>> larger(ring_.empty() ? 8 : ring_.size() * 2);
      for (std::uint64_t i = first; i != end_block_; ++i) {
        larger[place_in(larger, i)] = std::move(ring_[place_in(ring_, i)]);
      }
      ring_ = std::move(larger);
    }
    std::unique_ptr<Block>& place = ring_[place_in(ring_, end_block_)];
    if (spares_.empty()) {
      place = std::make_unique<Block>();
    } else {
      place = std::move(spares_.back());
      spares_.pop_back();
    }
    ++end_block_;
  }
  /// The block before head_ has been emptied.
  void drop_block() {
    std::unique_ptr<Block>& emptied = ring_[place_in(ring_, (head_ - 1) >> kShift)];
    if (spares_.size() < kSpares) spares_.push_back(std::move(emptied));
    emptied.reset();
  }

  std::vector<std::unique_ptr<Block>> ring_;  // by block number; its size is a power of two
  std::vector<std::unique_ptr<Block>> spares_;
  std::uint64_t end_block_ = 0;  // blocks with lower numbers exist, from head_'s on
  std::uint64_t head_ = 0, tail_ = 0;
};

}  // namespace loopscope
