// TlsEngine: one TLS connection as a machine of bytes, without I/O, loop or clock.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "loops/base/bytes.hpp"
#include "loops/base/result.hpp"
#include "loops/descriptor.hpp"
#include "loops/tls.hpp"

namespace loopscope {

/// start_tls where this build has OpenSSL, else why it has not: for the descriptors of our loops.
extern const CapSet kTlsCaps;
extern const std::span<const Absence> kTlsAbsences;

enum class TlsStep : std::uint8_t {
  done,         // all that was asked for
  wants_input,  // goes on after the next feed()
  ended         // the peer has sent its close_notify: a clean end
};
struct TlsRead {
  TlsStep step;
  std::size_t count;  // bytes of plaintext, also beside wants_input and ended
};

/// Bytes of the connection go in by feed() and come out by take_output(), which has to be asked
/// after every step, a failed one included: it may have left an alert for the peer.
///
/// errors  Of every step: "protocol" with the reason as detail. A certificate that is refused is
///         named by "certificate verify failed: " and one of "expired", "not yet valid",
///         "self-signed", "unknown CA", "hostname mismatch" or OpenSSL's words. After an error
///         only take_output() is of use. No error of one engine shows up in another.
/// thread  Any one at a time; engines of one context may live on different threads.
class TlsEngine {
 public:
  virtual ~TlsEngine() = default;
  /// errors  invalid_argument: no context, a context of the other side, a timeout that is not
  ///         above zero, nothing to hold the certificate against; not_supported without OpenSSL.
  static Result<std::unique_ptr<TlsEngine>> make(const TlsOptions& options, bool server_side);

  /// Ciphertext of the peer, in order. Borrowed until keep_input() or the next feed().
  virtual void feed(ByteView ciphertext) = 0;
  /// Copies what no step has needed yet of the borrowed bytes.
  virtual void keep_input() = 0;
  /// The peer's bytes end after those that were fed: from here on what wants more input fails.
  virtual void feed_end() = 0;
  /// Ciphertext for the peer.
  virtual Bytes take_output() = 0;

  /// done or wants_input.
  virtual Result<TlsStep> handshake() = 0;
  /// Fills as much of `into` as there is; done means that it is full.
  virtual Result<TlsRead> read(std::span<std::byte> into) = 0;
  /// Encrypts all of it. Precondition: the handshake is done and shutdown() was not called.
  virtual Result<void> write(ByteView plaintext) = 0;
  /// Tells the peer that no more will come. read() still works.
  virtual Result<void> shutdown() = 0;

  /// "alpn", "cipher", "version", "sni" (as a server received it), "peercert" (PEM); else empty.
  virtual std::string describe(std::string_view name) const = 0;
};

}  // namespace loopscope
