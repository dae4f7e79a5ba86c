// Policies and the loop of a thread: declared with asyncio's names; they refuse until they exist.
#pragma once

#include <functional>
#include <memory>

#include "loops/base/result.hpp"
#include "loops/coro.hpp"

namespace loopscope {

class EventLoop;

/// Decides which loop a thread gets. source: asyncio.AbstractEventLoopPolicy
class EventLoopPolicy {
 public:
  virtual ~EventLoopPolicy() = default;
  virtual Result<EventLoop*> get_event_loop() = 0;
  virtual Result<void> set_event_loop(EventLoop* loop) = 0;
  virtual Result<std::unique_ptr<EventLoop>> new_event_loop() = 0;
};

/// The running loop, or the one that the policy gives to this thread.
/// errors  not_supported where no loop runs: there is no policy yet that could give one.
Result<EventLoop*> get_event_loop();
/// errors  not_supported
Result<void> set_event_loop(EventLoop* loop);
/// errors  not_supported
Result<std::unique_ptr<EventLoop>> new_event_loop();
/// errors  not_supported
Result<EventLoopPolicy*> get_event_loop_policy();
/// errors  not_supported
Result<void> set_event_loop_policy(std::unique_ptr<EventLoopPolicy> policy);

using LoopFactory = std::function<Result<std::unique_ptr<EventLoop>>()>;
/// Runs main on a new loop of the factory and closes it. errors  not_supported
Result<void> run(Coro<void> main, LoopFactory factory);

}  // namespace loopscope
