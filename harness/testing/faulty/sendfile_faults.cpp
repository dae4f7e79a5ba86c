// Loops whose sendfile or sock_sendfile is wrong, in one way each.
#include <cerrno>

#include "harness/testing/own_turn.hpp"
#include "harness/testing/relay.hpp"
#include "harness/tools/file_tools.hpp"
#include "loops/common/file_transfer.hpp"
#include "loops/os/file.hpp"

namespace loopscope::testing::sendfile_faults {
namespace {

using Sent = Result<std::uint64_t>;
using SentLater = Future<std::uint64_t>;

/// Changes what is asked for, on sockets and transports alike.
class OtherRange : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  SentLater sock_sendfile(Socket& socket, FileRange range) override {
    return SelectorLoop::sock_sendfile(socket, changed(range));
  }
  SentLater sendfile(std::shared_ptr<Transport> transport, FileRange range) override {
    return SelectorLoop::sendfile(std::move(transport), changed(range));
  }

 protected:
  virtual FileRange changed(FileRange range) = 0;
};

class FromPosition final : public OtherRange {
 public:
  using OtherRange::OtherRange;
  static constexpr Names kCaughtBy[] = {"sendfile.whole_offset_count", "sendfile.transport.ranges",
                                        "sendfile.shared_file"};
  static constexpr Names kKeeps[] = {"sendfile.slow_peer", "sendfile.mixed_writes"};

 protected:
  FileRange changed(FileRange range) override {
    std::array<std::byte, 1> first;
    if (os::read_at(range.file, 0, first).ok()) range.offset = tools::position(range.file);
    return range;
  }
};

/// Whole blocks are read, and whatever was read is sent.
class WholeBlocks final : public OtherRange {
 public:
  using OtherRange::OtherRange;
  static constexpr Names kCaughtBy[] = {"sendfile.whole_offset_count", "sendfile.transport.ranges",
                                        "sendfile.fallback_ordering"};
  static constexpr Names kKeeps[] = {"sendfile.slow_peer", "sendfile.truncated"};

 protected:
  FileRange changed(FileRange range) override {
    constexpr std::uint64_t kBlock = 16'384;
    if (range.count && *range.count < os::kMaxFileOffset / 2) {
      range.count = (*range.count + kBlock - 1) / kBlock * kBlock;
    }
    return range;
  }
};

class AlwaysFallsBack final : public OtherRange {
 public:
  using OtherRange::OtherRange;
  static constexpr Names kCaughtBy[] = {"sendfile.without_fallback"};
  static constexpr Names kKeeps[] = {"sendfile.fallback_ordering", "sendfile.slow_peer"};

 protected:
  FileRange changed(FileRange range) override {
    range.fallback = true;
    return range;
  }
};

/// Changes what is reported, on sockets and transports alike.
class OtherOutcome : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  SentLater sock_sendfile(Socket& socket, FileRange range) override {
    return passed_on(SelectorLoop::sock_sendfile(socket, range), range);
  }
  SentLater sendfile(std::shared_ptr<Transport> transport, FileRange range) override {
    return passed_on(SelectorLoop::sendfile(std::move(transport), range), range);
  }

 protected:
  virtual Sent changed(Sent outcome, const FileRange& range) = 0;

 private:
  SentLater passed_on(SentLater inner, const FileRange& range) {
    return relay(*this, std::move(inner),
                 [this, range](Sent outcome) { return changed(std::move(outcome), range); });
  }
};

class ThirtyTwoBits final : public OtherOutcome {
 public:
  using OtherOutcome::OtherOutcome;
  static constexpr Names kCaughtBy[] = {"sendfile.over_2gib"};
  static constexpr Names kKeeps[] = {"sendfile.whole_offset_count", "sendfile.file_position"};

 protected:
  Sent changed(Sent outcome, const FileRange&) override {
    if (outcome.ok()) *outcome &= 0x7fff'ffff;
    return outcome;
  }
};

