// What goes through queues of fixed sizes: more at once than fits, and answers that come together.
#include <chrono>
#include <csignal>
#include <utility>
#include <vector>

#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"
#include "harness/scenarios/moments.hpp"
#include "harness/scenarios/serving.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::uring_batches {
namespace {

using namespace std::chrono_literals;

/// More than the 256 entries and the 128 buffers that the rings of known loops have.
constexpr std::size_t kMany = 320;

void more_than_the_queue_holds(Context& cx) {
  require_descriptors(cx, 2 * kMany + 64);
  std::vector<StreamPair> pairs;
  for (std::size_t i = 0; i < kMany; ++i) pairs.push_back(cx.stream_pair());
  std::vector<Future<Bytes>> received;
  std::vector<Future<void>> sent;
  for (StreamPair& pair : pairs) {  // All of it between two looks at the system.
    received.push_back(cx.loop().sock_recv(pair.subject, 64));
    sent.push_back(cx.loop().sock_sendall(pair.subject, bytes("ping")));
  }
  for (std::size_t i = 0; i < kMany; ++i) {
    cx.ok(await_outcome(cx, sent[i]), "a send among " + show(2 * kMany) + " operations");
    cx.equal(text(pairs[i].peer.recv(64)), "ping", "what it sent");
  }
  for (std::size_t i = 0; i < kMany; ++i) pairs[i].peer.send("word " + show(i));
  for (std::size_t i = 0; i < kMany; ++i) {
    const Result<Bytes> words = await_outcome(cx, received[i], "a receive among many ends");
    cx.ok(words, "a receive among many");
    cx.equal(text(words.value()), "word " + show(i), "what it received");
  }
}

void answers_that_end(Context& cx) {
  require_descriptors(cx, 2 * kMany + 64);
  Serving serving(cx);
  serving.echo = false;
  ServerOptions options;
  options.addresses = {Endpoint::loopback(AddressFamily::ipv4)};
  options.backlog = static_cast<int>(kMany);
  serving.open(std::move(options));
  // An accept that repeats has to go on after each of them ...
  std::vector<Peer> clients;
  for (std::size_t i = 0; i < kMany; ++i) clients.push_back(connect_to(serving.address()));
  cx.run_until([&] { return serving.made == kMany; });

  // ... and receives that share fewer buffers than there are senders, when those are free again.
  std::vector<Connection> open;
  for (std::size_t i = 0; i < kMany / 2; ++i) open.push_back(connect(cx));
  for (std::size_t round = 0; round < 3; ++round) {
    const std::string part(9'000, static_cast<char>('a' + round));
    for (Connection& each : open) each.peer.send(part);
    const auto all_here = [&] {
      for (const Connection& each : open) {
        if (each.seen->data.size() < (round + 1) * part.size()) return false;
      }
      return true;
    };
    cx.is_true(run_patiently(cx, all_here), "every one of many receives goes on");
    for (const Connection& each : open) {
      cx.equal(each.seen->data.substr(round * part.size()), part, "what it received");
    }
  }
}

void no_signal(Context& cx) {
  const tools::Disposition deadly(tools::kBrokenPipeSignal, tools::Disposition::Kind::standard);
  StreamPair pair = cx.stream_pair();
  pair.peer.close();
  for (int i = 0; i < 3; ++i) {
    cx.refused(await_outcome(cx, cx.loop().sock_sendall(pair.subject, bytes("x"))),
               "sock_sendall to a peer that has gone");
  }
  Connection open = connect(cx);
  open.peer.reset();
  for (int i = 0; i < 20; ++i) {
    open->write(view("into nowhere"));
    cx.run_once();
  }
  until_lost(cx, *open.seen);

  os::Pipe pipe = cx.pipe();
  const WatchedStream writer = connect_writer(cx, std::move(pipe.write));
  pipe.read.reset();
  writer->write(view("into nowhere"));
  until_lost(cx, *writer.seen);
  cx.equal(tools::disposition(tools::kBrokenPipeSignal), "default", "SIGPIPE stays as it was");
}

void reported_while_ready(Context& cx) {
  StreamPair pair = cx.stream_pair();
  std::string got;
  const auto one = [&] { got += take(pair.subject.native(), 1); };
  cx.ok(cx.loop().add_reader(pair.subject, one), "add_reader");
  turn(cx, 2);
  pair.peer.send("abc");  // One event, three calls.
  cx.is_true(turn_until(cx, [&] { return got.size() == 3; }), "called again while bytes are left");

  // Bytes that come between a report and the next look are no new event for an edge.
  cx.ok(cx.loop().add_reader(pair.subject,
                             [&] {
                               got += take(pair.subject.native());
                               if (got.size() < 9) pair.peer.send("def");
                             }),
        "add_reader in place of another");
  pair.peer.send("xyz");
  cx.is_true(run_patiently(cx, [&] { return got.size() >= 9; }), "called for bytes of a callback");
  cx.equal(got, "abcxyzdef", "all bytes in order");

  pair.peer.send("late");
  cx.ok(cx.loop().remove_reader(pair.subject), "remove_reader");
  turn(cx, 2);
  std::string late;
  cx.ok(cx.loop().add_reader(pair.subject, [&] { late += take(pair.subject.native()); }),
        "add_reader when bytes are there already");
  cx.is_true(run_patiently(cx, [&] { return !late.empty(); }), "called for what was there before");
  int writable = 0;
  cx.ok(cx.loop().add_writer(pair.subject, [&] { ++writable; }), "add_writer");
  cx.is_true(turn_until(cx, [&] { return writable >= 5; }), "a writer while there is room");
  cx.ok(cx.loop().remove_writer(pair.subject), "remove_writer");
  cx.ok(cx.loop().remove_reader(pair.subject), "remove_reader");
}

void extreme_timeouts(Context& cx) {
  EventLoop& loop = cx.loop();
  std::vector<TimerHandle> far;
  for (const Duration delay : {Duration(std::chrono::hours(24 * 365 * 100)), Duration::max() / 2,
                               Duration(std::chrono::seconds(0x7fffffff))}) {
    far.push_back(loop.call_later(delay, [&] { cx.mark("far"); }));
  }
  for (const Duration delay : {Duration::min() / 2, Duration(-1s), Duration(-1)}) {
    bool ran = false;
    cx.ok(loop.call_later(delay, [&] { ran = true; }), "call_later with a negative delay");
    cx.is_true(turn_until(cx, [&] { return ran; }), "a negative delay has passed");
  }
  const std::uint64_t before = cx.waits();
  cx.thread([&] { let_pass(30ms), loop.call_soon_threadsafe([&] { loop.stop(); }); });
  cx.run_forever();
  cx.at_most(cx.waits() - before, kFewWaits, "waits beside nothing but timers of a century");
  const TimePoint due = now() + 3ms;
  TimePoint ran;
  loop.call_at(due, [&] { ran = now(), loop.stop(); });
  cx.run_forever();
  cx.not_before(ran, due, "a short timer beside them");
  for (TimerHandle& each : far) each.cancel();
  turn(cx, 2);
  cx.expect_trace({});
}

constexpr CapSet kSockets{Cap::sock_stream, Cap::native_socket};
constexpr CapSet kServing{Cap::create_server, Cap::create_connection, Cap::native_socket};
constexpr CapSet kWriting = kSockets | CapSet{Cap::create_connection, Cap::pipes};
constexpr std::string_view kBatch[] = {"sock_recv", "sock_sendall"};
constexpr std::string_view kServe[] = {"create_server", "connect_accepted_socket"};
constexpr std::string_view kWrite[] = {"sock_sendall", "Transport.write", "connect_write_pipe"};
constexpr std::string_view kWatch[] = {"add_reader", "add_writer"};
constexpr std::string_view kTimers[] = {"call_later", "call_at"};

constexpr Scenario kScenarios[] = {
    {.id = "uring.sq_full",
     .promise = "More operations at once than a queue has entries are all done, each for itself.",
     .source = "man 2 io_uring_enter, EBUSY; man 3 io_uring_get_sqe",
     .needs = kSockets,
     .body = more_than_the_queue_holds,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kBatch,
     .exclusive = Resource::descriptors},
    {.id = "uring.multishot_end",
     .promise = "Receives and accepts that repeat go on when the system ends them for want of "
                "buffers or room.",
     .source = "man 7 io_uring_multishot, IORING_CQE_F_MORE",
     .needs = kServing,
     .body = answers_that_end,
     .authority = Authority::man_page,
     .api = kServe,
     .exclusive = Resource::descriptors},
    {.id = "uring.sigpipe",
     .promise = "Writing to a peer that has gone is an error, and SIGPIPE ends nothing.",
     .source = "man 7 signal, SIGPIPE; man 2 send, MSG_NOSIGNAL",
     .needs = kWriting,
     .body = no_signal,
     .authority = Authority::man_page,
     .api = kWrite},
    {.id = "uring.poll_semantics",
     .promise = "A watched descriptor is reported as long as it is ready, whatever came meanwhile.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#watching-file-descriptors; "
               "man 3 io_uring_prep_poll_multishot",
     .needs = {Cap::add_reader, Cap::add_writer, Cap::native_socket},
     .body = reported_while_ready,
     .severity = Severity::common,
     .api = kWatch},
    {.id = "uring.timeout_values",
     .promise = "Delays below zero have passed; delays of a century neither fire nor spin.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#scheduling-delayed-callbacks; "
               "man 2 io_uring_enter, EINVAL",
     .needs = {Cap::call_later, Cap::call_soon_threadsafe},
     .body = extreme_timeouts,
     .severity = Severity::common,
     .api = kTimers},
};

}  // namespace

extern const ScenarioFile file{"A30", "io_uring", kScenarios};
}  // namespace loopscope::scenarios::uring_batches
