// Handle and TimerHandle: what a loop gives back for a scheduled callback.
#pragma once

#include <cstdint>

#include "loops/base/clock.hpp"
#include "loops/base/result.hpp"

namespace loopscope {

class EventLoop;

/// A scheduled callback, or the reason why it was refused. A small value; copying it is free.
///
/// lifetime  It may outlive close(), but not the loop object.
/// thread    The loop's thread; a handle from call_soon_threadsafe may be cancelled from any.
/// source    asyncio.Handle
class Handle {
 public:
  enum class Kind : std::uint8_t { none, soon, threadsafe, timer };

  Handle() = default;
  Handle(EventLoop* loop, Kind kind, std::uint64_t id) : loop_(loop), id_(id), kind_(kind) {}
  /// A refusal: nothing was scheduled, the callback is destroyed unrun.
  explicit Handle(Errc refusal) : refusal_(refusal) {}

  /// Prevents the callback from running and drops what it captured.
  /// returns  true when this call prevented it; false when it ran, runs now, was cancelled before
  ///          or was refused. After true the callback never runs.
  bool cancel();
  /// Success when the loop took the callback: closed, wrong_thread, invalid_argument otherwise.
  Result<void> accepted() const;
  explicit operator bool() const { return kind_ != Kind::none; }

  Kind kind() const { return kind_; }
  std::uint64_t id() const { return id_; }
  EventLoop* loop() const { return loop_; }

 private:
  EventLoop* loop_ = nullptr;
  std::uint64_t id_ = 0;
  Kind kind_ = Kind::none;
  Errc refusal_ = Errc::invalid_state;
};

class TimerHandle : public Handle {
 public:
  TimerHandle() = default;
  TimerHandle(EventLoop* loop, std::uint64_t id, TimePoint when)
      : Handle(loop, Kind::timer, id), when_(when) {}
  explicit TimerHandle(Errc refusal) : Handle(refusal) {}
  /// The deadline on the loop's clock, as asked for; unchanged by firing or cancelling.
  TimePoint when() const { return when_; }

 private:
  TimePoint when_{};
};

}  // namespace loopscope
