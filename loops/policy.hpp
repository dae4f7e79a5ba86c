// Policies: which loop a thread gets, and how new ones are made. Names and meanings are asyncio's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "loops/base/result.hpp"

namespace loopscope {

class EventLoop;

using LoopFactory = std::function<Result<std::unique_ptr<EventLoop>>()>;
/// Makes loops of the row with this name ("epoll"); the factory refuses (invalid_argument) where
/// there is no such row, and with the row's reason where it is absent.
LoopFactory factory_of(std::string_view loop_name);
/// The best selector loop of this system: kqueue, epoll, poll, select, whichever is there first and
/// not forbidden. errors  those of the loop that is there.
Result<std::unique_ptr<EventLoop>> new_selector_loop();

/// Decides which loop a thread gets. source: asyncio.AbstractEventLoopPolicy
class EventLoopPolicy {
 public:
  virtual ~EventLoopPolicy() = default;
  /// The loop of the calling thread; never null. errors  invalid_state where there is none.
  virtual Result<EventLoop*> get_event_loop() = 0;
  /// Borrows the loop; null: none from now on.
  virtual Result<void> set_event_loop(EventLoop* loop) = 0;
  virtual Result<std::unique_ptr<EventLoop>> new_event_loop() = 0;
};

/// Keeps one loop for each thread, and makes none by itself. A loop that was destroyed counts as
/// none, and a forked child begins with none. Derive from it to change a part.
/// source: asyncio.DefaultEventLoopPolicy as of 3.14
class DefaultEventLoopPolicy : public EventLoopPolicy {
 public:
  /// factory: of new_event_loop(); null: new_selector_loop.
  explicit DefaultEventLoopPolicy(LoopFactory factory = nullptr);
  Result<EventLoop*> get_event_loop() override;
  Result<void> set_event_loop(EventLoop* loop) override;
  Result<std::unique_ptr<EventLoop>> new_event_loop() override;

 private:
  const std::uint64_t serial_;  // tells this policy's loops of a thread from those of another
  LoopFactory factory_;
};

/// The running loop; where none runs, the one that the policy gives to this thread.
/// errors  invalid_state where it gives none: there is no null in a success.
Result<EventLoop*> get_event_loop();
/// Both ask the policy in force. thread: any; they concern the calling one.
Result<void> set_event_loop(EventLoop* loop);
Result<std::unique_ptr<EventLoop>> new_event_loop();

/// The policy of this process, never null. thread: any.
std::shared_ptr<EventLoopPolicy> get_event_loop_policy();
/// null restores the default policy, a fresh one.
void set_event_loop_policy(std::shared_ptr<EventLoopPolicy> policy);

}  // namespace loopscope
