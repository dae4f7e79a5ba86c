// TlsContext on OpenSSL: certificates, keys and rules, read once.
#include <openssl/crypto.h>
#include <openssl/err.h>

#include <cstring>

#include "loops/common/tls_openssl.hpp"

namespace loopscope {

Error take_openssl_error(std::string_view op, const std::string& about) {
  int system_error = 0;
  std::string reasons;
  while (const unsigned long code = ERR_get_error()) {
    if (ERR_SYSTEM_ERROR(code)) {
      if (system_error == 0) system_error = ERR_GET_REASON(code);
      continue;
    }
    const char* text = ERR_reason_error_string(code);
    const std::string reason = text == nullptr ? "error " + std::to_string(code) : text;
    // "PEM lib" and its like only say that the reason before came from another library.
    if (reason.ends_with(" lib") || reasons.find(reason) != std::string::npos) continue;
    reasons += (reasons.empty() ? "" : ", ") + reason;
  }
  if (system_error != 0) return errno_error_of(system_error, op, about);
  if (reasons.empty()) reasons = "OpenSSL gives no reason";
  return make_error(Errc::protocol, op, about.empty() ? reasons : about + ": " + reasons);
}

namespace {

constexpr std::string_view kOp = "TlsContext::make";

struct Password {
  const std::string& text;
  bool asked_in_vain = false;
};

/// Instead of OpenSSL's own way, which is to ask at the terminal.
int give_password(char* buffer, int size, int, void* data) {
  auto& password = *static_cast<Password*>(data);
  if (password.text.empty()) {
    password.asked_in_vain = true;
    return -1;
  }
  if (password.text.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, password.text.data(), password.text.size());
  return static_cast<int>(password.text.size());
}

Result<void> load_certificate(SSL_CTX* ctx, const TlsContextOptions& options) {
  if (options.certificate_file.empty()) return {};
  if (SSL_CTX_use_certificate_chain_file(ctx, options.certificate_file.c_str()) != 1) {
    return take_openssl_error(kOp, options.certificate_file);
  }
  const std::string& key = options.key_file.empty() ? options.certificate_file : options.key_file;
  Password password{options.key_password};
  SSL_CTX_set_default_passwd_cb(ctx, give_password);
  SSL_CTX_set_default_passwd_cb_userdata(ctx, &password);
  const bool loaded = SSL_CTX_use_PrivateKey_file(ctx, key.c_str(), SSL_FILETYPE_PEM) == 1;
  SSL_CTX_set_default_passwd_cb(ctx, nullptr);
  SSL_CTX_set_default_passwd_cb_userdata(ctx, nullptr);
  if (password.asked_in_vain) {
    ERR_clear_error();
    return make_error(Errc::protocol, kOp, key + ": the key is encrypted, key_password is empty");
  }
  if (!loaded || SSL_CTX_check_private_key(ctx) != 1) return take_openssl_error(kOp, key);
  return {};
}

Result<void> load_authorities(SSL_CTX* ctx, const TlsContextOptions& options, VerifyMode verify) {
  if (options.ca_file.empty()) {
    if (verify != VerifyMode::none && SSL_CTX_set_default_verify_paths(ctx) != 1) {
      return take_openssl_error(kOp, "the system's certificates");
    }
    return {};
  }
  const char* file = options.ca_file.c_str();
  if (SSL_CTX_load_verify_file(ctx, file) != 1) return take_openssl_error(kOp, options.ca_file);
  if (options.server_side) {  // The names of these are sent to clients.
    STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(file);
    if (names == nullptr) return take_openssl_error(kOp, options.ca_file);
    SSL_CTX_set_client_CA_list(ctx, names);
  }
  return {};
}

int to_openssl(TlsVersion version) {
  return version == TlsVersion::tls_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}
int to_openssl(VerifyMode mode) {
  switch (mode) {
    case VerifyMode::none:
      return SSL_VERIFY_NONE;
    case VerifyMode::optional:
      return SSL_VERIFY_PEER;
    case VerifyMode::required:
      break;
  }
  return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

/// The server's choice: its own order of preference. None in common ends the handshake.
/// source: RFC 7301, 3.2, no_application_protocol. (Python's ssl goes on without a protocol.)
int choose_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                const unsigned char* offered, unsigned offered_size, void* data) {
  const std::vector<unsigned char>& ours = static_cast<OpensslContext*>(data)->alpn;
  unsigned char* found = nullptr;
  const int outcome = SSL_select_next_proto(
      &found, chosen_size, ours.data(), static_cast<unsigned>(ours.size()), offered, offered_size);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<void> set_alpn(OpensslContext& context, const std::vector<std::string>& protocols) {
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      return make_error(Errc::invalid_argument, kOp, "an ALPN name has 1 to 255 bytes");
    }
    context.alpn.push_back(static_cast<unsigned char>(protocol.size()));
    context.alpn.insert(context.alpn.end(), protocol.begin(), protocol.end());
  }
  if (context.alpn.empty()) return {};
  if (context.server_side) {
    SSL_CTX_set_alpn_select_cb(context.ctx.get(), choose_alpn, &context);
  } else if (SSL_CTX_set_alpn_protos(context.ctx.get(), context.alpn.data(),
                                     static_cast<unsigned>(context.alpn.size())) != 0) {
    return take_openssl_error(kOp, "ALPN");
  }
  return {};
}

Result<void> check(const TlsContextOptions& options) {
  if (options.server_side && options.certificate_file.empty()) {
    return make_error(Errc::invalid_argument, kOp, "a server needs a certificate_file");
  }
  if (options.certificate_file.empty() && !options.key_file.empty()) {
    return make_error(Errc::invalid_argument, kOp, "key_file without certificate_file");
  }
  if (options.minimum_version > options.maximum_version) {
    return make_error(Errc::invalid_argument, kOp, "minimum_version above maximum_version");
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::make(const TlsContextOptions& options) {
  if (const Result<void> checked = check(options); !checked.ok()) return checked.error();
  ERR_clear_error();
  OpensslPtr<SSL_CTX, SSL_CTX_free> made(
      SSL_CTX_new(options.server_side ? TLS_server_method() : TLS_client_method()));
  if (!made) return take_openssl_error(kOp, "SSL_CTX_new");
  const auto context = std::make_shared<OpensslContext>(options, std::move(made));
  SSL_CTX* const ctx = context->ctx.get();
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // An idle connection keeps no record buffers.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);   // It would grow with every client.
  static constexpr unsigned char kSessions[] = "loopscope";  // Needed where clients are verified.
  SSL_CTX_set_session_id_context(ctx, kSessions, sizeof kSessions - 1);
  SSL_CTX_set_min_proto_version(ctx, to_openssl(options.minimum_version));
  SSL_CTX_set_max_proto_version(ctx, to_openssl(options.maximum_version));
  SSL_CTX_set_verify(ctx, to_openssl(context->verify), nullptr);
  Result<void> loaded = load_certificate(ctx, options);
  if (loaded.ok()) loaded = load_authorities(ctx, options, context->verify);
  if (loaded.ok()) loaded = set_alpn(*context, options.alpn_protocols);
  ERR_clear_error();  // Loading leaves some behind although all went well.
  if (!loaded.ok()) return loaded.error();
  return std::shared_ptr<TlsContext>(context);
}

}  // namespace loopscope
