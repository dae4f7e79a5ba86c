// Signal handlers: registering, removing, and who else may hold a signal.
#include <csignal>

#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::signal_ownership {
namespace {

bool removed(Context& cx, EventLoop& loop, int signum) {
  const Result<bool> answer = loop.remove_signal_handler(signum);
  cx.ok(answer, "remove_signal_handler");
  return *answer;
}

void removal_restores(Context& cx) {
  EventLoop& loop = cx.loop();
  cx.is_true(!removed(cx, loop, SIGUSR1), "nothing to remove at first");
  cx.ok(loop.add_signal_handler(SIGUSR1, [&] { cx.mark("usr1"); }), "add_signal_handler");
  cx.equal(tools::disposition(SIGUSR1), "handler", "a handler while it is registered");
  cx.is_true(removed(cx, loop, SIGUSR1), "it is removed");
  cx.equal(tools::disposition(SIGUSR1), "default", "the default action is back");
  cx.is_true(!removed(cx, loop, SIGUSR1), "it is removed once");

  const tools::Disposition mine(SIGUSR2, tools::Disposition::Kind::counting);
  cx.ok(loop.add_signal_handler(SIGUSR2, [&] { cx.mark("usr2"); }), "add_signal_handler");
  cx.is_true(removed(cx, loop, SIGUSR2), "it is removed");
  if (tools::disposition(SIGUSR2) == "default") {
    cx.diverges("the default action", "the handler from before", "the default action");
  }
  tools::raise_here(SIGUSR2);
  turn(cx);
  cx.equal(tools::Disposition::count(), 1, "runs of the handler from before");
  cx.expect_trace({});
}

void uncatchable(Context& cx) {
  EventLoop& loop = cx.loop();
  cx.ok(loop.add_signal_handler(SIGUSR1, [&] { cx.mark("kept"); }), "add_signal_handler");
  for (const int signum : {SIGKILL, SIGSTOP, 0, -1, 65, 1'000}) {
    cx.refused(loop.add_signal_handler(signum, [&] { cx.mark("impossible"); }),
               "signal " + std::to_string(signum));
  }
  cx.equal(tools::disposition(SIGKILL), "default", "the disposition of SIGKILL");
  tools::raise_here(SIGUSR1);
  turn(cx);
  cx.expect_trace({"kept"});
}

void other_threads(Context& cx) {
  cx.thread([&] {
    const std::unique_ptr<EventLoop> loop = cx.new_loop();
    const Result<void> added = loop->add_signal_handler(SIGUSR1, [&] { cx.mark("signal"); });
    cx.note("answer", added.ok() ? "accepted" : to_string(added.error()));
    if (added.ok()) {
      tools::raise_here(SIGUSR1);
      for (int i = 0; i < 25; ++i) {
        loop->stop();
        cx.ok(loop->run_forever(), "the other thread's loop runs");
      }
      cx.equal(cx.trace().count("signal"), 1u, "calls where registering was accepted");
    }
    cx.ok(loop->close(), "the other thread's loop closes");
  });
  cx.join_threads();
  cx.equal(tools::disposition(SIGUSR1), "default", "nothing stays behind");
}

void two_loops(Context& cx) {
  const std::unique_ptr<EventLoop> second = cx.new_loop();
  cx.ok(cx.loop().add_signal_handler(SIGUSR1, [&] { cx.mark("first"); }), "the first loop");
  const Result<void> added = second->add_signal_handler(SIGUSR1, [&] { cx.mark("second"); });
  tools::raise_here(SIGUSR1);
  turn(cx);
  for (int i = 0; i < 25; ++i) {
    second->stop();
    cx.ok(second->run_forever(), "the second loop runs");
  }
  cx.equal(cx.trace().count("first"), 1u, "calls of the first loop's handler");
  cx.equal(cx.trace().count("second"), added.ok() ? 1u : 0u, "calls of the second loop's handler");
  if (added.ok()) cx.diverges("both loops get it", "the second loop is refused", "both are called");
  cx.is_true(removed(cx, cx.loop(), SIGUSR1), "the first loop gives it up");
  cx.ok(second->add_signal_handler(SIGUSR1, [] {}), "then the second one may have it");
  cx.ok(second->close(), "the second loop closes");
}

void handover(Context& cx) {
  const std::unique_ptr<EventLoop> old = cx.new_loop();
  cx.ok(old->add_signal_handler(SIGUSR1, [&] { cx.mark("old"); }), "the old loop");
  cx.ok(old->add_signal_handler(SIGUSR2, [&] { cx.mark("old"); }), "the old loop");
  cx.is_true(removed(cx, *old, SIGUSR1), "the old loop gives one up");
  cx.ok(cx.loop().add_signal_handler(SIGUSR1, [&] { cx.mark("new"); }), "the new loop takes it");
  cx.ok(old->close(), "the old loop closes");
  tools::raise_here(SIGUSR1);
  turn(cx);
  cx.expect_trace({"new"});
  cx.equal(tools::disposition(SIGUSR2), "default", "the disposition of what the old loop kept");
}

void mask_is_left_alone(Context& cx) {
  const std::vector<int> before = tools::blocked_signals();
  cx.ok(cx.loop().add_signal_handler(SIGUSR1, [&] { cx.mark("signal"); }), "add_signal_handler");
  tools::raise_here(SIGUSR1);
  turn(cx);
  cx.expect_trace({"signal"});
  cx.equal(tools::blocked_signals(), before, "the signals that this thread blocks");
  cx.equal(tools::signals_blocked_in_child(), before.size(), "signals that a child finds blocked");
  cx.is_true(removed(cx, cx.loop(), SIGUSR1), "remove_signal_handler");
  cx.equal(tools::blocked_signals(), before, "the signals that this thread blocks afterwards");
}

void children_stay_ours(Context& cx) {
  const Result<void> added =
      cx.loop().add_signal_handler(SIGCHLD, [&] { cx.mark("child"), cx.loop().stop(); });
  cx.note("answer", added.ok() ? "accepted" : to_string(added.error()));
  const long child = tools::start_child(7);
  if (added.ok()) {
    cx.run_forever();
    cx.expect_trace({"child"});
  }
  cx.equal(tools::wait_for_child(child), 7, "the exit code is still ours to collect");
}

void pending_at_the_end(Context& cx) {
  std::unique_ptr<EventLoop> old = cx.new_loop();
  cx.ok(old->add_signal_handler(SIGUSR1, [&] { cx.mark("after close"); }), "add_signal_handler");
  tools::raise_here(SIGUSR1);
  cx.ok(old->close(), "closing with a signal that was not delivered yet");
  old.reset();
  cx.ok(cx.loop().add_signal_handler(SIGUSR2, [&] { cx.mark("after removal"); }), "another one");
  tools::raise_here(SIGUSR2);
  cx.is_true(removed(cx, cx.loop(), SIGUSR2), "removing it before the loop turned");
  turn(cx);
  cx.expect_trace({});
}

void forked_child(Context& cx) {
  cx.ok(cx.loop().add_signal_handler(SIGUSR1, [&] { cx.mark("signal"); }), "add_signal_handler");
  cx.thread([&] { cx.equal(tools::raise_in_child(SIGUSR1), 0, "the child's exit code"); });
  cx.join_threads();
  turn(cx);
  cx.expect_trace({});
  tools::raise_here(SIGUSR1);
  turn(cx);
  cx.expect_trace({"signal"});
}

constexpr CapSet kNeeds{Cap::signals};
constexpr std::string_view kApi[] = {"add_signal_handler", "remove_signal_handler"};
constexpr std::string_view kAdd =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_signal_handler";
constexpr std::string_view kRemove =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.remove_signal_handler";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "sig.remove_restores",
     .promise = "Removing a handler says whether there was one and restores what was before it.",
     .source = kRemove,
     .needs = kNeeds,
     .body = removal_restores,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.uncatchable_refused",
     .promise = "Numbers that are no catchable signal are refused and change nothing.",
     .source = kAdd,
     .needs = kNeeds,
     .body = uncatchable,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.main_thread_only",
     .promise = "A loop outside the main thread refuses signal handlers, or really calls them.",
     .source = kAdd,
     .needs = kNeeds,
     .body = other_threads,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.multi_loop",
     .promise = "A signal that one loop handles is refused to a second one until it is given up.",
     .source = "pod.tst.eu/http://cvs.schmorp.de/libev/ev.pod, ev_signal",
     .needs = kNeeds,
     .body = two_loops,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.owner_handover",
     .promise = "Closing a loop leaves the signals alone that a newer loop has taken over.",
     .source = "bugs.python.org/issue34679",
     .needs = kNeeds,
     .body = handover,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.mask_inherited",
     .promise = "Handling signals leaves the thread's signal mask, and its children's, as it was.",
     .source = "man 2 signalfd, Limitations; man 7 signal, Signal mask and pending signals",
     .needs = kNeeds,
     .body = mask_is_left_alone,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.sigchld_not_taken",
     .promise = "A handler for SIGCHLD is called, or refused; the child's status is not collected.",
     .source = "github.com/MagicStack/uvloop/blob/master/tests/test_signals.py",
     .needs = kNeeds,
     .body = children_stay_ours,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.pending_on_close",
     .promise = "A signal that was not delivered before close() or removal never is.",
     .source = kRemove,
     .needs = kNeeds,
     .body = pending_at_the_end,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "sig.fork_in_thread",
     .promise =
         "A signal in a child that was forked from a thread does not reach the parent's loop.",
     .source = "github.com/python/cpython/issues/66285",
     .needs = kNeeds,
     .body = forked_child,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A14", "Signals", kScenarios};
}  // namespace loopscope::scenarios::signal_ownership
