// TLS over any transport: handshake, data, and an orderly end.
#include "loops/common/tls_transport.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace loopscope {
namespace {

/// Decrypted at once, on the stack: two records.
constexpr std::size_t kReadSize = 32 * 1024;
/// Encrypted at once: four records.
constexpr std::size_t kWriteSize = 64 * 1024;

/// Whatever happens in a callback, bytes that are borrowed for it are kept behind it.
class KeepInput {
 public:
  explicit KeepInput(TlsEngine& engine) : engine_(engine) {}
  ~KeepInput() { engine_.keep_input(); }
  KeepInput(const KeepInput&) = delete;
  KeepInput& operator=(const KeepInput&) = delete;

 private:
  TlsEngine& engine_;
};

}  // namespace

TlsTransport::TlsTransport(EventLoop& loop, std::unique_ptr<TlsEngine> engine,
                           std::shared_ptr<BaseProtocol> user, const TlsOptions& options)
    : link_(loop.link()),
      engine_(std::move(engine)),
      handshake_timeout_(options.handshake_timeout),
      shutdown_timeout_(options.shutdown_timeout),
      server_hostname_(options.server_hostname) {
  set_protocol(std::move(user));
}

void TlsTransport::set_protocol(std::shared_ptr<BaseProtocol> protocol) {
  user_ = std::move(protocol);
  streaming_ = dynamic_cast<Protocol*>(user_.get());
  lending_ = dynamic_cast<BufferedProtocol*>(user_.get());
}

// --- the beginning

Result<void> TlsTransport::attach(std::shared_ptr<Transport> below) {
  const WriteBufferLimits limits = below->get_write_buffer_limits();
  // Without limits for a moment: a pause that the old protocol was told of ends here, and what is
  // buffered is counted anew by take_limits.
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  if (Result<void> set = below->set_write_buffer_limits(kNone, kNone); !set.ok()) return set;
  below_ = std::move(below);
  return flow_.set_limits(limits.high, limits.low);
}

/// The transport below speaks up when it has come down to our low mark: above that, write() looks
/// at the sum itself.
Result<void> TlsTransport::take_limits() {
  const std::size_t low = flow_.limits().low;
  Result<void> set = below_->set_write_buffer_limits(low, low);
  if (set.ok()) update_flow();
  return set;
}

void TlsTransport::connection_made(BaseTransport&) {
  (void)take_limits();  // attach() has seen that it takes limits.
  begin({});
}

Result<void> TlsTransport::take_over(std::shared_ptr<Transport> below, ByteView received) {
  if (Result<void> attached = attach(std::move(below)); !attached.ok()) return attached;
  made_ = true;
  below_->set_protocol(shared_from_this());
  (void)take_limits();
  below_->resume_reading();  // Whoever paused it has kept the bytes for this moment.
  begin(received);
  return {};
}

void TlsTransport::begin(ByteView received) {
  arm_handshake_timer();
  engine_->feed(received);
  const KeepInput keep(*engine_);
  advance();
}

void TlsTransport::arm_handshake_timer() { arm(handshake_timeout_, "tls handshake"); }

void TlsTransport::continue_handshake() {
  const Result<TlsStep> step = engine_->handshake();
  flush();  // an alert too
  if (state_ != State::handshake) return;
  if (!step.ok()) {
    fail(step.error());
  } else if (*step == TlsStep::done) {
    handshake_done();
  }
}

void TlsTransport::handshake_done() {
  disarm();
  state_ = State::open;
  if (paused_) below_->pause_reading();
  encrypt(std::exchange(pending_, {}));
  tell_made();
  update_flow();
  tell_ready({});
  // Data that came along waits until those who waited for the connection had their turn.
  if (EventLoop* const here = loop()) {
    here->call_soon([self = shared_from_this()] { self->start(); });
  }
}

void TlsTransport::start() {
  started_ = true;
  advance();
}

