// Datagram endpoints: broadcast, shared ports and sockets of the caller.
#include <cerrno>

#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios::udp_options {
namespace {

void broadcast(Context& cx) {
  const Endpoint anywhere = Endpoint::ip("127.255.255.255", 0).value();
  os::UniqueFd listener = os::open_socket(AddressFamily::ipv4, SocketType::datagram, true).value();
  if (!os::bind(listener.get(), anywhere).ok()) cx.skip("no broadcast address on loopback");
  const Endpoint everybody = os::local_address(listener.get()).value();
  DatagramPeer hearer(std::move(listener)), answerer = cx.datagram_peer();

  DatagramOptions options;
  options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
  options.allow_broadcast = true;
  const WatchedDatagram open = open_endpoint(cx, std::move(options));
  cx.ok(open->sendto(view("who is there?"), &everybody), "a broadcast can be sent");
  cx.run_until([&] { return tools::readable(hearer.native()) || !open.seen->errors.empty(); });
  cx.is_true(open.seen->errors.empty(), "no error is reported");

  answerer.sendto("me", hearer.recvfrom().sender);
  cx.run_until([&] { return !open.seen->datagrams.empty(); });
  cx.equal(open.seen->datagrams[0].sender, answerer.address(), "anybody's answer is received");
}

void port_is_not_shared(Context& cx) {
  const WatchedDatagram open = open_endpoint(cx);
  const os::UniqueFd intruder = os::open_socket(AddressFamily::ipv4, SocketType::datagram).value();
  tools::set_socket_flag(intruder.get(), tools::SocketFlag::reuse_address, true);
  cx.refused(os::bind(intruder.get(), address_of(*open.transport)),
             std::error_code(EADDRINUSE, errno_category()),
             "another socket that allows sharing cannot take the endpoint's port");
}

void reuse_port_shares(Context& cx) {
  DatagramOptions first_options, second_options;
  first_options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
  first_options.reuse_port = true;
  const WatchedDatagram first = open_endpoint(cx, std::move(first_options));
  second_options.local_addr = address_of(*first.transport);
  second_options.reuse_port = true;
  const WatchedDatagram second = open_endpoint(cx, std::move(second_options));

  DatagramPeer peer = cx.datagram_peer();
  for (int i = 0; i < 8; ++i) peer.sendto("for one of you", address_of(*first.transport));
  const auto arrived = [&] { return first.seen->datagrams.size() + second.seen->datagrams.size(); };
  cx.run_until([&] { return arrived() >= 8; });
  turn(cx);
  cx.equal(arrived(), 8u, "each datagram is delivered to one endpoint");
}

void adopts_a_socket(Context& cx) {
  Socket socket = cx.datagram_socket();
  const Endpoint name = os::local_address(socket.native()).value();
  DatagramOptions options;
  options.sock = &socket;
  const WatchedDatagram open = open_endpoint(cx, std::move(options));
  cx.equal(address_of(*open.transport), name, "the endpoint has the socket's address");
  DatagramPeer peer = cx.datagram_peer();
  peer.sendto("hello", name);
  cx.run_until([&] { return open.seen->texts() == std::vector<std::string>{"hello"}; });

  const auto open_refused = [&](DatagramOptions wrong, std::string_view what) {
    const auto seen = std::make_shared<DatagramRecorder>(cx);
    auto made = cx.loop().create_datagram_endpoint([&] { return seen; }, std::move(wrong));
    cx.refused(cx.loop().run_until_complete(made), what);
    cx.is_true(seen->transport == nullptr, "a refused endpoint never calls connection_made");
  };
  DatagramOptions both, stream;
  Socket first = cx.datagram_socket(), second = cx.stream_pair().subject;
  both.sock = &first;
  both.local_addr = Endpoint::loopback(AddressFamily::ipv4);
  open_refused(std::move(both), "a socket together with an address is refused");
  stream.sock = &second;
  open_refused(std::move(stream), "a stream socket is refused");
}

constexpr CapSet kNeeds{Cap::create_datagram_endpoint};
constexpr std::string_view kApi[] = {"create_datagram_endpoint"};
constexpr std::string_view kDocs =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_datagram_endpoint";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "udp.broadcast",
     .promise = "allow_broadcast permits broadcasts and leaves the endpoint open to all answers.",
     .source = kDocs,
     .needs = kNeeds,
     .body = broadcast,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.reuse_address_removed",
     .promise = "An endpoint's port cannot be taken over by a socket that asks to share it.",
     .source = kDocs,
     .needs = kNeeds,
     .body = port_is_not_shared,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.reuse_port",
     .promise = "Endpoints that all set reuse_port share an address; each datagram goes to one.",
     .source = kDocs,
     .needs = kNeeds,
     .body = reuse_port_shares,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.existing_socket",
     .promise = "A bound datagram socket is adopted; stream sockets and further addresses are not.",
     .source = kDocs,
     .needs = kNeeds,
     .body = adopts_a_socket,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A11", "UDP", kScenarios};
}  // namespace loopscope::scenarios::udp_options
