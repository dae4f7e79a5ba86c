// TLS servers and Unix sockets: options.tls of the calls that open something.
#include "harness/scenario.hpp"
#include "harness/scenarios/tls/secured.hpp"

namespace loopscope::scenarios::tls_servers {
namespace {

struct Seen {
  unsigned made = 0, echoed = 0, lost = 0;
};

/// Echoes, and marks nothing: several connections at once have no order.
class Echo final : public Protocol {
 public:
  explicit Echo(Seen& seen) : seen_(seen) {}
  void connection_made(BaseTransport& transport) override {
    transport_ = dynamic_cast<Transport*>(&transport);
    ++seen_.made;
  }
  void data_received(ByteView data) override {
    transport_->write(data);
    ++seen_.echoed;
  }
  void connection_lost(const Error*) override { ++seen_.lost; }

 private:
  Seen& seen_;
  Transport* transport_ = nullptr;
};

/// Says a word and takes the echo; then the subject has to end it.
void says_a_word(TlsPeer& tls, PeerReport& report) {
  tls.send("w");
  report.data = tls.recv_until_end();
  tls.send_close_notify();
}

/// Two TLS clients, and one before them that speaks plain text.
void serve(Context& cx, const Secrets& secrets, Server& server, Seen& seen) {
  const Endpoint address = server.sockets().at(0);
  Peer plain = connect_to(address);
  plain.send("GET / HTTP/1.0\r\n\r\n");
  // An alert and the end, or just the end.
  cx.run_until([&] { return tools::readable(plain.native()) && plain.recv(1000).empty(); });
  cx.equal(seen.made, 0u, "protocols that a handshake which failed has told of anything");

  PeerThread one(cx, connect_to(address), secrets.peer_client(), says_a_word);
  PeerThread two(cx, connect_to(address), secrets.peer_client(), says_a_word);
  cx.run_until([&] { return seen.echoed == 2 || seen.lost > 0; });
  server.close();
  server.close_clients();
  auto closed = server.wait_closed();
  cx.ok(cx.loop().run_until_complete(closed), "wait_closed");
  for (PeerThread* peer : {&one, &two}) {
    const PeerReport& report = peer->finish();
    cx.equal(report.data, "w", "the echo");
    cx.is_true(report.close_notify, "close_clients() says close_notify");
  }
  cx.equal(seen.made, 2u, "calls of connection_made");
  cx.equal(seen.lost, 2u, "calls of connection_lost");
}

void tcp_server(Context& cx) {
  const Secrets secrets(cx);
  Seen seen;
  ServerOptions options;
  options.addresses = {Endpoint::loopback(AddressFamily::ipv4)};
  options.tls = secrets.client();
  const auto factory = [&] { return std::make_shared<Echo>(seen); };
  auto wrong = cx.loop().create_server(factory, options);
  cx.refused(cx.loop().run_until_complete(wrong), Errc::invalid_argument,
             "a server with a client's context");
  options.tls = secrets.server();
  auto made = cx.loop().create_server(factory, options);
  const auto server = cx.loop().run_until_complete(made);
  cx.ok(server, "create_server with TLS");
  serve(cx, secrets, **server, seen);
}

void unix_sockets(Context& cx) {
  const Secrets secrets(cx);
  Seen seen;
  UnixServerOptions options;
  options.path = cx.temp_path("tls.sock");
  options.tls = secrets.server();
  auto made = cx.loop().create_unix_server([&] { return std::make_shared<Echo>(seen); }, options);
  const auto server = cx.loop().run_until_complete(made);
  cx.ok(server, "create_unix_server with TLS");
  serve(cx, secrets, **server, seen);

  StreamPair pair = cx.stream_pair();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(), listen);
  UnixConnectOptions connecting;
  connecting.sock = &pair.subject;
  connecting.tls = secrets.client();
  const auto client = recorder(cx);
  auto connected = cx.loop().create_unix_connection([&] { return client; }, connecting);
  const Result<Link> link = cx.loop().run_until_complete(connected);
  cx.ok(link, "create_unix_connection with TLS");
  link->transport->write(view("over a Unix socket"));
  link->transport->close();
  until_lost(cx, *client);
  cx.equal(peer.finish().data, "over a Unix socket", "what the peer decrypts");
}

constexpr CapSet kServerNeeds{Cap::start_tls, Cap::create_server};
constexpr CapSet kUnixNeeds{Cap::start_tls, Cap::create_server, Cap::unix_sockets};
constexpr std::string_view kServerApi[] = {"create_server"};
constexpr std::string_view kUnixApi[] = {"create_unix_server", "create_unix_connection"};

constexpr Scenario kScenarios[] = {
    {.id = "tls.server",
     .promise = "A server with TLS serves TLS clients, and drops others without telling anybody.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_server",
     .needs = kServerNeeds,
     .body = tcp_server,
     .api = kServerApi},
    {.id = "tls.unix_sockets",
     .promise = "Unix servers and connections take TLS as TCP ones do.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_unix_server",
     .needs = kUnixNeeds,
     .body = unix_sockets,
     .severity = Severity::common,
     .api = kUnixApi},
};

}  // namespace

extern const ScenarioFile file{"A18", "TLS", kScenarios};
}  // namespace loopscope::scenarios::tls_servers
