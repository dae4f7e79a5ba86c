// sock_sendto, sock_recvfrom, sock_recvfrom_into; and the sockets that every sock_* call refuses.
#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios::sock_datagrams {
namespace {

void exchange(Context& cx, Socket& socket, DatagramPeer& peer) {
  EventLoop& loop = cx.loop();
  const Endpoint own = os::local_address(socket.native()).value();
  for (const std::string_view word : {"datagram", "", "the one after the empty one"}) {
    const auto sending = loop.sock_sendto(socket, bytes(word), peer.address());
    const Result<std::size_t> sent = await_outcome(cx, sending);
    cx.ok(sent, "sock_sendto");
    cx.equal(sent.value(), word.size(), "the number of bytes sent");
    const Datagram there = peer.recvfrom();
    cx.equal(text(there.data), word, "what the peer receives");
    cx.equal(there.sender, own, "whom the peer sees as its sender");

    peer.sendto(word, own);
    const Result<Datagram> here = await_outcome(cx, loop.sock_recvfrom(socket, 64));
    cx.ok(here, "sock_recvfrom");
    cx.equal(text(here.value().data), word, "what the socket receives");
    cx.equal(here.value().sender, peer.address(), "whom the socket sees as its sender");
  }
}

void sendto_recvfrom(Context& cx) {
  std::string families;
  for (const AddressFamily family : {AddressFamily::ipv4, AddressFamily::ipv6}) {
    if (!family_available(family)) continue;
    Socket socket = cx.datagram_socket(family);
    DatagramPeer peer = cx.datagram_peer(family);
    exchange(cx, socket, peer);
    families += peer.address().host() + " ";
  }
  Socket socket = ours(Socket::make(AddressFamily::unix_domain, SocketType::datagram));
  os::UniqueFd other =
      ours(os::open_socket(AddressFamily::unix_domain, SocketType::datagram, true));
  cx.ok(os::bind(socket.native(), Endpoint::unix_path(cx.temp_path("a")).value()), "bind");
  cx.ok(os::bind(other.get(), Endpoint::unix_path(cx.temp_path("b")).value()), "bind");
  DatagramPeer peer(std::move(other));
  exchange(cx, socket, peer);
  cx.note("families", families + "unix");
}

void recvfrom_waits(Context& cx) {
  EventLoop& loop = cx.loop();
  Socket socket = cx.datagram_socket();
  DatagramPeer peer = cx.datagram_peer();
  const Endpoint own = os::local_address(socket.native()).value();
  Future<Datagram> doomed = loop.sock_recvfrom(socket, 64);
  turn(cx, 2);
  cx.equal(doomed.cancel(), true, "a receive that nothing has served yet can be cancelled");
  const Future<Datagram> waiting = loop.sock_recvfrom(socket, 64);
  cx.thread([&] { peer.sendto("late", own); });
  const Result<Datagram> got = await_outcome(cx, waiting);
  cx.ok(got, "sock_recvfrom");
  cx.equal(text(got.value().data), "late", "what arrived after the cancelled receive");
  cx.join_threads();  // It may not have come back from sending yet.
}

void recvfrom_into(Context& cx) {
  EventLoop& loop = cx.loop();
  Socket socket = cx.datagram_socket();
  DatagramPeer peer = cx.datagram_peer();
  Bytes buffer(8, std::byte{'#'});
  peer.sendto("abc", os::local_address(socket.native()).value());
  const auto got = await_outcome(cx, loop.sock_recvfrom_into(socket, buffer));
  cx.ok(got, "sock_recvfrom_into");
  cx.equal(got.value().first, 3, "the number of bytes");
  cx.equal(got.value().second, peer.address(), "the sender");
  cx.equal(text(buffer), "abc#####", "only what arrived was written");
}

// The system keeps the news of the closed port on the connected socket until somebody asks.
void refused_then_usable(Context& cx) {
  EventLoop& loop = cx.loop();
  Socket socket = cx.datagram_socket();
  const Endpoint own = os::local_address(socket.native()).value();
  cx.ok(await_outcome(cx, loop.sock_connect(socket, closed_udp_port())), "sock_connect");
  const Future<Bytes> receiving = loop.sock_recv(socket, 64);
  cx.ok(await_outcome(cx, loop.sock_sendall(socket, bytes("knock"))), "sock_sendall");
  cx.refused(await_outcome(cx, receiving), system_code(ECONNREFUSED),
             "the receive after a datagram to a closed port");

  DatagramPeer peer = cx.datagram_peer();
  cx.ok(await_outcome(cx, loop.sock_connect(socket, peer.address())), "sock_connect again");
  peer.sendto("still here", own);
  const Result<Bytes> next = await_outcome(cx, loop.sock_recv(socket, 64));
  cx.ok(next, "the next sock_recv");
  cx.equal(text(next.value()), "still here", "what the socket receives afterwards");
}

// The socket itself has room all the time.
void full_peer_without_spinning(Context& cx) {
  EventLoop& loop = cx.loop();
  const Endpoint to = ours(Endpoint::unix_path(cx.temp_path("peer")));
  os::UniqueFd bound = ours(os::open_socket(AddressFamily::unix_domain, SocketType::datagram));
  ours(os::bind(bound.get(), to));
  Socket socket = ours(Socket::make(AddressFamily::unix_domain, SocketType::datagram));
  std::vector<Future<std::size_t>> sends;
  while (sends.empty() || sends.back().done()) {
    if (sends.size() > 20'000) cx.failed("the peer's queue fills up", "a full queue", "none");
    sends.push_back(loop.sock_sendto(socket, bytes(std::to_string(sends.size())), to));
  }
  cx.at_most(waits_while_idle(cx, std::chrono::milliseconds(100)), kFewWaits,
             "waits in 100 ms in which the peer reads nothing");
  Future<std::size_t> doomed = loop.sock_sendto(socket, bytes("cancelled"), to);
  cx.is_true(doomed.cancel(), "a send that waits can be cancelled");
  for (std::size_t i = 0; i < sends.size(); ++i) {
    if (i > 0) cx.is_true(run_patiently(cx, [&] { return tools::readable(bound.get()); }), "more");
    cx.equal(take(bound.get()), std::to_string(i), "each datagram, in order");
  }
  cx.ok(await_outcome(cx, sends.back()), "the send that had to wait");
  turn(cx);
  cx.is_true(!tools::readable(bound.get()), "nothing else was sent");
}

// Everything is made ready beforehand, so that a loop that does not look is not caught in a call
// that blocks: it shows as one that accepts.
void nonblocking_required(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.set_debug(true);
  StreamPair pair = cx.stream_pair();
  Socket datagrams = cx.datagram_socket(), listener = listening_socket();
  Socket fresh = Socket::make(AddressFamily::ipv4, SocketType::stream).value();
  const Endpoint own = os::local_address(datagrams.native()).value();
  const Endpoint address = os::local_address(listener.native()).value();
  const Peer client = connect_to(address), second_client = connect_to(address);
  pair.peer.send("abc");
  DatagramPeer sender = cx.datagram_peer();
  for (int i = 0; i < 2; ++i) sender.sendto("x", own);
  for (const Socket* each : {&pair.subject, &datagrams, &listener, &fresh}) {
    cx.ok(os::set_blocking(each->native(), true), "set_blocking");
  }
  Bytes buffer(1);
  std::string taken;
  const auto check = [&](auto operation, const std::string& name) {
    if (operation.done() && !operation.result().ok()) return;
    (void)operation.cancel();
    taken += (taken.empty() ? "" : ", ") + name;
  };
  check(loop.sock_recv(pair.subject, 1), "sock_recv");
  check(loop.sock_recv_into(pair.subject, buffer), "sock_recv_into");
  check(loop.sock_sendall(pair.subject, bytes("x")), "sock_sendall");
  check(loop.sock_recvfrom(datagrams, 1), "sock_recvfrom");
  check(loop.sock_recvfrom_into(datagrams, buffer), "sock_recvfrom_into");
  check(loop.sock_sendto(datagrams, bytes("x"), own), "sock_sendto");
  check(loop.sock_accept(listener), "sock_accept");
  check(loop.sock_connect(fresh, address), "sock_connect");
  cx.equal(taken, "", "operations that take a blocking socket in debug mode");
}

constexpr std::string_view kDatagrams[] = {"sock_sendto", "sock_recvfrom"};
constexpr std::string_view kSendto[] = {"sock_sendto"};
constexpr std::string_view kRecvfrom[] = {"sock_recvfrom"};
constexpr std::string_view kInto[] = {"sock_recvfrom_into"};
constexpr std::string_view kRefused[] = {"sock_connect", "sock_recv", "sock_sendall"};
constexpr std::string_view kAll[] = {"sock_recv",          "sock_recv_into", "sock_recvfrom",
                                     "sock_recvfrom_into", "sock_sendall",   "sock_sendto",
                                     "sock_connect",       "sock_accept",    "set_debug"};

constexpr Scenario kScenarios[] = {
    {.id = "sock.sendto_recvfrom",
     .promise = "Datagrams, empty ones included, arrive whole and with the right addresses both "
                "ways, over IPv4, IPv6 and Unix sockets.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_recvfrom; "
               "#asyncio.loop.sock_sendto",
     .needs = {Cap::sock_datagram},
     .body = sendto_recvfrom,
     .severity = Severity::common,
     .api = kDatagrams},
    {.id = "sock.sendto.full_peer",
     .promise = "A send to an unconnected Unix peer that does not read waits without spinning.",
     .source = "man 7 unix; github.com/libuv/libuv/issues/5194: a socket that is writable, and "
               "whose sends would block",
     .needs = {Cap::sock_datagram, Cap::call_later, Cap::native_socket},
     .body = full_peer_without_spinning,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kSendto},
    {.id = "sock.recvfrom.waits",
     .promise = "A receive waits for a datagram, also after an earlier one was cancelled.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_recvfrom",
     .needs = {Cap::sock_datagram},
     .body = recvfrom_waits,
     .severity = Severity::common,
     .api = kRecvfrom},
    {.id = "sock.recvfrom_into.partial",
     .promise = "Receiving a datagram into a buffer fills only what arrived and names the sender.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_recvfrom_into",
     .needs = {Cap::sock_datagram},
     .body = recvfrom_into,
     .severity = Severity::common,
     .api = kInto},
    {.id = "sock.recvfrom.refused_then_usable",
     .promise = "The refusal of a datagram surfaces as ECONNREFUSED in one operation and does not "
                "break the next.",
     .source = "man 7 udp, ERRORS: ECONNREFUSED",
     .needs = {Cap::sock_datagram, Cap::sock_stream},
     .body = refused_then_usable,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kRefused},
    {.id = "sock.nonblocking_required",
     .promise = "In debug mode at least, every sock_* operation refuses a blocking socket.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#working-with-socket-objects-"
               "directly: sock must be a non-blocking socket",
     .needs = {Cap::sock_stream, Cap::sock_datagram, Cap::debug_mode},
     .body = nonblocking_required,
     .level = Level::should,
     .severity = Severity::common,
     .api = kAll}};

}  // namespace

extern const ScenarioFile file{"A6", "sock_* operations", kScenarios};
}  // namespace loopscope::scenarios::sock_datagrams
