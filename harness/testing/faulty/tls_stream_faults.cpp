// Loops whose TLS connections carry and end wrongly: cut off, without close_notify, for ever.
#include <algorithm>

#include "harness/testing/tls_based.hpp"

namespace loopscope::testing::tls_stream_faults {
namespace {

class NothingBuffered final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;
  std::size_t get_write_buffer_size() const override { return 0; }
};

/// Of what was decrypted only as much is handed on as the protocol lends memory for.
class FirstBufferOnly final : public Protocol {
 public:
  explicit FirstBufferOnly(std::shared_ptr<BufferedProtocol> user) : user_(std::move(user)) {}
  void connection_made(BaseTransport& transport) override { user_->connection_made(transport); }
  void connection_lost(const Error* why) override { user_->connection_lost(why); }
  void pause_writing() override { user_->pause_writing(); }
  void resume_writing() override { user_->resume_writing(); }
  void data_received(ByteView data) override {
    const std::span<std::byte> lent = user_->get_buffer(-1);
    const std::size_t count = std::min(lent.size(), data.size());
    std::copy_n(data.begin(), count, lent.begin());
    user_->buffer_updated(count);
  }
  bool eof_received() override { return user_->eof_received(); }

 private:
  std::shared_ptr<BufferedProtocol> user_;
};
class RestDropped final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<std::shared_ptr<TlsTransport>> make_tls(std::shared_ptr<BaseProtocol> user,
                                                 const TlsOptions& options,
                                                 bool server_side) override {
    if (auto lending = std::dynamic_pointer_cast<BufferedProtocol>(user)) {
      user = std::make_shared<FirstBufferOnly>(std::move(lending));
    }
    return SelectorLoop::make_tls(std::move(user), options, server_side);
  }
};

class NoCloseNotify final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;

 protected:
  void start_shutdown() override { close_below(); }
};

class DoesNotWait final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;

 protected:
  void start_shutdown() override {
    TlsTransport::start_shutdown();
    if (state() == State::shutdown) close_below();
  }
};

class WaitsForEver final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;

 protected:
  void start_shutdown() override {
    TlsTransport::start_shutdown();
    if (state() == State::shutdown) disarm();
  }
};

class TrailingDataFails final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;
  void data_received(ByteView data) override {
    constexpr std::size_t kLongerThanTickets = 2000;
    if (state() == State::shutdown && data.size() > kLongerThanTickets) {
      fail(make_error(Errc::protocol, "tls read", "application data after close notify"));
    } else {
      TlsTransport::data_received(data);
    }
  }
};

class EndIsEnd final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;

 protected:
  void stream_ended() override {
    if (state() == State::handshake) return TlsTransport::stream_ended();
    abort();
  }
};

class HalfClosePromised final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;
  bool can_write_eof() const override { return true; }
  Result<void> write_eof() override {
    close();
    return {};
  }
};

class AnswersLost final : public WrappedEngine {
 public:
  using WrappedEngine::WrappedEngine;
  Result<TlsRead> read(std::span<std::byte> into) override {
    const Result<TlsRead> got = WrappedEngine::read(into);
    (void)take_output();
    return got;
  }
};
class ReadingNeverWrites final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<std::shared_ptr<TlsTransport>> make_tls(std::shared_ptr<BaseProtocol> user,
                                                 const TlsOptions& options,
                                                 bool server_side) override {
    auto engine = TlsEngine::make(options, server_side);
    if (!engine.ok()) return engine.error();
    return std::make_shared<TlsTransport>(
        *this, std::make_unique<AnswersLost>(std::move(engine).value()), std::move(user), options);
  }
};

class StaysPaused final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;
  void pause_reading() override {
    TlsTransport::pause_reading();
    paused_ = true;
  }
  void resume_reading() override {
    paused_ = false;
    TlsTransport::resume_reading();
  }

 protected:
  void start_shutdown() override {
    const bool was_paused = paused_;
    TlsTransport::start_shutdown();
    if (was_paused && state() == State::shutdown) below().pause_reading();
  }

 private:
  bool paused_ = false;
};

class PauseIgnored final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;
  void pause_reading() override {}
};

using Names = std::string_view;
constexpr Names kLarge[] = {"tls.echo_large"};
constexpr Names kLent[] = {"tls.buffered_protocol"};
constexpr Names kClean[] = {"tls.shutdown.clean"};
constexpr Names kForEver[] = {"tls.shutdown.timeout"};
constexpr Names kTrailing[] = {"tls.shutdown.trailing_data"};
constexpr Names kTruncated[] = {"tls.truncation"};
constexpr Names kHalf[] = {"tls.half_close"};
constexpr Names kKeys[] = {"tls.renegotiation_and_1_3_keyupdate"};
constexpr Names kPaused[] = {"tls.pause_reading_shutdown"};
constexpr Names kIgnored[] = {"tls.pause_reading", "tls.pause_reading_shutdown"};

constexpr Names kBegin[] = {"tls.certificate.expired", "tls.sni", "tls.start_tls.client"};
constexpr Names kCloses[] = {"tls.shutdown.clean", "tls.truncation", "tls.start_tls.client"};
constexpr Names kEcho[] = {"tls.buffered_protocol", "tls.truncation", "tls.half_close"};

const FaultyLoop kLoops[] = {
    faulty_tls<TlsThrough<NothingBuffered>>("faulty.tls_nothing_buffered",
                                            "TLS transports count nothing of what they buffer.",
                                            kLarge, kBegin),
    faulty_tls<RestDropped>("faulty.tls_rest_dropped",
                            "Data beyond the memory that a protocol lends is dropped.", kLent,
                            kBegin),
    faulty_tls<TlsThrough<NoCloseNotify>>("faulty.tls_no_close_notify",
                                          "close() ends TCP without close_notify.", kClean, kBegin),
    faulty_tls<TlsThrough<DoesNotWait>>("faulty.tls_does_not_wait",
                                        "close() does not wait for the peer's close_notify.",
                                        kClean, kBegin),
    faulty_tls<TlsThrough<WaitsForEver>>("faulty.tls_waits_for_ever",
                                         "close() waits for the peer's close_notify for ever.",
                                         kForEver, kCloses),
    faulty_tls<TlsThrough<TrailingDataFails>>("faulty.tls_trailing_data_fails",
                                              "Data that comes after close() is an error.",
                                              kTrailing, kCloses),
    faulty_tls<TlsThrough<EndIsEnd>>("faulty.tls_truncation_is_clean",
                                     "An end without close_notify counts as clean.", kTruncated,
                                     kBegin),
    faulty_tls<TlsThrough<HalfClosePromised>>("faulty.tls_half_close_promised",
                                              "can_write_eof is true, and write_eof closes.", kHalf,
                                              kCloses),
    faulty_tls<ReadingNeverWrites>("faulty.tls_answers_lost",
                                   "What reading has to send is never sent.", kKeys, kEcho),
    faulty_tls<TlsThrough<StaysPaused>>("faulty.tls_close_while_paused",
                                        "close() waits behind data that nobody reads any more.",
                                        kPaused, kCloses),
    faulty_tls<TlsThrough<PauseIgnored>>("faulty.tls_pause_ignored",
                                         "pause_reading of a TLS transport does nothing.", kIgnored,
                                         kCloses),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::tls_stream_faults
