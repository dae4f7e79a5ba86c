// Datagram endpoints: a full queue, closing with and without it, and a flood.
#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios::udp_sending {
namespace {

/// An endpoint whose datagrams go to a Unix socket that does not read: unlike UDP, which drops, it
/// makes the sender wait.
struct FullEndpoint {
  /// Over a pair of sockets that are connected to each other.
  explicit FullEndpoint(Context& cx) {
    auto [ours, theirs] = os::open_socketpair(SocketType::datagram).value();
    peer = DatagramPeer(std::move(theirs));
    Socket socket{std::move(ours)};
    DatagramOptions options;
    options.sock = &socket;
    fill(cx, std::move(options));
  }
  /// Over sockets that only have names: nobody is connected.
  FullEndpoint(Context& cx, std::string_view mine, std::string_view theirs) {
    to = ours(Endpoint::unix_path(cx.temp_path(theirs)));
    os::UniqueFd bound =
        ours(os::open_socket(AddressFamily::unix_domain, SocketType::datagram, true));
    ours(os::bind(bound.get(), *to));
    peer = DatagramPeer(std::move(bound));
    DatagramOptions options;
    options.local_addr = ours(Endpoint::unix_path(cx.temp_path(mine)));
    fill(cx, std::move(options));
  }
  void fill(Context& cx, DatagramOptions options) {
    open = open_endpoint(cx, std::move(options));
    while (open->get_write_buffer_size() == 0) send_next(cx);
    for (int i = 0; i < 20; ++i) send_next(cx);
  }
  void send_next(Context& cx) {
    if (sent > 20'000) cx.failed("the queue fills up", "a queued datagram", "none");
    cx.ok(open->sendto(view(std::to_string(sent) + std::string(400, '.')), to ? &*to : nullptr),
          "sendto");
    ++sent;
  }
  /// Reads at the peer whatever is there; every datagram has to be the next one, and whole.
  void drain(Context& cx) {
    while (tools::readable(peer.native()) && received < sent) {
      const std::string want = std::to_string(received) + std::string(400, '.');
      cx.equal(text(peer.recvfrom().data), want, "queued datagrams arrive whole and in order");
      ++received;
    }
  }

  DatagramPeer peer;
  std::optional<Endpoint> to;
  WatchedDatagram open;
  std::size_t sent = 0, received = 0;
};

void full_queue_waits(Context& cx) {
  FullEndpoint full(cx);
  cx.at_least(full.open->get_write_buffer_size(), 20u * 400, "queued bytes are counted");
  cx.ok(full.open->set_write_buffer_limits(2'000, 1'000), "limits can be set");
  full.send_next(cx);
  cx.equal(full.open.seen->pauses, 1u, "pause_writing is called above the high water mark");
  cx.run_until([&] { return full.drain(cx), full.received == full.sent; });
  // A loop that is told of completions hears of the last one after the peer has the datagram.
  cx.run_until([&] { return full.open->get_write_buffer_size() == 0; });
  cx.equal(full.open.seen->resumes, 1u, "resume_writing is called once");
}

// The endpoint's own socket has room all the time.
void full_peer_without_spinning(Context& cx) {
  FullEndpoint full(cx, "endpoint", "peer");
  cx.at_most(waits_while_idle(cx, std::chrono::milliseconds(100)), kFewWaits,
             "waits in 100 ms in which the peer reads nothing");
  full.open->close();
  cx.run_until([&] { return full.drain(cx), full.open.seen->lost > 0; });
  full.drain(cx);
  cx.equal(full.received, full.sent, "datagrams that arrived");
  cx.equal(full.open.seen->errors.size(), 0u, "errors");
}

void close_flushes(Context& cx) {
  FullEndpoint full(cx);
  full.open->close();
  cx.is_true(full.open->is_closing(), "is_closing is true from close() on");
  cx.equal(full.open.seen->lost, 0u, "connection_lost waits for the queue");
  cx.run_until([&] { return full.drain(cx), full.open.seen->lost > 0; });
  turn(cx);
  full.drain(cx);
  cx.equal(full.received, full.sent, "every queued datagram was sent");
  cx.equal(full.open.seen->lost, 1u, "connection_lost is called once");
  cx.is_true(!full.open.seen->reason, "and without an error");
}

void silent_after_close(Context& cx) {
  DatagramPeer peer = cx.datagram_peer();
  const WatchedDatagram open = open_endpoint(cx);
  open.seen->on_datagram = [&] { open->close(); };
  for (const char* word : {"one", "two", "three"}) peer.sendto(word, address_of(*open.transport));
  cx.run_until([&] { return open.seen->lost > 0; });
  const Endpoint to = peer.address();
  cx.refused(open->sendto(view("late"), &to), Errc::closed, "sendto after close() is refused");
  turn(cx);
  cx.equal(open.seen->texts(), std::vector<std::string>{"one"}, "no datagram follows close()");
  cx.is_true(!tools::readable(peer.native()), "nothing is sent after close()");

  const WatchedDatagram aborted = open_endpoint(cx);
  aborted->abort();
  aborted->close();
  cx.run_until([&] { return aborted.seen->lost > 0; });
  turn(cx);
  cx.expect_trace({"made", "datagram", "lost", "made", "lost"});
}

void flood_is_fair(Context& cx) {
  constexpr std::size_t kFlood = 100'000;  // some 300 ms where nothing else is served
  const WatchedDatagram open = open_endpoint(cx);
  const Endpoint self = address_of(*open.transport);
  bool timer_ran = false;
  open.seen->on_datagram = [&] {
    // Every datagram begets another one: whoever reads until nothing is left never ends.
    if (!timer_ran && open.seen->datagrams.size() < kFlood) (void)open->sendto(view("x"), &self);
  };
  for (int i = 0; i < 20; ++i) (void)open->sendto(view("x"), &self);
  cx.loop().call_later(std::chrono::milliseconds(10), [&] {
    timer_ran = true;
    cx.loop().stop();
  });
  cx.run_forever();
  cx.note("datagrams_until_timer", static_cast<double>(open.seen->datagrams.size()), "count");
  cx.at_most(open.seen->datagrams.size(), kFlood - 1, "datagrams before a 10 ms timer ran");
}

constexpr CapSet kNeeds{Cap::create_datagram_endpoint};
constexpr std::string_view kApi[] = {
    "create_datagram_endpoint",        "DatagramTransport.sendto",
    "Protocol.pause_writing",          "Protocol.resume_writing",
    "Transport.get_write_buffer_size", "Transport.set_write_buffer_limits"};
constexpr std::string_view kCloseApi[] = {"Transport.close", "Transport.is_closing",
                                          "DatagramTransport.abort", "DatagramTransport.sendto",
                                          "Protocol.connection_lost"};
constexpr std::string_view kFloodApi[] = {"DatagramProtocol.datagram_received", "call_later"};
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "udp.send.buffering",
     .promise = "Datagrams that the system does not take yet are queued whole and in order.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.DatagramTransport.sendto",
     .needs = kNeeds,
     .body = full_queue_waits,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.send.full_peer",
     .promise = "Datagrams to an unconnected Unix peer that does not read wait without spinning.",
     .source = "man 7 unix; github.com/libuv/libuv/issues/5194: a socket that is writable, and "
               "whose sends would block",
     .needs = kNeeds | CapSet{Cap::call_later, Cap::native_socket},
     .body = full_peer_without_spinning,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.close.flush",
     .promise = "close() sends what is queued and then calls connection_lost once.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.close",
     .needs = kNeeds,
     .body = close_flushes,
     .severity = Severity::common,
     .api = kCloseApi,
     .limit = kLimit},
    {.id = "udp.close.no_callbacks_after",
     .promise = "After close() no datagram is delivered or sent; connection_lost is the last call.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.close",
     .needs = kNeeds,
     .body = silent_after_close,
     .api = kCloseApi,
     .limit = kLimit},
    {.id = "udp.flood_fairness",
     .promise = "A flood as fast as its reader does not starve a timer.",
     .source = "github.com/libuv/libuv/blob/v1.x/src/unix/udp.c, the cap on reads in a row",
     .needs = kNeeds | CapSet{Cap::call_later},
     .body = flood_is_fair,
     .level = Level::should,
     .authority = Authority::de_facto,
     .api = kFloodApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A11", "UDP", kScenarios};
}  // namespace loopscope::scenarios::udp_sending
