// What closed transports, cancelled timers and closed loops leave behind: nothing.
#include <csignal>

#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::leaks {
namespace {

std::size_t descriptors(Context& cx) { return cx.open_descriptors().size(); }

/// Opens readers, writers and datagram endpoints, a few at a time, and closes them again.
void open_and_close(Context& cx, unsigned rounds) {
  constexpr unsigned kAtOnce = 8;
  EventLoop& loop = cx.loop();
  const auto stream = [protocol = std::make_shared<Protocol>()] { return protocol; };
  const auto datagram = [protocol = std::make_shared<DatagramProtocol>()] { return protocol; };
  for (unsigned i = 0; i < rounds; ++i) {
    std::vector<Future<Link>> streams;
    std::vector<Future<DatagramLink>> endpoints;
    for (unsigned k = 0; k < kAtOnce; ++k) {
      os::Pipe pipe = cx.pipe();
      streams.push_back(loop.connect_read_pipe(stream, std::move(pipe.read)));
      streams.push_back(loop.connect_write_pipe(stream, std::move(pipe.write)));
      DatagramOptions options;
      options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
      endpoints.push_back(loop.create_datagram_endpoint(datagram, std::move(options)));
    }
    for (auto& one : streams) loop.run_until_complete(one).value().transport->close();
    for (auto& one : endpoints) loop.run_until_complete(one).value().transport->abort();
  }
}

void many_transports(Context& cx) {
  constexpr unsigned kWarmUp = 2, kRounds = 417;  // 24 transports in each
  open_and_close(cx, kWarmUp);
  turn(cx);
  const std::size_t before = descriptors(cx);
  open_and_close(cx, kRounds);
  turn(cx);
  cx.equal(descriptors(cx), before, "descriptors after 10000 transports");
}

void failed_adoption(Context& cx) {
  turn(cx);
  const std::size_t before = descriptors(cx);
  const auto factory = [] { return std::make_shared<Protocol>(); };
  auto file = cx.loop().connect_read_pipe(factory, tools::create_file(cx.temp_path("file"), "x"));
  cx.refused(cx.loop().run_until_complete(file), "a regular file");
  auto folder = cx.loop().connect_write_pipe(factory, tools::open_directory(cx.temp_dir()));
  cx.refused(cx.loop().run_until_complete(folder), "a directory");
  {
    const DatagramPeer owner = cx.datagram_peer();
    DatagramOptions options;
    options.local_addr = owner.address();
    const auto datagram = [] { return std::make_shared<DatagramProtocol>(); };
    auto taken = cx.loop().create_datagram_endpoint(datagram, std::move(options));
    cx.refused(cx.loop().run_until_complete(taken), "an address that is in use");
  }
  turn(cx);
  cx.equal(descriptors(cx), before, "descriptors after three refusals");
}

void timers_drop_captures(Context& cx) {
  const auto captured = std::make_shared<int>(0);
  std::vector<TimerHandle> timers;
  for (int i = 0; i < 1'000; ++i) {
    timers.push_back(cx.loop().call_later(std::chrono::hours(1), [captured] { ++*captured; }));
  }
  for (TimerHandle& timer : timers) cx.is_true(timer.cancel(), "a pending timer is cancelled");
  turn(cx);
  cx.equal(captured.use_count(), 1, "owners of what 1000 cancelled timers captured");
}

void no_threads_left(Context& cx) {
  const std::size_t before = tools::thread_count();
  {
    const std::unique_ptr<EventLoop> loop = cx.new_loop();
    os::Pipe pipe = cx.pipe();
    const auto factory = [] { return std::make_shared<Protocol>(); };
    auto reading = loop->connect_read_pipe(factory, std::move(pipe.read));
    cx.ok(loop->run_until_complete(reading), "connect_read_pipe");
    cx.ok(loop->add_signal_handler(tools::kUserSignal, [] {}), "add_signal_handler");
    cx.note("threads_meanwhile", static_cast<double>(tools::thread_count() - before), "count");
    cx.ok(loop->close(), "close");
  }
  cx.equal(tools::thread_count(), before, "threads after a loop was used and closed");
}

void closed_once(Context& cx) {
  os::Pipe inbound = cx.pipe(), outbound = cx.pipe();
  StreamPair broken = cx.tcp_pair();
  const WatchedStream reader = connect_reader(cx, std::move(inbound.read));
  const WatchedStream failing = connect_reader(cx, broken.subject.release());
  const WatchedStream writer = connect_writer(cx, std::move(outbound.write));
  const WatchedDatagram endpoint = open_endpoint(cx);
  inbound.write.reset();  // The first one ends by itself, the second by an error,
  broken.peer.reset();
  writer->close();  // and the others by a call.
  endpoint->close();
  cx.run_until([&] { return reader.seen->lost > 0 && failing.seen->lost > 0; });
  cx.run_until([&] { return writer.seen->lost > 0 && endpoint.seen->lost > 0; });
  turn(cx);

  std::vector<os::UniqueFd> newcomers;  // These get the numbers that have become free.
  for (int i = 0; i < 12; ++i) newcomers.push_back(tools::open_directory(cx.temp_dir()));
  reader->close(), reader->abort();
  failing->close(), failing->abort();
  writer->close(), writer->abort();
  endpoint->close(), endpoint->abort();
  turn(cx);
  for (const os::UniqueFd& newcomer : newcomers) {
    cx.is_true(tools::is_open(newcomer.get()), "a descriptor of somebody else stays open");
  }
}

void nothing_keeps_them(Context& cx) {
  os::Pipe pipe = cx.pipe();
  std::weak_ptr<Transport> transport;
  std::weak_ptr<StreamRecorder> protocol;
  {
    const WatchedStream reader = connect_reader(cx, std::move(pipe.read));
    transport = reader.transport;
    protocol = reader.seen;
    reader->close();
    cx.run_until([&] { return reader.seen->lost > 0; });
  }
  turn(cx);
  cx.is_true(transport.expired(), "the transport is destroyed after connection_lost");
  cx.is_true(protocol.expired(), "the protocol is destroyed after connection_lost");
}

constexpr CapSet kBoth{Cap::pipes, Cap::create_datagram_endpoint};
constexpr CapSet kPipes{Cap::pipes}, kTimers{Cap::call_later};
constexpr CapSet kThreads{Cap::pipes, Cap::signals};
constexpr std::string_view kApi[] = {"connect_read_pipe",        "connect_write_pipe",
                                     "create_datagram_endpoint", "Transport.close",
                                     "Transport.abort",          "DatagramTransport.abort"};
constexpr std::string_view kTimerApi[] = {"call_later", "Handle.cancel"};
constexpr std::string_view kCloseApi[] = {"close", "connect_read_pipe", "add_signal_handler"};
constexpr std::string_view kClose =
    "docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.close";
constexpr std::chrono::milliseconds kLimit{6'000};

constexpr Scenario kScenarios[] = {
    {.id = "leak.fds_10k_connections",
     .promise = "Ten thousand transports that were opened and closed leave no descriptor behind.",
     .source = kClose,
     .needs = kBoth,
     .body = many_transports,
     .api = kApi,
     .limit = std::chrono::milliseconds{20'000}},
    {.id = "leak.failed_handshake_or_adopt",
     .promise = "A transport that could not be made leaves no descriptor behind.",
     .source = "github.com/Kludex/zuvloop: Prepare transports before adopting descriptors",
     .needs = kBoth,
     .body = failed_adoption,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "leak.timer_closure",
     .promise = "A cancelled timer soon drops what its callback captured.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.Handle.cancel",
     .needs = kTimers,
     .body = timers_drop_captures,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kTimerApi,
     .limit = kLimit},
    {.id = "leak.threads",
     .promise = "No helper thread outlives the closing of its loop.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.close",
     .needs = kThreads,
     .body = no_threads_left,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kCloseApi,
     .limit = kLimit},
    {.id = "leak.double_close",
     .promise = "A descriptor is closed once: its number may belong to somebody else afterwards.",
     .source = "man 2 close, NOTES",
     .needs = kBoth,
     .body = closed_once,
     .authority = Authority::man_page,
     .api = kApi,
     .limit = kLimit},
    {.id = "leak.reference_cycles",
     .promise = "A transport and its protocol are destroyed once the connection is over.",
     .source = "github.com/python/cpython/issues/88863",
     .needs = kPipes,
     .body = nothing_keeps_them,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A27", "Resource leaks", kScenarios};
}  // namespace loopscope::scenarios::leaks
