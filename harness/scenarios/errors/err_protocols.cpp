// Errors: exceptions in protocols, and peer errors that are nobody's bug.
#include <algorithm>
#include <memory>
#include <stdexcept>

#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"

namespace loopscope::scenarios::err_protocols {
namespace {

using namespace std::chrono_literals;

/// Counts reports of the loop in the trace.
void mark_reports(Context& cx) {
  cx.loop().set_exception_handler(
      [&](EventLoop&, const ExceptionContext&) { cx.mark("reported"); });
}

void data_received_throws(Context& cx) {
  mark_reports(cx);
  os::Pipe broken = cx.pipe(), sound = cx.pipe();
  const WatchedStream bad = connect_reader(cx, std::move(broken.read));
  const WatchedStream good = connect_reader(cx, std::move(sound.read));
  bad.seen->on_data = [] { throw std::runtime_error("boom"); };
  Peer to_bad(std::move(broken.write)), to_good(std::move(sound.write));
  to_bad.send("x");
  cx.run_until([&] { return cx.trace().count("reported") > 0; });
  to_good.send("y");
  cx.run_until([&] { return good.seen->data == "y"; });
  turn(cx);
  cx.equal(cx.trace().count("reported"), 1u, "reports of one exception");
  cx.equal(good.seen->lost, 0u, "losses of the other connection");
  if (bad.seen->lost == 0) {
    cx.diverges("the connection stays open", "connection_lost", "no connection_lost");
  }
}

/// Without those that the loop says are its own: it may open one more when it first needs it.
std::vector<os::NativeSocket> descriptors_of_others(Context& cx) {
  const std::vector<os::NativeSocket> own = cx.loop().backend().internal_descriptors;
  std::vector<os::NativeSocket> open = cx.open_descriptors();
  std::erase_if(open, [&](os::NativeSocket fd) {
    return std::find(own.begin(), own.end(), fd) != own.end();
  });
  return open;
}

void made_and_lost_throw(Context& cx) {
  mark_reports(cx);
  const std::vector<os::NativeSocket> before = descriptors_of_others(cx);
  os::Pipe pipe = cx.pipe();
  const auto seen = std::make_shared<StreamRecorder>(cx);
  seen->on_made = [] { throw std::runtime_error("in connection_made"); };
  seen->on_lost = [] { throw std::runtime_error("in connection_lost"); };
  auto made = cx.loop().connect_read_pipe([&] { return seen; }, std::move(pipe.read));
  cx.run_until([&] { return made.done(); });
  turn(cx);
  const Result<Link> link = made.result();
  if (link.ok()) link->transport->close();
  pipe.write.reset();
  turn(cx);
  cx.at_least(cx.trace().count("reported"), 1u, "reports of the exceptions");
  cx.at_most(cx.trace().count("reported"), 2u, "reports of the exceptions");
  cx.equal(seen->lost, 1u, "calls of connection_lost");
  cx.equal(descriptors_of_others(cx), before, "open descriptors afterwards");
}

void peer_errors_are_quiet(Context& cx) {
  mark_reports(cx);
  os::Pipe pipe = cx.pipe();
  const WatchedStream writer = connect_writer(cx, std::move(pipe.write));
  pipe.read.reset();
  writer->write(view("nobody reads this"));
  writer->write(view("nor this"));
  cx.run_until([&] { return writer.seen->lost > 0; });
  turn(cx);
  cx.equal(cx.trace().count("reported"), 0u, "reports of a broken pipe as if it were a bug");
}

constexpr std::string_view kData[] = {"connect_read_pipe", "Protocol.data_received"};
constexpr std::string_view kMadeLost[] = {"connect_read_pipe", "Protocol.connection_made",
                                          "Protocol.connection_lost"};
constexpr std::string_view kQuiet[] = {"connect_write_pipe", "call_exception_handler"};
constexpr CapSet kNeeds{Cap::call_soon, Cap::call_later, Cap::exception_handler, Cap::pipes};
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "err.protocol.data_received_raises",
     .promise = "An exception in data_received() is reported once, ends that connection, and "
                "leaves others alone.",
     .source = "CPython Lib/test/test_asyncio/test_selector_events.py, test_data_received_error",
     .needs = kNeeds,
     .body = data_received_throws,
     .authority = Authority::de_facto,
     .api = kData,
     .limit = kLimit},
    {.id = "err.protocol.made_lost_raise",
     .promise = "Exceptions in connection_made() and connection_lost() are reported, and the "
                "descriptor is released.",
     .source = "uvloop tests/test_tcp.py, test_tcp_handle_exception_in_connection_made",
     .needs = kNeeds,
     .body = made_and_lost_throw,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kMadeLost,
     .limit = kLimit},
    {.id = "err.os_errors_quiet",
     .promise = "A peer that goes away is told to connection_lost(), not to the exception handler.",
     .source = "github.com/python/cpython/issues/81216 (bpo-37035)",
     .needs = kNeeds,
     .body = peer_errors_are_quiet,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kQuiet,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A20", "Error handling", kScenarios};

}  // namespace loopscope::scenarios::err_protocols
