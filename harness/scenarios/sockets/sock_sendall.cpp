// sock_sendall: everything arrives once and in order, or the caller learns why not.
#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::sock_sendall {
namespace {

Bytes pattern(std::size_t size) {
  Bytes data(size);
  std::uint32_t state = 1;
  for (std::byte& each : data) {
    state = state * 1664525u + 1013904223u;
    each = static_cast<std::byte>(state >> 24);
  }
  return data;
}

void large(Context& cx) {
  StreamPair pair = cx.stream_pair();
  const Bytes data = pattern(std::size_t{4} << 20);
  const Future<void> sending = cx.loop().sock_sendall(pair.subject, data);
  turn(cx, 3);
  cx.equal(sending.done(), false, "done before the peer has read anything");
  cx.at_most(waits_while_idle(cx), kFewWaits, "wait calls in 20 ms while the buffer is full");

  Receiver receiver(cx, pair);
  cx.ok(await_outcome(cx, sending), "sock_sendall");
  const Bytes& received = receiver.finish();
  cx.equal(received.size(), data.size(), "the number of bytes that arrive");
  cx.is_true(received == data, "4 MiB arrive as they were sent");
}

void several_in_turn(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  std::string sent;
  for (int i = 0; i < 50; ++i) {
    const std::string word = show(i) + ";";
    settle(cx, loop.sock_sendall(pair.subject, bytes(word)), "sock_sendall");
    sent += word;
  }
  settle(cx, loop.sock_sendall(pair.subject, Bytes()), "sock_sendall of nothing");
  pair.subject.close();
  cx.equal(text(pair.peer.recv_until_eof()), sent, "50 sends, one after the other");
}

// All that the peer can have without another turn of the loop.
std::string on_the_way(const StreamPair& pair) {
  ours(os::set_blocking(pair.peer.native(), false));
  std::string all;
  for (std::string more = take(pair.peer.native()); !more.empty();) {
    all += more;
    more = take(pair.peer.native());
  }
  return all;
}

void cancelled(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  const Bytes data = pattern(std::size_t{1} << 20);
  Future<void> doomed = loop.sock_sendall(pair.subject, data);
  turn(cx, 3);
  cx.equal(doomed.cancel(), true, "a send to a peer that does not read can be cancelled");
  const std::string accepted = on_the_way(pair);
  cx.note("bytes_sent_before_the_cancel", static_cast<double>(accepted.size()), "bytes");
  cx.is_true(text(data).starts_with(accepted), "what arrives is a prefix of the data");
  turn(cx, 5);
  cx.equal(on_the_way(pair).size(), 0, "bytes that are sent after the cancel");
  settle(cx, loop.sock_sendall(pair.subject, bytes("the next send")), "the next sock_sendall");
  cx.equal(on_the_way(pair), "the next send", "what arrives next");
}

void expect_broken(Context& cx, const Result<void>& sent, std::string_view what) {
  cx.refused(sent, what);
  if (sent.error().is_errno(EPIPE) || sent.error().is_errno(ECONNRESET)) return;
  cx.failed(what, "EPIPE or ECONNRESET", to_string(sent.error()));
}

void peer_gone(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair closed = cx.stream_pair();
  closed.peer.close();
  expect_broken(cx, outcome(cx, loop.sock_sendall(closed.subject, bytes("x")), "sock_sendall"),
                "a send after the peer closed");

  StreamPair pending = cx.stream_pair();
  const Future<void> sending = loop.sock_sendall(pending.subject, pattern(std::size_t{2} << 20));
  turn(cx, 3);
  cx.equal(sending.done(), false, "done before the peer has read anything");
  pending.peer.close();
  expect_broken(cx, outcome(cx, sending, "sock_sendall"), "a send waiting when the peer closes");

  StreamPair tcp = cx.tcp_pair();
  ours(os::set_buffer_sizes(tcp.subject.native(), 65536, 0));
  const Future<void> stalled = loop.sock_sendall(tcp.subject, Bytes(std::size_t{8} << 20));
  turn(cx, 3);
  tcp.peer.reset();
  expect_broken(cx, await_outcome(cx, stalled), "a send waiting when the peer resets");
}

constexpr std::string_view kSendall[] = {"sock_sendall"};
constexpr std::string_view kDocs =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_sendall";

constexpr Scenario kScenarios[] = {
    {.id = "sock.sendall.large",
     .promise = "Much more than the socket holds arrives intact at a slow reader, and the loop "
                "does not spin while the socket is full.",
     .source = kDocs,
     .needs = {Cap::sock_stream, Cap::call_later},
     .body = large,
     .api = kSendall},
    {.id = "sock.sendall.sequence",
     .promise = "Sends that follow one another arrive in their order and complete, an empty one "
                "included.",
     .source = kDocs,
     .needs = {Cap::sock_stream},
     .body = several_in_turn,
     .severity = Severity::common,
     .api = kSendall},
    {.id = "sock.sendall.cancel",
     .promise = "After a cancelled send, a prefix of its data has been sent, nothing of it is sent "
                "later, and the socket is usable.",
     .source = "docs.python.org/3/library/asyncio-task.html#task-cancellation; uvloop "
               "tests/test_sockets.py, test_socket_cancel_sock_sendall",
     .needs = {Cap::sock_stream},
     .body = cancelled,
     .severity = Severity::common,
     .api = kSendall},
    {.id = "sock.sendall.peer_gone",
     .promise = "Sending to a peer that has gone ends in EPIPE or ECONNRESET, before or while it "
                "waits, and no SIGPIPE ends the process.",
     .source = "man 2 send, ERRORS; docs.python.org/3/library/signal.html#note-on-sigpipe",
     .needs = {Cap::sock_stream},
     .body = peer_gone,
     .authority = Authority::man_page,
     .api = kSendall}};

}  // namespace

extern const ScenarioFile file{"A6", "sock_* operations", kScenarios};
}  // namespace loopscope::scenarios::sock_sendall