void TlsTransport::tell_made() {
  if (std::exchange(made_, true) || user_ == nullptr) return;
  const std::shared_ptr<BaseProtocol> user = user_;
  call([&] { user->connection_made(*this); }, "connection_made");
}

void TlsTransport::tell_ready(Result<void> outcome) {
  if (const auto ready = std::exchange(ready_, nullptr)) ready(std::move(outcome));
}

// --- input

void TlsTransport::data_received(ByteView data) {
  engine_->feed(data);
  const KeepInput keep(*engine_);
  advance();
}

bool TlsTransport::eof_received() {
  const std::shared_ptr<TlsTransport> keep = shared_from_this();
  engine_->feed_end();
  stream_ended();
  return true;  // This object closes the transport below itself, after an alert if need be.
}

void TlsTransport::stream_ended() { advance(); }

void TlsTransport::advance() {
  const std::shared_ptr<TlsTransport> keep = shared_from_this();
  if (state_ == State::handshake) continue_handshake();
  if (state_ == State::open && started_) deliver();
  if (state_ == State::shutdown) discard();
}

void TlsTransport::advance_soon() {
  if (EventLoop* const here = loop()) {
    here->call_soon([self = shared_from_this()] { self->advance(); });
  }
}

void TlsTransport::deliver() {
  std::array<std::byte, kReadSize> scratch;  // NOLINT: filled by read
  while (state_ == State::open && !paused_ && deliver_some(scratch)) {
  }
}

/// One call of the protocol. false: there is nothing more for now.
bool TlsTransport::deliver_some(std::span<std::byte> scratch) {
  const std::shared_ptr<BaseProtocol> user = user_;
  BufferedProtocol* const lender = lending_;
  std::span<std::byte> target = scratch;
  if (lender != nullptr) {
    if (!call([&] { target = lender->get_buffer(-1); }, "get_buffer")) return false;
    if (state_ != State::open || paused_) return false;  // The protocol ended or paused it.
    if (target.empty()) {
      fail(make_error(Errc::protocol, "get_buffer", "returned an empty buffer"));
      return false;
    }
  }
  const Result<TlsRead> got = engine_->read(target);
  flush();  // Reading may answer: TLS 1.3 asks for new keys at any time.
  if (state_ != State::open) return false;
  if (!got.ok()) {
    fail(got.error());
    return false;
  }
  if (const std::size_t count = got->count; count > 0) {
    const bool told = lender != nullptr
                          ? call([&] { lender->buffer_updated(count); }, "buffer_updated")
                          : call(
                                [&] {
                                  if (streaming_ != nullptr) {
                                    streaming_->data_received(target.first(count));
                                  }
                                },
                                "data_received");
    if (!told) return false;
  }
  // While it is paused the end waits like data: it is found again by the next read.
  if (got->step == TlsStep::ended && state_ == State::open && !paused_) peer_ended();
  return got->step == TlsStep::done;
}

void TlsTransport::peer_ended() {
  peer_ended_ = true;
  const std::shared_ptr<BaseProtocol> user = user_;
  call(
      [&] {
        if (streaming_ != nullptr) (void)streaming_->eof_received();
        if (lending_ != nullptr) (void)lending_->eof_received();
      },
      "eof_received");
  close();
}

void TlsTransport::discard() {
  std::array<std::byte, kReadSize> scratch;  // NOLINT: filled by read
  while (state_ == State::shutdown) {
    const Result<TlsRead> got = engine_->read(scratch);
    if (got.ok() && got->step == TlsStep::wants_input) return;
    // The peer's close_notify, or an end without it: we have said that we listen no more.
    if (!got.ok() || got->step == TlsStep::ended) close_below();
  }
}

void TlsTransport::pause_reading() {
  if (!is_reading()) return;
  paused_ = true;
  if (state_ != State::handshake) below_->pause_reading();
}

void TlsTransport::resume_reading() {
  if (!paused_ || closing_) return;
  paused_ = false;
  below_->resume_reading();
  advance_soon();
}

// --- output

