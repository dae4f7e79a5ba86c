// Loops whose stream transports end or read wrongly, in one way each.
#include "harness/testing/between.hpp"
#include "harness/testing/own_turn.hpp"

namespace loopscope::testing::tcp_transport_faults {
namespace {

/// The permanent readiness of the end keeps the loop awake.
class EndSpins final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.half_close.eof_then_write"};
  static constexpr Names kKeeps[] = {"tcp.half_close.write_eof", "tcp.close.*", "tcp.reset.*"};
  bool eof_received() override {
    const bool open = StreamBetween::eof_received();
    if (open) spin();
    return open;
  }
  void connection_lost(const Error* why) override {
    lost_ = true;
    StreamBetween::connection_lost(why);
  }

 private:
  void spin() {
    loop_.call_soon([keep = shared_from_this(), this] {
      if (!lost_) spin();
    });
  }
  bool lost_ = false;
};

class EndClosesAnyway final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.half_close.eof_then_write"};
  static constexpr Names kKeeps[] = {"tcp.half_close.write_eof", "tcp.close.*", "tcp.abort"};
  bool eof_received() override {
    (void)StreamBetween::eof_received();
    return false;
  }
};

class EofBeforeFlush final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.half_close.write_eof"};
  static constexpr Names kKeeps[] = {"tcp.half_close.eof_then_write", "tcp.close.*",
                                     "tcp.write.order"};
  Result<void> write_eof() override { return os::shutdown_write(descriptor()); }
};

class EofEndsReading final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.half_close.write_eof"};
  static constexpr Names kKeeps[] = {"tcp.half_close.eof_then_write", "tcp.close.*", "tcp.abort"};
  Result<void> write_eof() override {
    below_->pause_reading();
    return below_->write_eof();
  }
};

/// close() is put off until the buffer is empty, and so are the refusals of later writes.
class WritesAfterClose final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.close.write_after"};
  static constexpr Names kKeeps[] = {"tcp.close.flushes", "tcp.half_close.*", "tcp.abort"};
  bool is_closing() const override { return wanted_ || below_->is_closing(); }
  void close() override {
    if (wanted_) return;
    wanted_ = true;
    below_->pause_reading();
    close_when_flushed();
  }

 private:
  void close_when_flushed() {
    if (below_->get_write_buffer_size() == 0) return below_->close();
    loop_.call_later(std::chrono::milliseconds(1),
                     [keep = shared_from_this(), this] { close_when_flushed(); });
  }
  bool wanted_ = false;
};

/// close() first delivers what has come, pause or not.
class CloseReadsOn final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.close.unread_inbound"};
  static constexpr Names kKeeps[] = {"tcp.close.flushes", "tcp.half_close.write_eof", "tcp.abort"};
  bool is_closing() const override { return wanted_ || below_->is_closing(); }
  void close() override {
    wanted_ = true;
    if (!below_->is_reading()) below_->resume_reading();
    loop_.call_later(std::chrono::milliseconds(1),
                     [keep = shared_from_this(), this] { below_->close(); });
  }

 private:
  bool wanted_ = false;
};

class AbortFlushes final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.abort"};
  static constexpr Names kKeeps[] = {"tcp.close.*", "tcp.half_close.*", "tcp.reset.*"};
  void abort() override { below_->close(); }
};

class LostAgainByAbort final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.lost_exactly_once"};
  static constexpr Names kKeeps[] = {"tcp.made_before_data", "tcp.close.*", "tcp.half_close.*"};
  void abort() override {
    if (below_->is_closing()) {
      loop_.call_soon([keep = shared_from_this(), this] { user_->connection_lost(nullptr); });
    }
    below_->abort();
  }
};

class LostAgainByResume final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.lost_once.resume_closes", "flow.resume_closes"};
  static constexpr Names kKeeps[] = {"tcp.made_before_data", "tcp.close.*", "tcp.half_close.*"};
  void resume_writing() override {
    const bool was_closing = below_->is_closing();
    user_->resume_writing();
    if (was_closing || !below_->is_closing()) return;
    loop_.call_soon([keep = shared_from_this(), this] { user_->connection_lost(nullptr); });
  }
};

