// The beginning and the end of a run, and Ctrl-C in between.
#include "loops/runner.hpp"

#include <string>
#include <vector>

#include "loops/current.hpp"
#include "loops/os/interrupt.hpp"

namespace loopscope {
namespace {

/// How long close() gives work that runs in the default executor. source: asyncio.constants
constexpr std::chrono::seconds kJoinTimeout{300};

Error a_loop_runs(std::string_view op) {
  return make_error(Errc::invalid_state, op, "a loop runs on this thread");
}

}  // namespace

namespace detail {

Interruptible::Interruptible(EventLoop& loop, std::function<void()> cancel) : loop_(loop) {
  if (!os::may_take_interrupt()) return;
  const auto interrupt = [this, cancel = std::move(cancel)] {
    interrupted_ = true;
    disarm();
    cancel();
  };
  armed_ = loop.add_signal_handler(os::kInterruptSignal, interrupt).ok();
}

void Interruptible::disarm() {
  if (!std::exchange(armed_, false)) return;
  (void)loop_.remove_signal_handler(os::kInterruptSignal);  // a closed loop has done that itself
}

}  // namespace detail

Runner::~Runner() {
  try {
    (void)close();  // While a loop runs it refuses; then the loop goes as it is.
  } catch (...) {
    // A task threw an ExitException on the way out: a destructor cannot pass it on.
  }
  if (loop_ != nullptr && set_for_thread_) (void)set_event_loop(nullptr);
}

Result<EventLoop*> Runner::get_loop() {
  if (closed_) return make_error(Errc::closed, "Runner.get_loop", "the runner is closed");
  if (loop_ != nullptr) return loop_.get();
  Result<std::unique_ptr<EventLoop>> made =
      options_.loop_factory ? options_.loop_factory() : new_event_loop();
  if (!made.ok()) return made.error();
  if (*made == nullptr) {
    return make_error(Errc::invalid_argument, "Runner", "the factory made no loop");
  }
  loop_ = std::move(made).value();
  if (!options_.loop_factory) {
    if (const Result<void> set = set_event_loop(loop_.get()); !set.ok()) return set.error();
    set_for_thread_ = true;
  }
  if (options_.debug) loop_->set_debug(*options_.debug);
  return loop_.get();
}

Result<EventLoop*> Runner::begin() {
  if (running_loop() != nullptr) return a_loop_runs("run");
  return get_loop();
}

void Runner::end_tasks() {
  std::vector<detail::Ref<detail::FutureStateBase>> left;
  for (detail::TaskContext* task = loop_->link()->tasks; task != nullptr; task = task->next()) {
    left.emplace_back(&task->future());
  }
  for (const auto& task : left) (void)task->cancel();
  for (const auto& task : left) {
    while (!task->done()) {
      const std::uint64_t id = task->add_done_callback([loop = loop_.get()] { loop->stop(); });
      const Result<void> ran = loop_->run_forever();
      task->remove_done_callback(id);
      if (!ran.ok()) return;  // the loop cannot run any more: close() reports who is left
    }
    task->mark_retrieved();
    if (task->cancelled() || (task->exception() == nullptr && !task->error())) continue;
    ExceptionContext context;
    context.message = "unhandled exception during run() shutdown";
    context.exception = task->exception();
    context.error = task->error();
    context.source = "Task";
    loop_->call_exception_handler(context);
  }
}

void Runner::finish(std::string_view what, const Future<void>& step) {
  const Result<void> done = loop_->run_until_complete(step);
  if (done.ok() || done.error().is(Errc::not_supported)) return;  // a loop without: nothing to do
  loop_->log(LogLevel::warning, std::string(what) + ": " + to_string(done.error()));
}

Result<void> Runner::close() {
  if (closed_) return {};
  if (running_loop() != nullptr) return a_loop_runs("Runner.close");
  closed_ = true;
  if (loop_ == nullptr) return {};
  if (!loop_->is_closed()) {
    end_tasks();
    finish("shutdown_asyncgens", loop_->shutdown_asyncgens());
    finish("shutdown_default_executor", loop_->shutdown_default_executor(kJoinTimeout));
  }
  Result<void> closed = loop_->close();
  if (std::exchange(set_for_thread_, false)) (void)set_event_loop(nullptr);
  loop_.reset();
  return closed;
}

}  // namespace loopscope