void TlsTransport::flush() {
  const Bytes out = engine_->take_output();
  if (!out.empty() && below_ != nullptr) below_->write(out);
}

void TlsTransport::encrypt(ByteView data) {
  while (!data.empty() && state_ == State::open) {
    const ByteView part = data.first(std::min(data.size(), kWriteSize));
    const Result<void> written = engine_->write(part);
    flush();
    if (!written.ok() && state_ == State::open) fail(written.error());
    data = data.subspan(part.size());
  }
}

void TlsTransport::write(ByteView data) {
  if (data.empty() || closing_) return;
  const std::shared_ptr<TlsTransport> keep = shared_from_this();
  if (state_ == State::handshake) {
    pending_.insert(pending_.end(), data.begin(), data.end());
  } else {
    encrypt(data);
  }
  update_flow();
}

void TlsTransport::writelines(std::span<const ByteView> chunks) {
  Bytes joined;  // into as few records as possible
  for (const ByteView chunk : chunks) joined.insert(joined.end(), chunk.begin(), chunk.end());
  write(joined);
}

std::size_t TlsTransport::get_write_buffer_size() const {
  return pending_.size() + (below_ == nullptr ? 0 : below_->get_write_buffer_size());
}

Result<void> TlsTransport::set_write_buffer_limits(std::optional<std::size_t> high,
                                                   std::optional<std::size_t> low) {
  const Result<void> set = flow_.set_limits(high, low);
  return set.ok() && below_ != nullptr ? take_limits() : set;
}

void TlsTransport::update_flow() {
  const FlowControl::Change change = flow_.update(get_write_buffer_size());
  if (change == FlowControl::Change::pause) {
    guard(&BaseProtocol::pause_writing, "protocol.pause_writing() failed");
  } else if (change == FlowControl::Change::resume) {
    guard(&BaseProtocol::resume_writing, "protocol.resume_writing() failed");
  }
}

// --- the end

void TlsTransport::close() {
  if (closing_) return;
  const std::shared_ptr<TlsTransport> keep = shared_from_this();
  closing_ = true;
  if (state_ == State::open) {
    start_shutdown();
  } else if (state_ == State::handshake) {
    abort();
  }
}

void TlsTransport::start_shutdown() {
  state_ = State::shutdown;
  said_all_ = below_->get_write_buffer_size() == 0;
  arm(shutdown_timeout_, "tls shutdown");
  (void)engine_->shutdown();  // After a failure there is no close_notify to send.
  flush();
  if (peer_ended_) {
    close_below();
    return;
  }
  paused_ = false;
  below_->resume_reading();  // The peer's close_notify stands behind what nobody will read.
  discard();
}

/// The transport below flushes and ends; the timer that runs aborts it if it takes too long.
void TlsTransport::close_below() {
  state_ = State::ending;
  below_->close();
  if (below_->get_write_buffer_size() == 0) disarm();
}

void TlsTransport::abort() {
  if (state_ == State::ended || below_ == nullptr) return;
  closing_ = true;
  state_ = State::ending;
  pending_.clear();
  disarm();
  below_->abort();
}

void TlsTransport::fail(const Error& error) {
  if (state_ == State::ending || state_ == State::ended) return;
  why_ = error;
  closing_ = true;
  pending_.clear();
  arm(shutdown_timeout_, "tls shutdown");
  close_below();
}

void TlsTransport::arm(Duration timeout, std::string_view what) {
  disarm();
  EventLoop* const here = loop();
  if (here == nullptr) return;
  timer_ = here->call_later(timeout, [weak = weak_from_this(), what] {
    const std::shared_ptr<TlsTransport> self = weak.lock();
    if (self == nullptr) return;
    if (!self->why_) self->why_ = make_error(Errc::timed_out, what);
    self->abort();
  });
}

void TlsTransport::disarm() {
  TimerHandle timer = std::exchange(timer_, {});
  if (timer && loop() != nullptr) (void)timer.cancel();  // false: it runs now
}

