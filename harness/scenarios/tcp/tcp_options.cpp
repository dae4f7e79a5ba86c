// TCP transports: the options that their sockets have, by default and when asked for.
#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"

namespace loopscope::scenarios::tcp_options {
namespace {

bool has(const Transport& transport, tools::SocketFlag flag) {
  return tools::socket_flag(descriptor_of(transport, "socket"), flag);
}

void no_delay(Context& cx) {
  Peer listener = cx.tcp_listener();
  const WatchedStream made = open_connection(cx, to(cx.address_of(listener)));
  cx.is_true(has(*made.transport, tools::SocketFlag::no_delay), "create_connection: TCP_NODELAY");
  const Connection adopted = connect(cx);
  cx.is_true(has(*adopted.transport, tools::SocketFlag::no_delay),
             "connect_accepted_socket: TCP_NODELAY");
  StreamPair local = cx.stream_pair();  // A Unix socket has no such option, and nobody minds.
  const WatchedStream within = adopt(cx, local.subject);
  local.peer.send("no delay");
  cx.run_until([&] { return within.seen->data == "no delay"; });
}

void keep_alive(Context& cx) {
  for (const bool wanted : {true, false}) {
    ServerOptions options;
    options.addresses = {Endpoint::loopback(AddressFamily::ipv4)};
    options.keep_alive = wanted;
    const auto seen = std::make_shared<StreamRecorder>(cx);
    auto serving = cx.loop().create_server([&] { return seen; }, std::move(options));
    const Result<std::shared_ptr<Server>> server = cx.loop().run_until_complete(serving);
    cx.ok(server, "create_server");
    os::UniqueFd fd = os::open_socket(AddressFamily::ipv4, SocketType::stream, true).value();
    (void)os::connect(fd.get(), server.value()->sockets().at(0)).value();
    const Peer peer(std::move(fd));
    cx.run_until([&] { return seen->transport != nullptr; });
    const auto& accepted = dynamic_cast<Transport&>(*seen->transport);
    cx.equal(has(accepted, tools::SocketFlag::keep_alive), wanted, "SO_KEEPALIVE as asked for");
    seen->transport->close();
    server.value()->close();
    until_lost(cx, *seen);
  }
}

constexpr CapSet kNeeds{Cap::create_connection};
constexpr CapSet kServes{Cap::create_server};
constexpr std::string_view kApi[] = {"create_connection", "connect_accepted_socket"};
constexpr std::string_view kServerApi[] = {"create_server"};

constexpr Scenario kScenarios[] = {
    {.id = "tcp.nodelay_default",
     .promise = "TCP_NODELAY is set on every TCP transport; a Unix socket goes without.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#transports (TCP_NODELAY);"
               " bugs.python.org/issue27456",
     .needs = kNeeds,
     .body = no_delay,
     .severity = Severity::common,
     .api = kApi},
    {.id = "tcp.keepalive",
     .promise = "keep_alive of create_server sets SO_KEEPALIVE on accepted connections.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_server",
     .needs = kServes,
     .body = keep_alive,
     .severity = Severity::edge,
     .api = kServerApi},
};

}  // namespace

extern const ScenarioFile file{"A7", "TCP transports", kScenarios};
}  // namespace loopscope::scenarios::tcp_options
