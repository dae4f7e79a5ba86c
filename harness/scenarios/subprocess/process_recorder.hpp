// ProcessRecorder: a protocol that notes what a loop tells it of a child, and the lines that
// start one.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "harness/scenarios/recorders.hpp"
#include "harness/tools/programs.hpp"

namespace loopscope::scenarios {

/// Marks "made", "out", "err" (each once for several in a row), "in lost", "out lost", "err lost",
/// "exited" and "lost"; keeps the bytes.
class ProcessRecorder final : public Recorder<SubprocessProtocol> {
 public:
  using Recorder::Recorder;
  void pipe_data_received(int fd, ByteView piece) override {
    (fd == 1 ? out : err) += text(piece);
    note_once(fd == 1 ? "out" : "err");
  }
  void pipe_connection_lost(int fd, const Error*) override {
    ++pipes_lost.at(static_cast<std::size_t>(fd));
    note(fd == 0 ? "in lost" : fd == 1 ? "out lost" : "err lost");
  }
  void process_exited() override {
    ++exited;
    note("exited");
    if (on_exited) on_exited();
  }

  std::string out, err;
  std::array<unsigned, 3> pipes_lost{};
  unsigned exited = 0;
  std::function<void()> on_exited;
};

using Child = Watched<SubprocessTransport, ProcessRecorder>;

inline Child start(Context& cx, EventLoop& loop, ProcessOptions options,
                   std::shared_ptr<ProcessRecorder> seen) {
  auto made = loop.subprocess_exec([&] { return seen; }, std::move(options));
  const Result<ProcessLink> link = loop.run_until_complete(made);
  cx.ok(link, "subprocess_exec starts the child");
  return {link->transport, seen};
}
inline Child start(Context& cx, EventLoop& loop, ProcessOptions options) {
  return start(cx, loop, std::move(options), std::make_shared<ProcessRecorder>(cx));
}
inline Child start(Context& cx, ProcessOptions options) {
  return start(cx, cx.loop(), std::move(options));
}
inline Child start(Context& cx, std::vector<std::string> argv) {
  ProcessOptions options;
  options.argv = std::move(argv);
  return start(cx, std::move(options));
}
inline Child start_shell(Context& cx, std::string command, ProcessOptions options,
                         std::shared_ptr<ProcessRecorder> seen) {
  auto made =
      cx.loop().subprocess_shell([&] { return seen; }, std::move(command), std::move(options));
  const Result<ProcessLink> link = cx.loop().run_until_complete(made);
  cx.ok(link, "subprocess_shell starts the shell");
  return {link->transport, seen};
}
inline Child start_shell(Context& cx, std::string command, ProcessOptions options = {}) {
  return start_shell(cx, std::move(command), std::move(options),
                     std::make_shared<ProcessRecorder>(cx));
}
/// A program of steps, without the loop's shell around it.
inline Child start_steps(Context& cx, tools::Steps steps, ProcessOptions options,
                         std::shared_ptr<ProcessRecorder> seen) {
  options.argv = tools::program(steps);
  return start(cx, cx.loop(), std::move(options), std::move(seen));
}
inline Child start_steps(Context& cx, tools::Steps steps, ProcessOptions options = {}) {
  return start_steps(cx, steps, std::move(options), std::make_shared<ProcessRecorder>(cx));
}
/// Without a pipe: standard input, output and error are /dev/null.
inline ProcessOptions quiet() {
  ProcessOptions options;
  options.std_in = options.std_out = options.std_err = Stdio::devnull();
  return options;
}
/// A child that ends with `code` after a line, or the end, came in at the gate, which is not the
/// loop's: it opens while the loop stands still.
struct Gated {
  Gated(Context& cx, int code) : gate(cx.pipe()) {
    ProcessOptions options = quiet();
    options.std_in = Stdio::descriptor(gate.read.get());
    child = start_steps(cx, {tools::step::read_line(), tools::step::exit(code)}, options);
  }
  void open() { gate.write.reset(); }
  os::Pipe gate;
  Child child;
};
inline std::shared_ptr<Transport> pipe_of(const Child& child, int fd) {
  return std::dynamic_pointer_cast<Transport>(child->get_pipe_transport(fd));
}
/// Turns the loop until connection_lost. The child's return code; 999: none was set.
inline int finish(Context& cx, const Child& child) {
  cx.run_until([&] { return child.seen->lost > 0; });
  return child->get_returncode().value_or(999);
}
/// The return code of a child that a signal ended: minus its number, or 1 where ends do not name
/// it.
inline void ended_by(Context& cx, int code, int signum, std::string_view what,
                     Here here = Here::now()) {
  const bool unnamed = !tools::kEndsNameSignals && code == 1;
  if (!unnamed) cx.equal(code, -signum, what, here);
}
/// The output of a program that reads nothing.
inline std::string output_of(Context& cx, ProcessOptions options) {
  options.std_in = Stdio::devnull();
  const Child child = start(cx, std::move(options));
  cx.equal(finish(cx, child), 0, "the program's exit code");
  return child.seen->out;
}

inline constexpr CapSet kProcessNeeds{Cap::subprocess};
/// The children are a shell and what stands beside it.
inline constexpr std::string_view kShell[] = {"proc.shell"};
inline constexpr std::string_view kExecSource =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.subprocess_exec";
inline constexpr std::string_view kProtocolSource =
    "docs.python.org/3/library/asyncio-protocol.html#subprocess-protocols";
inline constexpr std::chrono::milliseconds kProcessLimit{6'000};

}  // namespace loopscope::scenarios
