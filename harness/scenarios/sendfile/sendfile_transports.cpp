// sendfile over transports: its place among writes, its ends, and what it leaves behind.
#include <tuple>

#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"
#include "harness/scenarios/sendfile/numbered_file.hpp"

namespace loopscope::scenarios::sendfile_transports {
namespace {

Connection narrow_connection(Context& cx) {
  return connect(cx, std::make_shared<StreamRecorder>(cx), narrow_pair(cx));
}

void whole_and_parts(Context& cx) {
  const NumberedFile file(cx, 300'000);
  Connection open = connect(cx);
  for (const auto& [offset, count, sent] :
       {std::tuple<std::size_t, std::optional<std::uint64_t>, std::size_t>{0, {}, 300'000},
        {100'001, 70'001, 70'001},
        {299'000, 5'000, 1'000},
        {300'000, {}, 0}}) {
    const auto sending = cx.loop().sendfile(open.transport, file.range(offset, count));
    const std::string got = read_exactly(cx, open.peer, sent);
    cx.equal(finished(cx, sending).value(), sent, "bytes that the result counts");
    same_bytes(cx, got, file.part(offset, sent), "a range");
    cx.equal(file.position(), offset + sent, "the file's position");
  }
  turn(cx);
  cx.expect_trace({"made"});
  cx.equal(tools::bytes_waiting(open.peer.native()), 0u, "bytes behind the last range");
}

void mixed_writes(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  unsigned reports = 0;
  cx.loop().set_exception_handler([&](EventLoop&, const ExceptionContext&) { ++reports; });
  Connection open = narrow_connection(cx);
  const std::string head(kMoreThanFits, 'h');
  open->write(view(head));
  cx.at_least(open->get_write_buffer_size(), 1u, "earlier bytes are buffered still");
  const auto sending = cx.loop().sendfile(open.transport, file.range());
  open->write(view("MEANWHILE"));
  std::string got = read_exactly(cx, open.peer, head.size() + file.content.size());
  cx.equal(finished(cx, sending).value(), kMoreThanFits, "bytes of the file");
  open->write(view("tail"));
  got += read_until(cx, open.peer, [](std::string_view rest) {
    return rest.size() >= 4 && rest.substr(rest.size() - 4) == "tail";
  });
  const bool queued = reports == 0;  // The call cannot fail, so a refusal has to be reported.
  cx.note("writes_meanwhile", queued ? "queued" : "refused");
  same_bytes(cx, got, head + file.content + (queued ? "MEANWHILE" : "") + "tail", "in order");
}

void cancelled(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  Connection open = narrow_connection(cx);
  auto sending = cx.loop().sendfile(open.transport, file.range());
  until_stuck(cx, file);
  cx.is_true(sending.cancel(), "the transfer can be cancelled");
  cx.refused(finished(cx, sending), Errc::cancelled, "its outcome");
  cx.is_true(open->get_protocol() == open.seen, "the protocol is the one from before");
  cx.is_true(open->is_reading(), "the transport reads as before");
  const auto sent = static_cast<std::size_t>(file.position());

  open->write(view("after"));
  open.peer.send("still there?");
  const std::string got = read_exactly(cx, open.peer, sent + 5);
  same_bytes(cx, got, file.part(0, sent) + "after", "what was sent, then what is written");
  cx.run_until([&] { return open.seen->data == "still there?"; });
  cx.equal(open->get_write_buffer_size(), 0u, "nothing waits");
  const auto again = cx.loop().sendfile(open.transport, file.range(0, 1'000));
  cx.equal(read_exactly(cx, open.peer, 1'000), file.part(0, 1'000), "another transfer");
  cx.equal(finished(cx, again).value(), 1'000u, "and its result");
}

void peer_closes(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  Connection open = narrow_connection(cx);
  const auto sending = cx.loop().sendfile(open.transport, file.range());
  (void)read_exactly(cx, open.peer, 1'000);
  open.peer.reset();
  cx.refused(finished(cx, sending), "the peer has gone in the middle");
  until_lost(cx, *open.seen);
  cx.expect_trace({"made", "lost"});
  cx.is_true(open->is_closing(), "the transport is closing");
  cx.at_least(file.position(), 1'000u, "the file's position: offset plus what was sent");
  cx.refused(finished(cx, cx.loop().sendfile(open.transport, file.range())), "another transfer");
  Connection next = connect(cx);
  const auto good = cx.loop().sendfile(next.transport, file.range(0, 10));
  cx.equal(read_exactly(cx, next.peer, 10), file.part(0, 10), "the loop goes on");
  cx.equal(finished(cx, good).value(), 10u, "and sends the file to another peer");
}

void fallback_order(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  Connection open = narrow_connection(cx);
  tools::refuse_native_transfer(descriptor_of(*open.transport, "socket"));
  std::string want;
  // Counts around the sizes of buffers: what was read beyond the count must not be sent.
  for (const std::size_t count : {1u, 65'535u, 65'537u, 100'000u, 1'000'000u}) {
    open->write(view("["));
    const auto sending = cx.loop().sendfile(open.transport, file.range(3, count));
    const std::string got = read_exactly(cx, open.peer, 1 + count);
    cx.equal(finished(cx, sending).value(), count, "bytes that the result counts");
    same_bytes(cx, got, "[" + file.part(3, count), "a counted range");
  }
  const auto whole = cx.loop().sendfile(open.transport, file.range());
  until_stuck(cx, file);
  cx.is_true(!whole.done(), "a peer that does not read makes it wait");
  cx.at_most(open->get_write_buffer_size(), open->get_write_buffer_limits().high + 256 * 1024,
             "bytes buffered meanwhile");
  same_bytes(cx, read_exactly(cx, open.peer, kMoreThanFits), file.content, "the whole file");
  cx.equal(finished(cx, whole).value(), kMoreThanFits, "bytes of the whole file");
  open->close();
  cx.equal(read_to_end(cx, open.peer), "", "bytes behind the last one");
}

void close_waits(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  Connection open = narrow_connection(cx);
  const auto sending = cx.loop().sendfile(open.transport, file.range());
  open->close();
  turn(cx);
  const bool lost_at_once = open.seen->lost > 0;
  const std::string got = read_to_end(cx, open.peer);
  until_lost(cx, *open.seen);
  const Result<std::uint64_t> sent = finished(cx, sending);
  if (lost_at_once && !sent.ok()) {
    cx.diverges("close() ends the transfer", "the file is sent before the end",
                to_string(sent.error()));
  }
  cx.equal(sent.value(), kMoreThanFits, "bytes sent before the end");
  same_bytes(cx, got, file.content, "the whole file");
  cx.expect_trace({"made", "lost"});
  cx.is_true(!open.seen->reason, "the end is clean");
}

void abort_ends(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  Connection open = narrow_connection(cx);
  const auto sending = cx.loop().sendfile(open.transport, file.range());
  until_stuck(cx, file);
  open->abort();
  until_lost(cx, *open.seen);
  cx.refused(finished(cx, sending), "a transfer whose transport was aborted");
  cx.expect_trace({"made", "lost"});
  cx.is_true(!open.seen->reason, "connection_lost is told of no error");
}

void reading_meanwhile(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  Connection open = narrow_connection(cx);
  const auto sending = cx.loop().sendfile(open.transport, file.range());
  open.peer.send("and please hurry");
  turn(cx);
  cx.note("delivered", open.seen->data.empty() ? "afterwards" : "meanwhile");
  cx.equal(read_exactly(cx, open.peer, kMoreThanFits), file.content, "the file arrives");
  cx.equal(finished(cx, sending).value(), kMoreThanFits, "bytes of the file");
  cx.run_until([&] { return open.seen->data == "and please hurry"; });
  cx.expect_trace({"made", "data"});
}

void into_a_pipe(Context& cx) {
  const NumberedFile file(cx, 300'000);
  os::Pipe pipe = cx.pipe();
  Peer reader(std::move(pipe.read));
  const WatchedStream writer = connect_writer(cx, std::move(pipe.write));
  writer->write(view("head "));
  const auto sending = cx.loop().sendfile(writer.transport, file.range());
  const std::string got = read_exactly(cx, reader, 5 + file.content.size());
  const Result<std::uint64_t> sent = finished(cx, sending);
  cx.ok(sent, "sendfile over a write pipe");
  cx.equal(*sent, file.content.size(), "bytes of the file");
  same_bytes(cx, got, "head " + file.content, "through a pipe");
  reader.close();
  until_lost(cx, *writer.seen);
}

constexpr CapSet kNeeds{Cap::sendfile, Cap::create_connection, Cap::native_socket};
constexpr CapSet kPipes{Cap::sendfile, Cap::pipes};
constexpr std::string_view kApi[] = {"sendfile", "connect_accepted_socket"};
constexpr std::string_view kCancelApi[] = {"sendfile", "Transport.get_protocol",
                                           "Transport.is_reading"};
constexpr std::string_view kCloseApi[] = {"sendfile", "Transport.close"};
constexpr std::string_view kAbortApi[] = {"sendfile", "Transport.abort"};
constexpr std::string_view kPipeApi[] = {"sendfile", "connect_write_pipe"};
constexpr std::string_view kDocs =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sendfile";
constexpr std::string_view kTests =
    "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_sendfile.py";

constexpr Scenario kScenarios[] = {
    {.id = "sendfile.transport.ranges",
     .promise = "A transport sends exactly the asked-for range of a file, and says how much.",
     .source = kDocs,
     .needs = kNeeds,
     .body = whole_and_parts,
     .api = kApi},
    {.id = "sendfile.mixed_writes",
     .promise = "A file goes after what was written before it and before what is written later.",
     .source = kTests,
     .needs = kNeeds,
     .body = mixed_writes,
     .authority = Authority::de_facto,
     .api = kApi},
    {.id = "sendfile.cancel",
     .promise = "After a cancelled transfer, protocol, reading and writing are as before.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_unix_events.py"
               " test_sock_sendfile_cancel1",
     .needs = kNeeds,
     .body = cancelled,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kCancelApi},
    {.id = "sendfile.peer_closes",
     .promise = "A peer that closes in the middle ends the transfer and the transport, once each.",
     .source = kTests,
     .needs = kNeeds,
     .body = peer_closes,
     .authority = Authority::de_facto,
     .api = kApi},
    {.id = "sendfile.fallback_ordering",
     .promise = "Where the system cannot transfer, reading and sending gives the same bytes.",
     .source = kDocs,
     .needs = kNeeds,
     .body = fallback_order,
     .severity = Severity::common,
     .api = kApi},
    {.id = "sendfile.close_waits",
     .promise = "close() lets a file that is being sent arrive before the end.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.close",
     .needs = kNeeds,
     .body = close_waits,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::edge,
     .api = kCloseApi},
    {.id = "sendfile.abort",
     .promise = "abort() ends a transfer with an error and the transport without one.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.abort",
     .needs = kNeeds,
     .body = abort_ends,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kAbortApi},
    {.id = "sendfile.reading",
     .promise = "What the peer sends during a transfer is delivered, then or afterwards.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.Protocol.data_received",
     .needs = kNeeds,
     .body = reading_meanwhile,
     .severity = Severity::common,
     .api = kApi},
    {.id = "sendfile.pipe",
     .promise = "A file is sent through a write pipe, behind what was written before.",
     .source = "man 2 sendfile, DESCRIPTION: out_fd can be any file",
     .needs = kPipes,
     .body = into_a_pipe,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::edge,
     .api = kPipeApi},
};

}  // namespace

extern const ScenarioFile file{"A17", "sendfile", kScenarios};
}  // namespace loopscope::scenarios::sendfile_transports
