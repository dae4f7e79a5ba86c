// add_reader, remove_reader and their twins: what is registered after each call.
#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::rw_registration {
namespace {

// Each of two ready readers replaces the other: whichever runs first, the other one must not.
void replace_callback(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair a = cx.stream_pair(), b = cx.stream_pair();
  a.peer.send("x"), b.peer.send("x");
  int old_calls = 0, new_calls = 0;
  const auto replace = [&](Socket& own, Socket& other) {
    ++old_calls;
    (void)loop.remove_reader(own);
    (void)loop.add_reader(other, [&] { ++new_calls, (void)loop.remove_reader(other); });
  };
  cx.ok(loop.add_reader(a.subject, [&] { replace(a.subject, b.subject); }), "add_reader");
  cx.ok(loop.add_reader(b.subject, [&] { replace(b.subject, a.subject); }), "add_reader");
  turn_until(cx, [&] { return new_calls > 0; });
  turn(cx, 5);
  cx.equal(old_calls, 1, "calls of the first two callbacks, one of which was replaced in time");
  cx.equal(new_calls, 1, "calls of the replacement, which removes itself");

  cx.ok(loop.add_reader(a.subject, [&] { cx.mark("first"); }), "add_reader");
  cx.ok(loop.add_reader(a.subject, [&] { cx.mark("second"); }), "add_reader again");
  turn_until(cx, [&] { return cx.trace().count("second") > 0; });
  cx.equal(cx.trace().count("first"), 0, "calls of a callback replaced before it could run");
  cx.equal(loop.remove_reader(a.subject).value(), true, "one registration was there");
  cx.equal(loop.remove_reader(a.subject).value(), false, "and only one");
}

void reader_and_writer_independent(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  pair.peer.send("x");
  int reads = 0, writes = 0;
  const auto seen_in_five_turns = [&] {
    reads = writes = 0;
    turn(cx, 5);
    return std::string(reads > 0 ? "reads" : "") + (writes > 0 ? "writes" : "");
  };
  cx.ok(loop.add_reader(pair.subject, [&] { ++reads; }), "add_reader");
  cx.ok(loop.add_writer(pair.subject, [&] { ++writes; }), "add_writer");
  cx.equal(seen_in_five_turns(), "readswrites", "both run when both are ready");
  cx.ok(loop.remove_reader(pair.subject), "remove_reader");
  cx.equal(seen_in_five_turns(), "writes", "the writer stays when the reader goes");
  cx.ok(loop.add_reader(pair.subject, [&] { ++reads; }), "add_reader");
  cx.equal(seen_in_five_turns(), "readswrites", "both again");
  cx.ok(loop.remove_writer(pair.subject), "remove_writer");
  cx.equal(seen_in_five_turns(), "reads", "the reader stays when the writer goes");
  cx.ok(loop.remove_reader(pair.subject), "remove_reader");
  cx.equal(seen_in_five_turns(), "", "none runs when both have gone");
}

void remove_returns(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  cx.equal(loop.remove_reader(pair.subject).value(), false, "a descriptor never seen");
  cx.equal(loop.remove_writer(pair.subject).value(), false, "the same for a writer");
  cx.ok(loop.add_reader(pair.subject, [] {}), "add_reader");
  cx.equal(loop.remove_writer(pair.subject).value(), false, "only a reader is registered");
  cx.equal(loop.remove_reader(pair.subject).value(), true, "the reader that was there");
  cx.equal(loop.remove_reader(pair.subject).value(), false, "the reader, a second time");
  cx.ok(loop.add_writer(pair.subject, [] {}), "add_writer");
  cx.equal(loop.remove_writer(pair.subject).value(), true, "the writer that was there");
  const os::NativeSocket number = pair.subject.native();
  pair.subject.close();
  cx.equal(loop.remove_reader(number).value(), false, "a closed descriptor");
  cx.equal(loop.remove_writer(number).value(), false, "the same for a writer");
}

void remove_in_batch(Context& cx) {
  EventLoop& loop = cx.loop();
  std::vector<StreamPair> pairs;
  int calls = 0;
  for (int i = 0; i < 20; ++i) pairs.push_back(cx.stream_pair());
  for (StreamPair& pair : pairs) {
    pair.peer.send("x");
    cx.ok(loop.add_reader(pair.subject,
                          [&] {
                            ++calls;
                            for (StreamPair& each : pairs) (void)loop.remove_reader(each.subject);
                          }),
          "add_reader");
  }
  turn_until(cx, [&] { return calls > 0; });
  turn(cx, 5);
  cx.equal(calls, 1, "calls after the first of 20 ready readers removed all of them");
}

void many_change_per_iteration(Context& cx) {
  EventLoop& loop = cx.loop();
  Crowd crowd(cx, 200);
  std::vector<int> reads(crowd.size()), writes(crowd.size());
  for (std::size_t i = 0; i < crowd.size(); ++i) crowd.make_readable(i);
  loop.call_soon([&] {
    for (int round = 0; round < 40; ++round) {
      for (std::size_t i = 0; i < crowd.size(); ++i) {
        if (round % 2 == 0) {
          (void)loop.add_reader(crowd[i], [&reads, i] { ++reads[i]; });
          (void)loop.add_writer(crowd[i], [&writes, i] { ++writes[i]; });
        } else {
          if (i % 4 != 1 || round < 39) (void)loop.remove_reader(crowd[i]);
          if (i % 4 != 2 || round < 39) (void)loop.remove_writer(crowd[i]);
        }
      }
    }
  });
  // A loop may take what so many changes led to in portions; how soon is not what is asked here.
  turn_until(cx, [&] {
    for (std::size_t i = 0; i < crowd.size(); ++i) {
      if ((i % 4 == 1 && reads[i] == 0) || (i % 4 == 2 && writes[i] == 0)) return false;
    }
    return true;
  });
  turn(cx, 4);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < crowd.size(); ++i) {
    if ((reads[i] > 0) != (i % 4 == 1) || (writes[i] > 0) != (i % 4 == 2)) ++wrong;
    (void)loop.remove_reader(crowd[i]);
    (void)loop.remove_writer(crowd[i]);
  }
  cx.equal(wrong, 0, "descriptors that are not watched as the last of 40 changes said");
}

