// What create_server binds: addresses, options of the sockets, and what it refuses.
#include <cerrno>
#include <set>

#include "harness/scenario.hpp"
#include "harness/scenarios/serving.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::srv_binding {
namespace {

ServerOptions at(std::vector<Endpoint> addresses) {
  ServerOptions options;
  options.addresses = std::move(addresses);
  return options;
}

Endpoint host(std::string_view literal, std::uint16_t port) {
  return ours(Endpoint::ip(literal, port));
}

void all_interfaces(Context& cx) {
  Serving everywhere(cx);
  everywhere.open(ServerOptions{});
  std::set<std::uint16_t> ports;
  std::set<AddressFamily> families;
  for (const Endpoint& address : everywhere.server->sockets()) {
    ports.insert(address.port());
    cx.is_true(families.insert(address.family()).second, "one socket for each family");
  }
  cx.is_true(families.contains(AddressFamily::ipv4), "IPv4 is served");
  cx.equal(families.contains(AddressFamily::ipv6), family_available(AddressFamily::ipv6),
           "IPv6 is served where there is IPv6");
  if (ports.size() != 1) cx.diverges("a port for each family", "one port", show(ports.size()));
  for (const AddressFamily family : families) {
    Peer client = connect_to(Endpoint::loopback(family, *ports.begin()));
    cx.equal(ask(cx, client, "x"), "x", "the answer to a client of " + show(family));
  }
}

void list_of_hosts(Context& cx) {
  Serving named(cx);
  ServerOptions options;
  options.hosts = {"127.0.0.1", "127.0.0.2", "127.0.0.1"};
  named.open(std::move(options));
  cx.equal(named.server->sockets().size(), 2u, "sockets for two hosts, one of them given twice");
  cx.equal(named.server->descriptors().size(), 2u, "descriptors");
  for (const Endpoint& address : named.server->sockets()) {
    Peer client = connect_to(address);
    cx.equal(ask(cx, client, "x"), "x", "the answer at " + show(address));
  }

  Serving partly(cx);  // 192.0.2.0/24 is for documentation (RFC 5737): no host of ours
  partly.open(at({Endpoint::loopback(AddressFamily::ipv4), host("192.0.2.1", 0)}));
  cx.equal(partly.server->sockets().size(), 1u, "sockets when one address is not this host's");
  const auto nowhere = cx.loop().create_server(partly.factory(), at({host("192.0.2.1", 0)}));
  cx.refused(outcome(cx, nowhere, "create_server"), system_code(EADDRNOTAVAIL),
             "an address that is not this host's, alone");
}

void address_in_use(Context& cx) {
  Peer owner = cx.tcp_listener();
  const Endpoint taken = cx.address_of(owner);
  Serving serving(cx);
  const std::size_t before = cx.open_descriptors().size();
  const auto made = cx.loop().create_server(serving.factory(),
                                            at({Endpoint::loopback(AddressFamily::ipv4), taken}));
  const Result<std::shared_ptr<Server>> refused = outcome(cx, made, "create_server");
  cx.refused(refused, system_code(EADDRINUSE), "an address that is in use");
  const std::string said = to_string(refused.error());
  cx.is_true(said.find(taken.to_string()) != std::string::npos,
             "the error names the address: " + said);
  turn(cx, 3);
  cx.equal(cx.open_descriptors().size(), before, "descriptors after the refusal");
  serving.open();
  Peer client = connect_to(serving.address());
  cx.equal(ask(cx, client, "x"), "x", "the answer of the next server");
}

void old_connections_linger(Context& cx) {
  Serving serving(cx);
  serving.open();
  const Endpoint address = serving.address();
  Peer client = connect_to(address);
  cx.equal(ask(cx, client, "x"), "x", "the answer");
  serving.server->close_clients();  // The side that closes first keeps the address for a while.
  cx.equal(find(cx, client), "end", "what the client finds");
  client.close();
  serving.server->close();
  cx.is_true(run_patiently(cx, [&] { return serving.alive() == 0; }), "the connection has ended");

  ServerOptions strict = at({address});
  strict.reuse_address = false;
  const auto refused = cx.loop().create_server(serving.factory(), std::move(strict));
  if (outcome(cx, refused, "create_server").ok()) {
    cx.inconclusive("the old connection does not hold the address");
  }
  Serving again(cx);
  again.open(at({address}));
  Peer newcomer = connect_to(address);
  cx.equal(ask(cx, newcomer, "new"), "new", "the answer at the old address");
}

void shared_port(Context& cx) {
  constexpr std::size_t kClients = 64;
  require_descriptors(cx, 2 * kClients + 64);
  Serving first(cx), second(cx);
  ServerOptions options = at({Endpoint::loopback(AddressFamily::ipv4)});
  options.reuse_port = true;
  first.open(options);
  const auto alone = cx.loop().create_server(second.factory(), at({first.address()}));
  cx.refused(outcome(cx, alone, "create_server"), system_code(EADDRINUSE),
             "a second server that does not share");
  options.addresses = {first.address()};
  second.open(options);
  std::vector<Peer> clients;
  for (std::size_t i = 0; i < kClients; ++i) clients.push_back(connect_to(first.address()));
  cx.is_true(run_patiently(cx, [&] { return first.made + second.made == kClients; }),
             "every client is accepted by one of the two");
  cx.note("accepted_by_the_first", static_cast<double>(first.made), "count");
  // By chance all go to one of them once in 2^63 runs.
  cx.at_least(std::min(first.made, second.made), 1u, "clients of each server");
}

void keeps_alive(Context& cx) {
  for (const bool on : {false, true}) {
    Serving serving(cx);
    ServerOptions options = at({Endpoint::loopback(AddressFamily::ipv4)});
    options.keep_alive = on;
    bool seen = !on;
    serving.on_made = [&](Transport& transport) {
      const ExtraInfo info = transport.get_extra_info("socket");
      const auto* fd = std::get_if<os::NativeSocket>(&info);
      cx.is_true(fd != nullptr, "the transport tells its socket");
      seen = tools::socket_flag(*fd, tools::SocketFlag::keep_alive);
    };
    serving.open(std::move(options));
    const Peer client = connect_to(serving.address());
    cx.is_true(run_patiently(cx, [&] { return serving.made == 1; }), "the client is accepted");
    cx.equal(seen, on, "SO_KEEPALIVE of an accepted connection");
  }
}

/// create_server refuses the options, the socket in them stays open, and nothing else is.
void is_refused(Context& cx, ServerOptions options, std::string_view what) {
  Serving never(cx);
  const os::NativeSocket lent = options.sock == nullptr ? os::kInvalid : options.sock->native();
  const std::size_t before = cx.open_descriptors().size();
  const auto made = cx.loop().create_server(never.factory(), std::move(options));
  const Result<std::shared_ptr<Server>> result = await_outcome(cx, made, what);
  cx.refused(result, what);
  cx.is_true(!result.error().op.empty(), "the error names the call");
  turn(cx, 3);
  cx.equal(cx.open_descriptors().size(), before, std::string("descriptors after ").append(what));
  if (lent != os::kInvalid) cx.is_true(tools::is_open(lent), "the caller's socket stays open");
}

void wrong_sockets(Context& cx) {
  Socket datagram = cx.datagram_socket(), closed = listening_socket();
  StreamPair connected = cx.tcp_pair();
  ServerOptions options;
  options.sock = &datagram;
  is_refused(cx, options, "a datagram socket");
  options.sock = &connected.subject;
  is_refused(cx, options, "a connected socket");
  closed.close();
  options.sock = &closed;
  is_refused(cx, options, "a closed socket");
  {
    // The number of a descriptor that is closed behind the Socket's back.
    Socket stale = listening_socket();
    ours(os::close_fd(stale.native()));
    options.sock = &stale;
    Serving never(cx);
    const auto made = cx.loop().create_server(never.factory(), options);
    cx.refused(outcome(cx, made, "create_server"), system_code(EBADF), "a stale descriptor");
    (void)stale.release().release();
  }
  connected.peer.send("still");
  cx.equal(text(settle(cx, cx.loop().sock_recv(connected.subject, 16), "sock_recv")), "still",
           "what the refused socket receives");
  Serving serving(cx);
  serving.open();
  Peer client = connect_to(serving.address());
  cx.equal(ask(cx, client, "x"), "x", "the answer of the next server");
}

void contradicting_options(Context& cx) {
  Socket listener = listening_socket();
  ServerOptions both = at({Endpoint::loopback(AddressFamily::ipv4)});
  both.sock = &listener;
  is_refused(cx, both, "an address and a socket");
  ServerOptions hosts = at({Endpoint::loopback(AddressFamily::ipv4)});
  hosts.hosts = {"127.0.0.1"};
  is_refused(cx, hosts, "addresses and hosts");
  ServerOptions port;
  port.hosts = {"127.0.0.1"};
  port.service = "65536";
  is_refused(cx, port, "a port beyond 65535");
  ServerOptions unknown;
  unknown.hosts = {std::string(300, 'h')};
  is_refused(cx, unknown, "a host that no resolver knows");
  Serving serving(cx);
  serving.open();
  cx.is_true(serving.server->is_serving(), "the next server serves");
}

constexpr CapSet kNeeds{Cap::create_server};
constexpr CapSet kNative{Cap::create_server, Cap::native_socket, Cap::sock_stream};
constexpr std::string_view kApi[] = {"create_server"};
constexpr std::string_view kInfoApi[] = {"create_server", "Transport.get_extra_info"};
constexpr std::string_view kServer =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_server";
#define LOOPSCOPE_TESTS "github.com/python/cpython/blob/main/Lib/test/test_asyncio/"

constexpr Scenario kScenarios[] = {
    {.id = "srv.multi_host_dualstack",
     .promise = "Without a host a server listens on IPv4 and IPv6 without a clash, on one port.",
     .source = kServer,
     .needs = kNeeds,
     .body = all_interfaces,
     .severity = Severity::common,
     .api = kApi},
    {.id = "srv.multi_host_dualstack.list",
     .promise = "A list of hosts is bound once each; an address that this host does not have is "
                "skipped as long as there is another.",
     .source = "github.com/python/cpython/issues/75128; " LOOPSCOPE_TESTS
               "test_events.py: test_create_server_multiple_hosts_ipv4",
     .needs = kNeeds,
     .body = list_of_hosts,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi},
    {.id = "srv.addr_in_use",
     .promise = "An address in use is refused by its name, and sockets bound before it are closed.",
     .source = "man 2 bind, EADDRINUSE; " LOOPSCOPE_TESTS
               "test_events.py: test_create_server_addr_in_use",
     .needs = kNeeds,
     .body = address_in_use,
     .authority = Authority::man_page,
     .api = kApi},
    {.id = "srv.reuse_address_timewait",
     .promise = "An address that only old connections hold can be bound again at once.",
     .source = kServer,
     .needs = kNeeds,
     .body = old_connections_linger,
     .severity = Severity::common,
     .api = kApi},
    {.id = "srv.reuse_port",
     .promise =
         "Two servers with reuse_port share a port and its clients; without it the second is "
         "refused.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_server; "
               "man 7 socket, SO_REUSEPORT",
     .needs = kNeeds,
     .body = shared_port,
     .severity = Severity::edge,
     .api = kApi},
    {.id = "srv.keep_alive",
     .promise = "keep_alive sets SO_KEEPALIVE on accepted connections, and nothing else does.",
     .source = kServer,
     .needs = kNative,
     .body = keeps_alive,
     .severity = Severity::edge,
     .api = kInfoApi},
    {.id = "srv.wrong_socket",
     .promise = "A socket that cannot serve is refused and stays the caller's, open.",
     .source = LOOPSCOPE_TESTS "test_base_events.py: test_create_server_stream_bittype, "
                               "test_create_server_wrong_sock",
     .needs = kNative,
     .body = wrong_sockets,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kApi},
    {.id = "srv.contradicting_options",
     .promise =
         "Options that contradict each other, and hosts and ports that are none, are refused "
         "without a trace.",
     .source = LOOPSCOPE_TESTS "test_base_events.py: test_create_server_host_port_sock",
     .needs = kNative,
     .body = contradicting_options,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kApi},
};
#undef LOOPSCOPE_TESTS

}  // namespace

extern const ScenarioFile file{"A8", "Servers", kScenarios};
}  // namespace loopscope::scenarios::srv_binding
