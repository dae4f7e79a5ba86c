// sock_connect: success means connected, everything else is an error, and each comes once.
#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::sock_connect {
namespace {

Socket stream_socket(AddressFamily family) {
  return Socket::make(family, SocketType::stream).value();
}

// A listening Unix socket of the harness; nobody accepts on it by itself.
os::UniqueFd unix_listener(const Endpoint& name, int backlog) {
  os::UniqueFd listener =
      ours(os::open_socket(AddressFamily::unix_domain, SocketType::stream, true));
  os::bind(listener.get(), name).value();
  os::listen(listener.get(), backlog).value();
  return listener;
}

void connect_basic(Context& cx) {
  EventLoop& loop = cx.loop();
  Peer listener = cx.tcp_listener();
  Socket socket = stream_socket(AddressFamily::ipv4);
  cx.ok(await_outcome(cx, loop.sock_connect(socket, cx.address_of(listener))), "sock_connect");
  Peer peer = cx.accept_from(listener);
  cx.ok(await_outcome(cx, loop.sock_sendall(socket, bytes("to the peer"))), "sock_sendall");
  cx.equal(text(peer.recv_exactly(11)), "to the peer", "what the peer receives");
  peer.send("from the peer");
  const Result<Bytes> back = await_outcome(cx, loop.sock_recv(socket, 64));
  cx.ok(back, "sock_recv");
  cx.equal(text(back.value()), "from the peer", "what the socket receives");
}

void connect_refused(Context& cx) {
  Socket socket = stream_socket(AddressFamily::ipv4);
  const Future<void> connecting = cx.loop().sock_connect(socket, cx.closed_port());
  cx.refused(await_outcome(cx, connecting), system_code(ECONNREFUSED),
             "connecting where nobody listens");
}

void connect_immediate(Context& cx) {
  EventLoop& loop = cx.loop();
  const Endpoint name = Endpoint::unix_path(cx.temp_path("listener")).value();
  const os::UniqueFd listener = unix_listener(name, 4);
  Socket socket = stream_socket(AddressFamily::unix_domain);
  loop.call_soon([&] {
    Future<void> connecting = loop.sock_connect(socket, name);
    connecting.add_done_callback(
        [&cx, connecting] { cx.mark(connecting.result().ok() ? "connected" : "failed"); });
    cx.mark("sock_connect returned");
  });
  turn_until(cx, [&] { return cx.trace().count("connected") > 0; });
  turn(cx, 5);
  cx.expect_trace({"sock_connect returned", "connected"});
  cx.ok(os::peer_address(socket.native()), "the socket has a peer");

  Socket nobody = stream_socket(AddressFamily::unix_domain);
  const Endpoint nowhere = Endpoint::unix_path(cx.temp_path("nowhere")).value();
  cx.refused(outcome(cx, loop.sock_connect(nobody, nowhere), "sock_connect"), system_code(ENOENT),
             "a path that does not exist");
}

void connect_cancel(Context& cx) {
  EventLoop& loop = cx.loop();
  Peer listener = cx.tcp_listener();
  const std::size_t before = cx.open_descriptors().size();
  for (int round = 0; round < 10; ++round) {
    Socket socket = stream_socket(AddressFamily::ipv4);
    Future<void> connecting = loop.sock_connect(socket, cx.address_of(listener));
    if (!connecting.cancel()) cx.inconclusive("connecting took no time here");
    if (round % 2 == 0) turn(cx, 1);
    cx.equal(loop.remove_writer(socket).value(), false, "a cancelled connect still watches");
    socket.close();
    turn(cx, 1);
    cx.is_true(connecting.cancelled(), "the connect ends as cancelled");
  }
  cx.equal(cx.open_descriptors().size(), before, "descriptors after ten cancelled connects");

  Peer second = cx.tcp_listener();
  Socket fresh = stream_socket(AddressFamily::ipv4);
  cx.ok(await_outcome(cx, loop.sock_connect(fresh, cx.address_of(second))),
        "sock_connect after cancelled ones");
  cx.is_true(static_cast<bool>(cx.accept_from(second)), "the listener has a connection");
}

void unix_backlog_full(Context& cx) {
  const Endpoint name = Endpoint::unix_path(cx.temp_path("listener")).value();
  const os::UniqueFd listener = unix_listener(name, 0);
  std::vector<Socket> waiting;
  for (bool room = true; room;) {
    if (waiting.size() > 200) cx.inconclusive("this system's backlog never fills");
    waiting.push_back(stream_socket(AddressFamily::unix_domain));
    room = os::connect(waiting.back().native(), name).ok();
  }
  Socket socket = stream_socket(AddressFamily::unix_domain);
  const Future<void> connecting = cx.loop().sock_connect(socket, name);
  turn_until(
      cx, [&] { return connecting.done(); }, 50);
  if (!connecting.done()) {  // A loop may try again until there is room.
    cx.ok(os::accept(listener.get()), "accept");
    cx.ok(await_outcome(cx, connecting), "sock_connect, tried again by the loop");
  }
  const Result<void> answer = connecting.result();
  cx.note("answer", answer.ok() ? "connected" : to_string(answer.error()));
  cx.equal(answer.ok(), os::peer_address(socket.native()).ok(),
           "sock_connect says connected exactly if it is");
}

void addresses_unchanged(Context& cx) {
  EventLoop& loop = cx.loop();
  std::string families;
  for (const AddressFamily family : {AddressFamily::ipv4, AddressFamily::ipv6}) {
    if (!family_available(family)) continue;
    Peer listener = cx.tcp_listener(family);
    Socket socket = stream_socket(family);
    const Endpoint to = cx.address_of(listener);
    cx.ok(await_outcome(cx, loop.sock_connect(socket, to)), to.to_string());
    cx.equal(os::peer_address(socket.native()).value(), to, "the address of the peer");
    families += to.host() + " ";
  }
  const Endpoint path = Endpoint::unix_path(cx.temp_path("name.with:a port 80")).value();
  const os::UniqueFd listener = unix_listener(path, 4);
  Socket socket = stream_socket(AddressFamily::unix_domain);
  cx.ok(outcome(cx, loop.sock_connect(socket, path), "sock_connect"), "a path");
  cx.equal(os::peer_address(socket.native()).value().path(), path.path(), "the path of the peer");
  cx.note("connected_to", families + "and a path");
}

void connect_datagram(Context& cx) {
  EventLoop& loop = cx.loop();
  DatagramPeer peer = cx.datagram_peer();
  Socket socket = cx.datagram_socket();
  cx.ok(await_outcome(cx, loop.sock_connect(socket, peer.address())), "sock_connect");
  cx.ok(await_outcome(cx, loop.sock_sendall(socket, bytes("no address"))), "sock_sendall");
  const Datagram got = peer.recvfrom();
  cx.equal(text(got.data), "no address", "what the peer receives");
  peer.sendto("back", got.sender);
  const Result<Bytes> back = await_outcome(cx, loop.sock_recv(socket, 64));
  cx.ok(back, "sock_recv");
  cx.equal(text(back.value()), "back", "what the socket receives");
}

constexpr std::string_view kConnect[] = {"sock_connect"};
constexpr std::string_view kConnected[] = {"sock_connect", "sock_sendall", "sock_recv"};
constexpr std::string_view kDocs =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_connect";

constexpr Scenario kScenarios[] = {
    {.id = "sock.connect.basic",
     .promise = "A connect that succeeds leaves a socket that carries bytes both ways.",
     .source = kDocs,
     .needs = {Cap::sock_stream},
     .body = connect_basic,
     .api = kConnected},
    {.id = "sock.connect.refused",
     .promise = "Connecting to a loopback port where nobody listens ends in ECONNREFUSED.",
     .source = "man 2 connect, ECONNREFUSED",
     .needs = {Cap::sock_stream},
     .body = connect_refused,
     .authority = Authority::man_page,
     .api = kConnect},
    {.id = "sock.connect.immediate",
     .promise = "A connect that the system completes or fails at once is reported after the call "
                "has returned, and once.",
     .source = "docs.python.org/3/library/asyncio-future.html#asyncio.Future.add_done_callback",
     .needs = {Cap::sock_stream},
     .body = connect_immediate,
     .severity = Severity::edge,
     .api = kConnect},
    {.id = "sock.connect.cancel",
     .promise = "A cancelled connect watches nothing any more, its socket can be closed, and later "
                "connects work.",
     .source = "docs.python.org/3/library/asyncio-task.html#task-cancellation; bugs.python.org "
               "issue 28176",
     .needs = {Cap::sock_stream, Cap::add_writer},
     .body = connect_cancel,
     .api = kConnect},
    {.id = "sock.connect.unix_backlog_full",
     .promise = "A Unix connect to a full backlog is reported as an error or tried again, never as "
                "a connection that does not exist.",
     .source = "man 2 connect, EAGAIN",
     .needs = {Cap::sock_stream},
     .body = unix_backlog_full,
     .authority = Authority::man_page,
     .api = kConnect},
    {.id = "sock.connect.family_resolution",
     .promise = "An address reaches the system as it was given, for IPv4, IPv6 and Unix paths "
                "alike.",
     .source = kDocs,
     .needs = {Cap::sock_stream},
     .body = addresses_unchanged,
     .severity = Severity::common,
     .api = kConnect},
    {.id = "sock.connect.dgram",
     .promise = "A datagram socket can be connected, and then sends and receives without an "
                "address.",
     .source = "man 2 connect, DESCRIPTION; bugs.python.org issue 46827",
     .needs = {Cap::sock_stream, Cap::sock_datagram},
     .body = connect_datagram,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kConnected}};

}  // namespace

extern const ScenarioFile file{"A6", "sock_* operations", kScenarios};
}  // namespace loopscope::scenarios::sock_connect
