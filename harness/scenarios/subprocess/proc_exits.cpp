// How the end of a child is reported: every one, once, with the right code, and nobody else's.
#include <csignal>

#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/scenarios/subprocess/process_recorder.hpp"
#include "harness/tools/process_tools.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::proc_exits {
namespace {

void exit_codes(Context& cx) {
  for (int code = 0; code <= 255; code += code < 3 || code > 250 ? 1 : 13) {
    const Child child = start_shell(cx, "exit " + std::to_string(code), quiet());
    cx.equal(finish(cx, child), code, "the return code");
    cx.equal(child.seen->exited, 1u, "calls of process_exited");
  }
  for (const int signum : tools::kEndingSignals) {
    const std::string command = tools::command({tools::step::end_by_signal(signum)});
    const Child child = start_shell(cx, command, quiet());
    cx.equal(finish(cx, child), -signum, "the return code of a child that a signal ended");
  }
}

void end_together(Context& cx) {
  require_descriptors(cx, 128);
  os::Pipe gate = cx.pipe();
  std::vector<Child> children;
  for (int code = 1; code <= 60; ++code) {
    ProcessOptions options = quiet();
    options.std_in = Stdio::descriptor(gate.read.get());
    children.push_back(
        start_steps(cx, {tools::step::read_line(), tools::step::exit(code)}, options));
  }
  gate.write.reset();  // The end of the input is the signal to go, for all at once.
  int code = 0;
  for (const Child& child : children) cx.equal(finish(cx, child), ++code, "the return code");
  cx.equal(cx.trace().count("exited"), children.size(), "calls of process_exited");
}

void thousand_short(Context& cx) {
  constexpr unsigned kAll = 1000, kWave = 25;
  unsigned right = 0;
  for (unsigned started = 0; started < kAll; started += kWave) {
    std::vector<Future<ProcessLink>> made;
    std::vector<std::shared_ptr<ProcessRecorder>> seen;
    for (unsigned i = 0; i < kWave; ++i) {
      seen.push_back(std::make_shared<ProcessRecorder>(cx));
      ProcessOptions options = quiet();
      options.argv = tools::ending();
      made.push_back(cx.loop().subprocess_exec([&] { return seen.back(); }, options));
    }
    for (unsigned i = 0; i < kWave; ++i) {
      cx.run_until([&] { return made[i].done() && seen[i]->lost > 0; });
      right += made[i].result()->transport->get_returncode() == 0 ? 1u : 0u;
    }
  }
  cx.equal(right, kAll, "children that ended with 0");
  cx.equal(cx.trace().count("exited"), kAll, "calls of process_exited");
  cx.equal(tools::child_count(), 0u, "children that were not collected");
}

void faster_than_its_watcher(Context& cx) {
  for (int i = 0; i < 10; ++i) {
    const auto seen = std::make_shared<ProcessRecorder>(cx);
    auto made = cx.loop().subprocess_shell([&] { return seen; }, "exit 3", quiet());
    if (!made.done()) tools::wait_until_some_child_ended();  // before the loop gets to run
    const Result<ProcessLink> link = cx.loop().run_until_complete(made);
    cx.ok(link, "subprocess_shell");
    cx.equal(finish(cx, Child{link->transport, seen}), 3, "the return code");
  }
}

void stolen_status(Context& cx) {
  if (!tools::kForks)
    cx.skip("the status of a child is for whoever has its handle, again and again");
  unsigned warnings = 0;
  cx.loop().set_log_sink([&](LogLevel level, std::string_view) {
    if (level == LogLevel::warning) ++warnings;
  });
  Gated gated(cx, 3);
  const Child& child = gated.child;
  gated.open();
  cx.equal(tools::wait_for_child(child->get_pid()), 3, "what the thief gets");
  const int code = finish(cx, child);
  cx.loop().set_log_sink(nullptr);
  cx.equal(child.seen->exited, 1u, "calls of process_exited");
  cx.equal(code, 255, "the return code that stands for an unknown one");
  cx.at_least(warnings, 1u, "warnings");
}

/// SIGCHLD as a program may have set it, for a scope.
class Sigchld {
 public:
  explicit Sigchld(void (*handler)(int)) : before_(std::signal(tools::kChildSignal, handler)) {}
  ~Sigchld() { std::signal(tools::kChildSignal, before_); }
  Sigchld(const Sigchld&) = delete;
  Sigchld& operator=(const Sigchld&) = delete;

