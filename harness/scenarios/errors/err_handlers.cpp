// Errors: exception handlers, and errors that nobody asked for.
#include <stdexcept>
#include <string>

#include "harness/scenario.hpp"

namespace loopscope::scenarios::err_handlers {
namespace {

using namespace std::chrono_literals;

std::string text_of(const std::exception_ptr& exception) {
  try {
    if (exception) std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "none";
}

/// Collects what the loop would have printed.
void log_to(Context& cx, std::string& log) {
  cx.loop().set_log_sink([&log](LogLevel, std::string_view text) { log.append(text) += '\n'; });
}

void throw_in_callback(Context& cx) {
  cx.loop().call_soon([] { throw std::runtime_error("boom"); });
  cx.run_once();
}

void custom_handler(Context& cx) {
  EventLoop& loop = cx.loop();
  std::string log;
  log_to(cx, log);
  loop.set_exception_handler([&](EventLoop& of, const ExceptionContext& context) {
    cx.is_true(&of == &loop, "the handler is given its loop");
    cx.is_true(!context.message.empty(), "the context has a message");
    cx.mark(text_of(context.exception));
  });
  cx.is_true(static_cast<bool>(loop.get_exception_handler()), "get_exception_handler()");
  throw_in_callback(cx);
  cx.expect_trace({"boom"});
  cx.equal(log, "", "what the loop printed while a handler was set");
}

void default_restored(Context& cx) {
  EventLoop& loop = cx.loop();
  std::string log;
  log_to(cx, log);
  loop.set_exception_handler([&](EventLoop&, const ExceptionContext&) { cx.mark("handler"); });
  loop.set_exception_handler(nullptr);
  cx.is_true(!loop.get_exception_handler(), "get_exception_handler() after null was set");
  throw_in_callback(cx);
  cx.is_true(log.find("boom") != std::string::npos, "the default handler logs the exception");
  cx.expect_trace({});
}

void called_by_hand(Context& cx) {
  EventLoop& loop = cx.loop();
  std::string log;
  log_to(cx, log);
  ExceptionContext context;
  context.message = "something odd";
  context.detail = "detail";
  loop.set_exception_handler([&](EventLoop& of, const ExceptionContext& given) {
    cx.mark(given.message);
    cx.mark(given.detail);
    of.default_exception_handler(given);  // A handler may defer to the default one.
  });
  loop.call_exception_handler(context);
  cx.expect_trace({"something odd", "detail"});
  cx.is_true(log.find("something odd") != std::string::npos, "the default handler logs it");
}

void handler_throws(Context& cx) {
  EventLoop& loop = cx.loop();
  std::string log;
  log_to(cx, log);
  loop.set_exception_handler([&](EventLoop&, const ExceptionContext&) {
    cx.mark("handler");
    throw std::runtime_error("broken handler");
  });
  loop.call_soon([] { throw std::runtime_error("boom"); });
  loop.call_soon([&] { cx.mark("next"); });
  cx.run_once();
  cx.run_once();
  cx.is_true(log.find("broken handler") != std::string::npos,
             "the default handler logs the exception of the handler");
  cx.expect_trace({"handler", "next"});
}

void default_throws(Context& cx) {
  EventLoop& loop = cx.loop();
  int complaints = 0;
  loop.set_log_sink([&](LogLevel, std::string_view) {
    ++complaints;
    throw std::runtime_error("broken log");
  });
  loop.call_soon([] { throw std::runtime_error("boom"); });
  loop.call_soon([&] { cx.mark("next"); });
  cx.run_once();
  cx.run_once();
  cx.at_least(complaints, 1, "attempts to log");
  cx.expect_trace({"next"});
}

void never_retrieved(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
    cx.mark(std::string(context.source) + ": " + text_of(context.exception));
  });
  {
    auto seen = loop.create_future<void>(), lost = loop.create_future<void>();
    seen.set_exception(std::make_exception_ptr(std::runtime_error("seen")));
    lost.set_exception(std::make_exception_ptr(std::runtime_error("lost")));
    try {
      (void)seen.result();  // throws
    } catch (const std::runtime_error&) {
      cx.mark("retrieved");
    }
  }
  cx.run_once();
  cx.expect_trace({"retrieved", "Future: lost"});
}

Coro<void> fails() {
  throw std::runtime_error("lost in a task");
  co_return;
}

void task_never_retrieved(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
    cx.mark(std::string(context.source) + ": " + text_of(context.exception));
  });
  (void)loop.create_task(fails());  // Nobody keeps it: that is the case.
  cx.run_once();
  cx.run_once();
  cx.expect_trace({"Task: lost in a task"});
}

constexpr std::string_view kSet[] = {"set_exception_handler", "get_exception_handler"};
constexpr std::string_view kCall[] = {"call_exception_handler", "default_exception_handler"};
constexpr std::string_view kDefault[] = {"default_exception_handler"};
constexpr std::string_view kFutures[] = {"create_future", "call_exception_handler"};
constexpr std::string_view kTasks[] = {"create_task", "call_exception_handler"};
constexpr CapSet kNeeds{Cap::call_soon, Cap::exception_handler};
constexpr std::string_view kSetDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.set_exception_handler";
constexpr std::string_view kLostDoc =
    "docs.python.org/3/library/asyncio-dev.html#detect-never-retrieved-exceptions";
constexpr std::string_view kBrokenDoc =
    "CPython Lib/test/test_asyncio/test_base_events.py, test_set_exc_handler_broken and "
    "test_default_exc_handler_broken";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "err.handler.custom",
     .promise = "The exception handler is given its loop, a message and the exception.",
     .source = kSetDoc,
     .needs = kNeeds,
     .body = custom_handler,
     .api = kSet,
     .limit = kLimit},
    {.id = "err.handler.default_restored",
     .promise = "Setting no handler restores the default one, which logs the exception.",
     .source = kSetDoc,
     .needs = kNeeds,
     .body = default_restored,
     .api = kSet,
     .limit = kLimit},
    {.id = "err.handler.called_by_hand",
     .promise =
         "call_exception_handler() passes its context on; a handler may defer to the default.",
     .source =
         "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_exception_handler",
     .needs = kNeeds,
     .body = called_by_hand,
     .severity = Severity::common,
     .api = kCall,
     .limit = kLimit},
    {.id = "err.handler.raises",
     .promise = "An exception in the handler goes to the default handler, and the loop goes on.",
     .source = kBrokenDoc,
     .needs = kNeeds,
     .body = handler_throws,
     .authority = Authority::de_facto,
     .api = kSet,
     .limit = kLimit},
    {.id = "err.handler.default_raises",
     .promise = "An exception in the default handler does not end the loop.",
     .source = kBrokenDoc,
     .needs = kNeeds,
     .body = default_throws,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kDefault,
     .limit = kLimit},
    {.id = "err.future_never_retrieved",
     .promise = "The exception of a future that nobody asked is reported when the future goes.",
     .source = kLostDoc,
     .needs = {Cap::call_soon, Cap::exception_handler, Cap::futures},
     .body = never_retrieved,
     .severity = Severity::edge,
     .api = kFutures,
     .limit = kLimit},
    {.id = "err.task_never_retrieved",
     .promise = "The exception of a task that nobody asked is reported when the task goes.",
     .source = kLostDoc,
     .needs = {Cap::call_soon, Cap::exception_handler, Cap::futures},
     .body = task_never_retrieved,
     .severity = Severity::edge,
     .api = kTasks,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A20", "Error handling", kScenarios};

}  // namespace loopscope::scenarios::err_handlers
