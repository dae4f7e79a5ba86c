// Read pipe transports: data, end, error, and FIFOs.
#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios::pipe_reading {
namespace {

void data_then_end(Context& cx) {
  os::Pipe pipe = cx.pipe();
  Peer writer(std::move(pipe.write));
  const os::NativeSocket number = pipe.read.get();
  const WatchedStream reader = connect_reader(cx, std::move(pipe.read));
  cx.equal(descriptor_of(*reader.transport, "pipe"), number, "get_extra_info gives the pipe");
  writer.send("some ");
  cx.run_until([&] { return reader.seen->data == "some "; });
  writer.send("words");
  writer.close();
  cx.run_until([&] { return reader.seen->lost > 0; });
  turn(cx);
  cx.equal(reader.seen->data, "some words", "all bytes arrive");
  cx.is_true(!reader.seen->reason, "the end is no error");
  cx.is_true(reader->is_closing(), "the transport is closing then");
  cx.expect_trace({"made", "data", "eof", "lost"});
}

void data_with_hang_up(Context& cx) {
  std::string sent;
  for (int i = 0; sent.size() < 60'000; ++i) sent += std::to_string(i) + " ";
  os::Pipe pipe = cx.pipe();
  Peer writer(std::move(pipe.write));
  writer.send(sent);
  writer.close();  // The reader's first event says "data" and "hang-up" at once.
  const WatchedStream reader = connect_reader(cx, std::move(pipe.read));
  cx.run_until([&] { return reader.seen->lost > 0; });
  cx.equal(reader.seen->data.size(), sent.size(), "bytes that arrive");
  cx.is_true(reader.seen->data == sent, "they are the ones that were sent");
  cx.expect_trace({"made", "data", "eof", "lost"});
}

void error_ends_once(Context& cx) {
  StreamPair pair = cx.tcp_pair();
  const WatchedStream reader = connect_reader(cx, pair.subject.release());
  pair.peer.send("last words");
  cx.run_until([&] { return !reader.seen->data.empty(); });
  pair.peer.reset();
  cx.run_until([&] { return reader.seen->lost > 0; });
  turn(cx);
  cx.expect_trace({"made", "data", "lost"});
  cx.is_true(reader.seen->reason.has_value(), "connection_lost is given the error");
  cx.is_true(reader.seen->reason->code == std::errc::connection_reset, "it is ECONNRESET");
}

void pause_close_resume(Context& cx) {
  for (const std::string_view order : {"pcr", "prc", "cpr", "crp"}) {
    os::Pipe pipe = cx.pipe();
    Peer writer(std::move(pipe.write));
    const WatchedStream reader = connect_reader(cx, std::move(pipe.read));
    writer.send("unread");
    for (const char step : order) {
      if (step == 'p') reader->pause_reading();
      if (step == 'c') reader->close();
      if (step == 'r') reader->resume_reading();
    }
    cx.run_until([&] { return reader.seen->lost > 0; });
    turn(cx);
    cx.equal(reader.seen->data, "", "bytes delivered after close()");
    cx.equal(reader.seen->lost, 1u, "calls of connection_lost");
  }
}

/// A FIFO of this cell, and its read end in a transport.
struct Fifo {
  explicit Fifo(Context& cx) : path(cx.temp_path("fifo")) {
    ours(os::make_fifo(path));
    reader = connect_reader(cx, tools::open_path(path, tools::Access::read));
  }
  Peer open_writer() const { return Peer(tools::open_path(path, tools::Access::write)); }
  std::string path;
  WatchedStream reader;
};

void reader_before_writer(Context& cx) {
  const Fifo fifo(cx);
  turn(cx);
  cx.expect_trace({"made"});
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits before there is a writer");
  Peer writer = fifo.open_writer();
  writer.send("at last");
  cx.run_until([&] { return fifo.reader.seen->data == "at last"; });
  cx.expect_trace({"made", "data"});
}

void writer_returns(Context& cx) {
  const Fifo fifo(cx);
  fifo.open_writer().send("first");
  cx.run_until([&] { return fifo.reader.seen->data == "first"; });
  turn(cx);
  if (fifo.reader.seen->lost == 0) {
    fifo.open_writer().send(" second");
    cx.run_until([&] { return fifo.reader.seen->data == "first second"; });
    cx.diverges("waits for another writer", "the last writer's leaving ends it", "it reads on");
  }
  cx.is_true(!fifo.reader.seen->reason, "the end is no error");
  cx.expect_trace({"made", "data", "eof", "lost"});
}

constexpr CapSet kNeeds{Cap::pipes};
constexpr std::string_view kApi[] = {"connect_read_pipe",        "Protocol.connection_made",
                                     "Protocol.data_received",   "Protocol.eof_received",
                                     "Protocol.connection_lost", "Transport.is_closing",
                                     "Transport.get_extra_info"};
constexpr std::string_view kPauseApi[] = {"Transport.close", "Transport.pause_reading",
                                          "Transport.resume_reading", "Protocol.connection_lost"};
constexpr std::string_view kLost =
    "docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseProtocol.connection_lost";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "pipe.read.basic_eof",
     .promise = "A reader gets the data, the end, and connection_lost when the last writer closes.",
     .source = kLost,
     .needs = kNeeds,
     .body = data_then_end,
     .api = kApi,
     .limit = kLimit},
    {.id = "pipe.read.data_with_hup",
     .promise = "What was written just before the writer closed is delivered before the end.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.Protocol.eof_received",
     .needs = kNeeds,
     .body = data_with_hang_up,
     .api = kApi,
     .limit = kLimit},
    {.id = "pipe.read.error",
     .promise = "A read error ends the transport once, and connection_lost is given it.",
     .source = kLost,
     .needs = kNeeds,
     .body = error_ends_once,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "pipe.pause_then_close",
     .promise = "Pausing, resuming and closing in any order ends in one connection_lost.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.ReadTransport.pause_reading",
     .needs = kNeeds,
     .body = pause_close_resume,
     .severity = Severity::edge,
     .api = kPauseApi,
     .limit = kLimit},
    {.id = "pipe.fifo.reader_before_writer",
     .promise = "A FIFO that nobody has opened for writing yet is not at its end.",
     .source = "man 7 fifo; man 2 poll, POLLHUP",
     .needs = kNeeds | CapSet{Cap::call_later},
     .body = reader_before_writer,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "pipe.fifo.writer_returns",
     .promise = "The end of a FIFO comes when its last writer leaves.",
     .source = "github.com/python/cpython/issues/103436",
     .needs = kNeeds,
     .body = writer_returns,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A12", "Pipes and FIFOs", kScenarios};
}  // namespace loopscope::scenarios::pipe_reading
