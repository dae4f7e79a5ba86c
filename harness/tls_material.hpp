// TLS material: certificates and keys that tests make for themselves, at run time.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace loopscope {

/// A certificate with its key. The names are what the certificate is valid for: host names, or
/// literal addresses. All throws std::runtime_error when OpenSSL refuses.
struct CertificateOptions {
  std::string subject = "loopscope test";
  std::vector<std::string> names{};
  int begins_in_hours = -1;  // from now
  int ends_in_hours = 24;
  bool authority = false;  // may sign others
};

class Certificate {
 public:
  /// Signed by `issuer`; null: by itself. A fresh P-256 key.
  explicit Certificate(const CertificateOptions& options, const Certificate* issuer = nullptr);
  ~Certificate();
  Certificate(Certificate&&) noexcept;

  std::string certificate_pem() const;
  /// PKCS #8; encrypted with AES-256 under a password that is not empty.
  std::string key_pem(const std::string& password = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// An authority and what it signs for "server.test", 127.0.0.1 and a client, as files of a folder.
class TlsFiles {
 public:
  explicit TlsFiles(std::string folder);

  const std::string& authority() const { return authority_file_; }
  // Each with its key in the same file.
  const std::string& server() const { return server_file_; }
  const std::string& client() const { return client_file_; }

  /// A further certificate of the authority with its key in the same file; its path.
  std::string issue(const std::string& leaf, const CertificateOptions& options) const;
  /// The same, signed by itself.
  std::string self_signed(const std::string& leaf, const CertificateOptions& options) const;
  /// A file of the folder; its path.
  std::string write(const std::string& leaf, const std::string& content) const;

 private:
  std::string folder_;
  Certificate issuer_;
  std::string authority_file_, server_file_, client_file_;
};

inline constexpr const char* kServerName = "server.test";

}  // namespace loopscope
