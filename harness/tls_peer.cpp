// Blocking TLS over a Peer: OpenSSL between two memory BIOs.
#include "harness/tls_peer.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>

namespace loopscope {
namespace {

template <auto kRelease>
struct Free {
  template <class T>
  void operator()(T* object) const {
    kRelease(object);
  }
};

void require(bool done, std::string_view op) {
  if (done) return;
  const char* reason = ERR_reason_error_string(ERR_get_error());
  throw PeerFailure(make_error(Errc::protocol, op, reason == nullptr ? "failed" : reason));
}

/// A subject that aborts resets the connection: for a peer that is an end like another.
/// ECONNABORTED is gVisor's word, and Winsock's.
bool is_end(const Error& error) {
  return error.is_errno(ECONNRESET) || error.is_errno(EPIPE) || error.is_errno(ECONNABORTED);
}

int choose_alpn(SSL*, const unsigned char** chosen, unsigned char* size,
                const unsigned char* offered, unsigned offered_size, void* ours) {
  const std::string& names = *static_cast<const std::string*>(ours);
  unsigned char* found = nullptr;
  const int outcome =
      SSL_select_next_proto(&found, size, reinterpret_cast<const unsigned char*>(names.data()),
                            static_cast<unsigned>(names.size()), offered, offered_size);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

struct TlsPeer::State {
  std::string alpn;  // each name behind its length
  std::string prefix;
  std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>> context;
  std::unique_ptr<SSL, Free<SSL_free>> ssl;
  BIO* in = nullptr;  // both belong to ssl
  BIO* out = nullptr;
};

TlsPeer::TlsPeer(Peer& plain, const TlsPeerOptions& options)
    : TlsPeer([&plain](ByteView data) { plain.send(data); },
              [&plain] { return plain.recv(std::size_t{64} * 1024); }, options) {}

TlsPeer::TlsPeer(TlsPeer& outer, const TlsPeerOptions& options)
    : TlsPeer([&outer](ByteView data) { outer.send(text(data)); },
              [&outer] { return bytes(outer.recv()); }, options) {}

TlsPeer::TlsPeer(std::function<void(ByteView)> send, std::function<Bytes()> recv,
                 const TlsPeerOptions& options)
    : send_(std::move(send)), recv_(std::move(recv)), state_(std::make_unique<State>()) {
  ERR_clear_error();
  state_->prefix = options.prefix;
  for (const std::string& name : options.alpn) {
    state_->alpn += static_cast<char>(name.size()) + name;
  }
  state_->context.reset(SSL_CTX_new(options.server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* const context = state_->context.get();
  require(context != nullptr, "peer SSL_CTX_new");
  if (options.only_1_2) SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  if (!options.certificate.empty()) {
    const char* file = options.certificate.c_str();
    require(SSL_CTX_use_certificate_chain_file(context, file) == 1, "peer certificate");
    require(SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) == 1, "peer key");
  }
  if (!options.authority.empty()) {
    require(SSL_CTX_load_verify_file(context, options.authority.c_str()) == 1, "peer authority");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  if (options.server && !state_->alpn.empty()) {
    SSL_CTX_set_alpn_select_cb(context, choose_alpn, &state_->alpn);
  }
  state_->ssl.reset(SSL_new(context));
  SSL* const ssl = state_->ssl.get();
  require(ssl != nullptr, "peer SSL_new");
  state_->in = BIO_new(BIO_s_mem());
  state_->out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, state_->in, state_->out);
  if (options.server) {
    SSL_set_accept_state(ssl);
    return;
  }
  SSL_set_connect_state(ssl);
  if (!options.hostname.empty()) SSL_set_tlsext_host_name(ssl, options.hostname.c_str());
  if (!state_->alpn.empty()) {
    SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(state_->alpn.data()),
                        static_cast<unsigned>(state_->alpn.size()));
  }
}

TlsPeer::~TlsPeer() = default;

void TlsPeer::flush() {
  char* data = nullptr;
  const long size = BIO_get_mem_data(state_->out, &data);
  if (size <= 0) return;
  const Bytes out =
      bytes(std::exchange(state_->prefix, {}) + std::string(data, static_cast<std::size_t>(size)));
  (void)BIO_reset(state_->out);
  try {
    send_(out);
  } catch (const PeerFailure& failure) {
    if (!is_end(failure.error())) throw;
  }
}

bool TlsPeer::fill() {
  Bytes more;
  try {
    more = recv_();
  } catch (const PeerFailure& failure) {
    if (!is_end(failure.error())) throw;
  }
  if (more.empty()) {
    BIO_set_mem_eof_return(state_->in, 0);
    return false;
  }
  wire_.insert(wire_.end(), more.begin(), more.end());
  require(BIO_write(state_->in, more.data(), static_cast<int>(more.size())) ==
              static_cast<int>(more.size()),
          "peer BIO_write");
  return true;
}

bool TlsPeer::again(int returned) {
  const int code = SSL_get_error(state_->ssl.get(), returned);
  flush();
  if (code == SSL_ERROR_WANT_READ && fill()) return true;
  if (code == SSL_ERROR_WANT_READ) {
    why_ = "the stream ended";
  } else if (code != SSL_ERROR_ZERO_RETURN) {
    const char* reason = ERR_reason_error_string(ERR_get_error());
    why_ = reason == nullptr ? "the stream ended" : reason;
  }
  ERR_clear_error();
  return false;
}

bool TlsPeer::shake(bool keep_last_flight) {
  for (;;) {
    ERR_clear_error();
    const int returned = SSL_do_handshake(state_->ssl.get());
    if (returned == 1) {
      if (!keep_last_flight) flush();
      return true;
    }
    if (!again(returned)) return false;
  }
}

bool TlsPeer::handshake() { return shake(false); }
bool TlsPeer::handshake_but_last_flight() { return shake(true); }

void TlsPeer::send(std::string_view data) {
  if (data.empty()) return;
  ERR_clear_error();
  const int size = static_cast<int>(data.size());
  require(SSL_write(state_->ssl.get(), data.data(), size) == size, "peer SSL_write");
  flush();
}

void TlsPeer::send_close_notify() {
  ERR_clear_error();
  (void)SSL_shutdown(state_->ssl.get());  // Its answer is about the other side's.
  flush();
}

std::string TlsPeer::recv() {
  std::string some(std::size_t{64} * 1024, '\0');
  for (;;) {
    ERR_clear_error();
    std::size_t got = 0;
    const int returned = SSL_read_ex(state_->ssl.get(), some.data(), some.size(), &got);
    if (returned == 1) {
      flush();
      some.resize(got);
      return some;
    }
    if (!again(returned)) return {};
  }
}

std::string TlsPeer::recv_up_to(std::size_t count) {
  std::string all;
  while (all.size() < count) {
    const std::string part = recv();
    if (part.empty()) break;
    all += part;
  }
  return all;
}

std::string TlsPeer::recv_until_end() { return recv_up_to(std::string::npos); }

void TlsPeer::wait_for_the_end_below() {
  while (fill()) {
  }
}

bool TlsPeer::got_close_notify() const {
  return (SSL_get_shutdown(state_->ssl.get()) & SSL_RECEIVED_SHUTDOWN) != 0 && why_.empty();
}

void TlsPeer::update_keys() {
  require(SSL_key_update(state_->ssl.get(), SSL_KEY_UPDATE_REQUESTED) == 1, "SSL_key_update");
  require(SSL_do_handshake(state_->ssl.get()) == 1, "peer key update");
  flush();
}

bool TlsPeer::renegotiate() {
  require(SSL_renegotiate(state_->ssl.get()) == 1, "SSL_renegotiate");
  return shake(false);
}

std::string TlsPeer::alpn() const {
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(state_->ssl.get(), &chosen, &size);
  return std::string(reinterpret_cast<const char*>(chosen), size);
}

std::string TlsPeer::sni() const {
  const char* name = SSL_get_servername(state_->ssl.get(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

bool TlsPeer::has_certificate() const {
  return SSL_get0_peer_certificate(state_->ssl.get()) != nullptr;
}

}  // namespace loopscope
