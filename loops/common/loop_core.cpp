// The run state, exception handlers and debug mode of every loop of this process.
#include "loops/common/loop_core.hpp"

#include <array>
#include <cstdio>
#include <exception>

#include "loops/base/type_name.hpp"
#include "loops/os/process_id.hpp"

namespace loopscope {
namespace {

const void* this_thread() {
  static thread_local const char tag = 0;
  return &tag;
}

std::string describe(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& known) {
    return known.what();
  } catch (const ExitException& exit) {
    return exit.reason();
  } catch (...) {
    return "an exception that is not a std::exception";
  }
}

}  // namespace

LoopCore::LoopCore(const LoopOptions& options) : debug_(options.debug) {}

void LoopCore::log(LogLevel level, std::string_view text) {
  if (log_sink_) {
    log_sink_(level, text);
    return;
  }
  std::string line = level == LogLevel::error ? "loopscope error: " : "loopscope: ";
  line.append(text).append("\n");
  std::fputs(line.c_str(), stderr);
}

bool LoopCore::is_running() const {
  return owner_.load(std::memory_order_acquire) != nullptr &&
         owner_generation_.load(std::memory_order_relaxed) == os::fork_generation();
}

bool LoopCore::on_loop_thread() const {
  const void* owner = owner_.load(std::memory_order_relaxed);
  return owner == nullptr || owner == this_thread();
}

std::optional<Errc> LoopCore::refuses() const {
  if (closed_.load(std::memory_order_relaxed)) return Errc::closed;
  if (debug_ && !on_loop_thread()) return Errc::wrong_thread;
  return std::nullopt;
}

Handle LoopCore::call_soon(Callback callback) {
  if (const std::optional<Errc> why = refuses()) return Handle(*why);
  if (inbox_.has_mail()) inbox_.drain(ready_);  // What was posted before runs before.
  return Handle(this, Handle::Kind::soon, ready_.push(std::move(callback)));
}

Handle LoopCore::call_soon_threadsafe(Callback callback) {
  const auto id = inbox_.post(std::move(callback), [this] { wake(); });
  if (!id) return Handle(Errc::closed);
  return Handle(this, Handle::Kind::threadsafe, *id);
}

bool LoopCore::cancel_handle(const Handle& handle) {
  switch (handle.kind()) {
    case Handle::Kind::soon: {
      const Callback dropped = ready_.take(handle.id());
      return static_cast<bool>(dropped);
    }
    case Handle::Kind::threadsafe:
      // A loop that does not run has no thread of its own: whoever cancels owns it.
      return inbox_.cancel(handle.id(), on_loop_thread() ? &ready_ : nullptr);
    case Handle::Kind::timer:
      return cancel_timer(handle.id());
    case Handle::Kind::none:
      return false;
  }
  return false;
}

Result<void> LoopCore::may_run(std::string_view op) const {
  if (is_closed()) return make_error(Errc::closed, op, "the loop is closed");
  if (is_running()) return make_error(Errc::invalid_state, op, "this loop is already running");
  if (running_loop() != nullptr) {
    return make_error(Errc::invalid_state, op, "another loop runs on this thread");
  }
  return {};
}

LoopCore::RunScope::RunScope(LoopCore& loop) : loop_(loop), marker_(&loop) {
  loop_.owner_generation_.store(os::fork_generation(), std::memory_order_relaxed);
  loop_.owner_.store(this_thread(), std::memory_order_release);
}
LoopCore::RunScope::~RunScope() { loop_.owner_.store(nullptr, std::memory_order_release); }

void LoopCore::run_ready(std::uint64_t end) {
  while (ready_.head() < end) {
    Callback callback = ready_.pop();
    if (callback) run_callback(callback);  // else it was cancelled
  }
}

void LoopCore::run_callback(Callback& callback) {
  try {
    timed([&] { callback(); },
          [&type = callback.target_type()] { return "callback " + type_name(type); });
  } catch (const ExitException&) {
    throw;
  } catch (...) {
    report_exception("callback", "Exception in callback");
  }
}

void LoopCore::report_slow(const std::string& what, Duration took) {
  std::array<char, 32> seconds{};
  std::snprintf(seconds.data(), seconds.size(), "%.3f",
                std::chrono::duration<double>(took).count());
  log(LogLevel::warning, "Executing " + what + " took " + seconds.data() + " seconds");
}

void LoopCore::report_exception(std::string_view source, std::string_view message) {
  ExceptionContext context;
  context.message = message;
  context.exception = std::current_exception();
  context.source = source;
  call_exception_handler(context);
}

void LoopCore::set_exception_handler(ExceptionHandler handler) {
  exception_handler_ = std::move(handler);
}

void LoopCore::call_exception_handler(const ExceptionContext& context) {
  const ExceptionHandler handler = exception_handler_;  // a copy: it may replace itself
  if (!handler) {
    default_or_log(context);
    return;
  }
  try {
    handler(*this, context);
  } catch (const ExitException&) {
    throw;
  } catch (...) {
    ExceptionContext second;
    second.message = "Unhandled error in exception handler, while handling: " + context.message;
    second.exception = std::current_exception();
    second.source = "loop";
    default_or_log(second);
  }
}

void LoopCore::default_or_log(const ExceptionContext& context) {
  try {
    default_exception_handler(context);
  } catch (const ExitException&) {
    throw;
  } catch (...) {
    try {
      log(LogLevel::error, "Exception in default exception handler");
    } catch (...) {
      // The log itself is broken: there is nobody left to tell.
    }
  }
}

void LoopCore::default_exception_handler(const ExceptionContext& context) {
  std::string text =
      context.message.empty() ? "Unhandled exception in event loop" : context.message;
  if (!context.source.empty()) text.append(" [").append(context.source).append("]");
  if (context.exception) text += ": " + describe(context.exception);
  if (context.error) text += ": " + to_string(*context.error);
  if (!context.detail.empty()) text += " (" + context.detail + ")";
  log(LogLevel::error, text);
}

Result<LoopCore::JobId> LoopCore::execute(Job job, std::shared_ptr<Executor> executor) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, "run_in_executor");
  return offload_.execute(std::move(job.work), std::move(job.ended), std::move(executor));
}

Result<void> LoopCore::set_default_executor(std::shared_ptr<Executor> executor) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, "set_default_executor");
  return offload_.set_default(std::move(executor));
}

Future<void> LoopCore::shutdown_default_executor(std::optional<Duration> timeout) {
  if (const std::optional<Errc> why = refuses()) {
    return done_future<void>(make_error(*why, "shutdown_default_executor"));
  }
  return offload_.shut_down_default(timeout);
}

void LoopCore::close_core() {
  abandon_tasks();
  offload_.close();
  closed_.store(true, std::memory_order_release);
  inbox_.close();
  ready_.clear();
}

}  // namespace loopscope
