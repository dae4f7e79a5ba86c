// Runner: a loop from its making to its orderly end, around one main coroutine or several.
#pragma once

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "loops/event_loop.hpp"
#include "loops/policy.hpp"

namespace loopscope {

struct RunOptions {
  std::optional<bool> debug{};  // nullopt: as the factory made the loop
  LoopFactory loop_factory{};   // null: new_event_loop(), which is then set for the thread
};

namespace detail {

/// While it lives, the first Ctrl-C calls `cancel` on the loop; the next one does what it would do
/// without us. Only in the main thread, and only where nobody else has taken SIGINT.
class Interruptible {
 public:
  Interruptible(EventLoop& loop, std::function<void()> cancel);
  ~Interruptible() { disarm(); }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
  bool interrupted() const { return interrupted_; }

 private:
  void disarm();
  EventLoop& loop_;
  bool armed_ = false;
  bool interrupted_ = false;
};

}  // namespace detail

/// Makes its loop when it is first needed. close(), or the destructor, cancels the tasks that are
/// left and waits for them, closes async generators, shuts the default executor down, and closes
/// the loop.
///
/// thread  One, from the first call to close().
/// source  asyncio.Runner
class Runner {
 public:
  explicit Runner(RunOptions options = {}) : options_(std::move(options)) {}
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// errors  closed; those of the factory.
  Result<EventLoop*> get_loop();
  /// Runs main in a task of the loop, as often as one likes; an exception that ended it is
  /// rethrown. Ctrl-C in the main thread cancels it.
  /// errors  invalid_state while a loop runs on this thread; closed; stopped_early; cancelled, and
  ///         EINTR where Ctrl-C cancelled it; what main returned.
  template <class T>
  Result<T> run(Coro<T> main);
  /// Idempotent. errors  invalid_state while a loop runs on this thread, and then nothing happened.
  Result<void> close();

 private:
  /// For run(): the loop, or why it must not begin.
  Result<EventLoop*> begin();
  void end_tasks();
  /// Runs the loop until `step` is done. What it says is reported: a close goes on.
  void finish(std::string_view what, const Future<void>& step);

  RunOptions options_;
  std::unique_ptr<EventLoop> loop_;
  bool set_for_thread_ = false;
  bool closed_ = false;
};

template <class T>
Result<T> Runner::run(Coro<T> main) {
  const Result<EventLoop*> loop = begin();
  if (!loop.ok()) return loop.error();
  Task<T> task = (*loop)->create_task(std::move(main));
  const detail::Interruptible interruptible(**loop, [task]() mutable { (void)task.cancel(); });
  Result<T> outcome = (*loop)->run_until_complete(static_cast<Future<T>>(task));
  if (interruptible.interrupted() && !outcome.ok() && outcome.error().is(Errc::cancelled)) {
    return errno_error_of(EINTR, "run", "SIGINT");
  }
  return outcome;
}

/// Runs main on a loop of its own, from the making to the orderly end. errors  those of Runner.
/// source  asyncio.run
template <class T>
Result<T> run(Coro<T> main, RunOptions options = {}) {
  Runner runner(std::move(options));
  Result<T> outcome = runner.run(std::move(main));
  if (const Result<void> closed = runner.close(); outcome.ok() && !closed.ok()) {
    return closed.error();
  }
  return outcome;
}

}  // namespace loopscope