class ResetIsEnd final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.reset.reading", "tcp.reset.while_paused",
                                        "tcp.reset.writing"};
  static constexpr Names kKeeps[] = {"tcp.made_before_data", "tcp.close.*", "tcp.half_close.*"};
  void connection_lost(const Error* why) override {
    if (why != nullptr) (void)StreamBetween::eof_received();
    user_->connection_lost(nullptr);
  }
};

/// The descriptor stays armed while reading is paused, and what is ready is left alone.
class PauseStaysArmed final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.eof.while_paused", "tcp.reset.while_paused"};
  static constexpr Names kKeeps[] = {"tcp.made_before_data", "tcp.reset.reading", "tcp.abort"};
  void pause_reading() override {
    below_->pause_reading();
    (void)loop_.watch(descriptor(), Direction::read, [] {});
  }
  void resume_reading() override {
    loop_.unwatch(descriptor(), Direction::read);
    below_->resume_reading();
  }
};

/// Bytes go to the protocol that the transport was born with.
class FirstProtocolReads final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.protocol_switch"};
  static constexpr Names kKeeps[] = {"tcp.buffered.*", "tcp.made_before_data", "tcp.close.*"};
  void connection_made(BaseTransport& transport) override {
    first_ = user_;
    StreamBetween::connection_made(transport);
  }
  void data_received(ByteView data) override {
    const std::shared_ptr<BaseProtocol> reading = first_;
    deliver(*reading, data);
  }

 private:
  std::shared_ptr<BaseProtocol> first_;
};

class EmptyBufferIgnored final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.buffered.empty_buffer"};
  static constexpr Names kKeeps[] = {"tcp.buffered.get_buffer", "tcp.made_before_data"};
  void data_received(ByteView data) override {
    auto* lending = dynamic_cast<BufferedProtocol*>(user_.get());
    if (lending == nullptr || !lending->get_buffer(-1).empty()) StreamBetween::data_received(data);
  }
};

class NamesForgotten final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.extra_info.after_close"};
  static constexpr Names kKeeps[] = {"tcp.close.*", "tcp.connect.multiple_addresses"};
  ExtraInfo get_extra_info(std::string_view name) const override {
    return below_->is_closing() ? ExtraInfo() : below_->get_extra_info(name);
  }
};

constexpr FaultyLoop kLoops[] = {
    wrong_stream<EndSpins>("faulty.half_open_spins",
                           "A connection whose peer has ended its half keeps the loop awake."),
    wrong_stream<EndClosesAnyway>(
        "faulty.eof_answer_ignored",
        "The peer's end closes the transport whatever eof_received says."),
    wrong_stream<EofBeforeFlush>("faulty.write_eof_overtakes",
                                 "write_eof ends our half before the buffer was sent."),
    wrong_stream<EofEndsReading>("faulty.write_eof_ends_reading",
                                 "write_eof stops reading as well."),
    wrong_stream<WritesAfterClose>("faulty.closing_takes_writes",
                                   "A closing transport sends what is written while it drains."),
    wrong_stream<CloseReadsOn>("faulty.close_reads_on",
                               "close() delivers unread data before it takes effect."),
    wrong_stream<AbortFlushes>("faulty.abort_flushes", "abort() waits for the buffer to be sent."),
    wrong_stream<LostAgainByAbort>("faulty.lost_again_by_abort",
                                   "abort() on a closing transport calls connection_lost again."),
    wrong_stream<LostAgainByResume>(
        "faulty.lost_again_by_resume",
        "Closing from resume_writing calls connection_lost once more than due."),
    wrong_stream<ResetIsEnd>("faulty.reset_is_end", "A reset is reported as a clean end."),
    wrong_stream<PauseStaysArmed>("faulty.paused_stays_armed",
                                  "A transport that is paused is still woken for what it ignores."),
    wrong_stream<FirstProtocolReads>("faulty.first_protocol_reads",
                                     "Received bytes go to the protocol from before set_protocol."),
    wrong_stream<EmptyBufferIgnored>("faulty.empty_buffer_ignored",
                                     "Data for an empty buffer of get_buffer is dropped."),
    wrong_stream<NamesForgotten>("faulty.names_forgotten",
                                 "sockname and peername are forgotten by close()."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::tcp_transport_faults
