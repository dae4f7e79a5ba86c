// Secured: TLS connections of the subject whose other end is blocking OpenSSL in a thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "harness/scenarios/connections.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/tls_material.hpp"
#include "harness/tls_peer.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios {

/// The certificates of a cell, and the options of both sides that go with them.
class Secrets {
 public:
  explicit Secrets(Context& cx) : cx_(cx), files(cx.temp_dir()) {}

  TlsContextOptions client_context() const { return {.ca_file = files.authority()}; }
  TlsContextOptions server_context() const {
    return {.server_side = true, .certificate_file = files.server()};
  }
  /// For the subject.
  TlsOptions client(const TlsContextOptions& context) const {
    TlsOptions options = with(context);
    options.server_hostname = kServerName;
    return options;
  }
  TlsOptions client() const { return client(client_context()); }
  TlsOptions server(const TlsContextOptions& context) const { return with(context); }
  TlsOptions server() const { return with(server_context()); }
  /// For the peer.
  TlsPeerOptions peer_server() const { return {.certificate = files.server()}; }
  TlsPeerOptions peer_client() const {
    return {.server = false, .authority = files.authority(), .hostname = kServerName};
  }

 private:
  TlsOptions with(const TlsContextOptions& context) const {
    const auto made = TlsContext::make(context);
    cx_.ok(made, "TlsContext::make reads the files");
    return {.context = *made, .server_side = context.server_side};
  }
  Context& cx_;

 public:
  const TlsFiles files;
};

/// What a peer has found. To be read after PeerThread::finish().
struct PeerReport {
  bool shaken = false;  // the handshake succeeded
  bool close_notify = false;
  std::string data, why, alpn, sni;
  Bytes wire;
};

/// A peer in a thread, which does `script` after the handshake and closes: with bytes unread, that
/// resets the connection, as no shutdown does. The thread owns all that it uses: a body that fails
/// leaves it behind, and hangs up so that it ends.
class PeerThread {
 public:
  using Script = std::function<void(TlsPeer&, PeerReport&)>;
  /// before: what is said in plain before the handshake.
  PeerThread(Context& cx, Peer plain, TlsPeerOptions options, Script script,
             std::function<void(Peer&)> before = {})
      : cx_(cx), shared_(std::make_shared<Shared>()) {
    shared_->plain = std::move(plain);
    cx.thread([shared = shared_, options = std::move(options), script = std::move(script),
               before = std::move(before)] {
      if (before) before(shared->plain);
      TlsPeer peer(shared->plain, options);
      PeerReport& report = shared->report;
      report.shaken = peer.handshake();
      if (report.shaken && script) script(peer, report);
      report.close_notify = peer.got_close_notify();
      report.why = peer.why();
      report.alpn = peer.alpn();
      report.sni = peer.sni();
      report.wire = peer.wire();
      const std::scoped_lock lock(shared->closing);
      shared->plain.close();
    });
  }
  ~PeerThread() {
    const std::scoped_lock lock(shared_->closing);
    if (shared_->plain) tools::hang_up(shared_->plain.native());
  }
  PeerThread(const PeerThread&) = delete;
  PeerThread& operator=(const PeerThread&) = delete;
  /// Waits for the end of the script.
  const PeerReport& finish() {
    cx_.join_threads();
    return shared_->report;
  }

 private:
  struct Shared {
    std::mutex closing;  // the descriptor is not hung up while, or after, it is closed
    Peer plain;
    PeerReport report;
  };
  Context& cx_;
  std::shared_ptr<Shared> shared_;
};

/// Sends back all that comes, and answers close_notify with its own.
inline void echo(TlsPeer& peer, PeerReport& report) {
  for (std::string part = peer.recv(); !part.empty(); part = peer.recv()) {
    report.data += part;
    peer.send(part);
  }
  peer.send_close_notify();
}
/// Keeps all that comes, and answers close_notify with its own.
inline void listen(TlsPeer& peer, PeerReport& report) {
  report.data = peer.recv_until_end();
  peer.send_close_notify();
}

/// The outcome of create_connection with TLS over a connected socket.
inline Result<Link> try_client(Context& cx, std::shared_ptr<BaseProtocol> protocol, Socket& socket,
                               TlsOptions tls) {
  ConnectOptions options;
  options.sock = &socket;
  options.tls = std::move(tls);
  auto made = cx.loop().create_connection([&] { return protocol; }, std::move(options));
  return cx.loop().run_until_complete(made);
}
/// The outcome of connect_accepted_socket with TLS.
inline Result<Link> try_server(Context& cx, std::shared_ptr<BaseProtocol> protocol, Socket& socket,
                               TlsOptions tls) {
  auto made = cx.loop().connect_accepted_socket([&] { return protocol; }, socket, std::move(tls));
  return cx.loop().run_until_complete(made);
}

/// The subject as a TLS client of `pair`, its transport watched by `seen`.
template <class Seen>
Watched<Transport, Seen> secure_client(Context& cx, std::shared_ptr<Seen> seen, Socket& socket,
                                       TlsOptions tls) {
  const Result<Link> link = try_client(cx, seen, socket, std::move(tls));
  cx.ok(link, "the TLS handshake of a client");
  return {link->transport, seen};
}
template <class Seen>
Watched<Transport, Seen> secure_server(Context& cx, std::shared_ptr<Seen> seen, Socket& socket,
                                       TlsOptions tls) {
  const Result<Link> link = try_server(cx, seen, socket, std::move(tls));
  cx.ok(link, "the TLS handshake of a server");
  return {link->transport, seen};
}
inline std::shared_ptr<StreamRecorder> recorder(Context& cx) {
  return std::make_shared<StreamRecorder>(cx);
}

/// A failed handshake: one error that says `reason`, and a protocol that was told of nothing.
inline void expect_refusal(Context& cx, const Result<Link>& link, std::string_view reason,
                           Here here = Here::now()) {
  cx.refused(link, Errc::protocol, "the outcome of the handshake", here);
  const std::string detail = link.error().detail;
  if (detail.find(reason) == std::string::npos) {
    cx.failed("the error says why", std::string(reason), detail, here);
  }
}
inline std::string info_text(const BaseTransport& transport, std::string_view name) {
  const ExtraInfo info = transport.get_extra_info(name);
  const std::string* value = std::get_if<std::string>(&info);
  return value == nullptr ? "" : *value;
}

inline constexpr CapSet kTls{Cap::start_tls, Cap::create_connection};
inline constexpr std::string_view kTlsApi[] = {"create_connection", "Transport.write"};
inline constexpr std::string_view kTlsServerApi[] = {"connect_accepted_socket"};
inline constexpr std::string_view kStartTlsApi[] = {"start_tls"};

}  // namespace loopscope::scenarios
