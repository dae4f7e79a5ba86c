// Tests of the TLS engine alone: two of them back to back, no sockets, no loop.
#include "loops/common/tls_engine.hpp"

#include <doctest/doctest.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <random>

#include "harness/tls_material.hpp"

using namespace loopscope;

namespace {

/// A folder that goes with the test.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / name()) {
    std::filesystem::create_directory(path_);
  }
  ~Folder() {
    std::error_code ignored;  // A folder left behind fails no test.
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path() const { return path_.string(); }

 private:
  static std::string name() {
    std::random_device random;
    return "loopscope-tls-" + std::to_string(random()) + std::to_string(random());
  }
  std::filesystem::path path_;
};

struct Material : Folder, TlsFiles {
  Material() : TlsFiles(Folder::path()) {}
  TlsContextOptions at_server() const {
    return {.server_side = true, .certificate_file = TlsFiles::server()};
  }
  TlsContextOptions at_client() const { return {.ca_file = authority()}; }
};

using Engine = std::unique_ptr<TlsEngine>;

Engine engine(const TlsContextOptions& options, const std::string& hostname = kServerName) {
  auto context = TlsContext::make(options);
  REQUIRE_MESSAGE(context.ok(), to_string(context.error()));
  TlsOptions tls{.context = *context};
  if (!options.server_side) tls.server_hostname = hostname;
  auto made = TlsEngine::make(tls, options.server_side);
  REQUIRE_MESSAGE(made.ok(), to_string(made.error()));
  return std::move(made).value();
}

/// Moves what `from` has to say to `to`; whether that was anything.
bool pass(TlsEngine& from, TlsEngine& to) {
  const Bytes out = from.take_output();
  to.feed(out);
  to.keep_input();
  return !out.empty();
}

struct Ends {
  Result<TlsStep> client, server;
};
/// Handshakes until neither goes on; the first error of each side stays.
Ends shake(TlsEngine& client, TlsEngine& server) {
  Ends ends{TlsStep::wants_input, TlsStep::wants_input};
  for (int i = 0; i < 10; ++i) {
    if (ends.client.ok()) ends.client = client.handshake();
    pass(client, server);
    if (ends.server.ok()) ends.server = server.handshake();
    pass(server, client);
  }
  return ends;
}
bool done(const Result<TlsStep>& step) { return step.ok() && *step == TlsStep::done; }
std::string why(const Result<TlsStep>& step) {
  return step.ok() ? "no error" : to_string(step.error());
}
bool contains(const std::string& all, std::string_view part) {
  return all.find(part) != std::string::npos;
}
std::string read_all(TlsEngine& from) {
  std::string all;
  std::array<std::byte, 1000> buffer;
  for (;;) {
    const Result<TlsRead> got = from.read(buffer);
    if (!got.ok()) return all + "!" + got.error().detail;
    all += text(ByteView(buffer).first(got->count));
    if (got->step == TlsStep::ended) return all + "$";
    if (got->step == TlsStep::wants_input) return all;
  }
}

}  // namespace

TEST_CASE("two engines shake hands, talk, and part with close_notify") {
  const Material files;
  for (const TlsVersion version : {TlsVersion::tls_1_2, TlsVersion::tls_1_3}) {
    TlsContextOptions offered = files.at_client();
    offered.maximum_version = version;
    const Engine client = engine(offered), server = engine(files.at_server());
    const Ends ends = shake(*client, *server);
    REQUIRE_MESSAGE(done(ends.client), why(ends.client));
    REQUIRE_MESSAGE(done(ends.server), why(ends.server));
    CHECK(client->describe("version") == (version == TlsVersion::tls_1_2 ? "TLSv1.2" : "TLSv1.3"));
    CHECK(client->describe("cipher") == server->describe("cipher"));
    CHECK(server->describe("sni") == kServerName);
    CHECK(contains(client->describe("peercert"), "-----BEGIN CERTIFICATE-----"));
    CHECK(server->describe("peercert").empty());

    const std::string large(1'048'576, 'x');
    REQUIRE(client->write(view("small")).ok());
    REQUIRE(client->write(view(large)).ok());
    REQUIRE(client->shutdown().ok());
    pass(*client, *server);
    CHECK(read_all(*server) == "small" + large + "$");
    REQUIRE(server->write(view("after the client's close_notify")).ok());
    REQUIRE(server->shutdown().ok());
    pass(*server, *client);
    CHECK(read_all(*client) == "after the client's close_notify$");
  }
}

