// sendfile of transports over readiness: one piece an event, or through write() of any transport.
#include <algorithm>
#include <array>

#include "loops/os/pipe.hpp"
#include "loops/selector/stream.hpp"

namespace loopscope {

// --- this loop's own streams

struct StreamTransport::FileInFlight {
  FileTransfer transfer;
  Future<std::uint64_t> future;
};

Future<std::uint64_t> StreamTransport::send_file(FileTransfer transfer) {
  constexpr std::string_view kOp = "sendfile";
  const auto refused = [this](Errc why, std::string_view detail) {
    return loop_->done_future<std::uint64_t>(make_error(why, kOp, std::string(detail)));
  };
  if (!options_.writable) return refused(Errc::not_supported, "the transport is read-only");
  if (eof_wanted_) return refused(Errc::invalid_state, "write_eof() was called before");
  if (file_) return refused(Errc::invalid_state, "another sendfile of this transport goes on");
  Future<std::uint64_t> future = loop_->create_future<std::uint64_t>();
  // Not held by the future, which may outlive the transport.
  future.set_cancel_hook([self = weak_from_this()] {
    if (const auto transport = self.lock()) transport->drop_file();
  });
  file_ = std::make_shared<FileInFlight>(FileInFlight{std::move(transfer), future});
  if (buffered() == 0) send_piece();
  if (file_) wait_for_room();
  return future;
}

void StreamTransport::send_piece() {
  const std::shared_ptr<FileInFlight> file = file_;
  const Result<bool> over =
      file->transfer.step(fd_.get(), options_.socket ? &os::send : &os::write);
  if (!over.ok()) {
    // A file that cannot be read is no reason to end the connection.
    if (file->transfer.source_failed()) {
      end_file(over.error());
    } else {
      lose(over.error());
    }
  } else if (*over) {
    end_file(file->transfer.sent());
  }
}

void StreamTransport::end_file(const Result<std::uint64_t>& outcome) {
  Future<std::uint64_t> future = std::exchange(file_, nullptr)->future;
  if (outcome.ok()) {
    future.set_result(*outcome);
  } else {
    future.set_error(outcome.error());
  }
}

/// The future was cancelled: what was sent stays sent, and the transport goes on as before.
void StreamTransport::drop_file() {
  if (!file_) return;
  file_.reset();
  if (lost_ || loop_ == nullptr || buffered() > 0) return;
  writing_armed_ = false;
  unwatch(Direction::write);
  flushed();  // close() or write_eof() may have waited for the file.
}

void StreamTransport::ending(const std::optional<Error>& why) {
  if (file_)
    end_file(why ? *why : make_error(Errc::closed, "sendfile", "the transport was closed"));
}

// --- any other transport

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

Future<std::uint64_t> SelectorLoop::sendfile(std::shared_ptr<Transport> transport,
                                             FileRange range) {
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
