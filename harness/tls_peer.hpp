// TlsPeer: a blocking TLS connection of the harness, for a thread of its own. Never a loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "harness/peer.hpp"

namespace loopscope {

struct TlsPeerOptions {
  bool server = true;
  std::string certificate{};  // PEM with the key; empty: none
  std::string authority{};    // PEM; empty: the other side is not verified
  std::string hostname{};     // sent as SNI
  std::vector<std::string> alpn{};
  bool only_1_2 = false;
  std::string prefix{};  // in plain, in one piece with the first bytes of TLS
};

/// Every call blocks until it is done. A handshake that fails and a stream that ends are results,
/// because scenarios are about them; any other trouble throws PeerFailure.
class TlsPeer {
 public:
  TlsPeer(Peer& plain, const TlsPeerOptions& options);
  /// TLS inside TLS.
  TlsPeer(TlsPeer& outer, const TlsPeerOptions& options);
  ~TlsPeer();
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  /// false: it failed, and why() says how.
  bool handshake();
  /// A client's, but its last flight stays here until something is sent.
  bool handshake_but_last_flight();
  void send(std::string_view data);
  /// What is left unsent goes with it, in one piece.
  void send_close_notify();
  std::string recv();                         // some; empty: the end
  std::string recv_up_to(std::size_t count);  // that many, fewer at the end
  std::string recv_until_end();
  /// Waits until the other side has closed below TLS too.
  void wait_for_the_end_below();
  /// Did the stream end by close_notify, and not without?
  bool got_close_notify() const;

  /// TLS 1.3: new keys for our direction, and the other side is asked for its own.
  void update_keys();
  /// TLS 1.2; whether the other side took part.
  bool renegotiate();

  std::string why() const { return why_; }
  std::string alpn() const;
  std::string sni() const;
  bool has_certificate() const;  // of the other side
  /// Everything that came, as it stood on the wire.
  const Bytes& wire() const { return wire_; }

 private:
  struct State;
  TlsPeer(std::function<void(ByteView)> send, std::function<Bytes()> recv,
          const TlsPeerOptions& options);
  bool shake(bool keep_last_flight);
  void flush();
  /// false: there is no more.
  bool fill();
  /// After a call that returned `returned`: true to call again.
  bool again(int returned);

  std::function<void(ByteView)> send_;
  std::function<Bytes()> recv_;
  std::unique_ptr<State> state_;
  Bytes wire_;
  std::string why_;
};

}  // namespace loopscope