void bad_fd(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair closed = cx.stream_pair(), open = cx.stream_pair();
  const os::NativeSocket number = closed.subject.native();
  closed.subject.close();
  cx.refused(loop.add_reader(number, [] {}), "add_reader on a closed descriptor");
  cx.refused(loop.add_writer(number, [] {}), "add_writer on a closed descriptor");
  cx.refused(loop.add_reader(os::kInvalid, [] {}), "add_reader on -1");
  cx.equal(loop.remove_reader(number).value(), false, "a reader stayed half registered");
  cx.equal(loop.remove_writer(number).value(), false, "a writer stayed half registered");
  turn(cx, 3);

  const os::UniqueFd reopened = duplicate_at(cx, open.subject.native(), number);
  cx.ok(loop.add_reader(reopened, [&] { cx.mark("read " + take(number)); }), "add_reader");
  open.peer.send("word");
  turn_until(cx, [&] { return cx.trace().count("read word") > 0; });
  cx.expect_trace({"read word"});
  cx.ok(loop.remove_reader(reopened), "remove_reader");
}

void object_types(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  os::Pipe pipe = cx.pipe();
  pair.peer.send("x");
  int calls = 0;
  cx.ok(loop.add_reader(pair.subject, [&] { ++calls; }), "add_reader with a socket");
  cx.is_true(turn_until(cx, [&] { return calls > 0; }), "the socket's reader runs");
  cx.equal(loop.remove_reader(pair.subject.native()).value(), true, "removed by its number");
  cx.ok(os::write(pipe.write.get(), view("x")), "write");
  calls = 0;
  cx.ok(loop.add_reader(pipe.read.get(), [&] { ++calls; }), "add_reader with a number");
  cx.is_true(turn_until(cx, [&] { return calls > 0; }), "the number's reader runs");
  cx.equal(loop.remove_reader(pipe.read).value(), true, "removed by its owner");
}

void transport_fd_guard(Context& cx) {
  EventLoop& loop = cx.loop();
  os::Pipe pipe = cx.pipe();
  const os::NativeSocket number = pipe.read.get();
  const auto protocol = std::make_shared<Protocol>();
  const Link link =
      settle(cx, loop.connect_read_pipe([&] { return protocol; }, std::move(pipe.read)), "connect");
  cx.refused(loop.add_reader(number, [] {}), Errc::invalid_state, "add_reader");
  cx.refused(loop.add_writer(number, [] {}), Errc::invalid_state, "add_writer");
  link.transport->close();
  turn(cx, 5);
  const os::UniqueFd reused = duplicate_at(cx, pipe.write.get(), number);
  cx.ok(loop.add_writer(reused, [] {}), "the number is free again after the transport");
  cx.ok(loop.remove_writer(reused), "remove_writer");
}

