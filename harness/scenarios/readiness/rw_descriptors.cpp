// add_reader and the life of descriptors: numbers used again, duplicates, files, two loops.
#include <fstream>

#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::rw_descriptors {
namespace {

// Two ready readers; whichever runs first closes the other's descriptor and lets an idle pipe take
// its number, so that an event noted down for the number would reach the wrong object.
void reuse_in_batch(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pairs[2] = {cx.stream_pair(), cx.stream_pair()};
  os::Pipe idle = cx.pipe();
  os::UniqueFd reused;
  int stale = 0, calls = 0;
  for (int own = 0; own < 2; ++own) {
    pairs[own].peer.send("x");
    cx.ok(loop.add_reader(pairs[own].subject,
                          [&, own] {
                            if (++calls > 1) return;
                            Socket& other = pairs[1 - own].subject;
                            const os::NativeSocket number = other.native();
                            (void)loop.remove_reader(other);
                            (void)loop.remove_reader(pairs[own].subject);
                            other.close();
                            reused = duplicate_at(cx, idle.read.get(), number);
                            cx.ok(loop.add_reader(reused, [&] { ++stale; }), "add_reader");
                          }),
          "add_reader");
  }
  turn_until(cx, [&] { return calls > 0; });
  turn(cx, 5);
  cx.equal(calls, 1, "calls of the two first readers");
  cx.equal(stale, 0, "calls of the new reader, whose pipe is empty");
  cx.ok(os::write(idle.write.get(), view("x")), "write");
  cx.is_true(turn_until(cx, [&] { return stale > 0; }), "the new reader runs when data is there");
  cx.ok(loop.remove_reader(reused), "remove_reader");
}

void reuse_across_iterations(Context& cx) {
  EventLoop& loop = cx.loop();
  os::Pipe first = cx.pipe(), second = cx.pipe();
  const os::NativeSocket number = first.read.get();
  cx.ok(os::write(first.write.get(), view("old")), "write");
  cx.ok(loop.add_reader(first.read, [&] { cx.mark("old reader"); }), "add_reader");
  turn(cx, 1);
  cx.equal(loop.remove_reader(first.read).value(), true, "the reader was there");
  first.read.reset();

  const os::UniqueFd reused = duplicate_at(cx, second.read.get(), number);
  cx.ok(loop.add_reader(reused, [&] { cx.mark("new reader: " + take(number)); }), "add_reader");
  turn(cx, 5);
  cx.ok(os::write(second.write.get(), view("new")), "write");
  turn_until(cx, [&] { return cx.trace().count("new reader: new") > 0; });
  cx.expect_trace({"old reader", "new reader: new"});
  cx.equal(loop.remove_reader(reused).value(), true, "the new reader was there");
}

void reuse_unremoved(Context& cx) {
  EventLoop& loop = cx.loop();
  os::Pipe first = cx.pipe(), second = cx.pipe();
  const os::NativeSocket number = first.read.get();
  cx.ok(loop.add_reader(first.read, [&] { cx.mark("old reader"); }), "add_reader");
  turn(cx, 2);
  first.read.reset();  // The kernel forgets it; the loop was not told.
  const os::UniqueFd reused = duplicate_at(cx, second.read.get(), number);
  cx.ok(loop.add_reader(reused, [&] { cx.mark("new reader: " + take(number)); }),
        "add_reader under a number that was closed without remove_reader");
  cx.ok(os::write(second.write.get(), view("new")), "write");
  turn_until(cx, [&] { return cx.trace().count("new reader: new") > 0; });
  cx.expect_trace({"new reader: new"});
  cx.equal(loop.remove_reader(reused).value(), true, "the new reader was there");
}

void closed_without_remove(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair gone = cx.stream_pair(), other = cx.stream_pair();
  int ghosts = 0;
  std::string seen;
  cx.ok(loop.add_reader(gone.subject, [&] { ++ghosts; }), "add_reader");
  cx.ok(loop.add_reader(other.subject, [&] { seen += take(other.subject.native()); }),
        "add_reader");
  turn(cx, 2);
  const os::NativeSocket number = gone.subject.native();
  gone.subject.close();
  cx.at_most(waits_while_idle(cx), kFewWaits, "wait calls in 20 idle milliseconds");
  cx.note("callbacks_for_the_closed_descriptor", ghosts, "count");
  other.peer.send("word");
  turn_until(cx, [&] { return !seen.empty(); });
  cx.equal(seen, "word", "another descriptor is served as before");
  cx.ok(loop.remove_reader(number), "remove_reader for the closed number");
  cx.ok(loop.remove_reader(other.subject), "remove_reader");
}

class Counting final : public Protocol {
 public:
  void data_received(ByteView data) override { bytes_seen += data.size(); }
  void connection_lost(const Error*) override { ++lost; }
  std::size_t bytes_seen = 0;
  int lost = 0;
};

void stale_duplicate(Context& cx) {
  os::Pipe pipe = cx.pipe();
  const os::UniqueFd twin = os::duplicate(pipe.read.get()).value();
  const auto protocol = std::make_shared<Counting>();
  const Link link = settle(
      cx, cx.loop().connect_read_pipe([&] { return protocol; }, std::move(pipe.read)), "connect");
  turn(cx, 3);
  link.transport->close();
  cx.is_true(turn_until(cx, [&] { return protocol->lost > 0; }), "connection_lost comes");
  cx.ok(os::write(pipe.write.get(), view("for nobody")), "write");
  cx.at_most(waits_while_idle(cx), kFewWaits, "wait calls in 20 idle milliseconds");
  cx.equal(protocol->bytes_seen, 0, "bytes delivered after close()");
  cx.equal(protocol->lost, 1, "calls of connection_lost");
}

void both_duplicates(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  const os::UniqueFd twin = os::duplicate(pair.subject.native()).value();
  int own = 0, twins = 0;
  cx.ok(loop.add_reader(pair.subject, [&] { ++own; }), "add_reader");
  cx.ok(loop.add_reader(twin, [&] { ++twins; }), "add_reader on the duplicate");
  pair.peer.send("x");
  turn(cx, 5);
  cx.is_true(own > 0 && twins > 0, "both run");
  cx.ok(loop.remove_reader(pair.subject), "remove_reader");
  own = twins = 0;
  turn(cx, 5);
  cx.equal(own, 0, "calls of the removed reader");
  cx.is_true(twins > 0, "the duplicate's reader goes on");
  cx.ok(loop.remove_reader(twin), "remove_reader");
}

void same_fd_two_loops(Context& cx) {
  const std::unique_ptr<EventLoop> second = cx.new_loop();
  StreamPair pair = cx.stream_pair();
  int here = 0, there = 0;
  cx.ok(cx.loop().add_reader(pair.subject, [&] { ++here; }), "add_reader");
  cx.ok(second->add_reader(pair.subject, [&] { ++there; }), "add_reader on the second loop");
  const auto turn_second = [&] {
    second->stop();
    cx.ok(second->run_forever(), "run_forever of the second loop");
  };
  pair.peer.send("x");
  turn(cx, 3), turn_second();
  cx.is_true(here > 0 && there > 0, "the reader of each loop runs");
  cx.ok(cx.loop().remove_reader(pair.subject), "remove_reader");
  here = there = 0;
  turn(cx, 3), turn_second();
  cx.equal(here, 0, "calls in the loop that removed it");
  cx.is_true(there > 0, "the other loop still watches it");
  cx.ok(second->remove_reader(pair.subject), "remove_reader on the second loop");
  cx.ok(second->close(), "close");
}

// True when the loop took the descriptor; it has been taken out again then.
bool accepted(Context& cx, const os::UniqueFd& fd, std::string_view what) {
  EventLoop& loop = cx.loop();
  int calls = 0;
  const Result<void> reader = loop.add_reader(fd, [&] { ++calls; });
  const Result<void> writer = loop.add_writer(fd, [&] { ++calls; });
  turn(cx, 5);
  cx.equal(loop.remove_reader(fd).value(), reader.ok(),
           "something to remove iff accepted: " + std::string(what));
  cx.equal(loop.remove_writer(fd).value(), writer.ok(),
           "something to remove iff accepted: " + std::string(what));
  if (!reader.ok() && !writer.ok()) {
    cx.equal(calls, 0, "calls of what was refused");
    cx.note(what, to_string(reader.error()));
    return false;
  }
  cx.note(what, show(calls) + " calls in 5 iterations");
  calls = 0;
  turn(cx, 3);
  cx.equal(calls, 0, "calls after the removal");
  return true;
}

void regular_file(Context& cx) {
  const std::string path = cx.temp_path("file");
  std::ofstream(path) << "content";
  const os::UniqueFd file = os::open_path(path, true).value();
  if (accepted(cx, file, "regular file")) {
    cx.at_most(waits_while_idle(cx), kFewWaits, "wait calls when nothing is watched any more");
    cx.diverges("always_ready", "refused (EPERM): readiness has no meaning for a file",
                "accepted, and ready in every iteration");
  }
  cx.at_most(waits_while_idle(cx), kFewWaits, "wait calls after the refusal");
}

void devices(Context& cx) {
  std::string taken;
  for (const char* path : {"/dev/null", "/dev/zero"}) {
    const Result<os::UniqueFd> device = os::open_path(path, true);
    if (!device.ok()) cx.skip(to_string(device.error()));
    if (accepted(cx, device.value(), path)) taken += std::string(taken.empty() ? "" : ", ") + path;
  }
  if (!taken.empty()) {
    cx.diverges("always_ready", "refused (EPERM), as epoll does", "accepted: " + taken);
  }
}

// The old callback holds an object whose destructor calls back into the loop while the loop is
// busy replacing that very callback.
void reentrant_finaliser(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  pair.peer.send("x");
  int reads = 0, writes = 0, olds = 0;
  {
    const std::shared_ptr<void> token(nullptr, [&](void*) {
      (void)loop.remove_writer(pair.subject);
      (void)loop.add_writer(pair.subject, [&] { ++writes; });
    });
    cx.ok(loop.add_writer(pair.subject, [&] { ++olds; }), "add_writer");
    cx.ok(loop.add_reader(pair.subject, [&olds, token] { ++olds; }), "add_reader");
  }
  cx.ok(loop.add_reader(pair.subject, [&] { ++reads; }), "add_reader, which destroys the first");
  turn(cx, 5);
  cx.equal(olds, 0, "calls of what was replaced");
  cx.is_true(reads > 0, "the new reader runs");
  cx.is_true(writes > 0, "the writer that the destructor added runs");
  cx.equal(loop.remove_reader(pair.subject).value(), true, "the reader is registered");
  cx.equal(loop.remove_writer(pair.subject).value(), true, "the writer is registered");
}

constexpr std::string_view kReader[] = {"add_reader", "remove_reader"};
constexpr std::string_view kBoth[] = {"add_reader", "remove_reader", "add_writer", "remove_writer"};
constexpr std::string_view kPipe[] = {"connect_read_pipe", "Transport.close"};
constexpr std::string_view kAddReader =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_reader";
constexpr std::string_view kEpollCache = "man 7 epoll, possible pitfalls: if using an event cache";
constexpr std::string_view kEpollDup =
    "man 7 epoll, questions and answers: duplicates keep an open file description registered";

constexpr Scenario kScenarios[] = {
    {.id = "rw.fd_reuse.in_batch",
     .promise = "When a callback closes a descriptor of the same batch and a new object takes its "
                "number, the old event is not delivered to the new object.",
     .source = kEpollCache,
     .needs = {Cap::add_reader, Cap::native_socket, Cap::pipes},
     .body = reuse_in_batch,
     .authority = Authority::man_page,
     .api = kReader},
    {.id = "rw.fd_reuse.across_loops",
     .promise = "A number that was removed, closed and opened again in a later turn of the loop "
                "gives the events of the new object only.",
     .source = kAddReader,
     .needs = {Cap::add_reader, Cap::native_socket, Cap::pipes},
     .body = reuse_across_iterations,
     .api = kReader},
    {.id = "rw.fd_reuse.unremoved",
     .promise = "A descriptor can be watched although its number was watched before and closed "
                "without a removal.",
     .source = "libev ev.pod, The special problem of disappearing file descriptors",
     .needs = {Cap::add_reader, Cap::native_socket, Cap::pipes},
     .body = reuse_unremoved,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kReader},
    {.id = "rw.closed_without_remove",
     .promise = "Closing a watched descriptor without removing it neither ends nor spins the loop, "
                "and other descriptors are served as before.",
     .source = "github.com/libuv/libuv/issues/5130; github.com/MagicStack/uvloop/issues/100",
     .needs = {Cap::add_reader, Cap::call_later, Cap::native_socket},
     .body = closed_without_remove,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kReader},
    {.id = "rw.stale_dup.unremovable",
     .promise = "A transport that is closed stops watching before it closes its descriptor: a "
                "duplicate that lives on makes no events.",
     .source = kEpollDup,
     .needs = {Cap::pipes, Cap::call_later, Cap::native_socket},
     .body = stale_duplicate,
     .authority = Authority::man_page,
     .api = kPipe},
    {.id = "rw.dup_both_registered",
     .promise = "Two duplicates of one socket are watched independently of each other.",
     .source = "man 7 epoll, questions and answers: registering duplicates",
     .needs = {Cap::add_reader, Cap::native_socket},
     .body = both_duplicates,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kReader},
    {.id = "rw.same_fd_two_loops",
     .promise = "A descriptor that two loops watch works in both, and its removal from one does "
                "not disturb the other.",
     .source =
         "man 7 epoll, questions and answers: two epoll instances may wait for one descriptor",
     .needs = {Cap::add_reader, Cap::native_socket},
     .body = same_fd_two_loops,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kReader},
    {.id = "rw.regular_file",
     .promise = "A regular file is refused as nothing that can be waited for, and the refusal "
                "leaves the loop clean.",
     .source = "docs.python.org/3/library/asyncio-platforms.html, all platforms: add_reader() "
               "cannot monitor file I/O; man 2 epoll_ctl, EPERM",
     .needs = {Cap::add_reader, Cap::add_writer, Cap::call_later, Cap::native_socket},
     .body = regular_file,
     .api = kBoth},
    {.id = "rw.devnull_devzero",
     .promise = "Devices that are always ready are treated as regular files are.",
     .source = "man 2 epoll_ctl, EPERM: the target does not support epoll",
     .needs = {Cap::add_reader, Cap::add_writer, Cap::native_socket},
     .body = devices,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kBoth},
    {.id = "rw.reentrant_finaliser",
     .promise = "Replacing a reader whose old callback registers something in its destructor "
                "leaves exactly the two new registrations.",
     .source = "loops/event_loop.hpp, add_reader; github.com/python/cpython/issues/125969",
     .needs = {Cap::add_reader, Cap::add_writer, Cap::native_socket},
     .body = reentrant_finaliser,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::edge,
     .api = kBoth}};

}  // namespace

extern const ScenarioFile file{"A5", "Readers and writers", kScenarios};
}  // namespace loopscope::scenarios::rw_descriptors
