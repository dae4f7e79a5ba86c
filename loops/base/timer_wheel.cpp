// The wheel's arithmetic: a timer sits on the level of the highest digit in which its tick differs
// from the current one, so the lowest occupied level always holds the earliest timers.
#include "loops/base/timer_wheel.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace loopscope {
namespace {
struct Later {  // std heap functions keep the largest first
  template <class E>
  bool operator()(const E& a, const E& b) const {
    return a.when != b.when ? a.when > b.when : a.order > b.order;
  }
};
}  // namespace

std::uint64_t TimerWheel::add(TimePoint when, Callback&& callback) {
  std::uint32_t index = free_;
  if (index == kNone) {
    index = nodes_.size();
    nodes_.emplace_back().generation = 1;
  } else {
    free_ = nodes_[index].next;
  }
  Node& node = nodes_[index];
  node.callback = std::move(callback);
  node.when = when;
  node.order = next_order_++;
  ++waiting_;
  place(index);
  return id_of(index);
}

void TimerWheel::place(std::uint32_t index) {
  Node& node = nodes_[index];
  const std::uint64_t at = tick(node.when);
  if (at <= elapsed_) {
    push(index);
    return;
  }
  const std::uint64_t differs = (elapsed_ ^ at) | ((1u << kSlotBits) - 1);
  const unsigned level_index = static_cast<unsigned>(std::bit_width(differs) - 1) / kSlotBits;
  Level& level = levels_[level_index];
  const unsigned slot = (at >> (level_index * kSlotBits)) & 63;
  node.place = Place::slot;
  node.level = static_cast<std::uint8_t>(level_index);
  node.slot = static_cast<std::uint8_t>(slot);
  node.previous = kNone;
  node.next = level.first[slot];
  const std::uint64_t bit = std::uint64_t{1} << slot;
  if ((level.occupied & bit) == 0) {
    level.occupied |= bit;
    level.earliest[slot] = node.when;
  } else {
    nodes_[node.next].previous = index;
    level.earliest[slot] = std::min(level.earliest[slot], node.when);
  }
  level.first[slot] = index;
}

void TimerWheel::unlink(std::uint32_t index) {
  Node& node = nodes_[index];
  Level& level = levels_[node.level];
  if (node.next != kNone) nodes_[node.next].previous = node.previous;
  if (node.previous != kNone) {
    nodes_[node.previous].next = node.next;
  } else {
    level.first[node.slot] = node.next;
    if (node.next == kNone) level.occupied &= ~(std::uint64_t{1} << node.slot);
  }
}

Callback TimerWheel::take(std::uint64_t id) {
  const auto index = static_cast<std::uint32_t>(id);
  if (index >= nodes_.size() || nodes_[index].generation != id >> 32) return {};
  if (nodes_[index].place == Place::slot) unlink(index);
  if (nodes_[index].place != Place::expired) --waiting_;
  Callback callback = std::move(nodes_[index].callback);
  free_node(index);
  return callback;
}

void TimerWheel::free_node(std::uint32_t index) {
  Node& node = nodes_[index];
  ++node.generation;
  node.place = Place::free;
  node.next = free_;
  free_ = index;
}

void TimerWheel::push(std::uint32_t index) {
  Node& node = nodes_[index];
  node.place = Place::heap;
  heap_.push_back({node.when, node.order, index, node.generation});
  std::push_heap(heap_.begin(), heap_.end(), Later{});
}

void TimerWheel::pop() {
  std::pop_heap(heap_.begin(), heap_.end(), Later{});
  heap_.pop_back();
}

const TimerWheel::Entry* TimerWheel::top() {
  while (!heap_.empty()) {
    const Entry& entry = heap_.front();
    if (nodes_[entry.index].generation == entry.generation) return &entry;
    pop();  // cancelled meanwhile
  }
  return nullptr;
}

void TimerWheel::advance(std::uint64_t now_tick) {
  while (now_tick > elapsed_) {
    unsigned level_index = 0;
    while (level_index < kLevels && levels_[level_index].occupied == 0) ++level_index;
    if (level_index == kLevels) break;
    Level& level = levels_[level_index];
    const auto slot = static_cast<unsigned>(std::countr_zero(level.occupied));
    const unsigned shift = level_index * kSlotBits;
    const std::uint64_t above = elapsed_ >> (shift + kSlotBits) << (shift + kSlotBits);
    const std::uint64_t begin = above | (std::uint64_t{slot} << shift);
    if (begin > now_tick) break;
    elapsed_ = begin;
    std::uint32_t index = std::exchange(level.first[slot], kNone);
    level.occupied &= ~(std::uint64_t{1} << slot);
    while (index != kNone) {
      const std::uint32_t next = nodes_[index].next;
      place(index);
      index = next;
    }
  }
  elapsed_ = std::max(elapsed_, now_tick);
}

std::optional<TimePoint> TimerWheel::next_deadline() {
  if (const Entry* entry = top()) return entry->when;
  for (const Level& level : levels_) {
    if (level.occupied != 0) {
      return level.earliest[static_cast<unsigned>(std::countr_zero(level.occupied))];
    }
  }
  return std::nullopt;
}

void TimerWheel::clear() {
  const auto dropped = nodes_.release();  // destroyed last, when all is in order
  free_ = kNone;
  levels_.fill(Level{});
  heap_.clear();
  waiting_ = 0;
}

}  // namespace loopscope
