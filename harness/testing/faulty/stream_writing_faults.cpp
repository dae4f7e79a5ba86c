// Loops whose pipe transports write wrongly, in one way each.
#include <csignal>

#include "harness/testing/between.hpp"
#include "harness/tools/signal_tools.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::testing::stream_writing_faults {
namespace {

/// A writer that the user did not close never ends.
class PeerNotMissed final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void close() override { below_->close(), wanted_ = true; }
  void abort() override { below_->abort(), wanted_ = true; }
  void connection_lost(const Error* why) override {
    if (wanted_ || why != nullptr) user_->connection_lost(why);
  }

 private:
  bool wanted_ = false;
};

/// Readiness for reading is taken for the reader's leaving, on sockets and terminals as well.
class InboundIsTheEnd final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> connect_write_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    const os::NativeSocket fd = pipe.get();
    const Result<os::FdKind> kind = os::kind_of(fd);
    const bool duplex = kind.ok() && (*kind == os::FdKind::socket || *kind == os::FdKind::terminal);
    Future<Link> made = SelectorLoop::connect_write_pipe(std::move(factory), std::move(pipe));
    if (!duplex) return made;
    made.add_done_callback([this, made, fd] {
      const std::shared_ptr<Transport> transport = made.result().value().transport;
      (void)watch(fd, Direction::read, [transport] { transport->abort(); });
    });
    return made;
  }
};

/// What is written in one iteration is sent newest first.
class NewestFirst final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void write(ByteView data) override {
    if (pending_.empty()) {
      loop_.call_soon([keep = shared_from_this(), this] {
        while (!pending_.empty()) {
          const Bytes newest = std::move(pending_.back());
          pending_.pop_back();
          below_->write(newest);
        }
      });
    }
    pending_.emplace_back(data.begin(), data.end());
  }
  void writelines(std::span<const ByteView> chunks) override {
    for (const ByteView chunk : chunks) write(chunk);
  }

 private:
  std::vector<Bytes> pending_;
};

/// writelines keeps a reference to the caller's memory until the next iteration.
class CallersMemory final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void writelines(std::span<const ByteView> chunks) override {
    loop_.call_soon([keep = shared_from_this(), this,
                     kept = std::vector<ByteView>(chunks.begin(), chunks.end())] {
      for (const ByteView chunk : kept) below_->write(chunk);
    });
  }
};

class CloseDropsBuffer final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void close() override { below_->abort(); }
};

class NeverPauses final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void pause_writing() override {}
  void resume_writing() override {}
};

class PausesEachTime final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void pause_writing() override {
    user_->pause_writing();
    paused_ = true;
  }
  void resume_writing() override {
    paused_ = false;
    user_->resume_writing();
  }
  void write(ByteView data) override {
    const bool was_paused = paused_;
    below_->write(data);
    if (was_paused) user_->pause_writing();
  }

 private:
  bool paused_ = false;
};

class PausesAtTheMark final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override {
    if (high && *high > 0) high = *high - 1;
    if (high && low && *low > *high) low = high;
    return below_->set_write_buffer_limits(high, low);
  }
};

class MarksNotChecked final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override {
    if (high && low && *low > *high) std::swap(high, low);
    return below_->set_write_buffer_limits(high, low);
  }
};

class ZeroMeansDefault final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override {
    if (high == 0u) high.reset();
    return below_->set_write_buffer_limits(high, low);
  }
};

class SizeKeptAfterAbort final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void abort() override {
    left_ = below_->get_write_buffer_size();
    below_->abort();
  }
  std::size_t get_write_buffer_size() const override {
    return left_ + below_->get_write_buffer_size();
  }

 private:
  std::size_t left_ = 0;
};

/// Flow control goes to the protocol that the transport was born with.
class FirstProtocolOnly final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void connection_made(BaseTransport& transport) override {
    first_ = user_;
    StreamBetween::connection_made(transport);
  }
  void resume_writing() override { first_->resume_writing(); }

 private:
  std::shared_ptr<BaseProtocol> first_;
};

class BrokenPipeKills final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void connection_lost(const Error* why) override {
    if (why != nullptr && why->code == std::errc::broken_pipe) tools::raise_here(SIGPIPE);
    user_->connection_lost(why);
  }
};

using Names = std::string_view;
constexpr Names kMissed[] = {"pipe.write.peer_closed_detected"};
constexpr Names kInbound[] = {"pipe.write.inbound_not_close", "pipe.duplex_same_fd",
                              "tty.pty.bidirectional"};
constexpr Names kOrder[] = {"flow.write_in_pause_writing", "pipe.write.partial_and_page",
                            "tcp.write.order"};
