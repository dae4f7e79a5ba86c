// Lifecycle: closing a loop, and what is left of it afterwards.
#include <memory>

#include "harness/scenario.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::life_closing {
namespace {

using namespace std::chrono_literals;

void close_twice(Context& cx) {
  cx.ok(cx.loop().close(), "the first close()");
  const os::Pipe one = cx.pipe(), two = cx.pipe(), three = cx.pipe();  // take the freed numbers
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  cx.ok(cx.loop().close(), "the second close()");
  cx.equal(cx.open_descriptors(), before, "what others opened between the two is still open");
}

void close_while_running(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.call_soon([&] {
    cx.refused(loop.close(), "close() inside a callback");
    cx.is_true(!loop.is_closed(), "the loop is not closed");
    cx.mark("refused");
    loop.call_soon([&] { cx.mark("the run goes on"), loop.stop(); });
  });
  cx.run_forever();
  cx.expect_trace({"refused", "the run goes on"});
}

void closed_refuses(Context& cx) {
  EventLoop& loop = cx.loop();
  auto future = loop.create_future<void>();
  cx.ok(loop.close(), "close");
  const auto run = [&] { cx.mark("a callback ran"); };
  cx.refused(loop.call_soon_threadsafe(run).accepted(), Errc::closed, "call_soon_threadsafe");
  cx.refused(loop.call_soon(run).accepted(), Errc::closed, "call_soon");
  cx.refused(loop.call_later(1ms, run).accepted(), Errc::closed, "call_later");
  cx.refused(loop.call_at(now(), run).accepted(), Errc::closed, "call_at");
  cx.refused(loop.run_forever(), Errc::closed, "run_forever");
  cx.refused(loop.run_until_complete(future), Errc::closed, "run_until_complete");
  cx.expect_trace({});
}

void closed_refuses_descriptors(Context& cx) {
  EventLoop& loop = cx.loop();
  auto [subject, peer] = cx.stream_pair();
  cx.ok(loop.close(), "close");
  cx.refused(loop.add_reader(subject, [] {}), "add_reader on a closed loop");
  cx.refused(loop.add_writer(subject, [] {}), "add_writer on a closed loop");
  auto receiving = loop.sock_recv(subject, 16);
  cx.is_true(receiving.done(), "sock_recv on a closed loop does not stay pending");
  cx.refused(receiving.result(), "sock_recv on a closed loop");
  auto sending = loop.sock_sendall(subject, bytes("stray"));
  cx.is_true(sending.done(), "sock_sendall on a closed loop does not stay pending");
  cx.refused(sending.result(), "sock_sendall on a closed loop");
  subject.close();
  cx.equal(text(peer.recv_until_eof()), "", "bytes that reached the peer");
}

void close_discards(Context& cx) {
  EventLoop& loop = cx.loop();
  const auto token = std::make_shared<int>(0);
  loop.call_soon([&cx, token] { cx.mark("call_soon"); });
  loop.call_later(0ms, [&cx, token] { cx.mark("call_later"); });
  loop.call_soon_threadsafe([&cx, token] { cx.mark("call_soon_threadsafe"); });
  cx.ok(loop.close(), "close");
  cx.equal(token.use_count(), 1, "owners of what the discarded callbacks captured");
  cx.expect_trace({});
}

void many_loops(Context& cx) {
  constexpr int kWarmUp = 20, kLoops = 400;
  std::vector<os::NativeSocket> before;
  for (int i = 0; i < kWarmUp + kLoops; ++i) {
    const std::unique_ptr<EventLoop> one = cx.new_loop();
    one->call_later(0ms, [&] { one->stop(); });
    cx.ok(one->run_forever(), "run_forever");
    cx.ok(one->close(), "close");
    if (i == kWarmUp) before = cx.open_descriptors();
  }
  cx.equal(cx.open_descriptors(), before, "open descriptors after 20 and after 420 loops");
}

/// Descriptors up to the highest open number, so that every number below it is taken.
std::vector<os::UniqueFd> fill_holes(Context& cx) {
  const os::NativeSocket highest = cx.open_descriptors().back();
  std::vector<os::UniqueFd> fillers;
  fillers.push_back(cx.pipe().read);
  while (fillers.back().get() <= highest) {
    fillers.push_back(os::duplicate(fillers.front().get()).value());
  }
  return fillers;
}

void construction_fails(Context& cx) {
  const std::vector<os::UniqueFd> fillers = fill_holes(cx);
  const auto full = static_cast<std::size_t>(fillers.back().get()) + 1;
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  unsigned refusals = 0;
  for (std::size_t spare = 0; spare < 8; ++spare) {
    cx.lower_descriptor_limit(full + spare);
    Result<std::unique_ptr<EventLoop>> made = cx.descriptor().make(LoopOptions{});
    refusals += !made.ok();
    cx.raise_descriptor_limit();
    made = make_error(Errc::cancelled, "dropped");  // the loop goes, if there is one
    cx.equal(cx.open_descriptors(), before, "descriptors after " + show(spare) + " were to spare");
  }
  cx.at_least(refusals, 1u, "constructions that a lack of descriptors refused");
  const std::unique_ptr<EventLoop> one = cx.new_loop();
  one->call_soon([&] { cx.mark("ran"), one->stop(); });
  cx.ok(one->run_forever(), "a loop made after the failed ones runs");
  cx.expect_trace({"ran"});
}

void dropped_unclosed(Context& cx) {
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  std::unique_ptr<EventLoop> dropped = cx.new_loop();
  dropped->call_later(1h, [&] { cx.mark("a callback ran"); });
  dropped->call_soon([&] { dropped->stop(); });
  cx.ok(dropped->run_forever(), "run_forever");
  dropped.reset();
  cx.equal(cx.open_descriptors(), before, "open descriptors after the loop was dropped");
  cx.expect_trace({});
}

void signal_between_runs(Context& cx) {
  EventLoop& loop = cx.loop();
  cx.ok(loop.add_signal_handler(tools::kUserSignal, [&] { cx.mark("signal"), loop.stop(); }),
        "add_signal_handler");
  cx.run_once();
  tools::raise_here(tools::kUserSignal);
  cx.mark("raised while stopped");
  loop.call_later(1h, [] {});
  cx.run_forever();
  cx.expect_trace({"raised while stopped", "signal"});
}

constexpr std::string_view kClose[] = {"close", "is_closed"};
constexpr std::string_view kClosed[] = {
    "close", "call_soon", "call_later", "call_at", "call_soon_threadsafe", "run_forever"};
constexpr std::string_view kClosedIo[] = {"close", "add_reader", "add_writer", "sock_recv",
                                          "sock_sendall"};
constexpr std::string_view kMake[] = {"new_event_loop", "close"};
constexpr std::string_view kSignals[] = {"add_signal_handler", "run_forever"};
constexpr std::string_view kCloseDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.close";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "life.close.idempotent",
     .promise = "A second close() does nothing, and touches no descriptor of others.",
     .source = kCloseDoc,
     .needs = {Cap::call_soon},
     .body = close_twice,
     .api = kClose,
     .limit = kLimit},
    {.id = "life.close.running_rejected",
     .promise = "close() inside a callback is refused, and the loop goes on.",
     .source = kCloseDoc,
     .needs = {Cap::call_soon},
     .body = close_while_running,
     .api = kClose,
     .limit = kLimit},
    {.id = "life.closed.rejects_work",
     .promise = "A closed loop refuses every callback and every run with an error.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html"
               "#asyncio.loop.call_soon_threadsafe",
     .needs = {Cap::call_soon, Cap::call_later, Cap::call_soon_threadsafe, Cap::futures},
     .body = closed_refuses,
     .api = kClosed,
     .limit = kLimit},
    {.id = "life.closed.rejects_descriptors",
     .promise = "A closed loop refuses to watch or use a descriptor, and does not touch it.",
     .source = kCloseDoc,
     .needs = {Cap::add_reader, Cap::add_writer, Cap::sock_stream},
     .body = closed_refuses_descriptors,
     .api = kClosedIo,
     .limit = kLimit},
    {.id = "life.close.discards_callbacks",
     .promise = "close() discards pending callbacks: they never run, and what they hold is "
                "released.",
     .source = kCloseDoc,
     .needs = {Cap::call_soon, Cap::call_later, Cap::call_soon_threadsafe},
     .body = close_discards,
     .api = kClose,
     .limit = kLimit},
    {.id = "life.reopen.thousand",
     .promise = "Loops that are made, run and closed by the hundreds leave no descriptor behind.",
     .source = "libuv test/test-list.h, loop_instant_close",
     .needs = {Cap::call_later},
     .body = many_loops,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kMake},
    {.id = "life.init.partial_failure",
     .promise = "A construction that fails for want of descriptors leaves none behind, and a later "
                "one works.",
     .source = "libuv test/test-list.h, loop_init_oom",
     .needs = {Cap::call_soon},
     .body = construction_fails,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kMake,
     .limit = kLimit},
    {.id = "life.finalise.without_close",
     .promise = "A loop that is dropped without close() releases its descriptors.",
     .source = "docs.python.org/3/library/asyncio-dev.html#debug-mode (ResourceWarning)",
     .needs = {Cap::call_soon, Cap::call_later},
     .body = dropped_unclosed,
     .level = Level::should,
     .severity = Severity::edge,
     .api = kMake,
     .limit = kLimit},
    {.id = "life.between_runs.signal_kept",
     .promise = "A signal that arrives while the loop is stopped is delivered by the next run.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_signal_handler",
     .needs = {Cap::call_soon, Cap::call_later, Cap::signals},
     .body = signal_between_runs,
     .level = Level::should,
     .severity = Severity::edge,
     .api = kSignals,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A1", "Lifecycle", kScenarios};

}  // namespace loopscope::scenarios::life_closing
