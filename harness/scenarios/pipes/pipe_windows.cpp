// What is true of pipes on Windows alone: anonymous ones, writes of nothing, and their ends.
#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/anonymous_pipe.hpp"

namespace loopscope::scenarios::pipe_windows {
namespace {

void not_overlapped(Context& cx) {
  os::Pipe input = tools::anonymous_pipe(), output = tools::anonymous_pipe();
  Peer writer(std::move(input.write)), drain(std::move(output.read));
  const WatchedStream reader = connect_reader(cx, std::move(input.read));
  const WatchedStream writing = connect_writer(cx, std::move(output.write));
  turn(cx);  // Nothing to read yet: the loop must not wait inside the call.
  writer.send("in");
  cx.run_until([&] { return reader.seen->data == "in"; });
  writing->write(view("out"));
  cx.equal(text(drain.recv_exactly(3)), "out", "what is written arrives");
  writer.close();
  cx.run_until([&] { return reader.seen->lost > 0; });
  cx.is_true(!reader.seen->reason, "the end is no error");
  writing->close();
  cx.run_until([&] { return writing.seen->lost > 0; });
}

void broken_is_the_end(Context& cx) {
  os::Pipe pipe = cx.pipe();
  const WatchedStream reader = connect_reader(cx, std::move(pipe.read));
  tools::write_nothing(pipe.write.get());
  turn(cx, 10);
  cx.equal(reader.seen->lost, 0u, "ends after a write of no bytes");
  Peer writer(std::move(pipe.write));
  writer.send("words");
  cx.run_until([&] { return reader.seen->data == "words"; });
  writer.close();
  cx.run_until([&] { return reader.seen->lost > 0; });
  cx.is_true(!reader.seen->reason, "ERROR_BROKEN_PIPE is the end, and no error");
  cx.expect_trace({"made", "data", "eof", "lost"});
}

constexpr std::string_view kApi[] = {"connect_read_pipe", "connect_write_pipe"};
constexpr std::string_view kReadApi[] = {"connect_read_pipe", "Protocol.eof_received"};

constexpr Scenario kScenarios[] = {
    {.id = "pipe.windows.overlapped_only",
     .promise = "Pipes whose handles take no overlapped calls are served all the same.",
     .source = "github.com/python/cpython/issues/71019; learn.microsoft.com, CreatePipe",
     .needs = CapSet{Cap::pipes},
     .body = not_overlapped,
     .level = Level::should,
     .authority = Authority::de_facto,
     .api = kApi},
    {.id = "pipe.windows.broken_is_eof",
     .promise = "A broken pipe is the end of the data, and a write of no bytes is not.",
     .source = "learn.microsoft.com, ReadFile, Remarks; libuv, src/win/pipe.c",
     .needs = CapSet{Cap::pipes},
     .body = broken_is_the_end,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kReadApi},
};

}  // namespace

extern const ScenarioFile file{"A12", "Pipes and FIFOs", kScenarios};
}  // namespace loopscope::scenarios::pipe_windows
