// TlsEngine on OpenSSL 3: an SSL object between two queues of bytes.
//
// The queues stand behind a BIO of our own and not behind BIO_s_mem: that one keeps the memory of
// its fullest moment, and copies every byte once more on its way in.
#include "loops/common/tls_openssl.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <optional>

#include "loops/common/tls_engine.hpp"

namespace loopscope {

extern const CapSet kTlsCaps{Cap::start_tls};
extern const std::span<const Absence> kTlsAbsences{};

namespace {

/// Ciphertext on its way in and out.
struct Wire {
  ByteView borrowed;  // of the latest feed
  Bytes kept;         // what came before it, from `taken` on
  std::size_t taken = 0;
  Bytes out;

  std::size_t take(std::span<std::byte> into) {
    if (taken < kept.size()) {
      const ByteView rest = ByteView(kept).subspan(taken);
      const std::size_t count = std::min(rest.size(), into.size());
      std::copy_n(rest.begin(), count, into.begin());
      taken += count;
      return count;
    }
    const std::size_t count = std::min(borrowed.size(), into.size());
    std::copy_n(borrowed.begin(), count, into.begin());
    borrowed = borrowed.subspan(count);
    return count;
  }
  void keep() {
    if (taken == kept.size()) {
      kept = Bytes(borrowed.begin(), borrowed.end());  // gives back the memory of what was there
    } else {
      kept.erase(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(taken));
      kept.insert(kept.end(), borrowed.begin(), borrowed.end());
    }
    taken = 0;
    borrowed = {};
  }
};

int wire_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  auto* const begin = reinterpret_cast<std::byte*>(data);
  const std::size_t count =
      static_cast<Wire*>(BIO_get_data(bio))->take({begin, static_cast<std::size_t>(size)});
  if (count > 0) return static_cast<int>(count);
  BIO_set_retry_read(bio);
  return -1;
}

int wire_write(BIO* bio, const char* data, int size) {
  const ByteView bytes = view({data, static_cast<std::size_t>(size)});
  Bytes& out = static_cast<Wire*>(BIO_get_data(bio))->out;
  try {
    out.insert(out.end(), bytes.begin(), bytes.end());
  } catch (const std::bad_alloc&) {  // Nothing may fly through OpenSSL.
    return -1;
  }
  return size;
}

long wire_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

int wire_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

OpensslPtr<BIO_METHOD, BIO_meth_free> make_wire_method() {
  OpensslPtr<BIO_METHOD, BIO_meth_free> method(
      BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "loopscope wire"));
  if (!method) return method;
  BIO_meth_set_read(method.get(), wire_read);
  BIO_meth_set_write(method.get(), wire_write);
  BIO_meth_set_ctrl(method.get(), wire_control);
  BIO_meth_set_create(method.get(), wire_create);
  return method;
}

/// The reason in a word or two, the same in every release of OpenSSL.
std::string_view short_reason(long verified) {
  switch (verified) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "not yet valid";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return "self-signed";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "unknown CA";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "hostname mismatch";
    default:
      return {};
  }
}

class OpensslEngine final : public TlsEngine {
 public:
  OpensslEngine(std::shared_ptr<OpensslContext> context, std::string hostname)
      : context_(std::move(context)), hostname_(std::move(hostname)) {}

  Result<void> open();

  void feed(ByteView ciphertext) override {
    if (!wire_.borrowed.empty() || wire_.taken < wire_.kept.size()) wire_.keep();
    wire_.borrowed = ciphertext;
  }
  void keep_input() override {
    if (!wire_.borrowed.empty() || !wire_.kept.empty()) wire_.keep();
  }
  void feed_end() override { input_ended_ = true; }
  Bytes take_output() override { return std::exchange(wire_.out, {}); }

  Result<TlsStep> handshake() override;
  Result<TlsRead> read(std::span<std::byte> into) override;
  Result<void> write(ByteView plaintext) override;
  Result<void> shutdown() override;
  std::string describe(std::string_view name) const override;