void TlsTransport::connection_lost(const Error* why) {
  const std::shared_ptr<TlsTransport> keep = shared_from_this();
  const bool early = ready_ != nullptr;
  disarm();
  state_ = State::ended;
  closing_ = true;
  pending_.clear();
  std::optional<Error> reason = why_;
  // A peer that is gone before it has read our close_notify has missed nothing of ours.
  if (!reason && why != nullptr && !said_all_) reason = *why;
  const std::shared_ptr<BaseProtocol> user = std::exchange(user_, nullptr);
  set_protocol(nullptr);
  if (early) {
    tell_ready(reason ? *reason
                      : make_error(Errc::closed, "tls handshake", "the connection was closed"));
  }
  if (made_ && user != nullptr) user->connection_lost(reason ? &*reason : nullptr);
}

// --- the user's protocol

template <class F>
bool TlsTransport::call(F&& callback, std::string_view name) {
  try {
    const auto activity = protocol_call(user_.get(), name);
    callback();
    return true;
  } catch (const ExitException&) {
    throw;
  } catch (...) {
    protocol_failed(name);
    return false;
  }
}

void TlsTransport::protocol_failed(std::string_view callback) {
  std::string text = "an exception that is not a std::exception";
  try {
    throw;
  } catch (const std::exception& known) {
    text = known.what();
  } catch (...) {
  }
  if (!why_) why_ = make_error(Errc::protocol, "protocol", std::string(callback) + ": " + text);
  if (EventLoop* const here = loop()) {
    ExceptionContext context;
    context.message = "Fatal error: protocol." + std::string(callback) + "() call failed.";
    context.exception = std::current_exception();
    context.source = "transport";
    here->call_exception_handler(context);
  }
  abort();
}

void TlsTransport::guard(void (BaseProtocol::*callback)(), std::string_view message) {
  const std::shared_ptr<BaseProtocol> user = user_;
  if (user == nullptr || !made_) return;
  try {
    (user.get()->*callback)();
  } catch (const ExitException&) {
    throw;
  } catch (...) {
    EventLoop* const here = loop();
    if (here == nullptr) return;
    ExceptionContext context;
    context.message = std::string(message);
    context.exception = std::current_exception();
    context.source = "transport";
    here->call_exception_handler(context);
  }
}

ExtraInfo TlsTransport::get_extra_info(std::string_view name) const {
  if (name == "server_hostname") return server_hostname_;
  if (name == "alpn" || name == "cipher" || name == "version" || name == "sni" ||
      name == "peercert") {
    return engine_->describe(name);
  }
  return below_ == nullptr ? ExtraInfo() : below_->get_extra_info(name);
}

// --- making one

Result<std::shared_ptr<TlsTransport>> make_tls_transport(EventLoop& loop,
                                                         std::shared_ptr<BaseProtocol> user,
                                                         const TlsOptions& options,
                                                         bool server_side) {
  Result<std::unique_ptr<TlsEngine>> engine = TlsEngine::make(options, server_side);
  if (!engine.ok()) return engine.error();
  return std::make_shared<TlsTransport>(loop, std::move(engine).value(), std::move(user), options);
}

Result<void> check_tls(const std::optional<TlsOptions>& options, bool server_side) {
  if (!options) return {};
  const auto engine = TlsEngine::make(*options, server_side);
  return engine.ok() ? Result<void>() : engine.error();
}

void complete_when_ready(const std::shared_ptr<TlsTransport>& tls, Future<Link> future) {
  const std::weak_ptr<TlsTransport> weak = tls;
  future.set_cancel_hook([weak] {
    if (const std::shared_ptr<TlsTransport> made = weak.lock()) made->abort();
  });
  tls->set_ready([future, weak](Result<void> outcome) mutable {
    const std::shared_ptr<TlsTransport> made = weak.lock();
    if (!outcome.ok()) {
      future.set_error(outcome.error());
    } else if (made != nullptr) {
      future.set_result(Link{made, made->get_protocol()});
    }
  });
}

}  // namespace loopscope
