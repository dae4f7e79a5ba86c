// What is true of pipes on Windows alone: writes of nothing, their ends, and calls that block.
#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/windows_pipes.hpp"

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

/// The loop turns, whatever a transport of its waits for.
void is_not_blocked(Context& cx) {
  bool fired = false;
  cx.loop().call_later(std::chrono::milliseconds(5), [&] { fired = true; });
  cx.run_until([&] { return fired; });
}

void calls_that_block(Context& cx) {
  const auto refused = [](const Error& why) {
    return to_string(why).find("OVERLAPPED") != std::string::npos;
  };
  os::Pipe in = tools::open_synchronous_pipe(), out = tools::open_synchronous_pipe();
  const auto reader = std::make_shared<StreamRecorder>(cx);
  const auto reading =
      await_outcome(cx, cx.loop().connect_read_pipe([&] { return reader; }, std::move(in.read)));
  is_not_blocked(cx);
  const auto writer = std::make_shared<StreamRecorder>(cx);
  const auto writing =
      await_outcome(cx, cx.loop().connect_write_pipe([&] { return writer; }, std::move(out.write)));
  is_not_blocked(cx);
  cx.equal(writing.ok(), reading.ok(), "both ends are served, or none");
  cx.note("served", reading.ok() ? 1 : 0, "truth");
  if (!reading.ok()) {
    cx.is_true(refused(reading.error()), "the refusal of a reading end says why");
    cx.is_true(refused(writing.error()), "the refusal of a writing end says why");
    return;
  }
  constexpr std::size_t kMuch = 1'000'000;  // far more than such a pipe holds
  writing->transport->write(view(std::string(kMuch, 'x')));
  is_not_blocked(cx);
  cx.thread([&] { Peer(std::move(in.write)).send("words"); });
  cx.run_until([&] { return reader->data == "words"; });
  Peer rest(std::move(out.read));
  cx.thread([&] { (void)rest.recv_exactly(kMuch); });
  cx.run_until([&] { return writing->transport->get_write_buffer_size() == 0; });
  writing->transport->close();
  cx.run_until([&] { return reader->lost > 0 && writer->lost > 0; });
}

constexpr std::string_view kBothApi[] = {"connect_read_pipe", "connect_write_pipe"};
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
    {.id = "pipe.windows.synchronous",
     .promise = "A pipe whose calls block is served or refused with that reason, and never blocks "
                "the loop.",
     .source =
         "learn.microsoft.com, CreatePipe, Remarks: asynchronous operations are not supported",
     .needs = CapSet{Cap::pipes},
     .body = calls_that_block,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kBothApi},
};

}  // namespace

extern const ScenarioFile file{"A12", "Pipes and FIFOs", kScenarios};
}  // namespace loopscope::scenarios::pipe_windows
