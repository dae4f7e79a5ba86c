// Loops whose pipe transports read wrongly, in one way each.
#include <cerrno>

#include "harness/testing/between.hpp"
#include "harness/tools/descriptor_tools.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::testing::stream_reading_faults {
namespace {

class LostTwice final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void connection_lost(const Error* why) override {
    user_->connection_lost(why);
    user_->connection_lost(why);
  }
};

/// The end overtakes data that was read before it, and then the data is dropped.
class EndOvertakes final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void data_received(ByteView data) override {
    loop_.call_later(std::chrono::milliseconds(4),
                     [keep = shared_from_this(), this, copy = Bytes(data.begin(), data.end())] {
                       if (!ended_) StreamBetween::data_received(copy);
                     });
  }
  bool eof_received() override {
    ended_ = true;
    return StreamBetween::eof_received();
  }

 private:
  bool ended_ = false;
};

class EndNotTold final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  bool eof_received() override { return false; }
};

class ErrorHidden final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void connection_lost(const Error*) override { user_->connection_lost(nullptr); }
};

class PauseIgnored final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void pause_reading() override {}
  void resume_reading() override {}
};

/// Reads before the descriptor is ready, and takes nothing for the end.
class ReadsTooEarly final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void connection_made(BaseTransport& transport) override {
    StreamBetween::connection_made(transport);
    std::array<std::byte, 4'096> buffer;
    const Result<os::Transfer> got = os::read(descriptor(), buffer);
    if (!got.ok() || !*got) return;
    if (**got > 0) return data_received(ByteView(buffer).first(**got));
    (void)eof_received();
    below_->close();
  }
};

/// close() takes effect in the next iteration only.
class ClosesLate final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void close() override {
    loop_.call_later(std::chrono::milliseconds(1),
                     [keep = shared_from_this(), this] { below_->close(); });
  }
};

class LentMemoryOverrun final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void data_received(ByteView data) override {
    auto* lending = dynamic_cast<BufferedProtocol*>(user_.get());
    if (lending == nullptr) return StreamBetween::data_received(data);
    (void)fill(*lending, data);  // What did not fit is gone.
  }
};

/// The end of a terminal is passed on as the EIO that the system reports.
class TerminalEndIsError final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void connection_made(BaseTransport& transport) override {
    StreamBetween::connection_made(transport);
    const Result<os::FdKind> kind = os::kind_of(descriptor());
    terminal_ = kind.ok() && *kind == os::FdKind::terminal;
  }
  bool eof_received() override {
    at_end_ = terminal_;
    return terminal_ ? false : StreamBetween::eof_received();
  }
  void connection_lost(const Error* why) override {
    const Error error = errno_error_of(EIO, "read");
    user_->connection_lost(at_end_ ? &error : why);
  }

 private:
  bool terminal_ = false, at_end_ = false;
};

class TerminalsMadeRaw final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    const Result<os::FdKind> kind = os::kind_of(pipe.get());
    if (kind.ok() && *kind == os::FdKind::terminal) tools::make_terminal_raw(pipe.get());
    return SelectorLoop::connect_read_pipe(std::move(factory), std::move(pipe));
  }
};

/// Never sleeps once there is a pipe transport.
class NeverSleeps final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    busy_ = true;
    return SelectorLoop::connect_read_pipe(std::move(factory), std::move(pipe));
  }
  Future<Link> connect_write_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    busy_ = true;
    return SelectorLoop::connect_write_pipe(std::move(factory), std::move(pipe));
  }
  Future<DatagramLink> create_datagram_endpoint(DatagramFactory factory,
                                                DatagramOptions options) override {
    busy_ = true;
    return SelectorLoop::create_datagram_endpoint(std::move(factory), std::move(options));
  }

 protected:
  std::optional<Duration> wait_limit() override {
    return busy_ ? Duration::zero() : SelectorLoop::wait_limit();
  }

 private:
  bool busy_ = false;
};

class FlagNotRestored final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    (void)os::set_blocking(pipe.get(), false);  // From here on nobody knows how it was.
    return SelectorLoop::connect_read_pipe(std::move(factory), std::move(pipe));
  }
};

/// A regular file is taken, and stands for a pipe that never says anything.
class FilesAccepted final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    const Result<os::FdKind> kind = os::kind_of(pipe.get());
    if (kind.ok() && *kind == os::FdKind::regular) {
      os::Pipe silent = os::open_pipe().value();
      kept_ = std::move(silent.write);
      pipe = std::move(silent.read);
    }
    return SelectorLoop::connect_read_pipe(std::move(factory), std::move(pipe));
  }

 private:
  os::UniqueFd kept_;
};

using Names = std::string_view;
constexpr Names kTwice[] = {"pipe.read.basic_eof",     "pipe.read.error",
                            "pipe.pause_then_close",   "flow.resume_closes",
                            "tty.pty.data_before_eof", "tcp.lost_exactly_once",
                            "tcp.close.flushes"};
constexpr Names kOvertaken[] = {"pipe.read.data_with_hup", "pipe.read.basic_eof",
                                "tty.pty.data_before_eof", "tcp.made_before_data"};
