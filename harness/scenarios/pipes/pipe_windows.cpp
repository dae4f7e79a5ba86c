// What is true of pipes on Windows alone: writes of nothing, and their ends.
#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/empty_write.hpp"

namespace loopscope::scenarios::pipe_windows {
namespace {

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

constexpr std::string_view kReadApi[] = {"connect_read_pipe", "Protocol.eof_received"};

constexpr Scenario kScenarios[] = {
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
