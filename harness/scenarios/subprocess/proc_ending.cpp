// Ending a child from outside: signals, close(), a cancelled start, a closed loop.
#include <csignal>

#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/scenarios/subprocess/process_recorder.hpp"
#include "harness/tools/process_tools.hpp"
#include "loops/os/child.hpp"

namespace loopscope::scenarios::proc_ending {
namespace {

bool harmless(const Result<void>& sent) { return sent.ok() || sent.error().is_errno(ESRCH); }

void too_late_to_kill(Context& cx) {
  Gated gated(cx, 6);
  const Child& child = gated.child;
  gated.open();
  tools::wait_until_ended(child->get_pid());
  cx.is_true(harmless(child->kill()), "killing a child that has ended, unseen by the loop");
  cx.equal(finish(cx, child), 6, "the return code is the child's own");
  cx.is_true(harmless(child->kill()), "kill afterwards does nothing");
  cx.is_true(harmless(child->terminate()), "so does terminate");
  cx.is_true(harmless(child->send_signal(SIGINT)), "and send_signal");
  cx.equal(child->get_returncode().value_or(999), 6, "the return code stays");
}

void cancelled_start(Context& cx) {
  (void)finish(cx, start_shell(cx, "exit 0"));  // What a loop opens for its first child stays.
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  for (int turns = 0; turns < 6; ++turns) {
    const auto seen = std::make_shared<ProcessRecorder>(cx);
    ProcessOptions options;
    options.argv = tools::sleeping();  // does not end by itself when its pipes close
    auto made = cx.loop().subprocess_exec([&] { return seen; }, options);
    for (int i = 0; i < turns && !made.done(); ++i) cx.run_once();
    if (made.done()) {  // too late: an ordinary child
      made.result()->transport->close();
    } else {
      cx.is_true(made.cancel(), "the start can be cancelled");
      const Result<ProcessLink> outcome = cx.loop().run_until_complete(made);
      cx.refused(outcome, Errc::cancelled, "whoever waits learns of it");
    }
    cx.run_until([&] { return tools::child_count() == 0; });
    cx.run_until([&] { return cx.open_descriptors() == before; });
    cx.run_until([&] { return cx.trace().count("made") == cx.trace().count("lost"); });
  }
}

void close_kills(Context& cx) {
  const Child running = start(cx, tools::sleeping());
  running->close();
  cx.is_true(running->is_closing(), "it is closing at once");
  ended_by(cx, finish(cx, running), os::kKillSignal, "the return code of the running child");
  cx.equal(running.seen->exited, 1u, "calls of process_exited");

  const auto seen = std::make_shared<ProcessRecorder>(cx);
  seen->on_made = [&] {  // Whose output is not read has not lost its pipe yet.
    auto* process = dynamic_cast<SubprocessTransport*>(seen->transport);
    std::dynamic_pointer_cast<Transport>(process->get_pipe_transport(1))->pause_reading();
  };
  const Child ended =
      start_steps(cx, {tools::step::write("unread"), tools::step::exit(3)}, {}, seen);
  cx.run_until([&] { return seen->exited > 0; });
  cx.equal(seen->lost, 0u, "calls of connection_lost before close()");
  ended->close();
  cx.equal(finish(cx, ended), 3, "the return code of the child that had ended");
  turn(cx, 10);
  cx.equal(running.seen->lost + ended.seen->lost, 2u, "calls of connection_lost");
}

void loop_closes_first(Context& cx) {
  const std::unique_ptr<EventLoop> loop = cx.new_loop();
  unsigned words = 0;
  loop->set_log_sink([&](LogLevel, std::string_view) { ++words; });
  loop->set_exception_handler([&](EventLoop&, const ExceptionContext&) { ++words; });
  ProcessOptions options;
  options.argv = tools::copying();
  const Child running = start(cx, *loop, options);
  const auto unseen = std::make_shared<ProcessRecorder>(cx);
  auto starting = loop->subprocess_exec([&] { return unseen; }, options);
  const std::size_t marks = cx.trace().events().size();
  cx.ok(loop->close(), "the loop closes");
  running->close();
  cx.is_true(harmless(running->kill()), "killing afterwards is harmless");
  cx.equal(cx.trace().events().size(), marks, "calls of the protocols after close()");
  cx.equal(words, 0u, "messages");
  cx.is_true(!starting.done() || !starting.result().ok(), "the second start came to nothing");
  cx.equal(tools::child_count(), 0u, "children that nobody collects");
}

constexpr std::string_view kKillApi[] = {
    "subprocess_shell", "SubprocessTransport.kill", "SubprocessTransport.terminate",
    "SubprocessTransport.send_signal", "SubprocessTransport.get_returncode"};
constexpr std::string_view kCancelApi[] = {"subprocess_exec"};
constexpr std::string_view kCloseApi[] = {"subprocess_exec", "subprocess_shell",
                                          "SubprocessTransport.close", "Transport.is_closing",
                                          "SubprocessProtocol.process_exited"};
constexpr std::string_view kLoopCloseApi[] = {
    "subprocess_exec", "close", "SubprocessTransport.close", "SubprocessTransport.kill"};

constexpr Scenario kScenarios[] = {
    {.id = "proc.kill_race",
     .promise = "A signal to a child that has ended does nothing, or is refused with ESRCH.",
     .source = "docs.python.org/3/library/subprocess.html#subprocess.Popen.send_signal",
     .needs = kProcessNeeds,
     .body = too_late_to_kill,
     .severity = Severity::common,
     .api = kKillApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.cancel_spawn",
     .promise = "Cancelling a start ends the child, collects it and closes its pipes.",
     .source = "github.com/python/cpython/issues/125502",
     .needs = kProcessNeeds,
     .body = cancelled_start,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kCancelApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.close_kills_running",
     .promise = "close() kills a child that runs, and leaves the code of one that has ended.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.SubprocessTransport.close",
     .needs = kProcessNeeds,
     .body = close_kills,
     .severity = Severity::common,
     .api = kCloseApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.loop_closed_first",
     .promise = "A loop that closes before its children's transports is silent, and leaves none.",
     .source = "github.com/python/cpython/issues/83413",
     .needs = kProcessNeeds,
     .body = loop_closes_first,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kLoopCloseApi,
     .facts = kShell,
     .limit = kProcessLimit},
};

}  // namespace

extern const ScenarioFile file{"A15", "Subprocesses", kScenarios};
}  // namespace loopscope::scenarios::proc_ending
