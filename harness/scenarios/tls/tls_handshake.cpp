// TLS handshakes: what they agree on, what ends them, and what may not leak out of them.
#include "harness/scenario.hpp"
#include "harness/scenarios/tls/secured.hpp"

namespace loopscope::scenarios::tls_handshake {
namespace {

using std::chrono::milliseconds;

void silent_peer(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  TlsOptions tls = secrets.client();
  for (const Duration none : {Duration(0), Duration(-1)}) {
    tls.handshake_timeout = none;
    cx.refused(try_client(cx, recorder(cx), pair.subject, tls), Errc::invalid_argument,
               "a handshake_timeout that is not above zero");
  }
  const TimePoint begin = now();
  tls.handshake_timeout = milliseconds(30);
  const Result<Link> link = try_client(cx, recorder(cx), pair.subject, tls);
  cx.refused(link, Errc::timed_out, "a handshake with a silent peer");
  cx.not_before(now(), begin + milliseconds(30), "the moment of the refusal");
  cx.expect_trace({});
  cx.at_least(pair.peer.recv_until_eof().size(), 1u, "bytes of the ClientHello, then the end");
}

/// The link outlives `time`, in which its handshake has to end; false where it did not.
bool outlives_its_timer(Context& cx, const Secrets& secrets, milliseconds time) {
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(), echo);
  TlsOptions tls = secrets.client();
  tls.handshake_timeout = time;
  const auto seen = recorder(cx);
  const Result<Link> link = try_client(cx, seen, pair.subject, tls);
  if (!link.ok() && link.error().is(Errc::timed_out)) return false;
  cx.ok(link, "the handshake");
  bool later = false;
  cx.loop().call_later(time + milliseconds(50), [&] { later = true; });
  cx.run_until([&] { return later; });
  link->transport->write(view("still here"));
  cx.run_until([&] { return seen->data.size() >= 10 || seen->lost > 0; });
  cx.equal(seen->data, "still here", "the echo after the handshake's time");
  link->transport->close();
  until_lost(cx, *seen);
  cx.is_true(!seen->reason, "a clean end");
  return true;
}

void timer_is_freed(Context& cx) {
  const Secrets secrets(cx);
  milliseconds time(500);
  while (!outlives_its_timer(cx, secrets, time)) {  // a host may be slow
    time *= 3;
    if (time > cx.limit() / 4) cx.inconclusive("the host is too slow");
  }
}

void plaintext_peer(Context& cx) {
  const Secrets secrets(cx);
  const std::size_t before = cx.open_descriptors().size();
  {
    StreamPair pair = cx.tcp_pair();
    pair.peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    const Result<Link> link = try_client(cx, recorder(cx), pair.subject, secrets.client());
    cx.refused(link, Errc::protocol, "a handshake with a peer that speaks plain text");
    cx.expect_trace({});
    StreamPair gone = cx.tcp_pair();
    gone.peer.close();
    cx.refused(try_server(cx, recorder(cx), gone.subject, secrets.server()),
               "a handshake with a peer that has gone");
  }
  cx.expect_trace({});
  turn(cx);
  cx.equal(cx.open_descriptors().size(), before, "descriptors open after the failures");
}

void data_with_finished(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  auto plain = std::make_shared<Peer>(std::move(pair.peer));
  cx.thread([plain, options = secrets.peer_client()] {
    TlsPeer peer(*plain, options);
    if (peer.handshake_but_last_flight()) peer.send("early bird");
    (void)peer.recv_until_end();
    peer.send_close_notify();
  });
  const auto seen = recorder(cx);
  const auto server = secure_server(cx, seen, pair.subject, secrets.server());
  const bool came = turn_until(cx, [&] { return !seen->data.empty(); });
  server->close();
  until_lost(cx, *seen);
  cx.is_true(came, "data of the segment that ended the handshake is delivered by itself");
  cx.equal(seen->data, "early bird", "the data");
  cx.expect_trace({"made", "data", "lost"});
}

void nothing_in_plain(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(), listen);
  const auto seen = recorder(cx);
  seen->on_made = [&] {
    auto* transport = dynamic_cast<Transport*>(seen->transport);
    cx.is_true(transport != nullptr, "connection_made is given a stream transport");
    transport->write(view("[secret one]"));
  };
  const WatchedStream client = secure_client(cx, seen, pair.subject, secrets.client());
  client->write(view("[secret two]"));
  client->close();
  client->write(view("[too late]"));
  const ByteView chunk = view("[too late]");
  client->writelines(std::span(&chunk, 1));
  until_lost(cx, *seen);
  client->write(view("[far too late]"));
  const PeerReport& report = peer.finish();
  cx.equal(report.data, "[secret one][secret two]", "what the peer decrypts");
  cx.is_true(text(report.wire).find("secret") == std::string::npos, "the wire keeps the secret");
  cx.expect_trace({"made", "lost"});
}

