// sock_recv, sock_recv_into: what they yield, and what a cancelled one leaves behind.
#include <algorithm>

#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::sock_recv {
namespace {

void recv_basic(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  const auto receive = [&] {
    return text(settle(cx, loop.sock_recv(pair.subject, 8), "sock_recv"));
  };
  const Future<Bytes> early = loop.sock_recv(pair.subject, 8);
  turn(cx, 3);
  cx.equal(early.done(), false, "done while nothing has arrived");
  pair.peer.send("first");
  cx.equal(text(settle(cx, early, "sock_recv")), "first", "what arrives later");

  pair.peer.send("12345678rest");
  cx.equal(receive(), "12345678", "at most as many bytes as were asked for");
  pair.peer.close();
  cx.equal(receive(), "rest", "bytes sent before the close");
  cx.equal(receive(), "", "the end of the stream");
  cx.equal(receive(), "", "the end of the stream, asked for again");
}

void recv_wakes_blocked_loop(Context& cx) {
  StreamPair pair = cx.stream_pair();
  const Future<Bytes> receiving = cx.loop().sock_recv(pair.subject, 64);
  cx.thread([&] { pair.peer.send("from a thread"); });
  const Result<Bytes> words = cx.loop().run_until_complete(receiving);
  cx.ok(words, "sock_recv");
  cx.equal(text(words.value()), "from a thread", "what another thread sent");
  cx.join_threads();  // It may not have come back from sending yet.
}

void cancel_then_retry(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  std::string sent, seen;
  for (int round = 0; round < 120; ++round) {
    const std::string word = show(round) + ";";
    sent += word;
    const int kind = round % 5;
    Future<Bytes> doomed = loop.sock_recv(pair.subject, 64);
    if (kind == 0) pair.peer.send(word);
    if (kind == 1) turn(cx, 1);
    const bool cancelled = doomed.cancel();
    if (kind > 0 && kind < 4) pair.peer.send(word);
    if (kind == 3) turn(cx, 1);
    if (!cancelled) seen += text(doomed.result().value());
    while (seen.size() < sent.size()) {
      const Future<Bytes> retry = loop.sock_recv(pair.subject, 64);
      if (kind == 4) turn(cx, 2), pair.peer.send(word);
      seen += text(settle(cx, retry, "the receive after a cancelled one"));
    }
  }
  cx.equal(seen, sent, "all that was sent, through 120 cancelled receives");
}

void two_waiters(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  Future<Bytes> waiters[] = {loop.sock_recv(pair.subject, 1), loop.sock_recv(pair.subject, 1)};
  std::string variant;
  for (const Future<Bytes>& each : waiters) variant += each.done() ? "refused " : "waiting ";
  pair.peer.send("ab");
  turn(cx, 20);
  std::string seen;
  for (Future<Bytes>& each : waiters) {
    if (each.cancel()) {
      variant += "starved ";
      continue;
    }
    const Result<Bytes> result = each.result();
    variant += result.ok() ? "served " : "failed ";
    if (result.ok()) seen += text(result.value());
  }
  cx.note("two_waiters", variant);
  while (seen.size() < 2) {
    seen += text(settle(cx, loop.sock_recv(pair.subject, 1), "a third receive"));
  }
  std::sort(seen.begin(), seen.end());
  cx.equal(seen, "ab", "each byte is received once");
}

void recv_into_partial(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  Bytes buffer(8, std::byte{'#'});
  pair.peer.send("abc");
  cx.equal(settle(cx, loop.sock_recv_into(pair.subject, buffer), "sock_recv_into"), 3, "count");
  cx.equal(text(buffer), "abc#####", "only what arrived was written");

  Future<std::size_t> doomed = loop.sock_recv_into(pair.subject, buffer);
  turn(cx, 2);
  cx.equal(doomed.cancel(), true, "a pending receive can be cancelled");
  pair.peer.send("later");
  turn(cx, 5);
  cx.equal(text(buffer), "abc#####", "the buffer after the receive was cancelled");

  Bytes other(8, std::byte{'#'});
  cx.equal(settle(cx, loop.sock_recv_into(pair.subject, other), "sock_recv_into"), 5, "count");
  cx.equal(text(other), "later###", "the next receive gets it all");
  pair.peer.close();
  cx.equal(settle(cx, loop.sock_recv_into(pair.subject, other), "sock_recv_into"), 0, "the end");
}

// The caller breaks the rule that a socket stays open until the operation is done: what happens
// to the operation is not promised, what happens to everybody else is.
void close_while_pending(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair(), other = cx.stream_pair();
  Future<Bytes> pending = loop.sock_recv(pair.subject, 64);
  const Future<Bytes> elsewhere = loop.sock_recv(other.subject, 64);
  turn(cx, 2);
  pair.subject.close();
  cx.equal(pair.peer.recv(16).size(), 0, "bytes at the peer, which sees the end at once");
  turn(cx, 5);
  cx.note("pending_receive", pending.done() ? "ends by itself" : "waits until it is cancelled");
  cx.at_most(waits_while_idle(cx), kFewWaits, "wait calls in 20 idle milliseconds");

  other.peer.send("word");
  cx.equal(text(settle(cx, elsewhere, "sock_recv elsewhere")), "word", "another socket's data");
  if (!pending.done()) {
    cx.equal(pending.cancel(), true, "the pending receive can be cancelled");
    turn(cx, 2);
  }
  cx.is_true(!pending.result().ok(), "the receive on a closed socket does not succeed");
}

constexpr std::string_view kRecv[] = {"sock_recv"};
constexpr std::string_view kRecvInto[] = {"sock_recv_into"};
constexpr std::string_view kDocs =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_recv; man 2 recv, RETURN "
    "VALUE";

constexpr Scenario kScenarios[] = {
    {.id = "sock.recv.basic",
     .promise = "A receive waits for bytes, yields what is there up to the number asked for, and "
                "yields nothing at the end of the stream, as often as asked.",
     .source = kDocs,
     .needs = {Cap::sock_stream},
     .body = recv_basic,
     .api = kRecv},
    {.id = "sock.recv.wakes_blocked_loop",
     .promise = "Bytes that arrive while the loop is blocked in its wait end a pending receive.",
     .source = kDocs,
     .needs = {Cap::sock_stream},
     .body = recv_wakes_blocked_loop,
     .api = kRecv,
     .limit = std::chrono::milliseconds(4000)},
    {.id = "sock.recv.cancel_then_retry",
     .promise = "Cancelling a receive and starting another one loses no byte, whether the data "
                "came before or after the cancel.",
     .source = "docs.python.org/3/library/asyncio-task.html#task-cancellation; bugs.python.org "
               "issues 30064 and 33694",
     .needs = {Cap::sock_stream},
     .body = cancel_then_retry,
     .api = kRecv},
    {.id = "sock.recv.two_waiters",
     .promise = "Two receives that wait on one socket neither lose nor double a byte, whether the "
                "loop refuses, queues or replaces.",
     .source = "no text settles it; trio refuses (BusyResourceError), asyncio lets the second "
               "replace the first",
     .needs = {Cap::sock_stream},
     .body = two_waiters,
     .level = Level::info,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kRecv},
    {.id = "sock.recv_into.partial",
     .promise = "Receiving into a buffer fills only what arrived and touches the buffer neither "
                "afterwards nor after a cancel.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_recv_into",
     .needs = {Cap::sock_stream},
     .body = recv_into_partial,
     .severity = Severity::common,
     .api = kRecvInto},
    {.id = "sock.close_while_pending",
     .promise = "Closing a socket on which a receive waits shows the peer the end at once and "
                "leaves the loop and other sockets undisturbed.",
     .source = "github.com/MagicStack/uvloop/issues/100; POSIX close()",
     .needs = {Cap::sock_stream, Cap::call_later},
     .body = close_while_pending,
     .level = Level::should,
     .authority = Authority::de_facto,
     .api = kRecv}};

}  // namespace

extern const ScenarioFile file{"A6", "sock_* operations", kScenarios};
}  // namespace loopscope::scenarios::sock_recv
