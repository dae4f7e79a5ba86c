// sendfile of transports: of our own streams by themselves, of any other through write().
#include <algorithm>
#include <array>

#include "loops/common/stream.hpp"

namespace loopscope {

namespace {

/// Stands in for the user's protocol while a file is written, to learn when the buffer is full,
/// and passes everything on: the connection goes on as before but for who is told first.
class FileFeed final : public Protocol, public std::enable_shared_from_this<FileFeed> {
 public:
  FileFeed(EventLoop& loop, std::shared_ptr<Transport> transport, FileTransfer transfer)
      : loop_(loop),
        transport_(std::move(transport)),
        user_(transport_->get_protocol()),
        transfer_(std::move(transfer)),
        future_(loop.create_future<std::uint64_t>()) {}

  Future<std::uint64_t> start() {
    transport_->set_protocol(shared_from_this());
    future_.set_cancel_hook([self = weak_from_this()] {
      if (const auto feed = self.lock()) feed->restore();
    });
    feed_soon();
    return future_;
  }

  void data_received(ByteView data) override {
    if (auto* plain = dynamic_cast<Protocol*>(user_.get())) plain->data_received(data);
    auto* lending = dynamic_cast<BufferedProtocol*>(user_.get());
    while (lending != nullptr && !data.empty()) {
      const std::span<std::byte> lent = lending->get_buffer(-1);
      const std::size_t count = std::min(lent.size(), data.size());
      if (count == 0) {
        transport_->abort();  // As for a transport that asks for memory itself.
        return;
      }
      std::copy_n(data.begin(), count, lent.begin());
      lending->buffer_updated(count);
      data = data.subspan(count);
    }
  }
  bool eof_received() override {
    if (auto* plain = dynamic_cast<Protocol*>(user_.get())) return plain->eof_received();
    auto* lending = dynamic_cast<BufferedProtocol*>(user_.get());
    return lending != nullptr && lending->eof_received();
  }
  void pause_writing() override {
    paused_ = true;
    user_->pause_writing();
  }
  void resume_writing() override {
    paused_ = false;
    user_->resume_writing();
    feed_soon();
  }
  void connection_lost(const Error* why) override {
    end(why != nullptr ? *why : make_error(Errc::closed, "sendfile", "the transport was closed"));
    user_->connection_lost(why);
  }

 private:
  void feed_soon() {
    if (std::exchange(queued_, true)) return;
    loop_.call_soon([keep = shared_from_this()] { keep->feed(); });
  }

  /// One piece an iteration. Over when the transport has room again after the last one.
  void feed() {
    queued_ = false;
    if (future_.done() || full()) return;
    if (transport_->is_closing()) {
      end(make_error(Errc::closed, "sendfile", "the transport was closed"));
      return;
    }
    std::array<std::byte, FileTransfer::kReadPiece> buffer;
    const Result<std::span<std::byte>> piece = transfer_.read(buffer);
    if (!piece.ok()) {
      end(piece.error());
    } else if (piece->empty()) {
      end(transfer_.sent());
    } else {
      transport_->write(*piece);
      if (const Result<void> counted = transfer_.advance(piece->size()); !counted.ok()) {
        end(counted.error());
      } else if (!full()) {
        feed_soon();
      }
    }
  }

  /// Will resume_writing come? It may have been paused before this feed began.
  bool full() const {
    return paused_ ||
           transport_->get_write_buffer_size() > transport_->get_write_buffer_limits().high;
  }

  void restore() {
    if (transport_->get_protocol().get() == this) transport_->set_protocol(user_);
  }
  void end(const Result<std::uint64_t>& outcome) {
    restore();
    if (outcome.ok()) {
      future_.set_result(*outcome);
    } else {
      future_.set_error(outcome.error());
    }
  }

  EventLoop& loop_;
  const std::shared_ptr<Transport> transport_;
  const std::shared_ptr<BaseProtocol> user_;
  FileTransfer transfer_;
  Future<std::uint64_t> future_;
  bool paused_ = false;
  bool queued_ = false;
};

}  // namespace

Future<std::uint64_t> NativeLoop::sendfile(std::shared_ptr<Transport> transport, FileRange range) {
  constexpr std::string_view kOp = "sendfile";
  const auto refused = [this](Error why) { return done_future<std::uint64_t>(std::move(why)); };
  if (const std::optional<Errc> why = refuses()) return refused(make_error(*why, kOp));
  if (transport == nullptr) {
    return refused(make_error(Errc::invalid_argument, kOp, "no transport"));
  }
  if (transport->is_closing()) {
    return refused(make_error(Errc::closed, kOp, "the transport is closing"));
  }
  const auto own = std::dynamic_pointer_cast<StreamTransport>(transport);
  if (!own && !range.fallback) {
    return refused(make_error(Errc::not_supported, kOp, "the transport cannot send files itself"));
  }
  if (own && !own->belongs_to(*this)) {
    return refused(make_error(Errc::invalid_argument, kOp, "a transport of another loop"));
  }
  if (std::dynamic_pointer_cast<FileFeed>(transport->get_protocol())) {
    return refused(
        make_error(Errc::invalid_state, kOp, "another sendfile of this transport goes on"));
  }
  Result<FileTransfer> transfer = FileTransfer::make(kOp, range);
  if (!transfer.ok()) return refused(transfer.error());
  if (own) return own->send_file(std::move(transfer).value());
  return std::make_shared<FileFeed>(*this, std::move(transport), std::move(transfer).value())
      ->start();
}

}  // namespace loopscope
