// Write pipe transports: a peer that leaves, one that talks back, and what close() still sends.
#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::pipe_writing {
namespace {

void peer_leaves(Context& cx) {
  os::Pipe pipe = cx.pipe();
  const WatchedStream writer = connect_writer(cx, std::move(pipe.write));
  turn(cx);
  cx.expect_trace({"made"});
  pipe.read.reset();
  turn(cx);
  cx.expect_trace({"made", "lost"});
  cx.is_true(writer->is_closing(), "the transport is closing then");
}

void peer_talks(Context& cx) {
  StreamPair pair = cx.stream_pair();
  const WatchedStream writer = connect_writer(cx, pair.subject.release());
  pair.peer.send("nobody reads this");
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits while inbound bytes lie unread");
  cx.is_true(!writer->is_closing(), "inbound bytes are not an end");
  writer->write(view("still here"));
  cx.equal(read_until(cx, pair.peer, [](std::string_view got) { return got.size() >= 10; }),
           "still here", "and writing goes on");
  cx.expect_trace({"made"});
}

void large_write(Context& cx) {
  os::Pipe pipe = cx.pipe();
  Peer reader(std::move(pipe.read));
  const WatchedStream writer = connect_writer(cx, std::move(pipe.write));
  std::string first(100'000, 'a'), second(100'000, 'b'), third(100'000, 'c');
  const ByteView chunks[] = {view(first), view(second), view(third)};
  const std::string all = first + second + third;
  writer->writelines(chunks);
  first.assign(first.size(), '!');  // What was written is the transport's own copy.
  second.clear();
  turn(cx);

  std::string got = text(reader.recv(1));  // Less than a page: no room yet, and no reason to try.
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits while the pipe has room for one byte");
  got +=
      read_until(cx, reader, [&](std::string_view rest) { return rest.size() + 1 >= all.size(); });
  cx.equal(got.size(), all.size(), "bytes that arrive");
  cx.is_true(got == all, "they arrive as they were at the call, in order");
}

void close_flushes(Context& cx) {
  for (const bool by_write_eof : {false, true}) {
    os::Pipe pipe = cx.pipe();
    Peer reader(std::move(pipe.read));
    const WatchedStream writer = connect_writer(cx, std::move(pipe.write));
    const std::size_t written = write_until_buffered(cx, *writer.transport);
    writer->write(view("tail"));
    cx.is_true(writer->can_write_eof(), "a write pipe can be ended");
    if (by_write_eof) {
      cx.ok(writer->write_eof(), "write_eof");
    } else {
      writer->close();
      writer->write(view("too late"));
    }
    turn(cx);
    cx.equal(writer.seen->lost, 0u, "connection_lost waits for the buffer");
    const std::string got = read_until(cx, reader, [&](auto) { return writer.seen->lost > 0; });
    cx.equal(got.size() + text(reader.recv_until_eof()).size(), written + 4, "bytes that arrive");
    cx.is_true(!writer.seen->reason, "the end is clean");
  }
  cx.expect_trace({"made", "lost", "made", "lost"});
}

void broken_pipe_is_an_error(Context& cx) {
  const tools::Disposition deadly(tools::kBrokenPipeSignal, tools::Disposition::Kind::standard);
  os::Pipe pipe = cx.pipe();
  const WatchedStream writer = connect_writer(cx, std::move(pipe.write));
  pipe.read.reset();
  writer->write(view("into the void"));
  writer->write(view("and again"));
  cx.run_until([&] { return writer.seen->lost > 0; });
  turn(cx);
  cx.expect_trace({"made", "lost"});
  cx.equal(tools::disposition(tools::kBrokenPipeSignal), "default",
           "SIGPIPE stays as children should inherit it");
}

constexpr CapSet kNeeds{Cap::pipes};
constexpr std::string_view kApi[] = {"connect_write_pipe", "Transport.write",
                                     "Protocol.connection_lost", "Transport.is_closing"};
constexpr std::string_view kLinesApi[] = {"connect_write_pipe", "Transport.writelines"};
constexpr std::string_view kCloseApi[] = {"Transport.close", "Transport.write_eof",
                                          "Transport.can_write_eof", "Transport.write"};
constexpr std::string_view kLost =
    "docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseProtocol.connection_lost";
constexpr std::string_view kWrite =
    "docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.write";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "pipe.write.peer_closed_detected",
     .promise = "A writer notices without writing that its reader has gone.",
     .source = kLost,
     .needs = kNeeds,
     .body = peer_leaves,
     .api = kApi,
     .limit = kLimit},
    {.id = "pipe.write.inbound_not_close",
     .promise = "Bytes that arrive at a write transport are not taken for the reader's leaving.",
     .source = kLost,
     .needs = kNeeds | CapSet{Cap::call_later},
     .body = peer_talks,
     .api = kApi,
     .limit = kLimit},
    {.id = "pipe.write.partial_and_page",
     .promise = "A write beyond the pipe's capacity arrives whole, in order, and without a spin.",
     .source = kWrite,
     .needs = kNeeds | CapSet{Cap::call_later},
     .body = large_write,
     .severity = Severity::common,
     .api = kLinesApi,
     .limit = kLimit},
    {.id = "pipe.write.abandon_on_close",
     .promise = "close() and write_eof() send what is buffered before the end.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.close",
     .needs = kNeeds,
     .body = close_flushes,
     .severity = Severity::common,
     .api = kCloseApi,
     .limit = kLimit},
    {.id = "pipe.sigpipe",
     .promise = "Writing to a broken pipe ends the transport and raises no SIGPIPE.",
     .source = kLost,
     .needs = kNeeds,
     .body = broken_pipe_is_an_error,
     .api = kApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A12", "Pipes and FIFOs", kScenarios};
}  // namespace loopscope::scenarios::pipe_writing