 private:
  Result<void> set_hostname();
  /// Why the latest call on ssl_, which has returned `returned`, did not succeed. nullopt: it
  /// wants more input.
  std::optional<Error> trouble(std::string_view op, int code);
  Error refusal(std::string_view op);

  std::shared_ptr<OpensslContext> context_;
  std::string hostname_;
  Wire wire_;
  OpensslPtr<SSL, SSL_free> ssl_;
  std::optional<Error> failed_;  // of the step that failed; the later ones fail alike
  bool input_ended_ = false;
};

Result<void> OpensslEngine::open() {
  static const OpensslPtr<BIO_METHOD, BIO_meth_free> method = make_wire_method();
  ERR_clear_error();
  ssl_.reset(SSL_new(context_->ctx.get()));
  BIO* const bio = ssl_ && method ? BIO_new(method.get()) : nullptr;
  if (bio == nullptr) return take_openssl_error("start_tls", "SSL_new");
  BIO_set_data(bio, &wire_);
  SSL_set_bio(ssl_.get(), bio, bio);  // takes the one reference for both
  if (context_->server_side) {
    SSL_set_accept_state(ssl_.get());
    return {};
  }
  SSL_set_connect_state(ssl_.get());
  return set_hostname();
}

Result<void> OpensslEngine::set_hostname() {
  if (context_->check_hostname && hostname_.empty()) {
    return make_error(Errc::invalid_argument, "start_tls", "check_hostname needs server_hostname");
  }
  if (hostname_.empty()) return {};
  const OpensslPtr<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> literal(
      a2i_IPADDRESS(hostname_.c_str()));
  ERR_clear_error();  // of the question whether it is one
  // RFC 6066, 3: literal addresses are not permitted in the server name.
  bool set = literal || SSL_set_tlsext_host_name(ssl_.get(), hostname_.c_str()) == 1;
  if (set && context_->check_hostname) {
    X509_VERIFY_PARAM* const rules = SSL_get0_param(ssl_.get());
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    set = literal ? X509_VERIFY_PARAM_set1_ip_asc(rules, hostname_.c_str()) == 1
                  : X509_VERIFY_PARAM_set1_host(rules, hostname_.data(), hostname_.size()) == 1;
  }
  if (set) return {};
  ERR_clear_error();
  return make_error(Errc::invalid_argument, "start_tls",
                    "server_hostname is no host name: " + hostname_);
}

Error OpensslEngine::refusal(std::string_view op) {
  const long verified = SSL_get_verify_result(ssl_.get());
  if (SSL_is_init_finished(ssl_.get()) == 1 || verified == X509_V_OK ||
      context_->verify == VerifyMode::none) {
    return take_openssl_error(op, "");
  }
  ERR_clear_error();
  const std::string words = X509_verify_cert_error_string(verified);
  const std::string_view reason = short_reason(verified);
  std::string detail = "certificate verify failed: ";
  detail += reason.empty() ? words : std::string(reason) + " (" + words + ")";
  if (reason == "hostname mismatch") detail += ", not valid for " + hostname_;
  return make_error(Errc::protocol, op, std::move(detail));
}

std::optional<Error> OpensslEngine::trouble(std::string_view op, int code) {
  if (code != SSL_ERROR_WANT_READ) {
    failed_ = refusal(op);
  } else if (input_ended_) {
    failed_ = make_error(Errc::protocol, op,
                         SSL_is_init_finished(ssl_.get()) == 1
                             ? "truncated: the peer closed without close_notify"
                             : "the peer closed the connection during the handshake");
  }
  return failed_;
}

Result<TlsStep> OpensslEngine::handshake() {
  if (failed_) return *failed_;
  ERR_clear_error();
  const int returned = SSL_do_handshake(ssl_.get());
  if (returned == 1) return TlsStep::done;
  if (const auto why = trouble("tls handshake", SSL_get_error(ssl_.get(), returned))) return *why;
  return TlsStep::wants_input;
}

