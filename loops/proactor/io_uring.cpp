// The proactor over an io_uring: what is asked for, and what becomes of it.
#include "loops/proactor/io_uring.hpp"

#include <cerrno>
#include <utility>

#include "loops/proactor/io_uring_proactor.hpp"
#include "loops/proactor/io_uring_refusal.hpp"

namespace loopscope {
namespace uring {

// --- asking

Result<void> UringProactor::submit(Operation& operation) {
  if (operation.in_flight) return errno_error_of(EBUSY, "io_uring: submit");
  move_to(flights_.add(operation), Flight::Where::waiting);
  return {};
}

void UringProactor::request_cancel(Operation& operation) {
  if (!operation.in_flight) return;
  auto& flight = static_cast<Flight&>(*operation.in_flight);
  if (flight.cancel_asked) return;
  flight.cancel_asked = true;
  switch (flight.where) {
    case Flight::Where::waiting:
      waiting_.remove(flight);
      break;
    case Flight::Where::starving:
      starving_.remove(flight);
      break;
    case Flight::Where::kernel:
      cancels_.push_back(flights_.tag_of(flight));
      ++ending_;
      return;
    default:
      return;  // its end is under way
  }
  move_to(flight, Flight::Where::cancelled);
}

/// To the end of the list that this place stands for.
void UringProactor::move_to(Flight& flight, Flight::Where where) {
  flight.where = where;
  switch (where) {
    case Flight::Where::starving:
      return starving_.push(flight);
    case Flight::Where::cancelled:
      return cancelled_.push(flight);
    default:
      return waiting_.push(flight);
  }
}

// --- completing

/// true: something was completed.
bool UringProactor::dispatch() {
  bool told = tell_cancelled();
  for (std::size_t left = reaped_.size(); left > 0; --left) {
    const Entry entry = reaped_.front();
    reaped_.pop_front();
    told = answer(entry) || told;
  }
  return told;
}

bool UringProactor::tell_cancelled() {
  FlightList now_over = std::exchange(cancelled_, {});
  const bool any = !now_over.empty();
  while (Flight* flight = now_over.pop()) {
    Completion completion;
    completion.count = flight->sent();
    completion.error = {ECANCELED, std::system_category()};
    tell(*flight, Next::over, std::move(completion));
  }
  return any;
}

bool UringProactor::answer(const Entry& entry) {
  Flight& flight = *flights_.find(entry.tag);
  Completion completion;
  const Next next = flight.answered(entry, memory_, completion);
  if (next == Next::again || next == Next::starve) {
    move_to(flight, next == Next::starve ? Flight::Where::starving : Flight::Where::waiting);
    return false;
  }
  tell(flight, next, std::move(completion));
  return true;
}

void UringProactor::tell(Flight& flight, Next next, Completion completion) {
  Operation& operation = flight.operation();
  completion.more = next != Next::over;
  if (next == Next::over) {
    flight.end(memory_);
    flights_.remove(flight);
  }
  if (next == Next::repeat) flight.where = Flight::Where::telling;
  operation.completed(std::move(completion));
  if (next != Next::repeat) return;
  move_to(flight, flight.cancel_asked ? Flight::Where::cancelled : Flight::Where::waiting);
}

// --- making

Result<std::unique_ptr<Proactor>> make(UringLevel level, const Sizes& sizes) {
  Result<Abilities> abilities = climb(level);
  if (!abilities.ok()) return abilities.error();
  auto made = std::make_unique<UringProactor>(std::move(abilities).value(), sizes);
  if (Result<void> opened = made->open(); !opened.ok()) {
    return explain_refusal(opened.error(), gather_evidence());
  }
  return std::unique_ptr<Proactor>(std::move(made));
}

}  // namespace uring

Result<std::unique_ptr<Proactor>> make_io_uring_proactor(const LoopOptions& options) {
  return uring::make(options.uring, {});
}

}  // namespace loopscope
