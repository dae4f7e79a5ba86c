// Flow control of reading: pause_reading and resume_reading.
#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios::flow_reading {
namespace {

/// A read transport over a pipe, and the end that feeds it.
struct Feed {
  explicit Feed(Context& cx) : pipe(cx.pipe()), peer(std::move(pipe.write)) {}
  os::Pipe pipe;
  Peer peer;
};

void pause_stops(Context& cx) {
  Feed feed(cx);
  const WatchedStream reader = connect_reader(cx, std::move(feed.pipe.read));
  feed.peer.send("before");
  cx.run_until([&] { return reader.seen->data == "before"; });
  cx.is_true(reader->is_reading(), "is_reading before the pause");
  reader->pause_reading();
  cx.is_true(!reader->is_reading(), "is_reading in the pause");
  feed.peer.send(", after");
  turn(cx);
  cx.equal(reader.seen->data, "before", "nothing is delivered in the pause");
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits while unread bytes lie in the pipe");

  reader->resume_reading();
  cx.run_until([&] { return reader.seen->data == "before, after"; });
}

void pause_at_once(Context& cx) {
  Feed feed(cx);
  feed.peer.send("early");
  const auto seen = std::make_shared<StreamRecorder>(cx);
  seen->on_made = [&] { static_cast<Transport*>(seen->transport)->pause_reading(); };
  const WatchedStream reader = connect_reader(cx, seen, std::move(feed.pipe.read));
  turn(cx);
  cx.equal(seen->data, "", "nothing is delivered before resume_reading");
  reader->resume_reading();
  cx.run_until([&] { return seen->data == "early"; });
  cx.expect_trace({"made", "data"});
}

void repeated_calls(Context& cx) {
  Feed feed(cx);
  const WatchedStream reader = connect_reader(cx, std::move(feed.pipe.read));
  reader->pause_reading();
  reader->pause_reading();
  cx.is_true(!reader->is_reading(), "two pauses are one");
  reader->resume_reading();
  reader->resume_reading();
  cx.is_true(reader->is_reading(), "two resumptions are one, and undo both pauses");
  feed.peer.send("x");
  cx.run_until([&] { return reader.seen->data == "x"; });

  reader->close();
  reader->pause_reading();
  reader->resume_reading();
  cx.is_true(!reader->is_reading(), "is_reading after close()");
  cx.run_until([&] { return reader.seen->lost > 0; });
  turn(cx);
  cx.expect_trace({"made", "data", "lost"});
}

void memory_stays_bounded(Context& cx) {
  constexpr std::size_t kBound = 1 << 20;  // a pipe's capacity and a read buffer, generously
  Feed feed(cx);
  const WatchedStream reader = connect_reader(cx, std::move(feed.pipe.read));
  reader.seen->on_data = [&] { reader->pause_reading(); };
  os::set_blocking(feed.peer.native(), false).value();
  const std::string block(32'768, 'm');
  std::size_t taken = 0;
  for (int round = 0; round < 100 && taken <= kBound; ++round) {
    const os::Transfer wrote = os::write(feed.peer.native(), view(block)).value();
    taken += wrote.value_or(0);
    cx.run_once();
  }
  cx.at_least(taken, block.size(), "bytes that the pipe takes");
  cx.at_most(taken, kBound, "bytes that a paused reader lets the peer send");
  cx.at_most(reader.seen->data.size(), taken, "bytes delivered");
}

constexpr CapSet kNeeds{Cap::pipes};
constexpr std::string_view kApi[] = {"connect_read_pipe",        "Transport.pause_reading",
                                     "Transport.resume_reading", "Transport.is_reading",
                                     "Protocol.data_received",   "Protocol.connection_made"};
constexpr std::string_view kPause =
    "docs.python.org/3/library/asyncio-protocol.html#asyncio.ReadTransport.pause_reading";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "flow.pause_reading_stops",
     .promise = "After pause_reading nothing is delivered until resume_reading.",
     .source = kPause,
     .needs = kNeeds | CapSet{Cap::call_later},
     .body = pause_stops,
     .api = kApi,
     .limit = kLimit},
    {.id = "flow.pause_in_connection_made",
     .promise = "A protocol that pauses in connection_made gets no data until it resumes.",
     .source = kPause,
     .needs = kNeeds,
     .body = pause_at_once,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "flow.pause_idempotent",
     .promise =
         "Pausing and resuming twice, or after close(), is harmless; is_reading is truthful.",
     .source = kPause,
     .needs = kNeeds,
     .body = repeated_calls,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "flow.memory_bound",
     .promise = "A paused reader stops a fast peer instead of storing what it sends.",
     .source = kPause,
     .needs = kNeeds,
     .body = memory_stays_bounded,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A9", "Flow control", kScenarios};
}  // namespace loopscope::scenarios::flow_reading
