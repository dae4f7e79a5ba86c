// TimerWheel: pending timers by deadline; arming and cancelling cost the same for one or a million.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "loops/base/callback.hpp"
#include "loops/base/clock.hpp"

namespace loopscope {

/// A hierarchical wheel of 9 levels with 64 slots each over ticks of 2^14 ns, in front of a small
/// heap that orders the timers of the current tick exactly. Deadlines are kept to the nanosecond:
/// a timer is never handed out early, and equal deadlines come out in the order of arming.
///
/// A timer goes through: waiting in a slot, waiting in the heap, expired (its id was handed out,
/// its callback can still be cancelled), taken. Not for several threads.
class TimerWheel {
 public:
  explicit TimerWheel(TimePoint start) : elapsed_(tick(start)) {}

  /// The id of a new timer; ids are not reused soon (the slot's generation is part of it).
  std::uint64_t add(TimePoint when, Callback&& callback);
  /// Takes the callback out and forgets the timer. Empty: unknown, or taken already.
  Callback take(std::uint64_t id);
  /// The earliest deadline, or an earlier moment at which the answer is looked up again because
  /// the earliest timer was cancelled. nullopt: nothing waits.
  std::optional<TimePoint> next_deadline();
  /// Calls out(id) for each timer with a deadline at or before `now`, earliest first.
  template <class Out>
  void expire(TimePoint now, Out&& out) {
    advance(tick(now));
    while (const Entry* entry = top()) {
      if (entry->when > now) return;
      const Entry due = *entry;
      pop();
      nodes_[due.index].place = Place::expired;
      --waiting_;
      out(id_of(due.index));
    }
  }
  /// Timers that wait, not counting expired ones.
  std::size_t waiting() const { return waiting_; }
  void clear();

 private:
  static constexpr unsigned kTickBits = 14, kSlotBits = 6, kLevels = 9;
  static constexpr std::uint32_t kNone = 0xffffffff;
  enum class Place : std::uint8_t { free, slot, heap, expired };

  struct Node {
    Callback callback;
    TimePoint when;
    std::uint64_t order;  // ties between equal deadlines
    std::uint32_t previous, next;
    std::uint32_t generation;
    Place place;
    std::uint8_t level, slot;
  };
  /// Nodes by index, in blocks: they cost the same whatever their number, and stay where they are.
  class Nodes {
   public:
    Node& operator[](std::uint32_t index) { return blocks_[index >> kShift][index & kLast]; }
    const Node& operator[](std::uint32_t index) const {
      return blocks_[index >> kShift][index & kLast];
    }
    std::uint32_t size() const { return size_; }
    Node& emplace_back() {
      if ((size_ & kLast) == 0) blocks_.push_back(std::make_unique<Node[]>(kLast + 1));
      return (*this)[size_++];
    }
    /// Takes all of them out.
    std::vector<std::unique_ptr<Node[]>> release() {
      size_ = 0;
      return std::exchange(blocks_, {});
    }

   private:
    static constexpr unsigned kShift = 8;
    static constexpr std::uint32_t kLast = (1u << kShift) - 1;
    std::vector<std::unique_ptr<Node[]>> blocks_;
    std::uint32_t size_ = 0;
  };
  struct Entry {  // of the heap; stale when the node's generation has moved on
    TimePoint when;
    std::uint64_t order;
    std::uint32_t index, generation;
  };
  struct Level {
    std::uint64_t occupied = 0;
    std::array<std::uint32_t, 64> first;
    std::array<TimePoint, 64> earliest;  // a lower bound of the slot's deadlines
    Level() { first.fill(kNone); }
  };

  static std::uint64_t tick(TimePoint when) {
    const auto ns = when.time_since_epoch().count();
    return ns <= 0 ? 0 : static_cast<std::uint64_t>(ns) >> kTickBits;
  }
  std::uint64_t id_of(std::uint32_t index) const {
    return (std::uint64_t{nodes_[index].generation} << 32) | index;
  }
  void place(std::uint32_t index);
  void unlink(std::uint32_t index);
  void advance(std::uint64_t now_tick);
  void push(std::uint32_t index);
  void pop();
  const Entry* top();  // drops stale entries
  void free_node(std::uint32_t index);

  Nodes nodes_;
  std::uint32_t free_ = kNone;
  std::array<Level, kLevels> levels_;
  std::vector<Entry> heap_;
  std::uint64_t elapsed_;  // ticks that the slots were advanced to
  std::uint64_t next_order_ = 0;
  std::size_t waiting_ = 0;
};

}  // namespace loopscope
