// A child's standard streams: pipes, /dev/null, descriptors; data, ends, and who holds them open.
#include <latch>

#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/scenarios/subprocess/process_recorder.hpp"
#include "harness/tools/forked.hpp"
#include "harness/tools/process_tools.hpp"
#include "loops/os/child.hpp"

namespace loopscope::scenarios::proc_streams {
namespace {

void output_before_exit(Context& cx) {
  const auto seen = std::make_shared<ProcessRecorder>(cx);
  std::size_t at_loss = 0;
  seen->on_lost = [&] { at_loss = seen->out.size() + seen->err.size(); };
  const Child child = start_steps(cx,
                                  {tools::step::write_zeros(30'000),
                                   tools::step::write_error("last words"), tools::step::exit(3)},
                                  {}, seen);
  tools::wait_until_ended(child->get_pid());  // All of it now waits beside the exit.
  cx.equal(finish(cx, child), 3, "the return code");
  turn(cx);
  cx.equal(at_loss, 30'000u + 11u, "bytes that came before connection_lost");
  cx.equal(cx.trace().count("exited"), 1u, "calls of process_exited");
  cx.equal(seen->pipes_lost[1] + seen->pipes_lost[2], 2u, "calls of pipe_connection_lost");
  cx.equal(cx.trace().events().front().what, "made", "the first call");
  cx.equal(cx.trace().events().back().what, "lost", "the last call");
}

void grandchild_holds_pipe(Context& cx) {
  const Child child = start_steps(cx, {tools::step::copy_in_background(), tools::step::exit(4)});
  cx.run_until([&] { return child.seen->exited > 0; });
  cx.equal(child->get_returncode().value_or(999), 4, "the return code");
  turn(cx);
  cx.equal(child.seen->lost, 0u, "calls of connection_lost while the pipe is open");
  pipe_of(child, 0)->write(view("to the grandchild"));
  cx.run_until([&] { return child.seen->out == "to the grandchild"; });
  cx.ok(pipe_of(child, 0)->write_eof(), "write_eof");
  cx.equal(finish(cx, child), 4, "the return code stays");
  tools::wait_until_gone(std::stol(child.seen->err));
}

void large_stdin(Context& cx) {
  std::string sent;
  for (int i = 0; sent.size() < 1'000'000; ++i) sent += std::to_string(i) + " ";
  const Child child = start(cx, tools::copying());
  pipe_of(child, 0)->write(view(sent));
  cx.ok(pipe_of(child, 0)->write_eof(), "write_eof");
  cx.equal(finish(cx, child), 0, "the return code");
  cx.equal(child.seen->out.size(), sent.size(), "bytes that came back");
  cx.is_true(child.seen->out == sent, "they are the ones that were sent");
}

void broken_stdin(Context& cx) {
  unsigned reports = 0;
  cx.loop().set_exception_handler([&](EventLoop&, const ExceptionContext&) { ++reports; });
  const Child child = start_steps(
      cx, {tools::step::close_input(), tools::step::write("closed"), tools::step::stay()});
  cx.run_until([&] { return child.seen->out == "closed\n"; });
  pipe_of(child, 0)->write(view(std::string(100'000, 'x')));
  cx.run_until([&] { return child.seen->pipes_lost[0] > 0; });
  turn(cx);
  cx.equal(child.seen->exited, 0u, "calls of process_exited");
  cx.is_true(!child->is_closing(), "the child's transport goes on");
  cx.ok(child->kill(), "kill");
  ended_by(cx, finish(cx, child), os::kKillSignal, "the return code");
  cx.equal(child.seen->pipes_lost[0], 1u, "losses of standard input");
  cx.equal(reports, 0u, "calls of the exception handler");
}

void stdin_ends(Context& cx) {
  require_descriptors(cx, 128);
  constexpr int kThreads = 4;
  std::latch all_started(kThreads);
  const auto two_children = [&] {
    const std::unique_ptr<EventLoop> loop = cx.new_loop();
    Child children[2];
    for (Child& child : children) {
      ProcessOptions options;
      options.argv = tools::copying();
      child = start(cx, *loop, options);
      child.seen->on_lost = [&] { loop->stop(); };
    }
    all_started.arrive_and_wait();
    for (const Child& child : children) {  // The other one, and six more, still run.
      cx.ok(pipe_of(child, 0)->write_eof(), "write_eof");
      cx.ok(loop->run_forever(), "the loop runs until the child's loss");
      cx.equal(child->get_returncode().value_or(999), 0, "the return code");
    }
    cx.ok(loop->close(), "the loop closes");
  };
  for (int i = 0; i < kThreads; ++i) cx.thread(two_children);
  cx.join_threads();
}

void paused_output(Context& cx) {
  for (const std::size_t size : {std::size_t{1'000'000}, std::size_t{20'000}}) {
    const bool fits_the_pipe = size < 60'000;
    const auto seen = std::make_shared<ProcessRecorder>(cx);
    const auto output = [&] {
      auto* process = dynamic_cast<SubprocessTransport*>(seen->transport);
      return std::dynamic_pointer_cast<Transport>(process->get_pipe_transport(1));
    };
    seen->on_made = [&] { output()->pause_reading(); };
    const Child child = start_steps(cx, {tools::step::write_zeros(size)}, {}, seen);
    if (fits_the_pipe) cx.run_until([&] { return seen->exited > 0; });
    turn(cx);
    cx.equal(seen->out.size(), 0u, "bytes delivered while it is paused");
    cx.equal(seen->exited, fits_the_pipe ? 1u : 0u, "calls of process_exited");
    cx.equal(seen->lost, 0u, "calls of connection_lost");
    output()->resume_reading();
    cx.equal(finish(cx, child), 0, "the return code");
    cx.equal(seen->out.size(), size, "bytes delivered in all");
  }
}

/// In a process of its own: 0, 1 and 2 are closed, and a child gets pipes for them.
int with_closed_streams(Context& cx) {
  for (const int fd : {0, 1, 2}) (void)os::close_fd(fd);
  const std::unique_ptr<EventLoop> loop = cx.new_loop();
  ProcessOptions options;
  options.argv = tools::program({tools::step::copy(), tools::step::write_error("err")});
  const Child child = start(cx, *loop, options);
  child.seen->on_lost = [&] { loop->stop(); };
  pipe_of(child, 0)->write(view("out"));
  (void)pipe_of(child, 0)->write_eof();
  (void)loop->run_forever();
  return child.seen->out == "out" && child.seen->err == "err\n" ? 0 : 1;
}

/// In a process of its own: standard output is the pipe, and a child inherits it.
int with_inherited_stream(Context& cx, os::NativeSocket output) {
  tools::replace_descriptor(1, output);
  const std::unique_ptr<EventLoop> loop = cx.new_loop();
  ProcessOptions options = quiet();
  options.argv = tools::printing("inherited");
  options.std_out = Stdio::inherit();
  const auto seen = std::make_shared<ProcessRecorder>(cx);
  seen->on_lost = [&] { loop->stop(); };
  auto made = loop->subprocess_exec([&] { return seen; }, options);
  (void)loop->run_forever();
  return made.result()->transport->get_returncode().value_or(999);
}

void every_kind_of_stream(Context& cx) {
  ProcessOptions merged;
  merged.std_err = Stdio::std_out();
  const Child both =
      start_steps(cx, {tools::step::write("out"), tools::step::write_error("err")}, merged);
  cx.equal(finish(cx, both), 0, "the return code");
  cx.equal(both.seen->out, "out\nerr\n", "standard error goes where standard output goes");

  ProcessOptions unread;
  unread.std_in = unread.std_err = Stdio::devnull();
  const Child ended = start_steps(
      cx, {tools::step::copy(), tools::step::write("end"), tools::step::write_error("nothing")},
      unread);
  cx.is_true(ended->get_pipe_transport(0) == nullptr, "/dev/null is no pipe");
  cx.equal(finish(cx, ended), 0, "the return code");
  cx.equal(ended.seen->out, "end\n", "standard input is at its end at once");

  os::Pipe pipe = cx.pipe();
  ProcessOptions given = quiet();
  given.std_out = Stdio::descriptor(pipe.write.get());
  cx.equal(finish(cx, start_steps(cx, {tools::step::write("given")}, given)), 0, "the return code");
  const os::NativeSocket output = pipe.write.get();
  if (tools::kForks) {
    cx.equal(tools::in_forked_child([&] { return with_inherited_stream(cx, output); }), 0,
             "a child of a process whose standard output is a pipe");
    cx.equal(tools::in_forked_child([&] { return with_closed_streams(cx); }), 0,
             "a child of a process without standard streams");
  }
  pipe.write.reset();
  cx.equal(text(Peer(std::move(pipe.read)).recv_until_eof()),
           tools::kForks ? "given\ninherited\n" : "given\n", "what was written to the descriptor");
}

constexpr std::string_view kApi[] = {"subprocess_shell", "SubprocessTransport.get_pipe_transport",
                                     "SubprocessProtocol.pipe_data_received",
                                     "SubprocessProtocol.pipe_connection_lost",
                                     "SubprocessProtocol.process_exited"};
constexpr std::string_view kInputApi[] = {
    "subprocess_exec", "SubprocessTransport.get_pipe_transport", "Transport.write",
    "Transport.write_eof", "SubprocessProtocol.pipe_data_received"};
constexpr std::string_view kBrokenApi[] = {"subprocess_shell", "Transport.write",
                                           "SubprocessTransport.kill",
                                           "SubprocessProtocol.pipe_connection_lost"};
constexpr std::string_view kPauseApi[] = {
    "subprocess_shell", "Transport.pause_reading", "Transport.resume_reading",
    "SubprocessTransport.get_pipe_transport", "SubprocessProtocol.pipe_data_received"};
constexpr std::string_view kSubprocessTests =
    "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_subprocess.py";

constexpr Scenario kScenarios[] = {
    {.id = "proc.output_before_exit",
     .promise = "Everything that a child wrote is delivered before connection_lost.",
     .source = "github.com/python/cpython/issues/100133",
     .needs = kProcessNeeds,
     .body = output_before_exit,
     .level = Level::should,
     .authority = Authority::de_facto,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.grandchild_holds_pipe",
     .promise = "process_exited comes when the child ends, though a grandchild keeps a pipe open.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.SubprocessProtocol.process_exited",
     .needs = kProcessNeeds,
     .body = grandchild_holds_pipe,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.stdin.large",
     .promise = "A megabyte goes through a child and comes back without a deadlock.",
     .source = kProtocolSource,
     .needs = kProcessNeeds,
     .body = large_stdin,
     .api = kInputApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.stdin.broken",
     .promise = "A child that closes its standard input loses that pipe, and nothing else.",
     .source = kSubprocessTests,
     .needs = kProcessNeeds,
     .body = broken_stdin,
     .level = Level::should,
     .authority = Authority::de_facto,
     .api = kBrokenApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.stdin.eof",
     .promise = "Closing a child's standard input ends it, whatever other children were started.",
     .source = "docs.python.org/3/library/os.html#inheritance-of-file-descriptors",
     .needs = kProcessNeeds,
     .body = stdin_ends,
     .api = kInputApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.devnull_inherit_merge",
     .promise =
         "Each standard stream may be /dev/null, inherited, a descriptor, or standard output.",
     .source = kExecSource,
     .needs = kProcessNeeds,
     .body = every_kind_of_stream,
     .severity = Severity::common,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.pause_reading_output",
     .promise = "Output that is not read stays in the pipe, and is delivered after the exit too.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.ReadTransport.pause_reading",
     .needs = kProcessNeeds,
     .body = paused_output,
     .severity = Severity::common,
     .api = kPauseApi,
     .facts = kShell,
     .limit = kProcessLimit},
};

}  // namespace

extern const ScenarioFile file{"A15", "Subprocesses", kScenarios};
}  // namespace loopscope::scenarios::proc_streams
