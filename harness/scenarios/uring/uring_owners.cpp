// Whose ring it is: refused ones, those of other threads and processes, and who wakes them.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>

#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"
#include "harness/scenarios/moments.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/scenarios/works.hpp"
#include "harness/tools/confined.hpp"

namespace loopscope::scenarios::uring_owners {
namespace {

using namespace std::chrono_literals;

enum Found : int { kWorks = 0, kTold = 1, kNotTold = 2, kUndecided = 3 };  // 10 and more: works()

/// What becomes of two loops where the system refuses io_uring with `error`.
int two_loops(Context& cx, int error) {
  int found[2] = {};
  for (int& each : found) {
    Result<std::unique_ptr<EventLoop>> made = cx.descriptor().make(LoopOptions{});
    if (!made.ok()) {
      each = made.error().is_errno(error) ? kTold : kNotTold;
    } else if (each = works(**made); each == 0 && !(*made)->close().ok()) {
      each = 20;
    }
  }
  return found[0] == found[1] ? found[0] : kUndecided;
}

void refused_with_a_cause(Context& cx) {
  struct Refusal {
    tools::UringCall call;
    int error;
    std::string_view name;
  };
  constexpr Refusal kRefusals[] = {{tools::UringCall::setup, ENOSYS, "setup ENOSYS"},
                                   {tools::UringCall::setup, EPERM, "setup EPERM"},
                                   {tools::UringCall::setup, ENOMEM, "setup ENOMEM"},
                                   {tools::UringCall::enter, EPERM, "enter EPERM"}};
  for (const Refusal& refusal : kRefusals) {
    const int found = tools::in_child_without(refusal.call, refusal.error,
                                              [&] { return two_loops(cx, refusal.error); });
    if (found == tools::kNotConfined) cx.skip("this system takes no seccomp filter");
    cx.note(refusal.name, found == kWorks ? "works" : found == kTold ? "refused" : "wrong");
    if (found != kWorks && found != kTold) {
      cx.failed("two loops where io_uring is refused: " + std::string(refusal.name),
                "both work, or both are refused with that error",
                found == kNotTold     ? "refused with another error"
                : found == kUndecided ? "one so, one so"
                                      : "trouble " + show(found));
    }
  }
}

void child_takes_nothing(Context& cx) {
  StreamPair waiting = cx.stream_pair(), other = cx.stream_pair();
  Future<Bytes> receiving = cx.loop().sock_recv(waiting.subject, 64);
  Connection open = connect(cx);
  turn(cx, 3);
  const auto closes = [&] { return cx.loop().close().ok() ? 0 : 1; };
  const int cancelling = tools::in_forked_child([&] { return receiving.cancel(), closes(); });
  const int asking = tools::in_forked_child([&] {
    const Future<Bytes> asked = cx.loop().sock_recv(other.subject, 64);
    return closes();
  });
  for (const int child : {cancelling, asking}) {
    if (child == 0 || child == 1) continue;
    cx.failed("a child that cancels or asks for something, and closes the inherited loop",
              "taken or refused", "it ended with " + show(child));
  }
  for (Peer* peer : {&waiting.peer, &other.peer, &open.peer}) peer->send("for the parent");
  const Result<Bytes> words = await_outcome(cx, receiving, "the parent's receive ends");
  cx.ok(words, "the parent's receive");
  cx.equal(text(words.value()), "for the parent", "what it receives");
  cx.is_true(run_patiently(cx, [&] { return !open.seen->data.empty(); }), "its transport receives");
  cx.equal(open.seen->data, "for the parent", "what its transport receives");
  cx.equal(take(other.subject.native()), "for the parent", "what only the child had asked for");
}

void moved_with_work(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair here = cx.stream_pair(), there = cx.stream_pair();
  const Future<Bytes> asked_here = loop.sock_recv(here.subject, 64);
  turn(cx, 3);
  Future<Bytes> asked_there;
  Result<Bytes> got = make_error(Errc::invalid_state, "not run");
  here.peer.send("asked here, run there");
  cx.thread([&] {
    asked_there = loop.sock_recv(there.subject, 64);
    loop.call_later(1ms, [&] { there.peer.send("asked there"); });
    got = loop.run_until_complete(asked_here);
  });
  cx.join_threads();
  if (!got.ok()) cx.diverges("bound to one thread", "a run", to_string(got.error()));
  cx.equal(text(got.value()), "asked here, run there", "what was asked here and run there");
  const Result<Bytes> back = await_outcome(cx, asked_there, "what was asked for there ends here");
  cx.ok(back, "a receive that was asked for in another thread");
  cx.equal(text(back.value()), "asked there", "what it receives");
}

void woken_each_time(Context& cx) {
  constexpr int kTimes = 100;
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  Future<Bytes> waiting = loop.sock_recv(pair.subject, 64);  // Something else to wait for.
  std::atomic<int> woken{0};
  cx.thread([&, waiter = tools::thread_id()] {
    for (int i = 1; i <= kTimes; ++i) {
      tools::wait_until_asleep(waiter);
      loop.call_soon_threadsafe([&] {
        ++woken;
        if (woken == kTimes) loop.stop();
      });
      while (woken < i) std::this_thread::yield();
    }
  });
  cx.run_forever();
  cx.join_threads();  // The thread still reads `woken` after the callback that ends the run.
  cx.equal(woken.load(), kTimes, "callbacks of another thread while the loop waits");
  cx.is_true(waiting.cancel(), "what else it waited for still waits");
}

/// A timer of five milliseconds: 0 when it fires, and not before.
int timer_fires(Context& cx) {
  Result<std::unique_ptr<EventLoop>> made = cx.descriptor().make(LoopOptions{});
  if (!made.ok()) return 2;
  EventLoop& loop = **made;
  const TimePoint due = now() + 5ms;
  TimePoint ran;
  loop.call_later(5ms, [&] { ran = now(), loop.stop(); });
  if (!loop.run_forever().ok()) return 3;
  return ran + cx.descriptor().clock_resolution < due ? 4 : 0;
}

void clock_of_a_namespace(Context& cx) {
  const int found = tools::in_time_namespace(std::chrono::hours(24), [&] {
    const int trouble = timer_fires(cx);
    return trouble == 0 ? works(*cx.new_loop()) : trouble;
  });
  if (found == tools::kNotConfined) cx.skip("making a time namespace is not permitted here");
  cx.equal(found, 0, "trouble of timers where the clock is a day ahead");
}

constexpr CapSet kNeeds{Cap::call_soon, Cap::call_later, Cap::call_soon_threadsafe, Cap::add_reader,
                        Cap::native_socket};
constexpr CapSet kSockets = kNeeds | CapSet{Cap::sock_stream};
constexpr std::string_view kNew[] = {"new_event_loop"};
constexpr std::string_view kClose[] = {"close", "sock_recv"};
constexpr std::string_view kRun[] = {"run_until_complete", "sock_recv"};
constexpr std::string_view kWake[] = {"call_soon_threadsafe"};
constexpr std::string_view kTimers[] = {"call_later"};

constexpr Scenario kScenarios[] = {
    {.id = "uring.unavailable_fallback",
     .promise = "Where the system refuses io_uring a loop works by other means, or says so with "
                "the system's error, each time.",
     .source = "man 2 io_uring_setup, ERRORS",
     .needs = kNeeds,
     .body = refused_with_a_cause,
     .authority = Authority::man_page,
     .api = kNew},
    {.id = "uring.fork",
     .promise = "A forked child that uses and closes the inherited loop takes none of the parent's "
                "bytes.",
     .source = "man 2 fork; man 2 io_uring_setup (a ring is shared with children)",
     .needs = kSockets | CapSet{Cap::create_connection},
     .body = child_takes_nothing,
     .authority = Authority::de_facto,
     .api = kClose},
    {.id = "uring.thread_affinity",
     .promise = "What was asked for in one thread is done when another one runs the loop.",
     .source = "man 2 io_uring_setup, IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN",
     .needs = kSockets,
     .body = moved_with_work,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kRun},
    {.id = "uring.eventfd_wakeup",
     .promise = "Another thread's call wakes a loop that waits for completions, every time.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html"
               "#asyncio.loop.call_soon_threadsafe; man 2 io_uring_enter",
     .needs = kSockets,
     .body = woken_each_time,
     .severity = Severity::edge,
     .api = kWake},
    {.id = "uring.timeout_values.time_namespace",
     .promise = "Timers fire in a time namespace whose clock is a day ahead, and not early.",
     .source = "man 7 time_namespaces",
     .needs = kNeeds,
     .body = clock_of_a_namespace,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kTimers},
};

}  // namespace

extern const ScenarioFile file{"A30", "io_uring", kScenarios};
}  // namespace loopscope::scenarios::uring_owners
