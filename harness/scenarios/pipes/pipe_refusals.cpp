// Pipe transports: FIFOs from the writing side, and descriptors that cannot be used.
#include <cerrno>

#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::pipe_refusals {
namespace {

void fifo_writer(Context& cx) {
  const std::string path = cx.temp_path("fifo");
  ours(os::make_fifo(path));
  Peer reader(tools::open_path(path, tools::Access::read));
  ours(os::set_blocking(reader.native(), true));
  const WatchedStream writer = connect_writer(cx, tools::open_path(path, tools::Access::write));
  writer->write(view("through a name"));
  cx.equal(read_exactly(cx, reader, 14), "through a name", "bytes that arrive");
  reader.close();
  turn(cx);  // The hang-up is there as soon as close() returned.
  cx.expect_trace({"made", "lost"});
}

void two_way_fifo(Context& cx) {
  const std::string path = cx.temp_path("fifo");
  ours(os::make_fifo(path));
  os::UniqueFd both_ways = ours(os::open_path(path, true));
  Peer reader(ours(os::duplicate(both_ways.get())));
  const WatchedStream writer = connect_writer(cx, std::move(both_ways));
  writer->write(view("unread"));
  turn(cx);
  cx.expect_trace({"made"});  // What it wrote comes back to it as readable, and is no hang-up.
  writer->write(view(" and more"));
  cx.equal(read_exactly(cx, reader, 15), "unread and more", "bytes that arrive");
}

void bad_descriptors(Context& cx) {
  os::Pipe pipe = cx.pipe();
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  const auto attempt = [&](os::UniqueFd fd, bool reading, std::string_view what) {
    const auto seen = std::make_shared<StreamRecorder>(cx);
    const auto factory = [&] { return seen; };
    const auto made = reading ? cx.loop().connect_read_pipe(factory, std::move(fd))
                              : cx.loop().connect_write_pipe(factory, std::move(fd));
    const Result<Link> link = outcome(cx, made, "a refusal comes at once");
    cx.refused(link, what);
    cx.is_true(!link.error().op.empty(), std::string(what) + ": the failing call is named");
    turn(cx);
    cx.is_true(seen->transport == nullptr, std::string(what) + ": no connection_made");
  };
  const auto copy = [](const os::UniqueFd& fd) { return ours(os::duplicate(fd.get())); };
  for (const bool reading : {true, false}) {
    attempt(os::UniqueFd(), reading, "no descriptor");
    attempt(tools::open_directory(cx.temp_dir()), reading, "a directory");
    attempt(copy(reading ? pipe.write : pipe.read), reading, "the wrong end of a pipe");
  }
  cx.equal(cx.open_descriptors(), before, "the open descriptors");
  const WatchedStream good = connect_reader(cx, std::move(pipe.read));
  pipe.write.reset();
  until_lost(cx, *good.seen);
}

constexpr CapSet kNeeds{Cap::pipes};
constexpr std::string_view kWriteApi[] = {"connect_write_pipe", "Transport.write"};
constexpr std::string_view kApi[] = {"connect_read_pipe", "connect_write_pipe"};
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "pipe.fifo.writer",
     .promise = "A FIFO is written by its name, and its reader's leaving is noticed.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.connect_write_pipe;"
               " man 7 fifo",
     .needs = kNeeds,
     .body = fifo_writer,
     .severity = Severity::common,
     .api = kWriteApi,
     .limit = kLimit},
    {.id = "pipe.fifo.two_way",
     .promise = "A FIFO opened both ways takes unread bytes of its own for no hang-up.",
     .source = "github.com/Kludex/zuvloop, unread_data_does_not_close_a_named_fifo; man 7 fifo",
     .needs = kNeeds,
     .body = two_way_fifo,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kWriteApi,
     .limit = kLimit},
    {.id = "pipe.bad_descriptors",
     .promise = "No descriptor, a directory and the wrong end of a pipe are refused at once.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#working-with-pipes",
     .needs = kNeeds,
     .body = bad_descriptors,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A12", "Pipes and FIFOs", kScenarios};
}  // namespace loopscope::scenarios::pipe_refusals