Result<TlsRead> OpensslEngine::read(std::span<std::byte> into) {
  if (failed_) return *failed_;
  std::size_t count = 0;
  while (count < into.size()) {
    std::size_t got = 0;
    ERR_clear_error();
    const int returned = SSL_read_ex(ssl_.get(), into.data() + count, into.size() - count, &got);
    count += got;
    if (returned == 1) continue;
    const int code = SSL_get_error(ssl_.get(), returned);
    if (code == SSL_ERROR_ZERO_RETURN) return TlsRead{TlsStep::ended, count};
    const std::optional<Error> why = trouble("tls read", code);
    if (!why) return TlsRead{TlsStep::wants_input, count};
    if (count == 0) return *why;
    break;  // First what came in good order; the error is said when more is asked for.
  }
  return TlsRead{TlsStep::done, count};
}

Result<void> OpensslEngine::write(ByteView plaintext) {
  if (failed_) return *failed_;
  if (plaintext.empty()) return {};
  constexpr std::size_t kRecord = 16 * 1024, kOverhead = 128;  // beyond any cipher's
  wire_.out.reserve(wire_.out.size() + plaintext.size() +
                    (plaintext.size() / kRecord + 1) * kOverhead);
  std::size_t written = 0;
  ERR_clear_error();
  const int returned = SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &written);
  if (returned == 1) return {};
  if (const auto why = trouble("tls write", SSL_get_error(ssl_.get(), returned))) return *why;
  // Only a handshake could wait for input here, and there is none after the first.
  return make_error(Errc::invalid_state, "tls write", "the handshake is not done");
}

Result<void> OpensslEngine::shutdown() {
  if (failed_) return *failed_;
  ERR_clear_error();
  if (const int returned = SSL_shutdown(ssl_.get()); returned < 0) {
    if (const auto why = trouble("tls shutdown", SSL_get_error(ssl_.get(), returned))) return *why;
  }
  return {};
}

std::string OpensslEngine::describe(std::string_view name) const {
  const auto text_of = [](const char* text) { return std::string(text == nullptr ? "" : text); };
  if (name == "version") return text_of(SSL_get_version(ssl_.get()));
  if (name == "cipher") return text_of(SSL_get_cipher_name(ssl_.get()));
  if (name == "sni") return text_of(SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name));
  if (name == "alpn") {
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &chosen, &size);
    return std::string(reinterpret_cast<const char*>(chosen), size);
  }
  if (name != "peercert") return {};
  const OpensslPtr<X509, X509_free> certificate(SSL_get1_peer_certificate(ssl_.get()));
  const OpensslPtr<BIO, BIO_free> pem(certificate ? BIO_new(BIO_s_mem()) : nullptr);
  if (!pem || PEM_write_bio_X509(pem.get(), certificate.get()) != 1) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(pem.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

}  // namespace

Result<std::unique_ptr<TlsEngine>> TlsEngine::make(const TlsOptions& options, bool server_side) {
  constexpr std::string_view kOp = "start_tls";
  auto context = std::dynamic_pointer_cast<OpensslContext>(options.context);
  if (!context) return make_error(Errc::invalid_argument, kOp, "there is no TLS context");
  if (context->server_side != server_side) {
    return make_error(Errc::invalid_argument, kOp, "the TLS context is for the other side");
  }
  if (options.handshake_timeout <= Duration::zero() ||
      options.shutdown_timeout <= Duration::zero()) {
    return make_error(Errc::invalid_argument, kOp, "TLS timeouts must be above zero");
  }
  auto engine = std::make_unique<OpensslEngine>(std::move(context), options.server_hostname);
  if (const Result<void> opened = engine->open(); !opened.ok()) return opened.error();
  return std::unique_ptr<TlsEngine>(std::move(engine));
}

}  // namespace loopscope
