// TlsTransport: TLS over any stream transport of any loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "loops/common/flow_control.hpp"
#include "loops/common/tls_engine.hpp"
#include "loops/event_loop.hpp"

namespace loopscope {

/// The protocol of the transport below, and the transport of the user's protocol above.
///
/// The end  close() sends what is buffered and close_notify, then waits at most shutdown_timeout
///          for the peer's; data that still comes is discarded (RFC 8446, 6.1, demands no more).
///          When the time has passed the connection is aborted, and connection_lost says timed_out.
///          The peer's close_notify is eof_received, whose answer has no effect: a TLS connection
///          ends in both directions at once, as in asyncio. An end of the stream without
///          close_notify is no eof_received but an error "protocol" of connection_lost, because
///          the data may have been cut off.
/// Flow     The water marks count all that the system has not taken: plaintext before the
///          handshake is done, ciphertext after it.
/// Extra    "alpn", "cipher", "version", "peercert" (PEM), "server_hostname" (as a client was
///          told), "sni" (as a server was told); all else from the transport below.
class TlsTransport : public Transport,
                     public Protocol,
                     public std::enable_shared_from_this<TlsTransport> {
 public:
  TlsTransport(EventLoop& loop, std::unique_ptr<TlsEngine> engine,
               std::shared_ptr<BaseProtocol> user, const TlsOptions& options);

  /// Called once: when the handshake is done, or the connection is lost before.
  void set_ready(std::function<void(Result<void>)> ready) { ready_ = std::move(ready); }
  /// For a transport that is not open yet and has this object as its protocol: its
  /// connection_made begins the handshake. The user's connection_made comes after it.
  /// errors  not_supported for a transport that does not write; nothing has changed then.
  Result<void> attach(std::shared_ptr<Transport> below);
  /// For a transport that is open: takes the place of its protocol, whose connection_made was
  /// called long ago, and begins the handshake. received: what it has received of it already.
  Result<void> take_over(std::shared_ptr<Transport> below, ByteView received);

  // --- what the user calls
  void close() override;
  bool is_closing() const override { return closing_; }
  ExtraInfo get_extra_info(std::string_view name) const override;
  void set_protocol(std::shared_ptr<BaseProtocol> protocol) override;
  std::shared_ptr<BaseProtocol> get_protocol() const override { return user_; }
  bool is_reading() const override { return !paused_ && !closing_ && !peer_ended_; }
  void pause_reading() override;
  void resume_reading() override;
  void write(ByteView data) override;
  void writelines(std::span<const ByteView> chunks) override;
  void abort() override;
  std::size_t get_write_buffer_size() const override;
  WriteBufferLimits get_write_buffer_limits() const override { return flow_.limits(); }
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override;

  // --- what the transport below calls
  void connection_made(BaseTransport& transport) override;
  void connection_lost(const Error* why) override;
  void data_received(ByteView data) override;
  bool eof_received() override;
  void pause_writing() override { update_flow(); }
  void resume_writing() override { update_flow(); }

 protected:
  enum class State : std::uint8_t {
    handshake,
    open,
    shutdown,  // our close_notify is out, the peer's is awaited
    ending,    // the transport below is closing
    ended
  };

  virtual void begin(ByteView received);
  virtual void arm_handshake_timer();
  virtual void handshake_done();
  /// Those who waited for the connection had their turn: data may come.
  virtual void start();
  /// Sends close_notify and waits for the peer's.
  virtual void start_shutdown();
  /// A step of the connection failed: the peer gets the alert, the protocol the error.
  virtual void fail(const Error& error);
  /// The peer's bytes have ended.
  virtual void stream_ended();

  /// Does what the input allows.
  void advance();
  void flush();
  void tell_made();
  void tell_ready(Result<void> outcome);
  void close_below();
  void disarm();
  void arm(Duration timeout, std::string_view what);
  State state() const { return state_; }
  TlsEngine& engine() { return *engine_; }
  Transport& below() { return *below_; }
  EventLoop* loop() const { return link_->loop; }

 private:
  void continue_handshake();
  void deliver();
  bool deliver_some(std::span<std::byte> scratch);
  void discard();
  void peer_ended();
  void encrypt(ByteView data);
  void update_flow();
  void advance_soon();
  Result<void> take_limits();
  template <class F>
  bool call(F&& callback, std::string_view name);
  void protocol_failed(std::string_view callback);
  void guard(void (BaseProtocol::*callback)(), std::string_view message);

  std::shared_ptr<LoopLink> link_;
  std::unique_ptr<TlsEngine> engine_;
  std::shared_ptr<Transport> below_;
  std::shared_ptr<BaseProtocol> user_;
  Protocol* streaming_ = nullptr;  // user_ as one of its two kinds
  BufferedProtocol* lending_ = nullptr;
  std::function<void(Result<void>)> ready_;
  Duration handshake_timeout_, shutdown_timeout_;
  std::string server_hostname_;
  FlowControl flow_;
  Bytes pending_;  // plaintext from before the end of the handshake
  TimerHandle timer_;
  std::optional<Error> why_;
  State state_ = State::handshake;
  bool made_ = false;     // the user's connection_made was called
  bool started_ = false;  // data may be delivered
  bool closing_ = false;  // nothing more is taken from the user
  bool paused_ = false;
  bool peer_ended_ = false;  // the peer's close_notify has come
  bool said_all_ = false;    // only our close_notify may be on its way
};

/// The transport over which `user` will talk; see TlsEngine::make for the errors.
Result<std::shared_ptr<TlsTransport>> make_tls_transport(EventLoop& loop,
                                                         std::shared_ptr<BaseProtocol> user,
                                                         const TlsOptions& options,
                                                         bool server_side);

/// Whether TLS with these options can be opened; for refusing at once what cannot.
Result<void> check_tls(const std::optional<TlsOptions>& options, bool server_side);

/// `future` gets the link of `tls` when its handshake is done, or why there will be none;
/// cancelling it aborts the connection.
void complete_when_ready(const std::shared_ptr<TlsTransport>& tls, Future<Link> future);

}  // namespace loopscope
