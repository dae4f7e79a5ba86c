// Async generators: values, waits between them, and what the loop does with those that are left.
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/scenario.hpp"
#include "harness/scenarios/pause.hpp"
#include "loops/async_generator.hpp"
#include "loops/current.hpp"

namespace loopscope::scenarios::generators {
namespace {

using namespace std::chrono_literals;
using Item = Result<std::optional<int>>;

struct Witness {
  Context& cx;
  ~Witness() { cx.mark("destroyed"); }
};

AsyncGenerator<int> ticks(Context& cx, int count) {
  const Witness witness{cx};
  for (int i = 1; i <= count; ++i) {
    auto waited = pause(cx.loop(), 1ms);
    (void)co_await waited;  // It cannot fail.
    co_yield i;
  }
}

Coro<void> consume(Context& cx, AsyncGenerator<int>& generator) {
  for (;;) {
    auto step = generator.next();
    const Item item = co_await step;
    if (!item.value()) co_return;
    cx.mark(std::to_string(**item));
  }
}

Coro<void> take_one(Context& cx, AsyncGenerator<int>& generator) {
  auto step = generator.next();
  const Item item = co_await step;
  cx.is_true(item.value().has_value(), "a first value");
}

void yields_and_ends(Context& cx) {
  auto generator = ticks(cx, 3);
  cx.loop().call_soon([&] { cx.mark("the loop goes on"); });
  cx.run(consume(cx, generator));
  cx.run(consume(cx, generator));
  cx.expect_trace({"the loop goes on", "1", "2", "3", "destroyed"});
}

void closed_half_way(Context& cx) {
  {
    auto dropped = ticks(cx, 3);
    cx.run(take_one(cx, dropped));
    cx.mark("dropping");
  }
  auto closed = ticks(cx, 3), untouched = ticks(cx, 3);
  cx.run(take_one(cx, closed));
  cx.mark("closing");
  cx.ok(closed.aclose(), "aclose");
  cx.ok(untouched.aclose(), "aclose of one that never began");
  cx.run(consume(cx, closed));
  cx.run(consume(cx, untouched));
  cx.expect_trace({"dropping", "destroyed", "closing", "destroyed"});
}

void shutdown_closes(Context& cx) {
  EventLoop& loop = cx.loop();
  auto ended = ticks(cx, 1), begun = ticks(cx, 3), untouched = ticks(cx, 3);
  cx.run(consume(cx, ended));
  cx.run(take_one(cx, begun));
  cx.mark("shutdown");
  cx.ok(loop.run_until_complete(loop.shutdown_asyncgens()), "shutdown_asyncgens");
  cx.mark("done");
  cx.run(consume(cx, begun));
  cx.expect_trace({"1", "destroyed", "shutdown", "destroyed", "done"});
}

void late_use_is_reported(Context& cx) {
  EventLoop& loop = cx.loop();
  std::vector<std::string> lines;
  loop.set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  auto early = ticks(cx, 1), late = ticks(cx, 1);
  cx.run(consume(cx, early));
  cx.ok(loop.run_until_complete(loop.shutdown_asyncgens()), "shutdown_asyncgens");
  cx.equal(lines.size(), 0u, "warnings before");
  cx.run(consume(cx, late));
  cx.equal(lines.size(), 1u, "warnings about a generator that begins after the shutdown");
  cx.expect_trace({"1", "destroyed", "1", "destroyed"});
}

void running_is_reported(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
    cx.is_true(!context.message.empty(), "the report has a message");
    cx.mark("reported");
  });
  auto generator = ticks(cx, 2);
  auto task = loop.create_task(consume(cx, generator));
  cx.run_once();  // The first step is under way.
  cx.ok(loop.run_until_complete(loop.shutdown_asyncgens()), "shutdown_asyncgens");
  cx.run_until([&] { return task.done(); });
  cx.expect_trace({"reported", "1", "2", "destroyed"});
}

constexpr std::string_view kShutdown[] = {"shutdown_asyncgens"};
constexpr std::string_view kTasks[] = {"create_task"};
constexpr CapSet kNeeds{Cap::call_soon, Cap::call_later, Cap::futures};
constexpr std::string_view kShutdownDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.shutdown_asyncgens";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "asyncgen.yields_and_ends",
     .promise = "A generator yields its values in order, lets the loop go on between, and ends.",
     .source = "peps.python.org/pep-0525/",
     .needs = kNeeds,
     .body = yields_and_ends,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kTasks,
     .limit = kLimit},
    {.id = "asyncgen.close_half_way",
     .promise = "A generator that is dropped or closed half-way cleans up then, and only then.",
     .source = "peps.python.org/pep-0525/#finalization",
     .needs = kNeeds,
     .body = closed_half_way,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kTasks,
     .limit = kLimit},
    {.id = "asyncgen.shutdown_closes",
     .promise = "shutdown_asyncgens() ends the generators that were begun and not ended.",
     .source = kShutdownDoc,
     .needs = kNeeds,
     .body = shutdown_closes,
     .severity = Severity::common,
     .api = kShutdown,
     .limit = kLimit},
    {.id = "asyncgen.late_use_warned",
     .promise = "A generator that begins after shutdown_asyncgens() is warned about.",
     .source = kShutdownDoc,
     .needs = kNeeds,
     .body = late_use_is_reported,
     .severity = Severity::edge,
     .api = kShutdown,
     .limit = kLimit},
    {.id = "asyncgen.shutdown_while_running",
     .promise = "A generator that cannot be ended, because it runs, is reported and goes on.",
     .source = "github.com/python/cpython/blob/main/Lib/asyncio/base_events.py, "
               "shutdown_asyncgens",
     .needs = kNeeds | CapSet{Cap::exception_handler},
     .body = running_is_reported,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kShutdown,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"F", "Futures and tasks", kScenarios};
}  // namespace loopscope::scenarios::generators
