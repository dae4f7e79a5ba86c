// FlightTable: all flights of one proactor, found by what their entries carry.
#pragma once

#include <memory>
#include <vector>

#include "loops/proactor/io_uring_flight.hpp"

namespace loopscope::uring {

// What an entry is for, in its user_data: bits 0 to 31 are a slot of the table, 32 to 59 say which
// one of the flights that had this slot.
inline constexpr std::uint64_t kCancel = std::uint64_t{1} << 63;   // the end of what the rest says
inline constexpr std::uint64_t kTimeout = std::uint64_t{1} << 62;  // of a wait; its number
inline constexpr std::uint64_t kWake = std::uint64_t{1} << 61;     // the waker is readable

class FlightTable {
 public:
  /// A flight for this operation, which owns it.
  Flight& add(Operation& operation);
  /// Takes the flight from its operation, which may be destroyed afterwards.
  void remove(Flight& flight);
  std::uint64_t tag_of(const Flight& flight) const;
  /// null: over.
  Flight* find(std::uint64_t tag) const;
  /// Calls visit(Flight&) for each; it may not add or remove any.
  template <class Visit>
  void for_each(Visit visit) {
    for (const Slot& slot : slots_) {
      if (slot.flight != nullptr) visit(*slot.flight);
    }
  }

 private:
  struct Slot {
    Flight* flight = nullptr;
    std::uint32_t generation = 0;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<std::unique_ptr<Operation::InFlight>> spare_;  // to be used again
};

/// Flights, first in, first out. Owns nothing.
class FlightList {
 public:
  bool empty() const { return first_ == nullptr; }
  Flight* first() const { return first_; }
  void push(Flight& flight);
  void remove(Flight& flight);
  Flight* pop();  // null when empty

 private:
  Flight* first_ = nullptr;
  Flight* last_ = nullptr;
};

}  // namespace loopscope::uring