 private:
  void (*before_)(int);
};

void sigchld_ignored(Context& cx) {
  if (tools::kChildSignal == 0) cx.skip("no signal tells of the end of a child");
  const Sigchld ignored(SIG_IGN);
  const Child child = start_shell(cx, "exit 3", quiet());
  const int code = finish(cx, child);
  cx.equal(child.seen->exited, 1u, "calls of process_exited");
  cx.note("return code", code, "");
  cx.is_true(code == 3 || code == 255, "the return code is the real one or 255");
}

void foreign_children(Context& cx) {
  const long before = tools::start_child(7);
  const Child first = start_shell(cx, "exit 1", quiet());
  const long between = tools::start_child(8);
  cx.equal(finish(cx, first), 1, "the loop's own child");
  tools::wait_until_ended(between);
  const Child second = start_shell(cx, "exit 2", quiet());
  cx.equal(finish(cx, second), 2, "the loop's second child");
  cx.equal(tools::wait_for_child(before), 7, "the first foreign child's status is still there");
  cx.equal(tools::wait_for_child(between), 8, "and that of the second");
}

void stopped_is_not_exited(Context& cx) {
  if (tools::kStopSignal == 0) cx.skip("no signal stops a child");
  const Child child = start(cx, tools::copying());
  cx.ok(child->send_signal(tools::kStopSignal), "send_signal(SIGSTOP)");
  tools::wait_until_stopped(child->get_pid());
  turn(cx);
  cx.equal(child.seen->exited, 0u, "calls of process_exited for a stopped child");
  cx.is_true(!child->get_returncode().has_value(), "a stopped child has no return code");
  cx.ok(child->send_signal(tools::kContinueSignal), "send_signal(SIGCONT)");
  pipe_of(child, 0)->write(view("goes on"));
  cx.run_until([&] { return child.seen->out == "goes on"; });
  cx.ok(pipe_of(child, 0)->write_eof(), "write_eof");
  cx.equal(finish(cx, child), 0, "the return code at the end");
}

void in_another_thread(Context& cx) {
  cx.thread([&] {
    const std::unique_ptr<EventLoop> loop = cx.new_loop();
    const auto seen = std::make_shared<ProcessRecorder>(cx);
    seen->on_lost = [&] { loop->stop(); };
    ProcessOptions options = quiet();
    options.argv = tools::program({tools::step::exit(5)});
    auto made = loop->subprocess_exec([&] { return seen; }, options);
    cx.ok(loop->run_forever(), "the other thread's loop runs");
    cx.ok(made.result(), "subprocess_exec");
    cx.equal(made.result()->transport->get_returncode().value_or(999), 5, "the return code");
    cx.ok(loop->close(), "the other thread's loop closes");
  });
  cx.join_threads();
}

void many_waiters(Context& cx) {
  const Child child = start(cx, tools::copying());
  std::vector<Future<int>> waiters;
  for (int i = 0; i < 8; ++i) waiters.push_back(cx.loop().create_future<int>());
  child.seen->on_exited = [&] {
    for (Future<int>& waiter : waiters) {
      if (!waiter.done()) waiter.set_result(child->get_returncode().value_or(999));
    }
  };
  cx.is_true(waiters[3].cancel(), "one waiter gives up");
  cx.ok(child->terminate(), "terminate");
  const int code = finish(cx, child);
  ended_by(cx, code, SIGTERM, "the return code");
  unsigned told = 0;
  for (const Future<int>& waiter : waiters) {
    told += waiter.done() && !waiter.cancelled() && *waiter.result() == code ? 1u : 0u;
  }
  cx.equal(told, 7u, "waiters that got the status");
  cx.equal(child->get_returncode().value_or(999), code, "whoever asks later gets it too");
}

constexpr std::string_view kApi[] = {"subprocess_exec", "subprocess_shell",
                                     "SubprocessTransport.get_returncode",
                                     "SubprocessProtocol.process_exited"};
constexpr std::string_view kSignalApi[] = {
    "subprocess_exec", "SubprocessTransport.send_signal", "SubprocessTransport.get_returncode",
    "SubprocessTransport.get_pid", "SubprocessProtocol.process_exited"};
constexpr std::string_view kWaitApi[] = {"subprocess_exec", "SubprocessTransport.terminate",
                                         "SubprocessTransport.get_returncode",
                                         "SubprocessProtocol.process_exited"};
constexpr std::string_view kReturncode =
    "docs.python.org/3/library/asyncio-protocol.html"
    "#asyncio.SubprocessTransport.get_returncode";
constexpr std::string_view kExited =
    "docs.python.org/3/library/asyncio-protocol.html#asyncio.SubprocessProtocol.process_exited";
constexpr std::string_view kUnixTests =
    "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_unix_events.py";

constexpr Scenario kScenarios[] = {
    {.id = "proc.exit_code",
     .promise = "The return code is the exit code, or minus the number of the signal.",
     .source = kReturncode,
     .needs = kProcessNeeds,
     .body = exit_codes,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.many_at_once",
     .promise = "Children that end at the same moment are all reported, each with its code.",
     .source = kExited,
     .needs = kProcessNeeds,
     .body = end_together,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.thousand_short",
     .promise = "Of a thousand short children every exit is reported and none stays a zombie.",
     .source = kExited,
     .needs = kProcessNeeds,
     .body = thousand_short,
     .api = kApi,
     .facts = kShell,
     .exclusive = Resource::processes,
     .limit = std::chrono::seconds(90)},
    {.id = "proc.fast_exit",
     .promise = "A child that has ended before the loop turns is reported all the same.",
     .source = kExited,
     .needs = kProcessNeeds,
     .body = faster_than_its_watcher,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.reaped_elsewhere",
     .promise = "A child whose status somebody else has collected is reported with 255.",
     .source = kUnixTests,
     .needs = kProcessNeeds,
     .body = stolen_status,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi,
     .facts = kShell,
     .limit = std::chrono::milliseconds(3'000)},
    {.id = "proc.sigchld_ignored",
     .promise = "The end of a child is reported in a program that ignores SIGCHLD.",
     .source = kExited,
     .needs = kProcessNeeds,
     .body = sigchld_ignored,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.foreign_children",
     .promise = "Children that the loop did not start are left to whoever waits for them.",
     .source = "man 2 waitpid, NOTES; github.com/python/cpython/blob/main/Lib/asyncio/"
               "unix_events.py, FastChildWatcher",
     .needs = kProcessNeeds,
     .body = foreign_children,
     .level = Level::should,
     .authority = Authority::de_facto,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.stopped_not_exited",
     .promise = "A child that is stopped and continued has not ended.",
     .source = kExited,
     .needs = kProcessNeeds,
     .body = stopped_is_not_exited,
     .severity = Severity::common,
     .api = kSignalApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.non_main_thread",
     .promise = "A loop outside the main thread starts children and is told of their end.",
     .source = "docs.python.org/3/library/asyncio-subprocess.html#subprocess-and-threads",
     .needs = kProcessNeeds,
     .body = in_another_thread,
     .severity = Severity::common,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.wait_concurrent",
     .promise = "Many waiters get the status of one child, though one of them gives up.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_subprocess.py",
     .needs = kProcessNeeds,
     .body = many_waiters,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kWaitApi,
     .facts = kShell,
     .limit = kProcessLimit},
};

}  // namespace

extern const ScenarioFile file{"A15", "Subprocesses", kScenarios};
}  // namespace loopscope::scenarios::proc_exits
