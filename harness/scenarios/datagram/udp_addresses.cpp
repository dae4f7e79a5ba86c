// Datagram endpoints: Unix names, IPv6 scopes, dissolved connections, and many datagrams at once.
#include <array>

#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/tools/interfaces.hpp"

namespace loopscope::scenarios::udp_addresses {
namespace {

DatagramPeer peer_at(const Endpoint& name) {
  os::UniqueFd fd = ours(os::open_socket(name.family(), SocketType::datagram, true));
  ours(os::bind(fd.get(), name));
  return DatagramPeer(std::move(fd));
}
WatchedDatagram endpoint_at(Context& cx, const Endpoint& name) {
  DatagramOptions options;
  options.local_addr = name;
  return open_endpoint(cx, std::move(options));
}
Datagram arrival(Context& cx, DatagramPeer& peer) {
  cx.run_until([&] { return tools::readable(peer.native()); });
  return peer.recvfrom();
}

void unix_names(Context& cx) {
  const std::string abstract = '\0' + cx.temp_path("abstract");
  for (const std::string& base : {cx.temp_path("path"), abstract}) {
    DatagramPeer peer = peer_at(ours(Endpoint::unix_path(base + ".peer")));
    const WatchedDatagram open = endpoint_at(cx, ours(Endpoint::unix_path(base + ".loop")));
    cx.equal(address_of(*open.transport).path(), base + ".loop", "sockname");
    peer.sendto("ping", address_of(*open.transport));
    cx.run_until([&] { return !open.seen->datagrams.empty(); });
    cx.equal(open.seen->datagrams[0].sender.path(), base + ".peer", "the sender's name");

    const Endpoint to = open.seen->datagrams[0].sender;
    cx.ok(open->sendto(view("pong"), &to), "sendto a name");
    const Datagram answer = arrival(cx, peer);
    cx.equal(text(answer.data), "pong", "the answer arrives");
    cx.equal(answer.sender.path(), base + ".loop", "it comes from the endpoint's name");
  }
}

void scoped_addresses(Context& cx) {
  const std::optional<Endpoint> local = tools::link_local_address();
  if (!local) cx.skip("this host has no link-local IPv6 address");
  DatagramPeer peer = peer_at(*local);
  const WatchedDatagram open = endpoint_at(cx, *local);
  peer.sendto("ping", address_of(*open.transport));
  cx.run_until([&] { return !open.seen->datagrams.empty(); });
  const Endpoint sender = open.seen->datagrams[0].sender;
  cx.equal(sender, peer.address(), "the sender's address, with its scope");
  cx.ok(open->sendto(view("pong"), &sender), "an answer to it");
  cx.equal(text(arrival(cx, peer).data), "pong", "the answer arrives");
}

void dissolved(Context& cx) {
  DatagramPeer first = cx.datagram_peer(), second = cx.datagram_peer();
  Socket socket = cx.datagram_socket();
  settle(cx, cx.loop().sock_connect(socket, first.address()), "sock_connect to a peer");
  const std::array<std::byte, 16> unspecified{};  // AF_UNSPEC
  settle(cx,
         cx.loop().sock_connect(socket, Endpoint::from_raw(unspecified.data(), unspecified.size())),
         "sock_connect to nobody");
  cx.is_true(!os::peer_address(socket.native()).ok(), "the socket has no peer any more");

  DatagramOptions options;
  options.sock = &socket;
  const WatchedDatagram open = open_endpoint(cx, std::move(options));
  for (DatagramPeer* peer : {&first, &second}) {
    const Endpoint to = peer->address();
    cx.ok(open->sendto(view("hello"), &to), "sendto anybody");
    const Datagram hello = arrival(cx, *peer);
    peer->sendto("hello to you", hello.sender);
    const std::size_t before = open.seen->datagrams.size();
    cx.run_until([&] { return open.seen->datagrams.size() > before; });
    cx.equal(open.seen->datagrams.back().sender, to, "and hear from anybody");
  }
}

void many_at_once(Context& cx) {
  // Above 1024, at which sendmmsg(2) cuts; an impossible one in the middle.
  constexpr std::size_t kMany = 1'500, kImpossible = 700;
  const auto numbered = [](std::size_t i) { return std::to_string(i) + std::string(i % 97, '.'); };
  auto [subject, theirs] = ours(os::open_socketpair(SocketType::datagram));
  DatagramPeer peer(std::move(theirs));
  Socket socket(std::move(subject));
  DatagramOptions options;
  options.sock = &socket;
  const WatchedDatagram open = open_endpoint(cx, std::move(options));
  const std::string huge(8 * 1'048'576, 'h');
  for (std::size_t i = 0; i < kMany; ++i) {
    cx.ok(open->sendto(view(i == kImpossible ? huge : numbered(i))), "sendto");
  }
  cx.at_least(open->get_write_buffer_size(), huge.size(), "most of them have to wait");
  std::size_t next = 0;
  cx.run_until([&] {
    while (next < kMany && tools::readable(peer.native())) {
      if (next == kImpossible) ++next;
      cx.equal(text(peer.recvfrom().data), numbered(next++), "each datagram, whole and in order");
    }
    return next == kMany;
  });
  turn(cx);
  cx.equal(open.seen->errors.size(), 1u, "errors: the one of the datagram that is too large");
  cx.equal(open->get_write_buffer_size(), 0u, "bytes that still wait");
}

constexpr CapSet kNeeds{Cap::create_datagram_endpoint, Cap::native_socket};
constexpr std::string_view kApi[] = {"create_datagram_endpoint", "DatagramTransport.sendto",
                                     "DatagramProtocol.datagram_received",
                                     "Transport.get_extra_info"};
constexpr std::string_view kErrorApi[] = {"DatagramTransport.sendto",
                                          "DatagramProtocol.error_received"};
constexpr std::string_view kConnectApi[] = {"sock_connect", "create_datagram_endpoint",
                                            "DatagramTransport.sendto"};
constexpr std::string_view kDocs =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_datagram_endpoint";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "udp.unix_names",
     .promise = "Unix datagram endpoints exchange datagrams by path and by abstract name.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html"
               "#asyncio.loop.create_datagram_endpoint, family; man 7 unix",
     .needs = kNeeds,
     .body = unix_names,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.ipv6_scope",
     .promise = "The sender of a datagram over a link-local address is told with its scope.",
     .source = kDocs,
     .needs = kNeeds,
     .body = scoped_addresses,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.disconnect",
     .promise = "Connecting a datagram socket to no address makes it open to everybody again.",
     .source = "man 2 connect, DESCRIPTION: AF_UNSPEC dissolves the association",
     .needs = kNeeds | CapSet{Cap::sock_datagram, Cap::sock_stream},
     .body = dissolved,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kConnectApi,
     .limit = kLimit},
    {.id = "udp.mmsg",
     .promise = "Many queued datagrams keep their bounds; one that fails spoils no other.",
     .source = "man 2 sendmmsg, BUGS and NOTES; man 2 recvmmsg, BUGS",
     .needs = kNeeds,
     .body = many_at_once,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kErrorApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A11", "UDP", kScenarios};
}  // namespace loopscope::scenarios::udp_addresses