void alpn(Context& cx) {
  const Secrets secrets(cx);
  TlsContextOptions offered = secrets.client_context();
  offered.alpn_protocols = {"h2", "http/1.1"};
  TlsPeerOptions at_peer = secrets.peer_server();
  at_peer.alpn = {"http/1.1"};
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), at_peer, listen);
  const auto client = secure_client(cx, recorder(cx), pair.subject, secrets.client(offered));
  cx.equal(info_text(*client.transport, "alpn"), "http/1.1", "the protocol, to the client");
  client->close();
  until_lost(cx, *client.seen);
  cx.equal(peer.finish().alpn, "http/1.1", "the protocol, to the server");

  TlsContextOptions preferred = secrets.server_context();
  preferred.alpn_protocols = {"h2", "http/1.1"};
  TlsPeerOptions asking = secrets.peer_client();
  asking.alpn = {"http/1.1", "h2"};
  StreamPair other = cx.tcp_pair();
  PeerThread second(cx, std::move(other.peer), asking, listen);
  const auto server = secure_server(cx, recorder(cx), other.subject, secrets.server(preferred));
  cx.equal(info_text(*server.transport, "alpn"), "h2", "the server's preference");
  server->close();
  until_lost(cx, *server.seen);
  cx.equal(second.finish().alpn, "h2", "the same at the client");
}

void sni(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(), listen);
  const auto client = secure_client(cx, recorder(cx), pair.subject, secrets.client());
  cx.equal(info_text(*client.transport, "server_hostname"), kServerName, "the client's own name");
  client->close();
  until_lost(cx, *client.seen);
  cx.equal(peer.finish().sni, kServerName, "the name that the server is asked for");

  StreamPair other = cx.tcp_pair();
  PeerThread second(cx, std::move(other.peer), secrets.peer_client(), listen);
  const auto server = secure_server(cx, recorder(cx), other.subject, secrets.server());
  cx.equal(info_text(*server.transport, "sni"), kServerName, "the name, told by the server");
  server->close();
  until_lost(cx, *server.seen);
}

void literal_address(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(), listen);
  TlsOptions tls = secrets.client();
  tls.server_hostname = "127.0.0.1";
  const auto client = secure_client(cx, recorder(cx), pair.subject, tls);
  client->close();
  until_lost(cx, *client.seen);
  cx.equal(peer.finish().sni, "", "the server name for a literal address");
}

void mutual(Context& cx) {
  const Secrets secrets(cx);
  TlsContextOptions strict = secrets.server_context();
  strict.ca_file = secrets.files.authority();
  strict.verify_mode = VerifyMode::required;
  TlsPeerOptions known = secrets.peer_client();
  known.certificate = secrets.files.client();
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), known, listen);
  const auto server = secure_server(cx, recorder(cx), pair.subject, secrets.server(strict));
  cx.is_true(info_text(*server.transport, "peercert").find("BEGIN CERTIFICATE") == 5,
             "the client's certificate is at hand");
  server->close();
  until_lost(cx, *server.seen);
  (void)peer.finish();

  StreamPair other = cx.tcp_pair();
  PeerThread stranger(cx, std::move(other.peer), secrets.peer_client(), listen);
  const auto link = try_server(cx, recorder(cx), other.subject, secrets.server(strict));
  expect_refusal(cx, link, "peer did not return a certificate");
  cx.expect_trace({"made", "lost"});
}

