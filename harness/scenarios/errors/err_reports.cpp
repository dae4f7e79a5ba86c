// Reports that help to find a mistake: what the default handler says, and what debug mode adds.
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/scenario.hpp"

namespace loopscope::scenarios::err_reports {
namespace {

void log_to(Context& cx, std::vector<std::string>& lines) {
  cx.loop().set_log_sink([&lines](LogLevel, std::string_view line) { lines.emplace_back(line); });
}

void default_text(Context& cx) {
  std::vector<std::string> lines;
  log_to(cx, lines);
  cx.loop().call_soon([] { throw std::runtime_error("the cause"); });
  cx.run_once();
  ExceptionContext context;
  context.message = "the message";
  context.error = errno_error_of(EIO, "the call");
  context.detail = "the detail";
  cx.loop().call_exception_handler(context);
  cx.equal(lines.size(), 2u, "lines of the default handler");
  cx.is_true(lines[0].find("the cause") != std::string::npos, "the exception's own words");
  for (const char* part : {"the message", "EIO", "the call", "the detail"}) {
    cx.is_true(lines[1].find(part) != std::string::npos, "the line has " + std::string(part));
  }
}

Coro<void> nothing() { co_return; }

void never_awaited(Context& cx) {
  EventLoop& loop = cx.loop();
  std::vector<std::string> lines;
  log_to(cx, lines);
  const auto forget = [] { const Coro<void> forgotten = nothing(); };
  loop.call_soon(forget);
  cx.run_once();
  cx.equal(lines.size(), 0u, "warnings without debug mode");
  loop.set_debug(true);
  loop.call_soon(forget);
  cx.run_once();
  cx.equal(lines.size(), 1u, "warnings about a coroutine that was never awaited");
  cx.is_true(lines[0].find("never awaited") != std::string::npos, "they say so");
  const auto task = loop.create_task(nothing());
  cx.run_until([&] { return task.done(); });
  cx.equal(lines.size(), 1u, "warnings after one that was awaited");
}

constexpr std::string_view kDefault[] = {"default_exception_handler", "call_exception_handler"};
constexpr std::string_view kDebug[] = {"set_debug", "create_task"};
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "err.handler.default_text",
     .promise = "The default handler logs the message, the exception or error, and the detail.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html"
               "#asyncio.loop.default_exception_handler",
     .needs = {Cap::call_soon, Cap::exception_handler},
     .body = default_text,
     .level = Level::should,
     .severity = Severity::common,
     .api = kDefault,
     .limit = kLimit},
    {.id = "dbg.never_awaited",
     .promise = "Debug mode warns about a coroutine that goes without having been awaited.",
     .source = "docs.python.org/3/library/asyncio-dev.html#detect-never-awaited-coroutines",
     .needs = {Cap::call_soon, Cap::futures, Cap::debug_mode},
     .body = never_awaited,
     .severity = Severity::edge,
     .api = kDebug,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A20", "Error handling", kScenarios};
}  // namespace loopscope::scenarios::err_reports
