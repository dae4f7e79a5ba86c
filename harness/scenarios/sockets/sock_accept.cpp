// sock_accept: each connection is handed out once, as a socket that is ready for the loop.
#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::sock_accept {
namespace {

Accepted accepted(Context& cx, const Future<Accepted>& accepting) {
  Result<Accepted> result = await_outcome(cx, accepting);
  cx.ok(result, "sock_accept");
  return std::move(result).value();
}
Endpoint name_of(const Peer& client) { return os::local_address(client.native()).value(); }

void accept_basic(Context& cx) {
  EventLoop& loop = cx.loop();
  Socket listener = listening_socket();
  const Endpoint address = os::local_address(listener.native()).value();
  const Future<Accepted> accepting = loop.sock_accept(listener);
  turn(cx, 3);
  cx.equal(accepting.done(), false, "done before anybody connects");
  Peer client = connect_to(address);
  Accepted got = accepted(cx, accepting);
  cx.equal(got.peer, name_of(client), "the address of the client");
  cx.equal(os::is_blocking(got.connection.native()).value(), false, "the connection blocks");
  cx.equal(os::is_inheritable(got.connection.native()).value(), false, "it survives exec");
  client.send("hello");
  const Result<Bytes> words = await_outcome(cx, loop.sock_recv(got.connection, 64));
  cx.ok(words, "sock_recv on the connection");
  cx.equal(text(words.value()), "hello", "what the client sent");
}

void accept_backlog(Context& cx) {
  EventLoop& loop = cx.loop();
  Socket listener = listening_socket();
  const Endpoint address = os::local_address(listener.native()).value();
  std::vector<Peer> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(connect_to(address));
  for (const Peer& client : clients) {
    const Accepted got = accepted(cx, loop.sock_accept(listener));
    cx.equal(got.peer, name_of(client), "clients in their order");
  }
  Future<Accepted> sixth = loop.sock_accept(listener);
  turn(cx, 5);
  cx.equal(sixth.cancel(), true, "a sixth accept still waits");
}

void accept_cancel(Context& cx) {
  EventLoop& loop = cx.loop();
  Socket listener = listening_socket(64);
  const Endpoint address = os::local_address(listener.native()).value();
  const std::size_t before = cx.open_descriptors().size();
  for (int round = 0; round < 20; ++round) {
    Future<Accepted> doomed = loop.sock_accept(listener);
    turn(cx, 1);
    Peer client;
    if (round % 2 == 0) client = connect_to(address);
    cx.equal(doomed.cancel(), true, "an accept that nothing has served can be cancelled");
    if (round % 2 != 0) client = connect_to(address);
    turn(cx, 2);
    const Accepted got = accepted(cx, loop.sock_accept(listener));
    cx.equal(got.peer, name_of(client), "the client of the next accept");
  }
  turn(cx, 2);
  cx.equal(cx.open_descriptors().size(), before, "descriptors after 20 cancelled accepts");
}

void not_listening(Context& cx) {
  Socket socket = Socket::make(AddressFamily::ipv4, SocketType::stream).value();
  cx.ok(os::bind(socket.native(), Endpoint::loopback(AddressFamily::ipv4)), "bind");
  cx.refused(outcome(cx, cx.loop().sock_accept(socket), "sock_accept"), system_code(EINVAL),
             "accepting on a socket that does not listen");
}

constexpr std::string_view kAccept[] = {"sock_accept"};
constexpr std::string_view kDocs =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_accept";

constexpr Scenario kScenarios[] = {
    {.id = "sock.accept.basic",
     .promise = "An accept waits for a client and yields a non-blocking socket that no child "
                "inherits, with the client's address.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_accept; PEP 446",
     .needs = {Cap::sock_stream},
     .body = accept_basic,
     .api = kAccept},
    {.id = "sock.accept.backlog_in_order",
     .promise = "Clients that wait in the backlog are accepted once each, in the order in which "
                "they came.",
     .source = "man 2 accept: extracts the first connection request on the queue",
     .needs = {Cap::sock_stream},
     .body = accept_backlog,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kAccept},
    {.id = "sock.accept.cancel",
     .promise = "Cancelling an accept, before or while a client comes, neither loses the client "
                "nor leaks a descriptor.",
     .source = kDocs,
     .needs = {Cap::sock_stream},
     .body = accept_cancel,
     .severity = Severity::common,
     .api = kAccept},
    {.id = "sock.accept.not_listening",
     .promise = "Accepting on a socket that does not listen ends in EINVAL at once.",
     .source = "man 2 accept, EINVAL",
     .needs = {Cap::sock_stream},
     .body = not_listening,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kAccept}};

}  // namespace

extern const ScenarioFile file{"A6", "sock_* operations", kScenarios};
}  // namespace loopscope::scenarios::sock_accept
