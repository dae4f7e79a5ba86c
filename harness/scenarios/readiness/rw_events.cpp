// add_reader, add_writer: which conditions of a descriptor run a callback, and how often.
#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios::rw_events {
namespace {

void level_triggered(Context& cx) {
  StreamPair pair = cx.stream_pair();
  pair.peer.send("0123456789");
  std::string seen;
  int calls = 0;
  cx.ok(
      cx.loop().add_reader(pair.subject, [&] { ++calls, seen += take(pair.subject.native(), 1); }),
      "add_reader");
  turn_until(cx, [&] { return seen.size() == 10; });
  cx.equal(seen, "0123456789", "one byte taken per call arrives without a further write");
  turn(cx, 20);
  cx.equal(calls, 10, "and nothing more runs when nothing is left");
  cx.ok(cx.loop().remove_reader(pair.subject), "remove_reader");
}

void waits_for_data(Context& cx) {
  StreamPair pair = cx.stream_pair();
  cx.ok(cx.loop().add_reader(pair.subject,
                             [&] {
                               cx.mark("read " + take(pair.subject.native()));
                               cx.loop().stop();
                             }),
        "add_reader");
  turn(cx, 10);
  cx.thread([&] { pair.peer.send("later"); });
  cx.run_forever();
  cx.thread([&] { pair.peer.send("again"); });
  cx.run_forever();
  cx.expect_trace({"read later", "read again"});
  cx.ok(cx.loop().remove_reader(pair.subject), "remove_reader");
}

void writer_immediate(Context& cx) {
  StreamPair pair = cx.stream_pair();
  int calls = 0;
  cx.ok(cx.loop().add_writer(pair.subject, [&] { ++calls; }), "add_writer");
  turn(cx, 5);
  cx.equal(calls, 5, "one call in each of five iterations while the socket is writable");

  const std::size_t stuffed = fill(pair.subject.native());
  calls = 0;
  turn(cx, 20);
  cx.equal(calls, 0, "no call while the send buffer is full");

  (void)pair.peer.recv_exactly(stuffed);
  cx.is_true(turn_until(cx, [&] { return calls > 0; }), "calls resume after the peer has read");
  cx.equal(cx.loop().remove_writer(pair.subject).value(), true, "the writer was registered");
  calls = 0;
  turn(cx, 5);
  cx.equal(calls, 0, "no call after remove_writer");
}

void hup_delivered_as_read(Context& cx) {
  os::Pipe ending = cx.pipe(), broken = cx.pipe();
  (void)fill(broken.write.get());  // Not writable: the error alone has to wake the writer.
  ending.write.reset();            // Hang-up, and nothing to read.
  broken.read.reset();             // Error, and no room to write.
  bool saw_end = false, saw_error = false;
  cx.ok(cx.loop().add_reader(ending.read,
                             [&] {
                               Bytes buffer(8);
                               saw_end = os::read(ending.read.get(), buffer).value() == 0u;
                               (void)cx.loop().remove_reader(ending.read);
                             }),
        "add_reader");
  cx.ok(cx.loop().add_writer(broken.write,
                             [&] {
                               saw_error = !os::write(broken.write.get(), view("x")).ok();
                               (void)cx.loop().remove_writer(broken.write);
                             }),
        "add_writer");
  turn_until(cx, [&] { return saw_end && saw_error; });
  cx.is_true(saw_end, "the reader runs on a hang-up without data and reads the end");
  cx.is_true(saw_error, "the writer runs on an error without room and gets the error");
}

void error_unregisters_not(Context& cx) {
  os::Pipe pipe = cx.pipe();
  (void)fill(pipe.write.get());
  pipe.read.reset();
  int calls = 0;
  cx.ok(cx.loop().add_writer(pipe.write, [&] { ++calls; }), "add_writer");
  turn(cx, 5);
  cx.at_least(calls, 2, "calls in five iterations with a lasting error");
  cx.equal(cx.loop().remove_writer(pipe.write).value(), true, "the writer is still registered");
}

// Two more readers on the same open socket, one before and one behind in every order in which a
// loop may serve them: one of them takes the data before the receive gets its turn.
void spurious_tolerated(Context& cx) {
  StreamPair pair = cx.stream_pair();
  const os::UniqueFd low = pair.subject.release();
  Socket middle(os::duplicate(low.get()).value());
  const os::UniqueFd high = os::duplicate(low.get()).value();
  std::string stolen;
  const auto steal = [&] { stolen += take(low.get()); };
  cx.ok(cx.loop().add_reader(low, steal), "add_reader");
  Future<Bytes> receiving = cx.loop().sock_recv(middle, 64);
  cx.ok(cx.loop().add_reader(high, steal), "add_reader");

  pair.peer.send("stolen");
  turn(cx, 10);
  if (stolen.empty()) {
    // The loop has the system receive. What is taken before it looks again wakes it for nothing.
    cx.equal(text(settle(cx, receiving, "sock_recv")), "stolen", "what the system received");
    receiving = cx.loop().sock_recv(middle, 64);
    turn(cx);
    pair.peer.send("stolen");
    steal();
    turn(cx);
  }
  if (stolen != "stolen") cx.inconclusive("the receive was served before all others");
  cx.equal(receiving.done(), false, "a receive that found nothing is done");
  cx.ok(cx.loop().remove_reader(low), "remove_reader");
  cx.ok(cx.loop().remove_reader(high), "remove_reader");

  pair.peer.send("kept");
  cx.equal(text(settle(cx, receiving, "sock_recv")), "kept", "the receive goes on waiting");
}

void pipe_write_granularity(Context& cx) {
  os::Pipe pipe = cx.pipe();
  (void)fill(pipe.write.get());
  int calls = 0;
  cx.ok(cx.loop().add_writer(pipe.write, [&] { ++calls; }), "add_writer");
  (void)take(pipe.read.get(), 1);
  turn(cx, 10);
  cx.note("calls_after_1_byte_read", calls, "count");
  const bool room = os::write(pipe.write.get(), view("x")).value().has_value();
  cx.equal(calls > 0, room, "the writer ran exactly if there was room");
  (void)take(pipe.read.get(), 8192);
  cx.is_true(turn_until(cx, [&] { return calls > 0; }), "the writer runs when pages are free");
  cx.ok(cx.loop().remove_writer(pipe.write), "remove_writer");
}

void unconnected_socket(Context& cx) {
  const Socket fresh = Socket::make(AddressFamily::ipv4, SocketType::stream).value();
  int reads = 0, writes = 0;
  cx.ok(cx.loop().add_reader(fresh, [&] { ++reads; }), "add_reader");
  cx.ok(cx.loop().add_writer(fresh, [&] { ++writes; }), "add_writer");
  turn(cx, 5);
  cx.note("reader_calls_in_5_iterations", reads, "count");
  cx.note("writer_calls_in_5_iterations", writes, "count");
  cx.ok(cx.loop().remove_reader(fresh), "remove_reader");
  cx.ok(cx.loop().remove_writer(fresh), "remove_writer");
  if (reads == 0 || writes == 0) {
    cx.diverges("silent", "reader and writer run: the system reports a hang-up",
                show(reads) + " reader calls, " + show(writes) + " writer calls");
  }
}

void urgent_byte(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.tcp_pair();
  std::string seen;
  int calls = 0;
  const auto read = [&] { ++calls, seen += take(pair.subject.native()); };
  cx.ok(loop.add_reader(pair.subject, read), "add_reader");
  pair.peer.send("before");
  run_patiently(cx, [&] { return seen == "before"; });
  tools::send_urgent(pair.peer.native(), '!');
  cx.at_most(waits_while_idle(cx), kFewWaits, "wait calls in 20 ms after an urgent byte");
  cx.note("reader_calls", calls, "count");
  pair.peer.send("after");
  run_patiently(cx, [&] { return seen.size() >= 11; });
  cx.equal(seen, "beforeafter", "the data that is not urgent");
  cx.ok(loop.remove_reader(pair.subject), "remove_reader");
}

void nested_poller(Context& cx) {
  const LoopDescriptor* epoll = nullptr;
  for (const LoopDescriptor* row : all_loops()) {
    if (row->name == "epoll" && row->make != nullptr) epoll = row;
  }
  if (epoll == nullptr) cx.skip("no loop here has a descriptor of its own to wait on");
  // It never runs: what is under test is its descriptor, under the eyes of the subject.
  const std::unique_ptr<EventLoop> inner = ours(epoll->make(LoopOptions{}));
  os::Pipe pipe = cx.pipe();
  cx.ok(inner->add_reader(pipe.read, [] {}), "add_reader on the inner loop");
  const os::NativeSocket nested = inner->backend().wait_descriptor;
  int calls = 0;
  cx.ok(cx.loop().add_reader(nested, [&] { ++calls; }),
        "add_reader on the inner loop's descriptor");
  turn(cx, 5);
  cx.equal(calls, 0, "calls while nothing inside is ready");
  ours(os::write(pipe.write.get(), view("x")));
  turn(cx, 5);
  cx.at_least(calls, 2, "calls in five iterations while something inside is ready");
  (void)take(pipe.read.get(), 1);
  calls = 0;
  turn(cx, 5);
  cx.equal(calls, 0, "calls after what was ready has been taken");
  cx.ok(cx.loop().remove_reader(nested), "remove_reader");
  cx.ok(inner->close(), "close");
}

constexpr std::string_view kReader[] = {"add_reader", "remove_reader"};
constexpr std::string_view kWriter[] = {"add_writer", "remove_writer"};
constexpr std::string_view kBoth[] = {"add_reader", "remove_reader", "add_writer", "remove_writer"};
constexpr std::string_view kReceive[] = {"add_reader", "sock_recv"};

constexpr Scenario kScenarios[] = {
    {.id = "rw.level_triggered",
     .promise = "A reader runs again in each iteration while unread data is left, without a "
                "further write.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_reader; "
               "man 7 epoll, level-triggered interface",
     .needs = {Cap::add_reader, Cap::native_socket},
     .body = level_triggered,
     .api = kReader},
    {.id = "rw.reader.wakes_blocked_loop",
     .promise = "Data that arrives while the loop is blocked in its wait runs the reader.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_reader",
     .needs = {Cap::add_reader, Cap::native_socket},
     .body = waits_for_data,
     .api = kReader,
     .limit = std::chrono::milliseconds(4000)},
    {.id = "rw.writer.immediate",
     .promise = "A writer runs once in each iteration while there is room to write, not while the "
                "send buffer is full, and not after its removal.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_writer",
     .needs = {Cap::add_writer, Cap::native_socket},
     .body = writer_immediate,
     .api = kWriter},
    {.id = "rw.hup_delivered_as_read",
     .promise = "A hang-up or an error without readable data wakes the reader and the writer, so "
                "that they see the end or the error.",
     .source = "man 2 select, correspondence between select() and poll() notifications",
     .needs = {Cap::add_reader, Cap::add_writer, Cap::native_socket, Cap::pipes},
     .body = hup_delivered_as_read,
     .authority = Authority::man_page,
     .api = kBoth},
    {.id = "rw.error_unregisters_not",
     .promise = "A lasting error of a descriptor runs its writer until it is removed; it does not "
                "unregister it.",
     .source = "man 2 poll, POLLERR is reported for every call while it lasts",
     .needs = {Cap::add_writer, Cap::native_socket, Cap::pipes},
     .body = error_unregisters_not,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kWriter},
    {.id = "rw.spurious_tolerated",
     .promise = "A pending receive that is told of data which somebody else took goes on waiting.",
     .source = "man 2 select, BUGS: a later read may block although readiness was reported",
     .needs = {Cap::add_reader, Cap::sock_stream, Cap::native_socket},
     .body = spurious_tolerated,
     .authority = Authority::man_page,
     .api = kReceive},
    {.id = "rw.pipe.write_granularity",
     .promise = "A writer on a full pipe stays silent until the pipe really has room, and runs "
                "when it has.",
     .source = "man 2 poll, POLLOUT; man 7 pipe, pipe capacity",
     .needs = {Cap::add_writer, Cap::native_socket, Cap::pipes},
     .body = pipe_write_granularity,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kWriter},
    {.id = "rw.unconnected_socket",
     .promise = "Watching a TCP socket that was never connected reports what the system reports: "
                "a hang-up, readable and writable at once, on Linux.",
     .source = "POSIX poll(), POLLHUP; Linux reports POLLOUT | POLLHUP for a fresh stream socket",
     .needs = {Cap::add_reader, Cap::add_writer, Cap::native_socket},
     .body = unconnected_socket,
     .level = Level::info,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kBoth},
    {.id = "rw.oob",
     .promise = "An urgent byte of a TCP peer neither spins the loop nor counts as data, and the "
                "data behind it arrives.",
     .source = "man 7 tcp, out-of-band data; man 2 poll, POLLPRI",
     .needs = {Cap::add_reader, Cap::call_later, Cap::native_socket},
     .body = urgent_byte,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kReader},
    {.id = "rw.nested_poller",
     .promise = "The wait descriptor of another loop can be watched: it is readable exactly while "
                "something inside is ready.",
     .source = "man 7 epoll, Questions and answers: an epoll descriptor is itself pollable",
     .needs = {Cap::add_reader, Cap::native_socket},
     .body = nested_poller,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kReader}};

}  // namespace

extern const ScenarioFile file{"A5", "Readers and writers", kScenarios};
}  // namespace loopscope::scenarios::rw_events
