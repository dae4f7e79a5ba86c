// start_tls: from plain text to TLS without losing a byte, and TLS inside TLS.
#include "harness/scenario.hpp"
#include "harness/scenarios/tls/secured.hpp"

namespace loopscope::scenarios::tls_upgrades {
namespace {

/// The outcome of start_tls on a connection of the subject, the loop running until then.
Result<Link> upgrade(Context& cx, const WatchedStream& plain, TlsOptions tls) {
  auto made = cx.loop().start_tls(Link{plain.transport, plain.seen}, std::move(tls));
  return cx.loop().run_until_complete(made);
}
WatchedStream upgraded(Context& cx, const WatchedStream& plain, TlsOptions tls) {
  const Result<Link> link = upgrade(cx, plain, std::move(tls));
  cx.ok(link, "start_tls");
  cx.is_true(link->protocol == plain.seen, "the protocol goes on");
  return {link->transport, plain.seen};
}

void says_starttls(Peer& plain) {
  plain.send("STARTTLS\n");
  (void)plain.recv_exactly(3);
}

void echo_and_close(Context& cx, const WatchedStream& secure) {
  secure.seen->data.clear();
  secure->write(view("over TLS"));
  cx.run_until([&] { return secure.seen->data.size() >= 8 || secure.seen->lost > 0; });
  cx.equal(secure.seen->data, "over TLS", "the echo over TLS");
  secure->close();
  until_lost(cx, *secure.seen);
  cx.is_true(!secure.seen->reason, "a clean end");
}

void buffered_hello(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  TlsPeerOptions proxied = secrets.peer_client();
  proxied.prefix = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
  PeerThread peer(cx, std::move(pair.peer), proxied, echo);
  const WatchedStream plain = adopt(cx, pair.subject);
  cx.run_until([&] { return plain.seen->data.size() > proxied.prefix.size(); });
  cx.equal(plain.seen->data.substr(0, proxied.prefix.size()), proxied.prefix, "the header");
  TlsOptions tls = secrets.server();
  tls.received = bytes(std::string_view(plain.seen->data).substr(proxied.prefix.size()));
  tls.handshake_timeout = std::chrono::seconds(3);
  echo_and_close(cx, upgraded(cx, plain, tls));
  cx.expect_trace({"made", "data", "lost"});
}

void hello_in_the_gap(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  const os::NativeSocket socket = pair.subject.native();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_client(), echo, says_starttls);
  const WatchedStream plain = adopt(cx, pair.subject);
  cx.run_until([&] { return plain.seen->data == "STARTTLS\n"; });
  plain->pause_reading();
  plain->write(view("OK\n"));
  cx.run_until([&] { return tools::readable(socket); });  // The hello waits in the socket.
  TlsOptions tls = secrets.server();
  tls.handshake_timeout = std::chrono::seconds(3);
  const WatchedStream secure = upgraded(cx, plain, tls);
  cx.equal(plain.seen->data, "STARTTLS\n", "what the plain protocol was given");
  echo_and_close(cx, secure);
  cx.expect_trace({"made", "data", "lost"});
}

void as_client(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(), echo, says_starttls);
  const WatchedStream plain = adopt(cx, pair.subject);
  cx.run_until([&] { return plain.seen->data == "STARTTLS\n"; });
  plain->write(view("OK\n"));
  const WatchedStream secure = upgraded(cx, plain, secrets.client());
  cx.is_true(secure->get_protocol() == plain.seen, "get_protocol");
  cx.equal(info_text(*secure.transport, "version"), "TLSv1.3", "the version");
  cx.is_true(address_of(*secure.transport, "peername") == address_of(*plain.transport, "peername"),
             "the peer's address is that of the plain transport");
  echo_and_close(cx, secure);
}