class PositionLeft final : public OtherOutcome {
 public:
  using OtherOutcome::OtherOutcome;
  static constexpr Names kCaughtBy[] = {"sendfile.file_position", "sendfile.transport.ranges"};
  static constexpr Names kKeeps[] = {"sendfile.whole_offset_count", "sendfile.slow_peer"};

 protected:
  Sent changed(Sent outcome, const FileRange& range) override {
    if (outcome.ok()) (void)os::set_position(range.file, range.offset);
    return outcome;
  }
};

class ErrorsAreEnds final : public OtherOutcome {
 public:
  using OtherOutcome::OtherOutcome;
  static constexpr Names kCaughtBy[] = {"sendfile.peer_closes", "sendfile.abort",
                                        "sendfile.bad_sources", "sendfile.bad_sockets",
                                        "sendfile.bad_transports"};
  static constexpr Names kKeeps[] = {"sendfile.whole_offset_count", "sendfile.mixed_writes"};

 protected:
  Sent changed(Sent outcome, const FileRange&) override {
    return outcome.ok() ? std::move(outcome) : Sent(std::uint64_t{0});
  }
};

class SecondIsIgnored final : public OtherOutcome {
 public:
  using OtherOutcome::OtherOutcome;
  static constexpr Names kCaughtBy[] = {"sendfile.one_at_a_time"};
  static constexpr Names kKeeps[] = {"sendfile.mixed_writes", "sendfile.peer_closes"};

 protected:
  Sent changed(Sent outcome, const FileRange&) override {
    const bool refused = !outcome.ok() && outcome.error().is(Errc::invalid_state);
    return refused ? Sent(std::uint64_t{0}) : std::move(outcome);
  }
};

/// Changes what becomes of a transfer that has to wait: of one on a socket ...
class OtherCourse : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  SentLater sock_sendfile(Socket& socket, FileRange range) override {
    SentLater inner = SelectorLoop::sock_sendfile(socket, range);
    return inner.done() ? inner : goes_on(std::move(inner), range);
  }

 protected:
  virtual SentLater goes_on(SentLater inner, FileRange range) = 0;
};
/// ... and of one on a transport.
class OtherTransportCourse : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  SentLater sendfile(std::shared_ptr<Transport> transport, FileRange range) override {
    SentLater inner = SelectorLoop::sendfile(transport, range);
    return inner.done() ? inner : goes_on(std::move(inner), std::move(transport));
  }

 protected:
  virtual SentLater goes_on(SentLater inner, std::shared_ptr<Transport> transport) = 0;
};

/// What the system takes at once is all: EAGAIN counts as the end of the file.
class FullIsTheEnd final : public OtherCourse {
 public:
  using OtherCourse::OtherCourse;
  static constexpr Names kCaughtBy[] = {"sendfile.slow_peer", "sendfile.file_position",
                                        "sendfile.shared_file"};
  static constexpr Names kKeeps[] = {"sendfile.bad_sources", "sendfile.mixed_writes"};

 protected:
  SentLater goes_on(SentLater inner, FileRange range) override {
    inner.cancel();
    return done_future<std::uint64_t>(tools::position(range.file) - range.offset);
  }
};

/// Waits for as many bytes as the file had at the beginning, also when they have gone.
class WaitsForTheRest final : public OtherCourse {
 public:
  using OtherCourse::OtherCourse;
  static constexpr Names kCaughtBy[] = {"sendfile.truncated"};
  static constexpr Names kKeeps[] = {"sendfile.whole_offset_count", "sendfile.slow_peer"};

 protected:
  SentLater goes_on(SentLater inner, FileRange range) override {
    if (range.count) return inner;
    SentLater outer = create_future<std::uint64_t>();
    inner.add_done_callback([this, inner, outer, range]() mutable {
      const Sent sent = inner.result();
      std::array<std::byte, 1> last;
      const std::uint64_t before = range.offset + sent.value() - 1;
      const Result<std::size_t> there = os::read_at(range.file, before, last);
      if (there.ok() && *there == 1) {
        outer.set_result(*sent);
      } else {
        // The file became shorter: its end lies before what was sent.
        look_again(*this, [] { return false; });
      }
    });
    outer.set_cancel_hook([inner]() mutable { inner.cancel(); });
    return outer;
  }
};