constexpr Names kAlias[] = {"pipe.write.partial_and_page", "tcp.write.buffer_snapshot"};
constexpr Names kDrops[] = {"pipe.write.abandon_on_close", "pipe.capacity_user_limit",
                            "tcp.close.flushes", "tcp.partial_writes"};
constexpr Names kNever[] = {"flow.pause_on_high", "flow.high_zero", "tty.pty.write"};
constexpr Names kEachTime[] = {"flow.pause_on_high"};
constexpr Names kMarks[] = {"flow.limits_validated"};
constexpr Names kZero[] = {"flow.high_zero"};
constexpr Names kSize[] = {"flow.buffer_size_query"};
constexpr Names kSwitch[] = {"flow.switch_protocol_while_paused"};
constexpr Names kBroken[] = {"pipe.sigpipe"};

constexpr Names kPass[] = {"pipe.read.*", "flow.pause_reading_stops", "pipe.blocking_flag"};
constexpr Names kMissedPass[] = {"flow.pause_reading_stops", "flow.buffer_size_query",
                                 "pipe.sigpipe", "pipe.blocking_flag"};
constexpr Names kOrderPass[] = {"pipe.read.*", "pipe.write.peer_closed_detected"};
constexpr Names kFlowPass[] = {"pipe.read.*", "pipe.write.*", "flow.buffer_size_query"};
constexpr Names kSizePass[] = {"pipe.write.*", "flow.pause_on_high", "flow.high_zero"};

constexpr FaultyLoop kLoops[] = {
    {.loop = poll_based<StreamsThrough<PeerNotMissed>>("faulty.writer_misses_peer"),
     .defect = "A writer does not notice that its reader has gone.",
     .must_fail = kMissed,
     .must_pass = kMissedPass},
    {.loop = poll_based<InboundIsTheEnd>("faulty.inbound_ends_writer"),
     .defect = "Data that arrives at a writer is taken for the reader's leaving.",
     .must_fail = kInbound,
     .must_pass = kPass},
    {.loop = poll_based<StreamsThrough<NewestFirst>>("faulty.writes_reordered"),
     .defect = "Writes of one iteration are sent newest first.",
     .must_fail = kOrder,
     .must_pass = kOrderPass},
    {.loop = poll_based<StreamsThrough<CallersMemory>>("faulty.write_aliases_caller"),
     .defect = "writelines sends the caller's memory as it is later.",
     .must_fail = kAlias,
     .must_pass = kPass},
    {.loop = poll_based<StreamsThrough<CloseDropsBuffer>>("faulty.buffer_dropped_on_close"),
     .defect = "close() drops what is buffered.",
     .must_fail = kDrops,
     .must_pass = kPass},
    {.loop = poll_based<StreamsThrough<NeverPauses>>("faulty.never_pauses_writing"),
     .defect = "pause_writing and resume_writing are never called.",
     .must_fail = kNever,
     .must_pass = kFlowPass},
    {.loop = poll_based<StreamsThrough<PausesEachTime>>("faulty.pauses_at_each_write"),
     .defect = "pause_writing is called for each write above the mark.",
     .must_fail = kEachTime,
     .must_pass = kFlowPass},
    {.loop = poll_based<StreamsThrough<PausesAtTheMark>>("faulty.pauses_at_the_mark"),
     .defect = "pause_writing is called when the high water mark is reached, not passed.",
     .must_fail = kEachTime,
     .must_pass = kFlowPass},
    {.loop = poll_based<StreamsThrough<MarksNotChecked>>("faulty.marks_not_checked"),
     .defect = "Water marks in the wrong order are swapped instead of refused.",
     .must_fail = kMarks,
     .must_pass = kSizePass},
    {.loop = poll_based<StreamsThrough<ZeroMeansDefault>>("faulty.zero_mark_is_default"),
     .defect = "A high water mark of zero is taken for the default.",
     .must_fail = kZero,
     .must_pass = kFlowPass},
    {.loop = poll_based<StreamsThrough<SizeKeptAfterAbort>>("faulty.size_after_abort"),
     .defect = "The size of the buffer is not forgotten by abort().",
     .must_fail = kSize,
     .must_pass = kPass},
    {.loop = poll_based<StreamsThrough<FirstProtocolOnly>>("faulty.flow_to_first_protocol"),
     .defect = "resume_writing goes to the protocol from before set_protocol.",
     .must_fail = kSwitch,
     .must_pass = kSizePass},
    {.loop = poll_based<StreamsThrough<BrokenPipeKills>>("faulty.broken_pipe_raises"),
     .defect = "Writing to a broken pipe raises SIGPIPE.",
     .must_fail = kBroken,
     .must_pass = kPass},
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::stream_writing_faults
