// Certificates that a client must not accept, and files that no context can be made from.
#include "harness/scenario.hpp"
#include "harness/scenarios/tls/secured.hpp"

namespace loopscope::scenarios::tls_certificates {
namespace {

/// A client that trusts `authority` meets a server that shows `certificate`.
void expect_rejected(Context& cx, const Secrets& secrets, const std::string& certificate,
                     const std::string& authority, const std::string& hostname,
                     std::string_view reason) {
  StreamPair pair = cx.tcp_pair();
  TlsPeerOptions server;
  server.certificate = certificate;
  PeerThread peer(cx, std::move(pair.peer), server, listen);
  TlsOptions tls = secrets.client({.ca_file = authority});
  tls.server_hostname = hostname;
  const Result<Link> link = try_client(cx, recorder(cx), pair.subject, tls);
  expect_refusal(cx, link, "certificate verify failed: " + std::string(reason));
  cx.expect_trace({});
  const PeerReport& report = peer.finish();
  // In TLS 1.3 the server may have finished its own side before it hears of it.
  cx.is_true(report.why.find("alert") != std::string::npos, "an alert tells the server");
}

void expired(Context& cx) {
  const Secrets secrets(cx);
  const std::string old = secrets.files.issue(
      "old.pem", {.names = {kServerName}, .begins_in_hours = -48, .ends_in_hours = -24});
  expect_rejected(cx, secrets, old, secrets.files.authority(), kServerName, "expired");
}

void unknown_authority(Context& cx) {
  const Secrets secrets(cx);
  const Certificate stranger(CertificateOptions{.subject = "stranger", .authority = true});
  const std::string other = secrets.files.write("stranger.pem", stranger.certificate_pem());
  expect_rejected(cx, secrets, secrets.files.server(), other, kServerName, "unknown CA");
}

void self_signed(Context& cx) {
  const Secrets secrets(cx);
  const std::string self = secrets.files.self_signed("self.pem", {.names = {kServerName}});
  expect_rejected(cx, secrets, self, secrets.files.authority(), kServerName, "self-signed");
}

void wrong_name(Context& cx) {
  const Secrets secrets(cx);
  expect_rejected(cx, secrets, secrets.files.server(), secrets.files.authority(), "other.test",
                  "hostname mismatch");
  StreamPair pair = cx.tcp_pair();
  TlsOptions nameless = secrets.client();
  nameless.server_hostname.clear();
  cx.refused(try_client(cx, recorder(cx), pair.subject, nameless), Errc::invalid_argument,
             "a name to be checked, and none given");
}

/// What makes no context leaves a null one, and nothing may be opened with that.
void expect_no_context(Context& cx, const Secrets& secrets, const TlsContextOptions& options,
                       std::error_code code, std::string_view reason) {
  const std::size_t before = cx.open_descriptors().size();
  const auto made = TlsContext::make(options);
  cx.refused(made, code, "TlsContext::make");
  cx.is_true(to_string(made.error()).find(reason) != std::string::npos, "the error says why");
  cx.equal(cx.open_descriptors().size(), before, "descriptors after the refusal");
  StreamPair pair = cx.tcp_pair();
  TlsOptions without;
  without.server_hostname = kServerName;
  cx.refused(try_client(cx, recorder(cx), pair.subject, without), Errc::invalid_argument,
             "TLS without a context");
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(), listen);
  const auto client = secure_client(cx, recorder(cx), pair.subject, secrets.client());
  client->write(view("usable"));
  client->close();
  until_lost(cx, *client.seen);
  cx.equal(peer.finish().data, "usable", "a good context over the same socket afterwards");
}

void unreadable(Context& cx) {
  const Secrets secrets(cx);
  const std::string path = cx.temp_path("nobody.pem");
  expect_no_context(cx, secrets, {.certificate_file = path}, system_code(ENOENT), path);
}

void malformed(Context& cx) {
  const Secrets secrets(cx);
  const std::string path = secrets.files.write("garbage.pem", "this is no certificate\n");
  expect_no_context(cx, secrets, {.certificate_file = path}, make_error_code(Errc::protocol), path);
}

void wrong_password(Context& cx) {
  const Secrets secrets(cx);
  const Certificate locked(CertificateOptions{.subject = "locked"});
  const std::string certificate = secrets.files.write("locked.pem", locked.certificate_pem());
  const std::string key = secrets.files.write("locked.key", locked.key_pem("secret"));
  TlsContextOptions options{.certificate_file = certificate, .key_file = key};
  options.key_password = "guess";
  expect_no_context(cx, secrets, options, make_error_code(Errc::protocol), "bad decrypt");
  options.key_password.clear();
  expect_no_context(cx, secrets, options, make_error_code(Errc::protocol), "encrypted");
  options.key_password = "secret";
  cx.ok(TlsContext::make(options), "the right password");
}

void key_of_another(Context& cx) {
  const Secrets secrets(cx);
  expect_no_context(
      cx, secrets, {.certificate_file = secrets.files.server(), .key_file = secrets.files.client()},
      make_error_code(Errc::protocol), "key values mismatch");
}

constexpr std::string_view kApi[] = {"create_connection"};
constexpr std::string_view kVerify =
    "docs.python.org/3/library/ssl.html#ssl.SSLCertVerificationError";
constexpr std::string_view kHostname =
    "docs.python.org/3/library/ssl.html#ssl.SSLContext.check_hostname";
constexpr std::string_view kLoad =
    "docs.python.org/3/library/ssl.html#ssl.SSLContext.load_cert_chain";

constexpr Scenario kScenarios[] = {
    {.id = "tls.certificate.expired",
     .promise = "An expired certificate ends the handshake with an error that says so.",
     .source = kVerify,
     .needs = kTls,
     .body = expired,
     .api = kApi},
    {.id = "tls.certificate.unknown_authority",
     .promise = "A certificate of an unknown authority ends the handshake with an error.",
     .source = kVerify,
     .needs = kTls,
     .body = unknown_authority,
     .api = kApi},
    {.id = "tls.certificate.self_signed",
     .promise = "A self-signed certificate ends the handshake with an error that says so.",
     .source = kVerify,
     .needs = kTls,
     .body = self_signed,
     .severity = Severity::common,
     .api = kApi},
    {.id = "tls.certificate.name_mismatch",
     .promise = "A certificate for another name is refused, and so is a missing name to check.",
     .source = kHostname,
     .needs = kTls,
     .body = wrong_name,
     .api = kApi},
    {.id = "tls.certificate.unreadable",
     .promise = "A missing file is an error by its name; without a context nothing is opened.",
     .source = kLoad,
     .needs = kTls,
     .body = unreadable,
     .severity = Severity::common,
     .api = kApi},
    {.id = "tls.certificate.malformed",
     .promise = "A file that is no certificate is an error that names it, and costs no socket.",
     .source = kLoad,
     .needs = kTls,
     .body = malformed,
     .severity = Severity::common,
     .api = kApi},
    {.id = "tls.certificate.wrong_password",
     .promise = "An encrypted key needs its password: without it an error says what was wrong.",
     .source = kLoad,
     .needs = kTls,
     .body = wrong_password,
     .severity = Severity::common,
     .api = kApi},
    {.id = "tls.certificate.key_mismatch",
     .promise = "A key that does not belong to the certificate is refused.",
     .source = kLoad,
     .needs = kTls,
     .body = key_of_another,
     .severity = Severity::common,
     .api = kApi},
};

}  // namespace

extern const ScenarioFile file{"A18", "TLS", kScenarios};
}  // namespace loopscope::scenarios::tls_certificates