void refused(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  const WatchedStream plain = adopt(cx, pair.subject);
  TlsOptions wrong_side = secrets.client();
  wrong_side.server_side = true;
  TlsOptions no_time = secrets.client();
  no_time.handshake_timeout = Duration(0);
  for (const TlsOptions& bad : {TlsOptions{}, wrong_side, no_time}) {
    cx.refused(upgrade(cx, plain, bad), Errc::invalid_argument, "start_tls with bad options");
  }
  plain->write(view("still plain"));
  cx.equal(read_exactly(cx, pair.peer, 11), "still plain", "the connection after the refusals");
  pair.peer.send("indeed");
  cx.run_until([&] { return plain.seen->data == "indeed"; });
  plain->close();
  until_lost(cx, *plain.seen);
  cx.refused(upgrade(cx, plain, secrets.client()), Errc::closed, "start_tls after close()");
}

void failed_upgrade(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  const WatchedStream plain = adopt(cx, pair.subject);
  pair.peer.send("this is no handshake\n");
  cx.refused(upgrade(cx, plain, secrets.client()), Errc::protocol, "start_tls with a plain peer");
  until_lost(cx, *plain.seen);
  cx.is_true(plain.seen->reason.has_value(), "the protocol learns why it was lost");
  cx.expect_trace({"made", "lost"});
}

void inside_tls(Context& cx) {
  const Secrets secrets(cx);
  for (const bool abort : {false, true}) {
    StreamPair pair = cx.tcp_pair();
    PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(),
                    [options = secrets.peer_server()](TlsPeer& outer, PeerReport& report) {
                      TlsPeer inner(outer, options);
                      if (inner.handshake()) echo(inner, report);
                      (void)outer.recv_until_end();
                      outer.send_close_notify();
                    });
    const WatchedStream outer = secure_client(cx, recorder(cx), pair.subject, secrets.client());
    const WatchedStream inner = upgraded(cx, outer, secrets.client());
    if (abort) {
      inner->write(view("never mind"));
      inner->abort();
      inner->abort();
      until_lost(cx, *inner.seen);
    } else {
      echo_and_close(cx, inner);
    }
    cx.is_true(!inner.seen->reason, "a clean end");
    cx.equal(inner.seen->lost, 1u, "calls of connection_lost");
  }
}

constexpr CapSet kNeeds{Cap::start_tls, Cap::create_connection, Cap::native_socket};
constexpr std::string_view kStartTls =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.start_tls";

constexpr Scenario kScenarios[] = {
    {.id = "tls.start_tls.buffered",
     .promise = "A ClientHello that the plain protocol has received already is fed to TLS.",
     .source = "github.com/python/cpython/issues/142352",
     .needs = kNeeds,
     .body = buffered_hello,
     .level = Level::should,
     .authority = Authority::de_facto,
     .api = kStartTlsApi},
    {.id = "tls.start_tls.race",
     .promise = "Bytes that arrive between the decision and the handshake belong to TLS.",
     .source = "github.com/python/cpython/issues/77855 (bpo-33674)",
     .needs = kNeeds,
     .body = hello_in_the_gap,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kStartTlsApi},
    {.id = "tls.start_tls.client",
     .promise = "A plain connection becomes a TLS client; protocol and addresses stay.",
     .source = kStartTls,
     .needs = kNeeds,
     .body = as_client,
     .api = kStartTlsApi},
    {.id = "tls.start_tls.refused",
     .promise = "Options that make no sense are refused, and the plain connection goes on.",
     .source = kStartTls,
     .needs = kNeeds,
     .body = refused,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kStartTlsApi},
    {.id = "tls.start_tls.failure",
     .promise = "An upgrade that fails is an error of the call, and the protocol's end, once.",
     .source = kStartTls,
     .needs = kNeeds,
     .body = failed_upgrade,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kStartTlsApi},
    {.id = "tls.over_tls",
     .promise = "TLS works inside TLS, and aborting it ends both.",
     .source = "github.com/python/cpython/issues/113214",
     .needs = kNeeds,
     .body = inside_tls,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kStartTlsApi},
};

}  // namespace

extern const ScenarioFile file{"A18", "TLS", kScenarios};
}  // namespace loopscope::scenarios::tls_upgrades
