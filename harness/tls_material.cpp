// Certificates and keys by OpenSSL, in memory and as PEM files.
#include "harness/tls_material.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <stdexcept>

namespace loopscope {
namespace {

void require(bool done, const char* what) {
  if (done) return;
  const char* reason = ERR_reason_error_string(ERR_get_error());
  throw std::runtime_error(std::string(what) + ": " + (reason == nullptr ? "failed" : reason));
}

template <auto kRelease>
struct Free {
  template <class T>
  void operator()(T* object) const {
    kRelease(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;

std::string content_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  require(extension != nullptr, "X509V3_EXT_conf_nid");
  require(X509_add_ext(certificate, extension.get(), -1) == 1, "X509_add_ext");
}

/// "DNS:server.test,IP:127.0.0.1"
std::string alternative_names(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) {
    const std::unique_ptr<ASN1_OCTET_STRING, Free<ASN1_OCTET_STRING_free>> literal(
        a2i_IPADDRESS(name.c_str()));
    all += (all.empty() ? "" : ",") + std::string(literal ? "IP:" : "DNS:") + name;
  }
  ERR_clear_error();
  return all;
}

}  // namespace

struct Certificate::State {
  std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>> key;
  std::unique_ptr<X509, Free<X509_free>> certificate;
};

Certificate::Certificate(const CertificateOptions& options, const Certificate* issuer)
    : state_(std::make_unique<State>()) {
  state_->key.reset(EVP_EC_gen("P-256"));
  state_->certificate.reset(X509_new());
  X509* const made = state_->certificate.get();
  require(state_->key != nullptr && made != nullptr, "EVP_EC_gen");
  X509* const signer = issuer == nullptr ? made : issuer->state_->certificate.get();
  EVP_PKEY* const signing_key = issuer == nullptr ? state_->key.get() : issuer->state_->key.get();

  require(X509_set_version(made, X509_VERSION_3) == 1, "X509_set_version");
  std::uint64_t serial = 0;
  require(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "RAND_bytes");
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(made), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(made), 3600L * options.begins_in_hours);
  X509_gmtime_adj(X509_getm_notAfter(made), 3600L * options.ends_in_hours);
  X509_set_pubkey(made, state_->key.get());
  X509_NAME* const subject = X509_get_subject_name(made);
  require(X509_NAME_add_entry_by_txt(
              subject, "CN", MBSTRING_ASC,
              reinterpret_cast<const unsigned char*>(options.subject.c_str()), -1, -1, 0) == 1,
          "X509_NAME_add_entry_by_txt");
  X509_set_issuer_name(made, X509_get_subject_name(signer));
  add_extension(made, signer, NID_basic_constraints,
                options.authority ? "critical,CA:TRUE" : "CA:FALSE");
  add_extension(made, signer, NID_subject_key_identifier, "hash");
  if (!options.names.empty()) {
    add_extension(made, signer, NID_subject_alt_name, alternative_names(options.names));
  }
  require(X509_sign(made, signing_key, EVP_sha256()) > 0, "X509_sign");
}

Certificate::~Certificate() = default;
Certificate::Certificate(Certificate&&) noexcept = default;

std::string Certificate::certificate_pem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509(bio.get(), state_->certificate.get()) == 1, "PEM_write_bio_X509");
  return content_of(bio.get());
}

std::string Certificate::key_pem(const std::string& password) const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  const EVP_CIPHER* cipher = password.empty() ? nullptr : EVP_aes_256_cbc();
  require(PEM_write_bio_PKCS8PrivateKey(bio.get(), state_->key.get(), cipher, password.c_str(),
                                        static_cast<int>(password.size()), nullptr, nullptr) == 1,
          "PEM_write_bio_PKCS8PrivateKey");
  return content_of(bio.get());
}

TlsFiles::TlsFiles(std::string folder)
    : folder_(std::move(folder)),
      issuer_(CertificateOptions{.subject = "loopscope test authority", .authority = true}) {
  authority_file_ = write("authority.pem", issuer_.certificate_pem());
  server_file_ = issue("server.pem", {.subject = "server", .names = {kServerName, "127.0.0.1"}});
  client_file_ = issue("client.pem", {.subject = "client"});
}

std::string TlsFiles::issue(const std::string& leaf, const CertificateOptions& options) const {
  const Certificate made(options, &issuer_);
  return write(leaf, made.certificate_pem() + made.key_pem());
}

std::string TlsFiles::self_signed(const std::string& leaf,
                                  const CertificateOptions& options) const {
  const Certificate made(options);
  return write(leaf, made.certificate_pem() + made.key_pem());
}

std::string TlsFiles::write(const std::string& leaf, const std::string& content) const {
  const std::string path = folder_ + "/" + leaf;
  std::ofstream file(path, std::ios::binary);
  file << content;
  file.close();
  require(static_cast<bool>(file), path.c_str());
  return path;
}

}  // namespace loopscope
