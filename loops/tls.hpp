// TLS as a loop's caller sees it: what connections are made from, and how one is opened.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loops/base/bytes.hpp"
#include "loops/base/clock.hpp"
#include "loops/base/result.hpp"

namespace loopscope {

/// Whether the other side has to show a certificate. source: ssl.SSLContext.verify_mode
enum class VerifyMode : std::uint8_t { none, optional, required };
enum class TlsVersion : std::uint8_t { tls_1_2, tls_1_3 };

struct TlsContextOptions {
  bool server_side = false;
  std::string certificate_file{};  // PEM, the chain included; required for a server
  std::string key_file{};          // PEM; empty: the key is in certificate_file
  std::string key_password{};      // for an encrypted key
  std::string ca_file{};           // PEM; empty: a client trusts the system's store
  /// nullopt: required for a client, none for a server.
  std::optional<VerifyMode> verify_mode{};
  /// A client holds the server's certificate against server_hostname.
  bool check_hostname = true;
  TlsVersion minimum_version = TlsVersion::tls_1_2;
  TlsVersion maximum_version = TlsVersion::tls_1_3;
  std::vector<std::string> alpn_protocols{};  // in the order of preference
};

/// Certificates, keys and rules, read once and shared by connections of any loop and thread.
class TlsContext {
 public:
  virtual ~TlsContext() = default;
  /// errors  those of reading the files, by the system's name or as "protocol" with OpenSSL's
  ///         reason: unreadable or malformed certificate, key that does not fit, wrong password;
  ///         not_supported where the build has no TLS. Nothing is kept after an error.
  static Result<std::shared_ptr<TlsContext>> make(const TlsContextOptions& options);
};

/// One TLS connection. source: asyncio.loop.start_tls, asyncio.loop.create_connection
struct TlsOptions {
  std::shared_ptr<TlsContext> context{};
  bool server_side = false;       // for start_tls; the other calls know
  std::string server_hostname{};  // sent as SNI and verified; empty: the host of create_connection
  Duration handshake_timeout = std::chrono::seconds(60);  // above zero
  Duration shutdown_timeout = std::chrono::seconds(30);   // above zero
  /// For start_tls: bytes of the TLS stream that the plain protocol has received already.
  Bytes received{};
};

}  // namespace loopscope