TEST_CASE("the bytes of a connection may come one at a time") {
  const Material files;
  const Engine client = engine(files.at_client()), server = engine(files.at_server());
  Result<TlsStep> at_client = client->handshake(), at_server = TlsStep::wants_input;
  for (int round = 0; round < 10; ++round) {
    for (const auto& [from, to, step] : {std::tuple{client.get(), server.get(), &at_server},
                                         std::tuple{server.get(), client.get(), &at_client}}) {
      const Bytes out = from->take_output();
      for (const std::byte& one : out) {
        to->feed({&one, 1});
        if (!done(*step)) *step = to->handshake();
        REQUIRE_MESSAGE(step->ok(), why(*step));
        to->keep_input();
      }
    }
  }
  REQUIRE(done(at_client));
  REQUIRE(done(at_server));
  REQUIRE(server->write(view("hello")).ok());
  pass(*server, *client);
  CHECK(read_all(*client) == "hello");
}

TEST_CASE("a certificate that is refused says why") {
  const Material files;
  const Certificate stranger(CertificateOptions{.subject = "stranger", .authority = true});
  const std::string unknown = files.write("stranger.pem", stranger.certificate_pem());
  const std::string expired = files.issue(
      "expired.pem", {.names = {kServerName}, .begins_in_hours = -48, .ends_in_hours = -24});
  const std::string early =
      files.issue("early.pem", {.names = {kServerName}, .begins_in_hours = 2});
  const std::string self = files.self_signed("self.pem", {.names = {kServerName}});
  struct Row {
    std::string what, certificate, authority, hostname, want;
  };
  const Row rows[] = {
      {"expired", expired, files.authority(), kServerName, "expired"},
      {"early", early, files.authority(), kServerName, "not yet valid"},
      {"self", self, files.authority(), kServerName, "self-signed"},
      {"unknown", files.server(), unknown, kServerName, "unknown CA"},
      {"name", files.server(), files.authority(), "other.test", "hostname mismatch"},
      {"address", files.server(), files.authority(), "127.0.0.2", "hostname mismatch"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    TlsContextOptions at_server = files.at_server();
    at_server.certificate_file = row.certificate;
    const Engine client = engine({.ca_file = row.authority}, row.hostname);
    const Engine server = engine(at_server);
    const Ends ends = shake(*client, *server);
    CHECK_MESSAGE(contains(why(ends.client), "certificate verify failed: " + row.want),
                  why(ends.client));
    CHECK_MESSAGE(contains(why(ends.server), "alert"), why(ends.server));
    CHECK(ERR_peek_error() == 0);
  }
}

TEST_CASE("what a client does not ask for is not checked") {
  const Material files;
  TlsContextOptions lax = files.at_client();
  lax.check_hostname = false;
  CHECK(done(shake(*engine(lax, "other.test"), *engine(files.at_server())).client));
  CHECK(done(shake(*engine(lax, ""), *engine(files.at_server())).client));
  CHECK(done(shake(*engine(files.at_client(), "127.0.0.1"), *engine(files.at_server())).client));
  TlsContextOptions blind{.verify_mode = VerifyMode::none};
  CHECK(done(shake(*engine(blind, "other.test"), *engine(files.at_server())).client));
}

TEST_CASE("a server may demand a certificate of the client") {
  const Material files;
  TlsContextOptions strict = files.at_server();
  strict.ca_file = files.authority();
  strict.verify_mode = VerifyMode::required;
  TlsContextOptions known = files.at_client();
  known.certificate_file = files.client();
  const Engine server = engine(strict), client = engine(known);
  const Ends ends = shake(*client, *server);
  REQUIRE_MESSAGE(done(ends.server), why(ends.server));
  CHECK(contains(server->describe("peercert"), "BEGIN CERTIFICATE"));

  const Ends without = shake(*engine(files.at_client()), *engine(strict));
  CHECK_MESSAGE(contains(why(without.server), "peer did not return a certificate"),
                why(without.server));
}

TEST_CASE("ALPN: the server's preference, and an alert where there is nothing in common") {
  const Material files;
  TlsContextOptions at_client = files.at_client(), at_server = files.at_server();
  at_client.alpn_protocols = {"http/1.1", "h2"};
  at_server.alpn_protocols = {"h2", "http/1.1"};
  const Engine client = engine(at_client), server = engine(at_server);
  CHECK(done(shake(*client, *server).client));
  CHECK(client->describe("alpn") == "h2");
  CHECK(server->describe("alpn") == "h2");
  at_server.alpn_protocols = {"imap"};
  const Ends nothing = shake(*engine(at_client), *engine(at_server));
  CHECK_MESSAGE(contains(why(nothing.client), "no application protocol"), why(nothing.client));
  at_client.alpn_protocols = {""};
  CHECK(TlsContext::make(at_client).error().is(Errc::invalid_argument));
}

TEST_CASE("an end without close_notify is an error, after the data before it") {
  const Material files;
  const Engine client = engine(files.at_client()), server = engine(files.at_server());
  REQUIRE(done(shake(*client, *server).server));
  REQUIRE(client->write(view("cut ")).ok());
  pass(*client, *server);
  server->feed_end();
  CHECK(read_all(*server) == "cut !truncated: the peer closed without close_notify");

  const Engine other = engine(files.at_server());
  other->feed_end();
  CHECK(contains(why(other->handshake()), "closed the connection during the handshake"));
}

TEST_CASE("what is no TLS fails one engine and leaves the others alone") {
  const Material files;
  const Engine client = engine(files.at_client()), server = engine(files.at_server());
  REQUIRE(done(shake(*client, *server).server));
  const Engine confused = engine(files.at_server());
  confused->feed(view("GET / HTTP/1.1\r\n\r\n"));
  CHECK(contains(why(confused->handshake()), "http request"));
  CHECK(contains(why(confused->handshake()), "http request"));  // and again
  REQUIRE(client->write(view("undisturbed")).ok());
  pass(*client, *server);
  CHECK(read_all(*server) == "undisturbed");

  REQUIRE(client->write(view("first")).ok());
  Bytes forged = client->take_output();
  REQUIRE(client->write(view("second")).ok());
  Bytes broken = client->take_output();
  broken.back() ^= std::byte{1};
  forged.insert(forged.end(), broken.begin(), broken.end());
  server->feed(forged);
  CHECK(contains(read_all(*server), "first!"));
  CHECK_FALSE(server->take_output().empty());  // the alert
}

TEST_CASE("contexts refuse bad files by name, and keep nothing") {
  const Material files;
  const Certificate other(CertificateOptions{.subject = "other"});
  const std::string locked = files.write("locked.key", other.key_pem("secret"));
  const std::string locked_certificate = files.write("locked.pem", other.certificate_pem());
  const std::string garbage = files.write("garbage.pem", "no certificate at all\n");
  struct Row {
    std::string what;
    TlsContextOptions options;
    std::string want;
  };
  const Row rows[] = {
      {"missing", {.certificate_file = "/no/such/file.pem"}, "ENOENT"},
      {"a folder", {.certificate_file = files.path()}, "protocol"},
      {"missing key", {.certificate_file = files.server(), .key_file = "/no/key"}, "ENOENT"},
      {"missing authority", {.ca_file = "/no/authority"}, "ENOENT"},
      {"garbage", {.certificate_file = garbage}, "no start line"},
      {"garbage authority", {.ca_file = garbage}, "protocol"},
      {"key of another",
       {.certificate_file = files.server(), .key_file = locked, .key_password = "secret"},
       "key values mismatch"},
      {"wrong password",
       {.certificate_file = locked_certificate, .key_file = locked, .key_password = "guess"},
       "bad decrypt"},
      {"no password",
       {.certificate_file = locked_certificate, .key_file = locked},
       "key_password is empty"},
      {"key without certificate", {.key_file = files.server()}, "invalid_argument"},
      {"server without certificate", {.server_side = true}, "invalid_argument"},
      {"versions",
       {.minimum_version = TlsVersion::tls_1_3, .maximum_version = TlsVersion::tls_1_2},
       "invalid_argument"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const auto made = TlsContext::make(row.options);
    REQUIRE_FALSE(made.ok());
    CHECK_MESSAGE(contains(to_string(made.error()), row.want), to_string(made.error()));
    CHECK(ERR_peek_error() == 0);
  }
  CHECK(TlsContext::make(
            {.certificate_file = locked_certificate, .key_file = locked, .key_password = "secret"})
            .ok());
}

TEST_CASE("engines refuse options that make no sense") {
  const Material files;
  const auto client = TlsContext::make(files.at_client());
  REQUIRE(client.ok());
  const TlsOptions good{.context = *client, .server_hostname = kServerName};
  CHECK(TlsEngine::make(good, false).ok());
  CHECK(TlsEngine::make(good, true).error().is(Errc::invalid_argument));
  CHECK(TlsEngine::make({}, false).error().is(Errc::invalid_argument));
  CHECK(TlsEngine::make({.context = *client}, false).error().is(Errc::invalid_argument));
  for (const auto timeout : {std::chrono::seconds(0), std::chrono::seconds(-1)}) {
    TlsOptions bad = good;
    bad.handshake_timeout = timeout;
    CHECK(TlsEngine::make(bad, false).error().is(Errc::invalid_argument));
    bad = good;
    bad.shutdown_timeout = timeout;
    CHECK(TlsEngine::make(bad, false).error().is(Errc::invalid_argument));
  }
}
