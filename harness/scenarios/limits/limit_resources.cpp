// Limits of the process and the system: descriptors and ports that have run out.
#include <algorithm>

#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::limit_resources {
namespace {

std::size_t highest_descriptor(const Context& cx) {
  const std::vector<os::NativeSocket> open = cx.open_descriptors();
  return static_cast<std::size_t>(*std::max_element(open.begin(), open.end()));
}

void emfile_everywhere(Context& cx) {
  EventLoop& loop = cx.loop();
  Socket listener = listening_socket();
  const Peer client = connect_to(ours(os::local_address(listener.native())));
  StreamPair pair = cx.stream_pair();
  const std::size_t before = cx.open_descriptors().size();
  {
    const DescriptorLimit limit(cx, highest_descriptor(cx) + 20);
    const std::vector<os::UniqueFd> all = exhaust_descriptors(pair.subject.native());
    cx.refused(cx.descriptor().make(LoopOptions{}), "making a loop without a descriptor");
    cx.refused(outcome(cx, loop.sock_accept(listener), "sock_accept"), system_code(EMFILE),
               "accepting without a descriptor");
    DatagramOptions options;
    options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
    const auto protocol = std::make_shared<DatagramProtocol>();
    const auto endpoint =
        loop.create_datagram_endpoint([&] { return protocol; }, std::move(options));
    cx.refused(outcome(cx, endpoint, "create_datagram_endpoint"), system_code(EMFILE),
               "a datagram endpoint without a descriptor");
    pair.peer.send("meanwhile");
    cx.equal(text(settle(cx, loop.sock_recv(pair.subject, 64), "sock_recv")), "meanwhile",
             "what another socket receives meanwhile");
  }
  cx.equal(cx.open_descriptors().size(), before, "descriptors after the refusals");
  const Accepted got = settle(cx, loop.sock_accept(listener), "sock_accept with descriptors left");
  cx.equal(got.peer, ours(os::local_address(client.native())), "the client waited meanwhile");
  const std::unique_ptr<EventLoop> another = cx.new_loop();
  cx.ok(another->close(), "another loop can be made and closed");
}

void raise_and_lower_soft_limit(Context& cx) {
  EventLoop& loop = cx.loop();
  Crowd crowd(cx, 40);  // also where 64 descriptors are all there are
  std::size_t calls = 0;
  const auto watch = [&](std::size_t i) {
    cx.ok(loop.add_reader(crowd[i], [&, i] { ++calls, crowd.empty(i); }), "add_reader");
  };
  for (std::size_t i = 0; i < 30; ++i) watch(i);
  {
    const DescriptorLimit limit(cx, 20);  // Fewer than are open and watched.
    crowd.make_readable(0), crowd.make_readable(29);
    turn(cx, 5);
    cx.equal(calls, 2, "descriptors served while the limit is below their number");
  }
  for (std::size_t i = 30; i < 40; ++i) watch(i), crowd.make_readable(i);
  turn(cx, 5);
  cx.equal(calls, 12, "descriptors served after the limit was raised again");
  for (std::size_t i = 0; i < 40; ++i) cx.ok(loop.remove_reader(crowd[i]), "remove_reader");
}

// Two sockets bound to one address cannot both be connected to the same peer: the system answers
// as it does when all ports are taken.
void addresses_used_up(Context& cx) {
  EventLoop& loop = cx.loop();
  Peer listener = cx.tcp_listener();
  const Endpoint to = cx.address_of(listener);
  const auto stream = [] { return ours(Socket::make(AddressFamily::ipv4, SocketType::stream)); };
  Socket first = stream(), second = stream(), third = stream();
  ours(os::set_reuse_address(first.native(), true));
  ours(os::set_reuse_address(second.native(), true));
  ours(os::bind(first.native(), Endpoint::loopback(AddressFamily::ipv4)));
  ours(os::bind(second.native(), ours(os::local_address(first.native()))));
  cx.ok(await_outcome(cx, loop.sock_connect(first, to)), "the first connect");
  cx.refused(await_outcome(cx, loop.sock_connect(second, to)), system_code(EADDRNOTAVAIL),
             "a connect for which no local address is left");
  cx.ok(await_outcome(cx, loop.sock_connect(third, to)), "a connect from another address");
}

constexpr std::string_view kEmfile[] = {"new_event_loop", "sock_accept",
                                        "create_datagram_endpoint"};
constexpr std::string_view kReader[] = {"add_reader", "remove_reader"};
constexpr std::string_view kConnect[] = {"sock_connect"};

constexpr Scenario kScenarios[] = {
    {.id = "limit.emfile.everywhere",
     .promise = "Without a free descriptor, making a loop, accepting and opening an endpoint are "
                "refused, nothing leaks, the loop goes on, and the waiting client is not lost.",
     .source = "man 2 accept, EMFILE; man 2 socket, EMFILE",
     .needs = {Cap::sock_stream, Cap::create_datagram_endpoint},
     .body = emfile_everywhere,
     .authority = Authority::man_page,
     .api = kEmfile},
    {.id = "limit.nofile.raise_soft",
     .promise = "A loop serves what it watches while the soft descriptor limit is lowered below "
                "the number of its descriptors, and more after it was raised again.",
     .source = "man 2 getrlimit, RLIMIT_NOFILE; man 2 poll, EINVAL: nfds exceeds RLIMIT_NOFILE",
     .needs = {Cap::add_reader, Cap::native_socket},
     .body = raise_and_lower_soft_limit,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kReader},
    {.id = "limit.port_exhaustion",
     .promise = "A connect for which no local address is left ends in EADDRNOTAVAIL, and other "
                "connects go on.",
     .source = "man 2 connect, EADDRNOTAVAIL",
     .needs = {Cap::sock_stream},
     .body = addresses_used_up,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kConnect}};

}  // namespace

extern const ScenarioFile file{"A23", "Limits and scale", kScenarios};
}  // namespace loopscope::scenarios::limit_resources
