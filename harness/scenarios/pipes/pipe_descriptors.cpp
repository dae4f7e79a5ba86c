// Pipe transports: which descriptors are taken, and what happens to their flags.
#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios::pipe_descriptors {
namespace {

void regular_files_are_refused(Context& cx) {
  for (const bool for_reading : {true, false}) {
    const auto seen = std::make_shared<StreamRecorder>(cx);
    const auto factory = [&] { return seen; };
    os::UniqueFd file = tools::create_file(cx.temp_path("file"), "content");
    auto made = for_reading ? cx.loop().connect_read_pipe(factory, std::move(file))
                            : cx.loop().connect_write_pipe(factory, std::move(file));
    cx.refused(cx.loop().run_until_complete(made), Errc::invalid_argument, "a regular file");
    turn(cx);
  }
  cx.expect_trace({});
}

void null_device(Context& cx) {
  const auto seen = std::make_shared<StreamRecorder>(cx);
  auto made = cx.loop().connect_read_pipe([&] { return seen; },
                                          tools::open_path("/dev/null", tools::Access::read));
  const Result<Link> link = cx.loop().run_until_complete(made);
  cx.note("answer", link.ok() ? "accepted" : to_string(link.error()));
  if (!link.ok()) {
    turn(cx);
    cx.expect_trace({});
    return;
  }
  cx.run_until([&] { return seen->lost > 0; });
  cx.expect_trace({"made", "eof", "lost"});
}

void blocking_flag_returns(Context& cx) {
  os::Pipe pipe = cx.pipe();
  const os::UniqueFd shared = os::duplicate(pipe.read.get()).value();  // as a child would have it
  const WatchedStream reader = connect_reader(cx, std::move(pipe.read));
  cx.note("blocking_meanwhile", os::is_blocking(shared.get()).value() ? "yes" : "no");
  reader->close();
  cx.run_until([&] { return reader.seen->lost > 0; });
  turn(cx);
  if (!os::is_blocking(shared.get()).value()) {
    cx.diverges("left non-blocking", "blocking as before", "non-blocking for all who share it");
  }
}

void two_directions(Context& cx) {
  StreamPair pair = cx.stream_pair();
  os::UniqueFd second = os::duplicate(pair.subject.native()).value();
  const WatchedStream reader = connect_reader(cx, pair.subject.release());
  const WatchedStream writer = connect_writer(cx, std::move(second));
  pair.peer.send("ping");
  cx.run_until([&] { return reader.seen->data == "ping"; });
  turn(cx);
  cx.equal(writer.seen->lost, 0u, "inbound data does not end the writer");
  writer->write(view("pong"));
  cx.run_until([&] { return tools::bytes_waiting(pair.peer.native()) == 4; });
  cx.equal(text(pair.peer.recv(4)), "pong", "the writer works beside the reader");
  writer->close();
  cx.run_until([&] { return writer.seen->lost > 0; });
  pair.peer.send(" again");
  cx.run_until([&] { return reader.seen->data == "ping again"; });
  cx.equal(reader.seen->lost, 0u, "closing the writer leaves the reader alone");
}

void small_pipe(Context& cx) {
  os::Pipe pipe = cx.pipe();
  const std::size_t capacity = tools::set_pipe_capacity(pipe.write.get(), 4'096);
  cx.note("capacity", static_cast<double>(capacity), "bytes");
  const WatchedStream writer = connect_writer(cx, std::move(pipe.write));
  const WatchedStream reader = connect_reader(cx, std::move(pipe.read));
  std::string sent;
  for (int i = 0; sent.size() < 16 * capacity; ++i) sent += std::to_string(i) + " ";
  writer->write(view(sent));
  writer->close();
  cx.run_until([&] { return reader.seen->lost > 0; });
  cx.equal(reader.seen->data.size(), sent.size(), "bytes through a pipe of one page");
  cx.is_true(reader.seen->data == sent, "they are the ones that were sent");
}

constexpr CapSet kNeeds{Cap::pipes};
constexpr std::string_view kApi[] = {"connect_read_pipe", "connect_write_pipe"};
constexpr std::string_view kCapacity[] = {"pipe.capacity_settable"};
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "pipe.regular_file_refused",
     .promise = "connect_read_pipe and connect_write_pipe refuse a regular file.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#working-with-pipes",
     .needs = kNeeds,
     .body = regular_files_are_refused,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "pipe.stdin_is_file_or_null",
     .promise = "The null device is refused, or read to its end at once.",
     .source = "man 2 epoll_ctl, EPERM; pod.tst.eu/http://cvs.schmorp.de/libev/ev.pod,"
               " The special problem of files",
     .needs = kNeeds,
     .body = null_device,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "pipe.blocking_flag",
     .promise = "A descriptor that was blocking is blocking again after its transport's end.",
     .source = "bugs.python.org/issue21454",
     .needs = kNeeds,
     .body = blocking_flag_returns,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "pipe.duplex_same_fd",
     .promise = "A reader and a writer over two duplicates of one socket work side by side.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_events.py"
               " test_bidirectional_pty",
     .needs = kNeeds,
     .body = two_directions,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "pipe.capacity_user_limit",
     .promise = "Transports work over a pipe that holds one page only.",
     .source = "man 7 pipe, /proc/sys/fs/pipe-user-pages-soft",
     .needs = kNeeds,
     .body = small_pipe,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kApi,
     .facts = kCapacity,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A12", "Pipes and FIFOs", kScenarios};
}  // namespace loopscope::scenarios::pipe_descriptors