constexpr Names kNotTold[] = {"pipe.read.basic_eof",      "pipe.read.data_with_hup",
                              "pipe.fifo.writer_returns", "pipe.stdin_is_file_or_null",
                              "tty.pty.eio_is_eof",       "tcp.made_before_data"};
constexpr Names kHidden[] = {"pipe.read.error", "tcp.reset.reading", "tcp.reset.writing"};
constexpr Names kPause[] = {"flow.pause_reading_stops", "flow.pause_in_connection_made",
                            "flow.pause_idempotent",    "flow.memory_bound",
                            "tty.pty.hup_mask_zero",    "tcp.eof.while_paused"};
constexpr Names kEarly[] = {"pipe.fifo.reader_before_writer"};
constexpr Names kCloses[] = {"pipe.pause_then_close", "pipe.write.abandon_on_close"};
constexpr Names kLent[] = {"tty.pty.partial_packets", "tcp.buffered.get_buffer"};
constexpr Names kTerminal[] = {"tty.pty.eio_is_eof"};
constexpr Names kRaw[] = {"tty.modes_restored"};
constexpr Names kSpin[] = {"flow.pause_reading_stops",
                           "pipe.write.inbound_not_close",
                           "pipe.write.partial_and_page",
                           "pipe.fifo.reader_before_writer",
                           "tty.pty.write",
                           "tty.pty.hup_mask_zero",
                           "udp.connected.errqueue_no_spin"};
constexpr Names kFlag[] = {"pipe.blocking_flag"};
constexpr Names kFiles[] = {"pipe.regular_file_refused", "leak.failed_handshake_or_adopt"};

constexpr Names kReadingPass[] = {"pipe.regular_file_refused", "pipe.write.*", "flow.high_zero"};
constexpr Names kEndingPass[] = {"flow.pause_reading_stops", "flow.pause_in_connection_made",
                                 "pipe.blocking_flag", "tty.modes_restored"};
constexpr Names kPlainPass[] = {"pipe.read.basic_eof", "pipe.read.data_with_hup", "flow.high_zero",
                                "udp.zero_length"};

constexpr FaultyLoop kLoops[] = {
    {.loop = poll_based<StreamsThrough<LostTwice>>("faulty.connection_lost_twice"),
     .defect = "connection_lost is called twice.",
     .must_fail = kTwice,
     .must_pass = kEndingPass},
    {.loop = poll_based<StreamsThrough<EndOvertakes>>("faulty.eof_before_data"),
     .defect = "A hang-up is acted on before the data that came with it.",
     .must_fail = kOvertaken,
     .must_pass = kReadingPass},
    {.loop = poll_based<StreamsThrough<EndNotTold>>("faulty.eof_not_told"),
     .defect = "The end of the data closes the transport without eof_received.",
     .must_fail = kNotTold,
     .must_pass = kEndingPass},
    {.loop = poll_based<StreamsThrough<ErrorHidden>>("faulty.read_error_hidden"),
     .defect = "connection_lost never says what went wrong.",
     .must_fail = kHidden,
     .must_pass = kPlainPass},
    {.loop = poll_based<StreamsThrough<PauseIgnored>>("faulty.pause_reading_ignored"),
     .defect = "pause_reading does nothing.",
     .must_fail = kPause,
     .must_pass = kPlainPass},
    {.loop = poll_based<StreamsThrough<ReadsTooEarly>>("faulty.fifo_read_before_ready"),
     .defect = "A reader reads before its descriptor is ready, and takes nothing for the end.",
     .must_fail = kEarly,
     .must_pass = kPlainPass},
    {.loop = poll_based<StreamsThrough<ClosesLate>>("faulty.close_too_late"),
     .defect = "close() takes effect later: until then data is still delivered and sent.",
     .must_fail = kCloses,
     .must_pass = kPlainPass},
    {.loop = poll_based<StreamsThrough<LentMemoryOverrun>>("faulty.lent_buffer_overrun"),
     .defect = "Data that does not fit into a buffered protocol's memory is dropped.",
     .must_fail = kLent,
     .must_pass = kPlainPass},
    {.loop = poll_based<StreamsThrough<TerminalEndIsError>>("faulty.pty_end_is_error"),
     .defect = "The end of a terminal is reported as the error EIO.",
     .must_fail = kTerminal,
     .must_pass = kPlainPass},
    {.loop = poll_based<TerminalsMadeRaw>("faulty.terminal_left_raw"),
     .defect = "Terminals are put into raw mode and left there.",
     .must_fail = kRaw,
     .must_pass = kPlainPass},
    {.loop = poll_based<NeverSleeps>("faulty.spins_with_transports"),
     .defect = "The loop never sleeps once there is a transport.",
     .must_fail = kSpin,
     .must_pass = kPlainPass},
    {.loop = poll_based<FlagNotRestored>("faulty.left_non_blocking"),
     .defect = "A descriptor that was blocking stays non-blocking for all who share it.",
     .must_fail = kFlag,
     .must_pass = kPlainPass},
    {.loop = poll_based<FilesAccepted>("faulty.regular_file_accepted"),
     .defect = "connect_read_pipe accepts a regular file.",
     .must_fail = kFiles,
     .must_pass = kPlainPass},
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::stream_reading_faults
