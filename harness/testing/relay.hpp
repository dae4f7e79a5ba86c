// Relay: passes the outcome of one operation on to another future, changed on the way; and looking
// at an operation all the time.
#pragma once

#include "loops/event_loop.hpp"

namespace loopscope::testing {

template <class T>
void finish(Future<T> future, Result<T> outcome) {
  if (future.done()) return;
  if (!outcome.ok()) {
    future.set_error(outcome.error());
  } else if constexpr (std::is_void_v<T>) {
    future.set_result();
  } else {
    future.set_result(std::move(outcome).value());
  }
}

/// Ends as `inner` does, through `change`: Result<T>(Result<T>). Cancelling it cancels `inner`.
template <class T, class Change>
Future<T> relay(EventLoop& loop, Future<T> inner, Change change) {
  Future<T> outer = loop.create_future<T>();
  inner.add_done_callback([inner, outer, change]() mutable {
    if (outer.done()) return;
    try {
      finish(outer, Result<T>(change(inner.result())));
    } catch (...) {  // It ended with an exception, not an error.
      outer.set_exception(std::current_exception());
    }
  });
  outer.set_cancel_hook([inner]() mutable { inner.cancel(); });
  return outer;
}
template <class T>
Future<T> relay(EventLoop& loop, Future<T> inner) {
  return relay(loop, std::move(inner), [](Result<T> outcome) { return outcome; });
}

/// Spins: asks in every iteration whether it is over.
template <class Over>
void look_again(EventLoop& loop, Over over) {
  (void)loop.call_soon([&loop, over]() mutable {
    if (!over()) look_again(loop, over);
  });
}

}  // namespace loopscope::testing
