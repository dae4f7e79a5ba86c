// Fork: what a child does with loops, its own and inherited ones, leaves the parent's alone.
#include <csignal>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "harness/build_info.hpp"
#include "harness/scenario.hpp"
#include "harness/scenarios/moments.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/scenarios/subprocess/process_recorder.hpp"
#include "harness/scenarios/works.hpp"
#include "harness/tools/forked.hpp"
#include "harness/tools/inheritance.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::fork_children {
namespace {

using namespace std::chrono_literals;

/// 0 when a new loop works in this process.
int new_loop_works(Context& cx) {
  Result<std::unique_ptr<EventLoop>> made = cx.descriptor().make(LoopOptions{});
  if (!made.ok()) return 1;
  if (const int trouble = works(**made); trouble != 0) return trouble;
  return (*made)->close().ok() ? 0 : 2;
}

/// A reader of the parent's loop that is called for each byte, and its other end.
struct Watched {
  explicit Watched(Context& cx) : pair(cx.stream_pair()) {
    cx.ok(cx.loop().add_reader(pair.subject,
                               [this, &cx] {
                                 (void)take(pair.subject.native(), 1);
                                 cx.mark("reader");
                                 ++calls;
                               }),
          "add_reader");
  }
  StreamPair pair;
  int calls = 0;
};

void parent_hears(Context& cx, Watched& watched) {
  const int before = watched.calls;
  watched.pair.peer.send("x");
  cx.is_true(run_patiently(cx, [&] { return watched.calls > before; }),
             "the parent's reader is called after the child's end");
}

void child_makes_its_own(Context& cx) {
  Watched watched(cx);
  cx.loop().call_soon([&] {
    cx.equal(tools::in_forked_child([&] { return new_loop_works(cx); }), 0,
             "a child that makes, runs and closes a loop");
  });
  cx.run_once();
  parent_hears(cx, watched);
  cx.equal(works(cx.loop()), 0, "a timer, a reader and a threadsafe call of the parent's loop");
}

void child_takes_apart(Context& cx) {
  Watched first(cx), second(cx);
  const int removed = tools::in_forked_child(
      [&] { return cx.loop().remove_reader(first.pair.subject).ok() ? 0 : 1; });
  cx.equal(removed, 0, "a child that removes a reader of the inherited loop");
  parent_hears(cx, first);
  const int closed = tools::in_forked_child([&] { return cx.loop().close().ok() ? 0 : 1; });
  cx.equal(closed, 0, "a child that closes the inherited loop");
  parent_hears(cx, first);
  parent_hears(cx, second);
  cx.equal(works(cx.loop()), 0, "a timer, a reader and a threadsafe call of the parent's loop");
}

void child_leaves_processes(Context& cx) {
  const Child cat = start(cx, {"cat"});
  const int closed = tools::in_forked_child([&] { return cx.loop().close().ok() ? 0 : 1; });
  cx.equal(closed, 0, "a child that closes the inherited loop");
  pipe_of(cat, 0)->write(view("still here"));
  const auto answered = [&] { return cat.seen->out == "still here" || cat.seen->exited > 0; };
  cx.is_true(run_patiently(cx, answered), "the parent's process answers or has ended");
  cx.equal(cat.seen->out, "still here", "what the parent's process answers");
  pipe_of(cat, 0)->close();
  cx.equal(finish(cx, cat), 0, "the exit code of the parent's process");
}

void child_closes_inside_a_callback(Context& cx) {
  Watched watched(cx);
  int closed = -1;
  cx.loop().call_soon(
      [&] { closed = tools::in_forked_child([&] { return cx.loop().close().ok() ? 0 : 1; }); });
  cx.run_once();
  cx.note("close_in_the_child_of_a_callback", closed == 0 ? "taken" : "refused");
  if (closed > 1 || closed < 0) {
    cx.failed("a child that closes the running loop it inherited", "taken or refused",
              "it ended with " + show(closed));
  }
  parent_hears(cx, watched);
}

void signals_stay_apart(Context& cx) {
  const tools::Disposition standard(SIGUSR1, tools::Disposition::Kind::standard);
  int calls = 0;
  cx.ok(cx.loop().add_signal_handler(SIGUSR1, [&calls] { ++calls; }), "add_signal_handler");
  (void)tools::raise_in_child(SIGUSR1);  // How the child ends is its own affair.
  for (int i = 0; i < 25; ++i) cx.run_once();
  cx.equal(calls, 0, "calls in the parent for a signal of the child");
  tools::raise_in_process(SIGUSR1);
  cx.is_true(run_patiently(cx, [&] { return calls > 0; }), "a signal of the parent's own");
  cx.ok(cx.loop().remove_signal_handler(SIGUSR1), "remove_signal_handler");
}

void threads_do_not_hinder(Context& cx) {
  // Its allocator may be locked by a thread that the child does not have.
  if (!build_info().sanitizers.empty()) cx.skip("a sanitizer's allocator does not outlive a fork");
  std::latch go(1);
  std::vector<Future<void>> jobs;
  for (int i = 0; i < 3; ++i) {
    jobs.push_back(cx.loop().run_in_executor([&go] { go.wait(); }));
  }
  const auto child = [&] {
    Result<std::unique_ptr<EventLoop>> made = cx.descriptor().make(LoopOptions{});
    if (!made.ok()) return 1;
    auto job = (*made)->run_in_executor([] { return 0; });
    if (!(*made)->run_until_complete(job).ok()) return 2;
    if (const int trouble = works(**made); trouble != 0) return trouble;
    return (*made)->close().ok() ? 0 : 3;
  };
  for (int i = 0; i < 20; ++i) {
    cx.equal(tools::in_forked_child(child), 0, "a child of a process whose pool is at work");
  }
  go.count_down();
  for (auto& job : jobs) cx.ok(await_outcome(cx, job), "a job of the parent");
}

void nothing_passes_exec(Context& cx) {
  const std::vector<int> before = tools::descriptors_after_exec();
  const std::unique_ptr<EventLoop> other = cx.new_loop();
  cx.equal(works(*other), 0, "a timer, a reader and a threadsafe call");
  auto job = other->run_in_executor([] {});
  cx.ok(other->run_until_complete(job), "a job");
  cx.equal(tools::descriptors_after_exec(), before, "descriptors that a new program would get");
  cx.ok(other->close(), "close");
}

void continued_in_the_child(Context& cx) {
  Watched watched(cx);
  const int child = tools::in_forked_child([&] { return works(cx.loop()); });
  parent_hears(cx, watched);
  cx.equal(works(cx.loop()), 0, "the parent's loop afterwards");
  if (child != 0) cx.diverges("not in a child", "the loop works on", "trouble " + show(child));
}

void daemon_runs(Context& cx) {
  cx.equal(tools::in_daemon([&] { return new_loop_works(cx); }), 0,
           "a daemon that makes its loop after it has left");
  const int inherited = tools::in_daemon([&] { return works(cx.loop()); });
  if (inherited != 0) {
    cx.diverges("not with an inherited loop", "the loop works on", "trouble " + show(inherited));
  }
}

constexpr std::string_view kNew[] = {"new_event_loop", "run_forever"};
constexpr std::string_view kClose[] = {"close", "remove_reader"};
constexpr std::string_view kProcesses[] = {"close", "subprocess_exec"};
constexpr std::string_view kSignals[] = {"add_signal_handler"};
constexpr std::string_view kPool[] = {"run_in_executor"};
constexpr std::string_view kRun[] = {"run_forever"};
constexpr CapSet kNeeds{Cap::call_soon, Cap::call_later, Cap::call_soon_threadsafe, Cap::add_reader,
                        Cap::native_socket};
constexpr CapSet kJobs = kNeeds | CapSet{Cap::run_in_executor, Cap::futures};
constexpr std::string_view kLibev = "pod.tst.eu/libev, ev_loop_fork";
constexpr std::chrono::milliseconds kLimit{6'000};

constexpr Scenario kScenarios[] = {
    {.id = "fork.child_new_loop",
     .promise = "A forked child makes and runs a loop of its own; the parent's goes on.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_unix_events.py, "
               "test_fork_asyncio_run",
     .needs = kNeeds,
     .body = child_makes_its_own,
     .authority = Authority::de_facto,
     .api = kNew,
     .limit = kLimit},
    {.id = "fork.child_closes_parent_loop",
     .promise = "What a child removes from an inherited loop, or closes, stays the parent's.",
     .source = "man 7 epoll, Questions and answers, 6; libev, ev_loop_fork",
     .needs = kNeeds,
     .body = child_takes_apart,
     .authority = Authority::de_facto,
     .api = kClose,
     .limit = kLimit},
    {.id = "fork.child_closes_parent_loop.processes",
     .promise = "A forked child that closes an inherited loop does not end the parent's processes.",
     .source = "docs.python.org/3/library/asyncio-subprocess.html; man 2 fork: the child's "
               "children are its own",
     .needs = kNeeds | kProcessNeeds,
     .body = child_leaves_processes,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kProcesses,
     .facts = kShell,
     .limit = kLimit},
    {.id = "fork.child_closes_parent_loop.running",
     .promise = "A child that is forked inside a callback and closes the loop leaves the parent's "
                "run alone.",
     .source = "man 7 epoll, Questions and answers, 6",
     .needs = kNeeds,
     .body = child_closes_inside_a_callback,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kClose,
     .limit = kLimit},
    {.id = "fork.signal_wakefd_separate",
     .promise = "A signal to a forked child neither wakes nor calls handlers in the parent.",
     .source = "github.com/python/cpython/issues/66285",
     .needs = kNeeds | CapSet{Cap::signals},
     .body = signals_stay_apart,
     .authority = Authority::de_facto,
     .api = kSignals,
     .limit = kLimit},
    {.id = "fork.multithreaded_parent",
     .promise = "A child forked while pool threads work makes a loop and a pool that work.",
     .source = "github.com/libuv/libuv/blob/v1.x/test/test-fork.c, "
               "fork_threadpool_queue_work_simple",
     .needs = kJobs,
     .body = threads_do_not_hinder,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kPool,
     .limit = kLimit},
    {.id = "fork.exec_cloexec_all",
     .promise = "No descriptor of a loop passes into a program that the process starts.",
     .source = "peps.python.org/pep-0446/",
     .needs = kJobs,
     .body = nothing_passes_exec,
     .authority = Authority::de_facto,
     .api = kNew,
     .limit = kLimit},
    {.id = "fork.continue_same_loop",
     .promise = "A child may go on with the loop that it inherited, beside the parent's.",
     .source = kLibev,
     .needs = kNeeds,
     .body = continued_in_the_child,
     .level = Level::info,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kRun,
     .limit = kLimit},
    {.id = "fork.daemonise",
     .promise = "A daemon runs a loop that it makes, and one that it inherited from who left.",
     .source = kLibev,
     .needs = kNeeds,
     .body = daemon_runs,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kRun,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A24", "Fork, exec, inheritance", kScenarios};
}  // namespace loopscope::scenarios::fork_children
