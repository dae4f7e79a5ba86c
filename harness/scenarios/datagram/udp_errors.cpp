// Datagram endpoints: errors reach the protocol and leave the endpoint alive.
#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios::udp_errors {
namespace {

/// A port that answers "unreachable" although nobody else can get it: its socket is connected to
/// another peer, so that it receives from that one alone.
struct SilentPort {
  explicit SilentPort(Context& cx) : peer(cx.datagram_peer()), other(cx.datagram_peer()) {
    os::connect(peer.native(), other.address()).value();
  }
  DatagramPeer peer, other;
};

WatchedDatagram connected_to(Context& cx, const Endpoint& peer, Socket socket = {}) {
  DatagramOptions options;
  if (socket) {
    os::connect(socket.native(), peer).value();
    options.sock = &socket;
  } else {
    options.remote_addr = peer;
  }
  return open_endpoint(cx, std::move(options));
}

void refused_survives(Context& cx) {
  SilentPort silent(cx);
  const WatchedDatagram open = connected_to(cx, silent.peer.address());
  cx.ok(open->sendto(view("anybody?")), "sending itself succeeds");
  const auto told = [&] { return !open.seen->errors.empty() || open.seen->lost > 0; };
  cx.is_true(run_patiently(cx, told), "the protocol is told");
  cx.equal(open.seen->lost, 0u, "the endpoint survives");
  cx.is_true(open.seen->errors[0].code == std::errc::connection_refused, "it is ECONNREFUSED");

  os::connect(silent.peer.native(), address_of(*open.transport)).value();  // Now it listens.
  silent.peer.sendto("here now", address_of(*open.transport));
  const auto received = [&] { return !open.seen->datagrams.empty(); };
  cx.is_true(run_patiently(cx, received), "what is sent to it afterwards comes");
  cx.expect_trace({"made", "error", "datagram"});
}

void refused_unconnected(Context& cx) {
  SilentPort silent(cx);
  DatagramPeer friendly = cx.datagram_peer();
  const WatchedDatagram open = open_endpoint(cx);
  const Endpoint nobody = silent.peer.address();
  cx.ok(open->sendto(view("anybody?"), &nobody), "sending itself succeeds");
  turn(cx);
  cx.note("errors_received", static_cast<double>(open.seen->errors.size()), "count");

  friendly.sendto("still there?", address_of(*open.transport));
  cx.run_until([&] { return !open.seen->datagrams.empty(); });
  cx.equal(open.seen->datagrams[0].sender, friendly.address(), "others are heard as before");
  cx.equal(open.seen->lost, 0u, "the endpoint survives");
}

void error_queue_does_not_spin(Context& cx) {
  SilentPort silent(cx);
  Socket socket = cx.datagram_socket();
  tools::enable_error_queue(socket.native());
  const WatchedDatagram open = connected_to(cx, silent.peer.address(), std::move(socket));
  cx.ok(open->sendto(view("anybody?")), "sending itself succeeds");
  cx.run_until([&] { return !open.seen->errors.empty(); });
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits while the queued error stays unread");
}

void wrong_peer(Context& cx) {
  DatagramPeer peer = cx.datagram_peer(), stranger = cx.datagram_peer();
  const WatchedDatagram open = connected_to(cx, peer.address());
  const Endpoint wrong = stranger.address(), right = peer.address();
  cx.refused(open->sendto(view("astray"), &wrong), "another address is refused");
  cx.ok(open->sendto(view("at home"), &right), "the peer's own address is accepted");

  cx.run_until([&] { return tools::readable(peer.native()); });
  cx.equal(text(peer.recvfrom().data), "at home", "only that one reaches the peer");
  turn(cx);
  cx.is_true(!tools::readable(stranger.native()), "nothing reaches the stranger");
}

constexpr CapSet kNeeds{Cap::create_datagram_endpoint};
constexpr std::string_view kApi[] = {"create_datagram_endpoint", "DatagramTransport.sendto",
                                     "DatagramProtocol.error_received",
                                     "DatagramProtocol.datagram_received"};
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "udp.refused_survives",
     .promise = "An unreachable port reaches error_received and the endpoint goes on receiving.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.DatagramProtocol.error_received; man 7 udp, ERRORS, ECONNREFUSED",
     .needs = kNeeds,
     .body = refused_survives,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.refused_unconnected",
     .promise = "Sending to an unreachable port does not disturb an unconnected endpoint.",
     .source = "man 7 ip, IP_RECVERR; man 7 udp, ERROR HANDLING",
     .needs = kNeeds,
     .body = refused_unconnected,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.connected.errqueue_no_spin",
     .promise = "An adopted socket with IP_RECVERR set does not make the loop spin on an error.",
     .source = "man 7 ip, IP_RECVERR: the error stays pending until MSG_ERRQUEUE is read",
     .needs = kNeeds,
     .body = error_queue_does_not_spin,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.sendto.wrong_peer",
     .promise = "A connected endpoint refuses to send to another address than its peer's.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_selector_events.py"
               " test_sendto_connected_addr",
     .needs = kNeeds,
     .body = wrong_peer,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A11", "UDP", kScenarios};
}  // namespace loopscope::scenarios::udp_errors
