// Datagram endpoints: what is sent arrives, whole, in order and from the right address.
#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios::udp_exchange {
namespace {

/// What arrives at a peer, once it has arrived: turning the loop, never blocking it.
Datagram arrival(Context& cx, DatagramPeer& peer) {
  cx.run_until([&] { return tools::readable(peer.native()); });
  return peer.recvfrom();
}

void exchange_over(Context& cx, AddressFamily family) {
  DatagramPeer peer = cx.datagram_peer(family);
  const WatchedDatagram open = open_endpoint(cx, family);
  peer.sendto("ping", address_of(*open.transport));
  cx.run_until([&] { return open.seen->datagrams.size() == 1; });
  cx.equal(open.seen->datagrams[0].sender, peer.address(), "the sender is told");

  const Endpoint to = peer.address();
  cx.ok(open->sendto(view("pong"), &to), "an unconnected endpoint sends to an address");
  const Datagram answer = arrival(cx, peer);
  cx.equal(text(answer.data), "pong", "the answer arrives");
  cx.equal(answer.sender, address_of(*open.transport), "it comes from the endpoint's sockname");
}

void connected_exchange_over(Context& cx, AddressFamily family) {
  DatagramPeer peer = cx.datagram_peer(family);
  DatagramOptions options;
  options.remote_addr = peer.address();
  const WatchedDatagram open = open_endpoint(cx, std::move(options));
  cx.equal(address_of(*open.transport, "peername"), peer.address(), "peername is the peer");

  cx.ok(open->sendto(view("question")), "a connected endpoint needs no address");
  const Datagram question = arrival(cx, peer);
  peer.sendto("reply to " + text(question.data), question.sender);
  cx.run_until([&] { return !open.seen->datagrams.empty(); });
  cx.equal(open.seen->texts(), std::vector<std::string>{"reply to question"}, "the reply arrives");
}

void roundtrip(Context& cx) {
  for (const AddressFamily family : {AddressFamily::ipv4, AddressFamily::ipv6}) {
    exchange_over(cx, family);
    connected_exchange_over(cx, family);
  }
}

void zero_length(Context& cx) {
  DatagramPeer peer = cx.datagram_peer();
  const WatchedDatagram open = open_endpoint(cx);
  peer.sendto("", address_of(*open.transport));
  peer.sendto("next", address_of(*open.transport));
  cx.run_until([&] {
    return !open.seen->datagrams.empty() && text(open.seen->datagrams.back().data) == "next";
  });
  cx.equal(open.seen->texts(), std::vector<std::string>{"", "next"}, "an empty one is an event");

  const Endpoint to = peer.address();
  cx.ok(open->sendto({}, &to), "an empty datagram can be sent");
  cx.ok(open->sendto(view("after"), &to), "and another one behind it");
  cx.equal(arrival(cx, peer).data.size(), 0u, "the empty one arrives as such");
  cx.equal(text(arrival(cx, peer).data), "after", "then the other one");
  cx.expect_trace({"made", "datagram"});
}

void order_and_sender(Context& cx) {
  constexpr std::size_t kRounds = 17, kBurst = 20;  // 1020 in all; a burst fits any buffer
  std::vector<DatagramPeer> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(cx.datagram_peer());
  const WatchedDatagram open = open_endpoint(cx);
  for (std::size_t round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kBurst; ++i) {
      const std::string number = std::to_string(round * kBurst + i);
      for (DatagramPeer& peer : peers) peer.sendto(number, address_of(*open.transport));
    }
    cx.run_until([&] { return open.seen->datagrams.size() >= (round + 1) * kBurst * 3; });
  }
  for (DatagramPeer& peer : peers) {
    std::size_t next = 0;
    for (const Datagram& one : open.seen->datagrams) {
      if (one.sender == peer.address()) cx.equal(text(one.data), std::to_string(next++), "order");
    }
    cx.equal(next, kRounds * kBurst, "all datagrams of one sender carry its address");
  }
}

void truncation(Context& cx) {
  constexpr std::size_t kLargest = 65'507;  // what IPv4 carries
  DatagramPeer peer = cx.datagram_peer();
  const WatchedDatagram open = open_endpoint(cx);
  peer.sendto(std::string(kLargest, 'L'), address_of(*open.transport));
  cx.run_until([&] { return !open.seen->datagrams.empty(); });
  peer.sendto("next", address_of(*open.transport));
  cx.run_until([&] { return open.seen->datagrams.size() >= 2; });
  cx.equal(open.seen->datagrams[0].data.size(), kLargest, "the largest datagram arrives whole");
  cx.equal(text(open.seen->datagrams[1].data), "next", "and no second part of it follows");
}

void oversize(Context& cx) {
  constexpr std::size_t kTooLarge = 65'508;  // for IPv4, by one; below every mark of flow control
  DatagramPeer peer = cx.datagram_peer();
  const WatchedDatagram open = open_endpoint(cx);
  const Endpoint to = peer.address();
  (void)open->sendto(view(std::string(kTooLarge, 'x')), &to);  // the error comes to the protocol
  cx.run_until([&] { return !open.seen->errors.empty() || open.seen->lost > 0; });
  cx.equal(open.seen->lost, 0u, "the endpoint survives");
  cx.is_true(open.seen->errors[0].code == std::errc::message_size, "the error is EMSGSIZE");

  cx.ok(open->sendto(view("small"), &to), "the next datagram is taken");
  cx.equal(text(arrival(cx, peer).data), "small", "and arrives");
  cx.expect_trace({"made", "error"});
}

constexpr CapSet kNeeds{Cap::create_datagram_endpoint};
constexpr std::string_view kApi[] = {"create_datagram_endpoint", "DatagramTransport.sendto",
                                     "DatagramProtocol.datagram_received",
                                     "Transport.get_extra_info", "Protocol.connection_made"};
constexpr std::string_view kErrorApi[] = {"create_datagram_endpoint", "DatagramTransport.sendto",
                                          "DatagramProtocol.error_received"};
constexpr std::string_view kIpv6[] = {"env.ipv6_lo"};
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "udp.roundtrip.v4_v6",
     .promise = "Unconnected and connected endpoints exchange datagrams over IPv4 and IPv6.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html"
               "#asyncio.loop.create_datagram_endpoint",
     .needs = kNeeds,
     .body = roundtrip,
     .api = kApi,
     .facts = kIpv6,
     .limit = kLimit},
    {.id = "udp.zero_length",
     .promise = "Empty datagrams are sent, and are received as events of their own.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.DatagramTransport.sendto",
     .needs = kNeeds,
     .body = zero_length,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.order_and_sender",
     .promise = "Datagrams of several senders arrive in each sender's order with its address.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.DatagramProtocol.datagram_received",
     .needs = kNeeds,
     .body = order_and_sender,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.truncation",
     .promise = "The largest datagram that the network carries is delivered whole, never in two.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.DatagramProtocol.datagram_received",
     .needs = kNeeds,
     .body = truncation,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.oversize",
     .promise = "A datagram that is too large ends in error_received, and the endpoint goes on.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.DatagramProtocol.error_received",
     .needs = kNeeds,
     .body = oversize,
     .api = kErrorApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A11", "UDP", kScenarios};
}  // namespace loopscope::scenarios::udp_exchange
