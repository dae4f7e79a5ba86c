// Slots with a generation each: the completion of a cancellation may come after its target's, when
// the slot may serve another flight already.
#include "loops/proactor/io_uring_table.hpp"

#include <utility>

namespace loopscope::uring {
namespace {
constexpr std::uint32_t kGenerations = (1U << 28) - 1;
constexpr std::size_t kMostSpare = 256;
}  // namespace

Flight& FlightTable::add(Operation& operation) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  if (spare_.empty()) {
    operation.in_flight = std::make_unique<Flight>();
  } else {
    operation.in_flight = std::move(spare_.back());
    spare_.pop_back();
  }
  auto& flight = static_cast<Flight&>(*operation.in_flight);
  flight.begin(operation, free_.back());
  free_.pop_back();
  slots_[flight.slot()].flight = &flight;
  return flight;
}

void FlightTable::remove(Flight& flight) {
  Slot& slot = slots_[flight.slot()];
  slot.flight = nullptr;
  slot.generation = (slot.generation + 1) & kGenerations;
  free_.push_back(flight.slot());
  std::unique_ptr<Operation::InFlight> used = std::move(flight.operation().in_flight);
  if (spare_.size() < kMostSpare) spare_.push_back(std::move(used));
}

std::uint64_t FlightTable::tag_of(const Flight& flight) const {
  return std::uint64_t{slots_[flight.slot()].generation} << 32 | flight.slot();
}

Flight* FlightTable::find(std::uint64_t tag) const {
  const auto slot = static_cast<std::uint32_t>(tag);
  if (slot >= slots_.size() || slots_[slot].generation != (tag & ~kCancel) >> 32) return nullptr;
  return slots_[slot].flight;
}

void FlightList::push(Flight& flight) {
  flight.previous = last_;
  flight.next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = &flight;
  last_ = &flight;
}

void FlightList::remove(Flight& flight) {
  (flight.previous == nullptr ? first_ : flight.previous->next) = flight.next;
  (flight.next == nullptr ? last_ : flight.next->previous) = flight.previous;
  flight.previous = flight.next = nullptr;
}

Flight* FlightList::pop() {
  Flight* flight = first_;
  if (flight != nullptr) remove(*flight);
  return flight;
}

}  // namespace loopscope::uring
