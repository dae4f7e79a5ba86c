// Loops whose sendfile over TLS is wrong, in one way each.
#include "harness/testing/relay.hpp"
#include "harness/testing/tls_based.hpp"
#include "harness/tools/file_tools.hpp"
#include "loops/common/file_transfer.hpp"
#include "loops/os/file.hpp"

namespace loopscope::testing::sendfile_tls_faults {
namespace {

using Sent = Result<std::uint64_t>;
using SentLater = Future<std::uint64_t>;

/// `send` does what is wrong, where a TLS transport is to send.
template <class Fault>
class SendsOverTls final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  SentLater sendfile(std::shared_ptr<Transport> transport, FileRange range) override {
    const bool over_tls = std::dynamic_pointer_cast<TlsTransport>(transport) != nullptr;
    if (!over_tls || transport->is_closing()) return rightly(std::move(transport), range);
    return Fault::send(*this, std::move(transport), range);
  }
  SentLater rightly(std::shared_ptr<Transport> transport, FileRange range) {
    return SelectorLoop::sendfile(std::move(transport), range);
  }
};

/// As if the socket had been given the keys: the system sends the file past the encryption.
struct InPlain {
  template <class L>
  static SentLater send(L& loop, std::shared_ptr<Transport> transport, FileRange range) {
    const ExtraInfo info = transport->get_extra_info("socket");
    Socket borrowed(os::duplicate(std::get<os::NativeSocket>(info)).value());
    SentLater inner = loop.sock_sendfile(borrowed, range);
    return relay(loop, inner, [kept = std::make_shared<Socket>(std::move(borrowed))](Sent sent) {
      return sent;
    });
  }
};

struct InOneGo {
  template <class L>
  static SentLater send(L& loop, std::shared_ptr<Transport> transport, FileRange range) {
    Result<FileTransfer> transfer = FileTransfer::make("sendfile", range);
    std::array<std::byte, FileTransfer::kReadPiece> buffer;
    for (;;) {
      const std::span<std::byte> piece = transfer->read(buffer).value();
      if (piece.empty()) return loop.template done_future<std::uint64_t>(transfer->sent());
      transport->write(piece);
      (void)transfer->advance(piece.size());
    }
  }
};

struct WholeRecords {
  template <class L>
  static SentLater send(L& loop, std::shared_ptr<Transport> transport, FileRange range) {
    constexpr std::uint64_t kRecord = 16'384;
    const std::uint64_t asked = range.count.value_or(0);
    if (range.count) range.count = (asked + kRecord - 1) / kRecord * kRecord;
    return relay(loop, loop.rightly(std::move(transport), range), [asked](Sent sent) {
      return sent.ok() && asked > 0 ? Sent(std::min(asked, *sent)) : sent;
    });
  }
};

struct PositionLeft {
  template <class L>
  static SentLater send(L& loop, std::shared_ptr<Transport> transport, FileRange range) {
    return relay(loop, loop.rightly(std::move(transport), range), [range](Sent sent) {
      (void)os::set_position(range.file, range.offset);
      return sent;
    });
  }
};

/// The caller is told that it is cancelled, and the file is sent all the same.
struct GoesOn {
  template <class L>
  static SentLater send(L& loop, std::shared_ptr<Transport> transport, FileRange range) {
    SentLater outer = relay(loop, loop.rightly(std::move(transport), range));
    outer.set_cancel_hook({});
    return outer;
  }
};

struct ErrorsAreEnds {
  template <class L>
  static SentLater send(L& loop, std::shared_ptr<Transport> transport, FileRange range) {
    return relay(loop, loop.rightly(std::move(transport), range), [range](Sent sent) {
      return sent.ok() ? sent : Sent(tools::position(range.file) - range.offset);
    });
  }
};

struct AlwaysFallsBack {
  template <class L>
  static SentLater send(L& loop, std::shared_ptr<Transport> transport, FileRange range) {
    range.fallback = true;
    return loop.rightly(std::move(transport), range);
  }
};

using Names = std::string_view;
constexpr Names kWhole[] = {"sendfile.tls"};
constexpr Names kPlain[] = {"sendfile.tls", "sendfile.tls.without_fallback"};
constexpr Names kBounded[] = {"sendfile.tls.bounded", "sendfile.tls.cancel"};
constexpr Names kCancel[] = {"sendfile.tls.cancel"};
constexpr Names kPeer[] = {"sendfile.tls.peer_closes"};
constexpr Names kPosition[] = {"sendfile.tls", "sendfile.tls.bounded"};
constexpr Names kStrict[] = {"sendfile.tls.without_fallback"};

constexpr Names kOthers[] = {"sendfile.mixed_writes", "sendfile.cancel"};
constexpr Names kCarries[] = {"sendfile.tls", "sendfile.tls.bounded"};
constexpr Names kRefuses[] = {"sendfile.tls.without_fallback", "sendfile.tls.peer_closes"};

const FaultyLoop kLoops[] = {
    faulty_tls<SendsOverTls<InPlain>>("faulty.sendfile_tls_in_plain",
                                      "Over TLS files are sent past the encryption.", kPlain,
                                      kOthers),
    faulty_tls<SendsOverTls<InOneGo>>("faulty.sendfile_tls_in_one_go",
                                      "Over TLS whole files are read into the buffer.", kBounded,
                                      kWhole),
    faulty_tls<SendsOverTls<WholeRecords>>("faulty.sendfile_tls_whole_records",
                                           "Over TLS files are sent in whole records.", kWhole,
                                           kRefuses),
    faulty_tls<SendsOverTls<PositionLeft>>("faulty.sendfile_tls_position_left",
                                           "After a transfer over TLS the file stands at the"
                                           " offset.",
                                           kPosition, kStrict),
    faulty_tls<SendsOverTls<GoesOn>>("faulty.sendfile_tls_goes_on",
                                     "A transfer over TLS goes on after it was cancelled.", kCancel,
                                     kCarries),
    faulty_tls<SendsOverTls<ErrorsAreEnds>>("faulty.sendfile_tls_error_swallowed",
                                            "A peer that goes away is taken for the end of the"
                                            " file.",
                                            kPeer, kCarries),
    faulty_tls<SendsOverTls<AlwaysFallsBack>>("faulty.sendfile_tls_always_falls_back",
                                              "Over TLS fallback=false is ignored.", kStrict,
                                              kCarries),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::sendfile_tls_faults