/// Memory that the process holds afterwards is the leak sanitizers' business; here every
/// transport and protocol has to be gone, and every descriptor.
void memory_cycle(Context& cx) {
  const Secrets secrets(cx);
  const TlsOptions tls = secrets.client();
  const std::size_t before = cx.open_descriptors().size();
  std::vector<std::weak_ptr<void>> objects;
  const int connections = 100;
  for (int i = 0; i < connections; ++i) {
    StreamPair pair = cx.stream_pair();
    PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(), listen);
    const auto seen = recorder(cx);
    auto client = secure_client(cx, seen, pair.subject, tls);
    objects.push_back(client.transport);
    objects.push_back(seen);
    client->write(view("x"));
    i % 2 == 0 ? client->close() : client->abort();
    cx.run_until([&] { return seen->lost > 0; });
    (void)peer.finish();
  }
  turn(cx, 5);
  std::size_t alive = 0;
  for (const std::weak_ptr<void>& object : objects) alive += object.expired() ? 0 : 1;
  cx.equal(alive, 0u, "transports and protocols that outlive 100 connections");
  cx.equal(cx.open_descriptors().size(), before, "descriptors after them");
  cx.equal(tls.context.use_count(), 1L, "holders of the context after them");
}

constexpr std::string_view kConnect =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_connection";
constexpr std::string_view kTestSsl =
    "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_ssl.py";

constexpr Scenario kScenarios[] = {
    {.id = "tls.handshake_timeout",
     .promise = "A silent peer is dropped at handshake_timeout, which has to be above zero.",
     .source = kConnect,
     .needs = kTls,
     .body = silent_peer,
     .api = kTlsApi,
     .limit = milliseconds(5'000)},
    {.id = "tls.handshake_timer_freed",
     .promise = "A finished handshake takes its timer along: the connection outlives it.",
     .source = "github.com/python/cpython/issues/74155 (bpo-29970)",
     .needs = kTls,
     .body = timer_is_freed,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kTlsApi},
    {.id = "tls.handshake_failure",
     .promise = "A peer that speaks no TLS gives one error; socket and protocol are freed unused.",
     .source = kConnect,
     .needs = kTls,
     .body = plaintext_peer,
     .api = kTlsApi},
    {.id = "tls.first_data_with_finished",
     .promise = "Data in the segment of the client's Finished is delivered without further input.",
     .source = "datatracker.ietf.org/doc/html/rfc8446#section-5.1",
     .needs = kTls,
     .body = data_with_finished,
     .severity = Severity::edge,
     .api = kTlsServerApi},
    {.id = "tls.write_before_handshake_and_after_close",
     .promise = "Nothing is ever sent in plain, and nothing at all after close().",
     .source = kConnect,
     .needs = kTls,
     .body = nothing_in_plain,
     .severity = Severity::common,
     .api = kTlsApi},
    {.id = "tls.alpn",
     .promise = "Both sides learn the protocol that ALPN has chosen, by the server's preference.",
     .source = "datatracker.ietf.org/doc/html/rfc7301#section-3.2",
     .needs = kTls,
     .body = alpn,
     .authority = Authority::vendor_doc,
     .severity = Severity::common,
     .api = kTlsApi},
    {.id = "tls.sni",
     .promise = "A client sends server_hostname as SNI, and a server can tell what was sent.",
     .source = "datatracker.ietf.org/doc/html/rfc6066#section-3",
     .needs = kTls,
     .body = sni,
     .authority = Authority::vendor_doc,
     .severity = Severity::common,
     .api = kTlsApi},
    {.id = "tls.sni_literal_address",
     .promise = "A literal address is verified against the certificate and not sent as SNI.",
     .source = "datatracker.ietf.org/doc/html/rfc6066#section-3",
     .needs = kTls,
     .body = literal_address,
     .authority = Authority::vendor_doc,
     .severity = Severity::edge,
     .api = kTlsApi},
    {.id = "tls.mutual",
     .promise = "A server that demands a certificate gets the client's, or refuses the client.",
     .source = "docs.python.org/3/library/ssl.html#ssl.SSLContext.verify_mode",
     .needs = kTls,
     .body = mutual,
     .severity = Severity::common,
     .api = kTlsServerApi},
    {.id = "tls.memory_cycle",
     .promise = "A hundred connections leave no transport, protocol or descriptor behind.",
     .source = kTestSsl,
     .needs = kTls,
     .body = memory_cycle,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kTlsApi,
     .limit = milliseconds(30'000)},
};

}  // namespace

extern const ScenarioFile file{"A18", "TLS", kScenarios};
}  // namespace loopscope::scenarios::tls_handshake
