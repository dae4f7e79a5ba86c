// Signal handlers: when and where they run, and what bursts of signals come to.
#include <cerrno>
#include <csignal>

#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::signal_delivery {
namespace {

/// Runs `send` in another thread once this one sleeps in the loop.
void when_parked(Context& cx, std::function<void()> send) {
  const long loop_thread = tools::thread_id();
  cx.thread([loop_thread, send = std::move(send)] {
    tools::wait_until_asleep(loop_thread);
    send();
  });
}

void delivered_while_parked(Context& cx) {
  cx.ok(cx.loop().add_signal_handler(tools::kUserSignal,
                                     [&] {
                                       cx.mark("signal");
                                       cx.loop().call_soon([&] { cx.loop().stop(); });
                                     }),
        "add_signal_handler");
  when_parked(cx, [] { tools::raise_in_process(tools::kUserSignal); });
  cx.run_forever();
  when_parked(cx,
              [] { tools::raise_here(tools::kUserSignal); });  // The loop's own thread sleeps on.
  cx.run_forever();
  cx.expect_trace({"signal", "signal"});
}

void runs_in_the_loop(Context& cx) {
  EventLoop& loop = cx.loop();
  cx.ok(loop.add_signal_handler(tools::kUserSignal, [&] { cx.mark("replaced"); }),
        "add_signal_handler");
  cx.ok(loop.add_signal_handler(tools::kUserSignal,
                                [&, name = "argument"] { cx.mark(name), loop.stop(); }),
        "registering again");
  loop.call_soon([&] {
    tools::raise_here(tools::kUserSignal);
    cx.mark("raised");
  });
  cx.run_forever();
  turn(cx);
  cx.expect_trace({"raised", "argument"});
}

void bursts(Context& cx) {
  unsigned ones = 0, twos = 0;
  cx.ok(cx.loop().add_signal_handler(tools::kUserSignal, [&] { ++ones; }),
        "add_signal_handler, first");
  cx.ok(cx.loop().add_signal_handler(tools::kOtherSignal, [&] { ++twos; }),
        "add_signal_handler, second");
  for (int i = 0; i < 5; ++i) tools::raise_here(tools::kUserSignal);
  tools::raise_here(tools::kOtherSignal);
  turn(cx);
  cx.at_least(ones, 1u, "calls for five signals of one kind");
  cx.at_most(ones, 5u, "calls for five signals of one kind");
  cx.equal(twos, 1u, "calls for the one of another kind");
}

void flood(Context& cx) {
  // More than a pipe of 64 KiB holds, also of messages of 8 bytes.
  constexpr int kFlood = 10'000;
  unsigned ones = 0, twos = 0;
  cx.ok(cx.loop().add_signal_handler(tools::kUserSignal, [&] { ++ones; }),
        "add_signal_handler, first");
  cx.ok(cx.loop().add_signal_handler(tools::kOtherSignal, [&] { ++twos; }),
        "add_signal_handler, second");
  for (int i = 0; i < kFlood; ++i) tools::raise_here(tools::kUserSignal);
  tools::raise_here(tools::kOtherSignal);
  cx.run_until([&] { return ones > 0; });
  turn(cx, 100);
  cx.note("calls_for_flood", ones, "count");
  cx.equal(twos, 1u, "calls for the signal behind the flood");
}

void errno_is_kept(Context& cx) {
  constexpr int kMarker = EXDEV;  // no call of a loop fails with this one
  cx.ok(cx.loop().add_signal_handler(tools::kUserSignal, [] {}), "add_signal_handler");
  for (int i = 0; i < 500; ++i) {  // far enough to fill a small wake-up channel
    cx.equal(tools::errno_after_raise(tools::kUserSignal, kMarker), kMarker,
             "errno behind the handler");
  }
}

void ctrl_c(Context& cx) {
  cx.ok(cx.loop().add_signal_handler(SIGINT, [&] { cx.mark("interrupted"), cx.loop().stop(); }),
        "add_signal_handler(SIGINT)");
  when_parked(cx, [] { tools::raise_in_process(SIGINT); });
  cx.run_forever();
  cx.expect_trace({"interrupted"});
}

void not_counted(Context& cx) {
  unsigned calls = 0;
  cx.ok(cx.loop().add_signal_handler(tools::kUserSignal, [&] { ++calls; }), "add_signal_handler");
  {
    const tools::Blocked held(tools::kUserSignal);
    for (int i = 0; i < 5; ++i) tools::raise_here(tools::kUserSignal);
  }
  cx.run_until([&] { return calls > 0; });
  turn(cx);
  cx.equal(calls, 1u, "calls for five signals that were raised while blocked");
}

constexpr CapSet kNeeds{Cap::signals};
constexpr std::string_view kApi[] = {"add_signal_handler"};
constexpr std::string_view kDocs =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_signal_handler";
constexpr std::chrono::milliseconds kLimit{4'000};
// Ten thousand signals: slow under an emulator.
constexpr std::chrono::milliseconds kLongLimit{20'000};

constexpr Scenario kScenarios[] = {
    {.id = "sig.delivered_parked",
     .promise = "A signal to the process or to another thread wakes a loop that waits.",
     .source = kDocs,
     .needs = kNeeds,
     .body = delivered_while_parked,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.args_context",
     .promise =
         "The callback runs in the loop, after the interrupted one; the last one added counts.",
     .source = kDocs,
     .needs = kNeeds,
     .body = runs_in_the_loop,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.coalesce_not_lost",
     .promise = "A burst of one signal gives a call at least, and so does each other signal.",
     .source = kDocs,
     .needs = kNeeds,
     .body = bursts,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.flood_other_signal",
     .promise = "A flood of one signal does not lose another one behind it.",
     .source = kDocs,
     .needs = kNeeds,
     .body = flood,
     .api = kApi,
     .limit = kLongLimit},
    {.id = "sig.errno_preserved",
     .promise = "The code that a signal interrupts finds errno as it was.",
     .source = "man 7 signal-safety, errno",
     .needs = kNeeds,
     .body = errno_is_kept,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.interrupt_ctrl_c",
     .promise = "The signal of Ctrl-C reaches its handler in a loop that waits.",
     .source = kDocs,
     .needs = kNeeds,
     .body = ctrl_c,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.siginfo_loss",
     .promise = "Standard signals that were raised while blocked give one call: they do not queue.",
     .source = "man 7 signal, Queueing and delivery semantics for standard signals",
     .needs = kNeeds,
     .body = not_counted,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A14", "Signals", kScenarios};
}  // namespace loopscope::scenarios::signal_delivery