void preserve_blocking_mode(Context& cx) {
  EventLoop& loop = cx.loop();
  os::Pipe pipe = cx.pipe();  // Both ends are blocking.
  cx.ok(loop.add_reader(pipe.read, [] {}), "add_reader");
  cx.ok(loop.add_writer(pipe.write, [] {}), "add_writer");
  turn(cx, 3);
  cx.equal(os::is_blocking(pipe.read.get()).value(), true, "the read end blocks while watched");
  cx.equal(os::is_blocking(pipe.write.get()).value(), true, "the write end blocks while watched");
  cx.ok(loop.remove_reader(pipe.read), "remove_reader");
  cx.ok(loop.remove_writer(pipe.write), "remove_writer");
  cx.equal(os::is_blocking(pipe.read.get()).value(), true, "the read end blocks afterwards");
  cx.equal(os::is_blocking(pipe.write.get()).value(), true, "the write end blocks afterwards");
}

constexpr std::string_view kReader[] = {"add_reader", "remove_reader"};
constexpr std::string_view kBoth[] = {"add_reader", "remove_reader", "add_writer", "remove_writer"};
constexpr std::string_view kGuard[] = {"add_reader", "add_writer", "connect_read_pipe"};
constexpr std::string_view kAddReader =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_reader";

constexpr Scenario kScenarios[] = {
    {.id = "rw.replace_callback",
     .promise = "A second add_reader on a descriptor replaces the first, whose callback does not "
                "run any more even if its event was already there.",
     .source = kAddReader,
     .needs = {Cap::add_reader, Cap::native_socket},
     .body = replace_callback,
     .api = kReader},
    {.id = "rw.reader_and_writer_independent",
     .promise = "The reader and the writer of one descriptor are added, run and removed "
                "independently of each other.",
     .source = kAddReader,
     .needs = {Cap::add_reader, Cap::add_writer, Cap::native_socket},
     .body = reader_and_writer_independent,
     .api = kBoth},
    {.id = "rw.remove.returns",
     .promise = "Removing says whether something was registered: true once, then false, and false "
                "for descriptors unknown or closed.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.remove_reader",
     .needs = {Cap::add_reader, Cap::add_writer, Cap::native_socket},
     .body = remove_returns,
     .severity = Severity::common,
     .api = kBoth},
    {.id = "rw.remove.in_batch",
     .promise = "When many descriptors are ready and the first callback removes all readers, no "
                "other one runs.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.remove_reader",
     .needs = {Cap::add_reader, Cap::native_socket},
     .body = remove_in_batch,
     .api = kReader},
    {.id = "rw.many_change_per_iteration",
     .promise = "After thousands of additions and removals in one callback, exactly what the last "
                "of them said is watched.",
     .source = kAddReader,
     .needs = {Cap::add_reader, Cap::add_writer, Cap::native_socket},
     .body = many_change_per_iteration,
     .severity = Severity::common,
     .api = kBoth},
    {.id = "rw.bad_fd",
     .promise = "Watching a closed or negative descriptor is refused at once, leaves nothing "
                "registered, and the number works as soon as it is open again.",
     .source = "man 2 epoll_ctl, EBADF; man 2 select, EBADF; man 2 poll, POLLNVAL",
     .needs = {Cap::add_reader, Cap::add_writer, Cap::native_socket},
     .body = bad_fd,
     .authority = Authority::man_page,
     .api = kBoth},
    {.id = "rw.object_types",
     .promise = "A number, a socket and an owner of a descriptor name the same registration.",
     .source = "docs.python.org/3/glossary.html#term-file-object; fileno() of a file object",
     .needs = {Cap::add_reader, Cap::native_socket, Cap::pipes},
     .body = object_types,
     .severity = Severity::edge,
     .api = kReader},
    {.id = "rw.transport_fd_guard",
     .promise = "Watching a descriptor that belongs to a transport is refused, and allowed again "
                "for its number when the transport has gone.",
     .source = "CPython asyncio/selector_events.py, _ensure_fd_no_transport",
     .needs = {Cap::add_reader, Cap::add_writer, Cap::pipes, Cap::native_socket},
     .body = transport_fd_guard,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kGuard},
    {.id = "rw.preserve_blocking_mode",
     .promise = "Watching a descriptor leaves its blocking mode alone.",
     .source = "github.com/MagicStack/uvloop/issues/761",
     .needs = {Cap::add_reader, Cap::add_writer, Cap::native_socket, Cap::pipes},
     .body = preserve_blocking_mode,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kBoth}};

}  // namespace

extern const ScenarioFile file{"A5", "Readers and writers", kScenarios};
}  // namespace loopscope::scenarios::rw_registration