/// A full socket is tried again in every iteration.
class TriesAllTheTime final : public OtherCourse {
 public:
  using OtherCourse::OtherCourse;
  static constexpr Names kCaughtBy[] = {"sendfile.slow_peer"};
  static constexpr Names kKeeps[] = {"sendfile.whole_offset_count", "sendfile.truncated"};

 protected:
  SentLater goes_on(SentLater inner, FileRange) override {
    look_again(*this, [inner] { return inner.done(); });
    return inner;
  }
};

class SendsDatagrams final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"sendfile.bad_sockets"};
  static constexpr Names kKeeps[] = {"sendfile.bad_sources", "sendfile.whole_offset_count"};

  SentLater sock_sendfile(Socket& socket, FileRange range) override {
    const Result<SocketType> type = os::type_of(socket.native());
    if (!type.ok() || *type != SocketType::datagram) {
      return SelectorLoop::sock_sendfile(socket, range);
    }
    return done_future<std::uint64_t>(range.count.value_or(0));
  }
};

/// The transfer begins in the next iteration: what is written right after the call goes first.
class WritesOvertake final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"sendfile.mixed_writes"};
  static constexpr Names kKeeps[] = {"sendfile.transport.ranges", "sendfile.slow_peer"};

  SentLater sendfile(std::shared_ptr<Transport> transport, FileRange range) override {
    SentLater outer = create_future<std::uint64_t>();
    call_soon([this, transport, range, outer]() mutable {
      SentLater inner = SelectorLoop::sendfile(transport, range);
      inner.add_done_callback([inner, outer]() mutable { finish(outer, inner.result()); });
    });
    return outer;
  }
};

/// The file goes straight to the descriptor, past what the transport has buffered.
class OvertakesBuffer final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"sendfile.mixed_writes"};
  static constexpr Names kKeeps[] = {"sendfile.transport.ranges", "sendfile.slow_peer"};

  SentLater sendfile(std::shared_ptr<Transport> transport, FileRange range) override {
    const ExtraInfo info = transport->get_extra_info("socket");
    const os::NativeSocket* fd = std::get_if<os::NativeSocket>(&info);
    Result<FileTransfer> transfer = FileTransfer::make("sendfile", range);
    if (fd == nullptr || !transfer.ok()) return SelectorLoop::sendfile(transport, range);
    SentLater future = create_future<std::uint64_t>();
    go_on(*fd, std::move(transfer).value(), future);
    return future;
  }

 private:
  void go_on(os::NativeSocket fd, FileTransfer transfer, SentLater future) {
    const Result<bool> over = transfer.step(fd, os::send);
    if (over.ok() && !*over) {
      call_soon([this, fd, transfer, future] { go_on(fd, transfer, future); });
    } else {
      finish(future, over.ok() ? Sent(transfer.sent()) : Sent(over.error()));
    }
  }
};

class Bystander final : public Protocol {};

/// As long as a file is sent, another protocol stands in and reading pauses; a cancellation
/// forgets the one or the other.
template <bool forgets_protocol>
class CancelForgets final : public OtherTransportCourse {
 public:
  using OtherTransportCourse::OtherTransportCourse;
  static constexpr Names kCaughtBy[] = {"sendfile.cancel"};
  static constexpr Names kKeeps[] = {"sendfile.mixed_writes", "sendfile.reading"};

 protected:
  SentLater goes_on(SentLater inner, std::shared_ptr<Transport> transport) override {
    const std::shared_ptr<BaseProtocol> user = transport->get_protocol();
    transport->pause_reading();
    transport->set_protocol(std::make_shared<Bystander>());
    SentLater outer = relay(*this, inner, [transport, user](Sent outcome) {
      transport->set_protocol(user);
      transport->resume_reading();
      return outcome;
    });
    outer.set_cancel_hook([inner, transport, user]() mutable {
      inner.cancel();
      if (forgets_protocol) {
        transport->resume_reading();
      } else {
        transport->set_protocol(user);
      }
    });
    return outer;
  }
};

