// Flow control of writing: water marks, pause_writing and resume_writing.
#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios::flow_writing {
namespace {

/// A write transport over a pipe that is full, so that further bytes stay in the transport.
struct FullPipe {
  explicit FullPipe(Context& cx) : cx_(cx), seen(std::make_shared<StreamRecorder>(cx)) {
    os::Pipe pipe = cx.pipe();
    writer = connect_writer(cx, seen, std::move(pipe.write));
    peer = Peer(std::move(pipe.read));
    cx.ok(writer->set_write_buffer_limits(1 << 20, 1 << 18), "limits beyond the filling");
    written = write_until_buffered(cx, *writer.transport);
  }
  std::size_t buffered() const { return writer->get_write_buffer_size(); }
  void write(std::size_t count) {
    writer->write(view(std::string(count, 'y')));
    written += count;
  }
  /// Reads at the peer until everything that was written has come.
  void drain() {
    cx_.run_until([&] {
      const std::size_t here = tools::bytes_waiting(peer.native());
      if (here > 0) drained += text(peer.recv(here));
      return drained.size() >= written;
    });
  }

 private:
  Context& cx_;

 public:
  std::shared_ptr<StreamRecorder> seen;
  WatchedStream writer;
  Peer peer;
  std::size_t written = 0;
  std::string drained;
};

void pauses_and_resumes(Context& cx) {
  FullPipe full(cx);
  const std::size_t high = full.buffered() + 1'000'000, low = 50'000;
  cx.ok(full.writer->set_write_buffer_limits(high, low), "set_write_buffer_limits");
  full.seen->on_resume = [&] { cx.at_most(full.buffered(), low, "bytes left at resume_writing"); };
  for (int round = 0; round < 2; ++round) {
    if (round > 0) full.written += write_until_buffered(cx, *full.writer.transport);
    full.write(high - full.buffered());
    cx.equal(full.seen->pauses, static_cast<unsigned>(round), "no pause at the mark itself");
    full.write(1);
    full.write(100'000);
    full.drain();
    turn(cx);
  }
  cx.expect_trace({"made", "paused", "resumed", "paused", "resumed"});
}

void high_mark_zero(Context& cx) {
  FullPipe full(cx);
  full.drain();
  cx.ok(full.writer->set_write_buffer_limits(0, std::nullopt), "a high mark of zero is taken");
  cx.equal(full.writer->get_write_buffer_limits().low, 0u, "the low mark is zero then");
  full.seen->on_resume = [&] { cx.equal(full.buffered(), 0u, "bytes left at resume_writing"); };
  // A loop that leaves every write to the system has buffered each of them for a moment.
  full.written += write_until_buffered(cx, *full.writer.transport);
  cx.equal(full.seen->pauses, full.seen->resumes + 1, "the first buffered byte pauses");
  full.drain();
  cx.run_until([&] { return full.buffered() == 0; });
  turn(cx);
  cx.equal(full.seen->resumes, full.seen->pauses, "calls of resume_writing, one for each pause");
}

void limits_are_validated(Context& cx) {
  os::Pipe pipe = cx.pipe();
  const WatchedStream writer = connect_writer(cx, std::move(pipe.write));
  const auto limits = [&] {
    const WriteBufferLimits now = writer->get_write_buffer_limits();
    return std::to_string(now.low) + ".." + std::to_string(now.high);
  };
  cx.ok(writer->set_write_buffer_limits(300, 200), "low below high");
  cx.equal(limits(), "200..300", "both are kept as they were given");
  cx.refused(writer->set_write_buffer_limits(200, 300), Errc::invalid_argument, "low above high");
  cx.equal(limits(), "200..300", "a refusal changes nothing");
  cx.ok(writer->set_write_buffer_limits(400, std::nullopt), "high alone");
  cx.at_most(writer->get_write_buffer_limits().low, 400u, "the low mark that goes with it");
  if (limits() != "100..400") cx.diverges("other default marks", "100..400", limits());
}

void resume_may_close(Context& cx) {
  FullPipe full(cx);
  cx.ok(full.writer->set_write_buffer_limits(full.buffered(), 10'000), "limits");
  full.write(1);
  full.seen->on_resume = [&] { full.writer->close(); };
  full.drain();
  cx.run_until([&] { return full.seen->lost > 0; });
  turn(cx);
  cx.expect_trace({"made", "paused", "resumed", "lost"});
}

void switch_while_paused(Context& cx) {
  FullPipe full(cx);
  cx.ok(full.writer->set_write_buffer_limits(full.buffered(), 10'000), "limits");
  full.write(1);
  const auto second = std::make_shared<StreamRecorder>(cx);
  full.writer->set_protocol(second);
  cx.is_true(full.writer->get_protocol() == second, "get_protocol gives the new protocol");
  full.drain();
  full.writer->close();
  cx.run_until([&] { return full.seen->lost + second->lost > 0; });
  cx.equal(full.seen->resumes + full.seen->lost, 0u, "calls to the old protocol");
  cx.equal(second->resumes, 1u, "the new protocol is told to resume");
  cx.equal(second->lost, 1u, "and of the end");
}

void write_inside_callbacks(Context& cx) {
  FullPipe full(cx);
  cx.ok(full.writer->set_write_buffer_limits(full.buffered(), 10'000), "limits");
  const auto say = [&](std::string_view word) {
    full.writer->write(view(word));
    full.written += word.size();
  };
  full.seen->on_pause = [&] { say("[pause]"); };
  full.seen->on_resume = [&] { say("[resume]"); };
  say("[one]");
  say("[two]");
  full.drain();
  const std::string tail = full.drained.substr(full.drained.find('['));
  cx.equal(tail, "[one][pause][two][resume]", "everything arrives in the order of the calls");
  cx.expect_trace({"made", "paused", "resumed"});
}

void size_of_the_buffer(Context& cx) {
  FullPipe full(cx);
  full.write(12'345);
  const std::size_t in_pipe = tools::bytes_waiting(full.peer.native());
  cx.equal(full.buffered(), full.written - in_pipe, "bytes that the system has not taken");
  full.drain();
  cx.equal(full.buffered(), 0u, "none once all were taken");

  full.written += write_until_buffered(cx, *full.writer.transport);
  full.writer->abort();
  cx.run_until([&] { return full.seen->lost > 0; });
  cx.equal(full.buffered(), 0u, "none after abort()");
  cx.is_true(!full.seen->reason, "abort() is a clean end");
}

constexpr CapSet kNeeds{Cap::pipes, Cap::flow_control};
constexpr std::string_view kApi[] = {"connect_write_pipe",
                                     "Transport.write",
                                     "Protocol.pause_writing",
                                     "Protocol.resume_writing",
                                     "Transport.get_write_buffer_size",
                                     "Transport.set_write_buffer_limits"};
constexpr std::string_view kLimitsApi[] = {"Transport.get_write_buffer_limits",
                                           "Transport.set_write_buffer_limits"};
constexpr std::string_view kSwitchApi[] = {"Transport.set_protocol", "Transport.get_protocol",
                                           "Protocol.resume_writing"};
constexpr std::string_view kSizeApi[] = {"Transport.get_write_buffer_size", "Transport.abort",
                                         "Transport.write"};
constexpr std::string_view kFlow =
    "docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseProtocol.pause_writing";
constexpr std::string_view kLimits =
    "docs.python.org/3/library/asyncio-protocol.html"
    "#asyncio.WriteTransport.set_write_buffer_limits";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "flow.pause_on_high",
     .promise = "pause_writing comes above the high mark, resume_writing at the low one, by turns.",
     .source = kFlow,
     .needs = kNeeds,
     .body = pauses_and_resumes,
     .api = kApi,
     .limit = kLimit},
    {.id = "flow.high_zero",
     .promise = "With a high mark of zero any buffered byte pauses, and emptiness resumes.",
     .source = kLimits,
     .needs = kNeeds,
     .body = high_mark_zero,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "flow.limits_validated",
     .promise = "A low mark above the high one is refused and changes nothing.",
     .source = kLimits,
     .needs = kNeeds,
     .body = limits_are_validated,
     .severity = Severity::edge,
     .api = kLimitsApi,
     .limit = kLimit},
    {.id = "flow.resume_closes",
     .promise = "Closing from resume_writing ends the connection once.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#connection-callbacks",
     .needs = kNeeds,
     .body = resume_may_close,
     .api = kApi,
     .limit = kLimit},
    {.id = "flow.switch_protocol_while_paused",
     .promise = "After set_protocol the new protocol gets the resume_writing that is due.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.set_protocol",
     .needs = kNeeds,
     .body = switch_while_paused,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kSwitchApi,
     .limit = kLimit},
    {.id = "flow.write_in_pause_writing",
     .promise = "Writing from pause_writing and resume_writing keeps the order of the calls.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.write",
     .needs = kNeeds,
     .body = write_inside_callbacks,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "flow.buffer_size_query",
     .promise = "get_write_buffer_size counts the unsent bytes, and none after the end.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.WriteTransport.get_write_buffer_size",
     .needs = kNeeds,
     .body = size_of_the_buffer,
     .severity = Severity::edge,
     .api = kSizeApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A9", "Flow control", kScenarios};
}  // namespace loopscope::scenarios::flow_writing
