// What tasks and coroutines need of a loop.
#include "loops/task.hpp"

#include "loops/current.hpp"
#include "loops/event_loop.hpp"

namespace loopscope::detail {

bool schedule(EventLoop* loop, Callback callback) {
  return loop != nullptr && static_cast<bool>(loop->call_soon(std::move(callback)));
}

void report_pending_task(EventLoop* loop, const std::string& name) noexcept {
  if (loop == nullptr || loop->is_closed()) return;
  ExceptionContext context;
  context.message = "Task was destroyed but it is pending!";
  context.source = "Task";
  context.detail = name;
  try {
    loop->call_exception_handler(context);
  } catch (...) {
    // A destructor cannot let it out.
  }
}

void coroutine_never_awaited() noexcept {
  EventLoop* loop = running_loop();
  if (loop != nullptr && loop->get_debug()) {
    loop->log(LogLevel::warning, "coroutine was never awaited");
  }
}

}  // namespace loopscope::detail