class StaysPaused final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"sendfile.reading", "sendfile.cancel"};
  static constexpr Names kKeeps[] = {"sendfile.mixed_writes", "sendfile.transport.ranges"};

  SentLater sendfile(std::shared_ptr<Transport> transport, FileRange range) override {
    if (transport != nullptr) transport->pause_reading();
    return SelectorLoop::sendfile(transport, range);
  }
};

class CloseCutsOff final : public OtherTransportCourse {
 public:
  using OtherTransportCourse::OtherTransportCourse;
  static constexpr Names kCaughtBy[] = {"sendfile.close_waits"};
  static constexpr Names kKeeps[] = {"sendfile.abort", "sendfile.mixed_writes"};

 protected:
  SentLater goes_on(SentLater inner, std::shared_ptr<Transport> transport) override {
    look_again(*this, [inner, transport]() mutable {
      if (!inner.done() && transport->is_closing()) inner.cancel();
      return inner.done();
    });
    return inner;
  }
};

class SocketsOnly final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"sendfile.pipe"};
  static constexpr Names kKeeps[] = {"sendfile.mixed_writes", "sendfile.cancel"};

  SentLater sendfile(std::shared_ptr<Transport> transport, FileRange range) override {
    const bool pipe = transport != nullptr &&
                      transport->get_extra_info("sockname").index() == 0;  // pipes have no name
    if (!pipe || transport->is_closing()) return SelectorLoop::sendfile(transport, range);
    return done_future<std::uint64_t>(make_error(Errc::not_supported, "sendfile"));
  }
};

constexpr FaultyLoop kLoops[] = {
    wrong<FromPosition>("faulty.sendfile_from_position",
                        "Files are sent from where they stand instead of from the offset."),
    wrong<WholeBlocks>("faulty.sendfile_beyond_count",
                       "Files are sent in whole blocks, the last one beyond the count."),
    wrong<AlwaysFallsBack>("faulty.sendfile_always_falls_back",
                           "fallback=false is ignored, and files are read and sent."),
    wrong<ThirtyTwoBits>("faulty.sendfile_counts_32_bits",
                         "The number of bytes sent is cut to 31 bits."),
    wrong<PositionLeft>("faulty.sendfile_position_left",
                        "After a transfer the file stands where it began."),
    wrong<ErrorsAreEnds>("faulty.sendfile_error_swallowed",
                         "An error of a transfer is taken for the end of the file."),
    wrong<SecondIsIgnored>("faulty.sendfile_second_ignored",
                           "A transfer beside another one succeeds and sends nothing."),
    wrong<FullIsTheEnd>("faulty.sendfile_full_is_the_end",
                        "A socket that takes no more is taken for the end of the file."),
    wrong<WaitsForTheRest>("faulty.sendfile_spins_when_truncated",
                           "A file that became shorter is tried again for ever."),
    wrong<TriesAllTheTime>("faulty.sendfile_spins_when_full",
                           "A socket that takes no more is tried again all the time."),
    wrong<SendsDatagrams>("faulty.sendfile_to_datagrams",
                          "Datagram sockets are accepted, and nothing is sent."),
    wrong<WritesOvertake>("faulty.sendfile_overtaken",
                          "What is written after the call overtakes the file."),
    wrong<OvertakesBuffer>("faulty.sendfile_overtakes",
                           "The file overtakes what the transport has buffered."),
    wrong<CancelForgets<true>>("faulty.sendfile_protocol_not_restored",
                               "After a cancelled transfer another protocol stays in place."),
    wrong<CancelForgets<false>>("faulty.sendfile_reading_not_resumed",
                                "After a cancelled transfer reading stays paused."),
    wrong<StaysPaused>("faulty.sendfile_pauses_reading", "A transfer pauses reading for good."),
    wrong<CloseCutsOff>("faulty.sendfile_cut_off_by_close",
                        "close() ends a transfer in the middle."),
    wrong<SocketsOnly>("faulty.sendfile_sockets_only", "Transports over pipes are refused."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::sendfile_faults
