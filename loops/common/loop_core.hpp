// LoopCore: what every loop of this process shares and no operating system is needed for.
#pragma once

#include <atomic>

#include "loops/activity.hpp"
#include "loops/base/ready_queue.hpp"
#include "loops/common/inbox.hpp"
#include "loops/common/offload.hpp"
#include "loops/current.hpp"
#include "loops/event_loop.hpp"

namespace loopscope {

/// Run state, the ready queue and the inbox, exception handlers, debug mode, the task factory.
/// A loop derives from it and supplies the waiting: run_forever, stop, timers, wake.
class LoopCore : public EventLoop {
 public:
  explicit LoopCore(const LoopOptions& options);

  /// In a forked child it does not run: the run is the parent's.
  bool is_running() const override;
  bool is_closed() const override { return closed_.load(std::memory_order_acquire); }

  void set_debug(bool enabled) override { debug_ = enabled; }
  bool get_debug() const override { return debug_; }
  void set_slow_callback_duration(Duration threshold) override { slow_callback_ = threshold; }
  void set_log_sink(LogSink sink) override { log_sink_ = std::move(sink); }
  void log(LogLevel level, std::string_view text) override;

  Handle call_soon(Callback callback) override;
  Handle call_soon_threadsafe(Callback callback) override;
  TimePoint time() const override { return now(); }

  Result<void> set_default_executor(std::shared_ptr<Executor> executor) override;
  Future<void> shutdown_default_executor(std::optional<Duration> timeout = {}) override;
  Future<void> shutdown_asyncgens() override;
  Future<std::vector<Endpoint>> getaddrinfo(std::string host, std::string service,
                                            AddressHints hints = {}) override;
  Future<NameInfo> getnameinfo(Endpoint address, NameInfoFlags flags = {}) override;

  void set_task_factory(TaskFactory factory) override { task_factory_ = std::move(factory); }
  TaskFactory get_task_factory() const override { return task_factory_; }

  void call_exception_handler(const ExceptionContext& context) override;
  void set_exception_handler(ExceptionHandler handler) override;
  ExceptionHandler get_exception_handler() const override { return exception_handler_; }
  void default_exception_handler(const ExceptionContext& context) override;

 protected:
  /// Makes a wait of this loop return soon. Any thread; called under the inbox's lock.
  virtual void wake() noexcept = 0;

  Result<JobId> execute(Job job, std::shared_ptr<Executor> executor) override;
  void withdraw(JobId job) override { offload_.withdraw(job); }
  bool cancel_handle(const Handle& handle) override;
  /// A timer's handle is the timer owner's business.
  virtual bool cancel_timer(std::uint64_t id) = 0;

  /// Errors for a run that must not begin: closed, or a loop runs on this thread already.
  Result<void> may_run(std::string_view op) const;
  /// Marks the loop as running on this thread for a scope.
  class RunScope {
   public:
    explicit RunScope(LoopCore& loop);
    ~RunScope();
    RunScope(const RunScope&) = delete;
    RunScope& operator=(const RunScope&) = delete;

   private:
    LoopCore& loop_;
    RunningLoopScope marker_;
  };
  /// nullopt when this call may schedule now; else why it is refused: closed, wrong_thread.
  std::optional<Errc> refuses() const;
  bool on_loop_thread() const;

  /// Runs what is ready at the moment of the call, not what that adds. An ExitException leaves
  /// and keeps the rest queued; any other exception goes to the exception handler.
  void run_ready() { run_ready(ready_.tail()); }
  /// The same up to, not including, the callback with this number.
  void run_ready(std::uint64_t end);
  /// Runs one callback under the same rules, timed in debug mode.
  void run_callback(Callback& callback);
  /// Runs what may be slow: in debug mode it is timed, and `describe` names it in the report, where
  /// no activity inside it was the slow one. Inside of another one it is such an activity.
  template <class F, class Describe>
  void timed(F&& work, Describe describe) {
    if (!debug_) {
      work();
    } else if (t_timed_callback != nullptr) {
      const Activity activity(describe);
      work();
    } else {
      TimedCallback frame{slow_callback_, {}};
      const TimePoint begin = now();
      {
        const TimedScope scope(frame);
        work();
      }
      const Duration took = now() - begin;
      if (took < slow_callback_) return;
      report_slow(frame.slow_part.empty() ? describe() : frame.slow_part, took);
    }
  }
  /// Runs one callable under the same rules; for callbacks that a library calls directly.
  template <class F>
  void guarded(F&& work, std::string_view source, std::string_view message) {
    try {
      work();
    } catch (const ExitException&) {
      throw;
    } catch (...) {
      report_exception(source, message);
    }
  }
  /// Hands the exception in flight to the exception handler.
  void report_exception(std::string_view source, std::string_view message);
  /// For close(): refuse from now on, drop what is queued.
  void close_core();

  ReadyQueue ready_;
  Inbox inbox_;

 private:
  struct TimedScope {
    explicit TimedScope(TimedCallback& frame) { t_timed_callback = &frame; }
    ~TimedScope() { t_timed_callback = nullptr; }
    TimedScope(const TimedScope&) = delete;
    TimedScope& operator=(const TimedScope&) = delete;
  };
  void report_slow(const std::string& what, Duration took);
  void default_or_log(const ExceptionContext& context);
  /// Asks in a thread of the resolver.
  template <class T, class Ask>
  Future<T> look_up(std::string_view op, Ask ask);

  std::atomic<const void*> owner_{nullptr};    // identifies the thread that runs the loop
  std::atomic<unsigned> owner_generation_{0};  // and the process, see os::fork_generation
  std::atomic<bool> closed_{false};
  bool debug_ = false;
  Duration slow_callback_ = std::chrono::milliseconds(100);
  LogSink log_sink_;
  TaskFactory task_factory_;
  ExceptionHandler exception_handler_;
  Offload offload_{*this};
};

}  // namespace loopscope
