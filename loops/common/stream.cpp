// Stream transports: what their protocols are told, and a contiguous buffer for what waits.
#include "loops/common/stream.hpp"

#include <algorithm>
#include <cerrno>

#include "loops/os/terminal.hpp"

namespace loopscope {

StreamTransport::StreamTransport(NativeLoop& loop, os::UniqueFd fd,
                                 std::shared_ptr<BaseProtocol> protocol,
                                 const StreamOptions& options)
    : TransportCore(loop, std::move(fd), nullptr, options.restore_blocking), options_(options) {
  set_protocol(std::move(protocol));
}

void StreamTransport::set_protocol(std::shared_ptr<BaseProtocol> protocol) {
  protocol_ = std::move(protocol);
  streaming_ = dynamic_cast<Protocol*>(protocol_.get());
  buffered_protocol_ = dynamic_cast<BufferedProtocol*>(protocol_.get());
}

void StreamTransport::started() {
  started_ = true;
  if (options_.readable) {
    if (may_read()) start_reading();
  } else if (options_.watch_reader_gone) {
    watch_reader_gone();
  }
}

// --- reading

bool StreamTransport::is_reading() const {
  return options_.readable && !paused_ && !closing_ && !at_end_;
}

void StreamTransport::pause_reading() {
  if (!is_reading()) return;
  paused_ = true;
  stop_reading();
}

void StreamTransport::resume_reading() {
  if (!paused_) return;
  paused_ = false;
  if (may_read()) start_reading();
}

std::span<std::byte> StreamTransport::borrow() {
  std::span<std::byte> lent;
  BufferedProtocol* const lender = buffered_protocol_;
  const auto ask = [&] {
    lent = lender->get_buffer(-1);
    if (!lent.empty() || lost_ || closing_) return;
    throw Failure(make_error(Errc::protocol, "get_buffer", "returned an empty buffer"));
  };
  if (!call(ask, "get_buffer") || lost_ || closing_) return {};  // Perhaps it ended it meanwhile.
  return lent;
}

void StreamTransport::received(std::span<const std::byte> data, BufferedProtocol* lender) {
  // The bytes lie in the memory of the protocol that lent it, also if it was replaced meanwhile.
  if (lender != nullptr) {
    call([&] { lender->buffer_updated(data.size()); }, "buffer_updated");
  } else if (streaming_ != nullptr) {
    call([&] { streaming_->data_received(data); }, "data_received");
  }
}

void StreamTransport::deliver_bytes(ByteView data) {
  const std::shared_ptr<BaseProtocol> keep = protocol_;
  while (!data.empty() && !lost_ && !closing_) {
    BufferedProtocol* const into = buffered_protocol_;
    if (into == nullptr) {
      received(data, nullptr);
      return;
    }
    const std::span<std::byte> lent = borrow();
    if (lent.empty()) return;
    const std::size_t count = std::min(lent.size(), data.size());
    std::copy_n(data.begin(), count, lent.begin());
    received(lent.first(count), into);
    data = data.subspan(count);
  }
}

bool StreamTransport::eio_ends(const Error& error) const {
  // To a background job EIO says that it may not read, and not that there is nothing more.
  return options_.eio_is_end && error.is_errno(EIO) && !os::in_background_of(fd_.get());
}

void StreamTransport::receive_failed(const Error& error) {
  if (eio_ends(error)) {
    on_end();
  } else {
    lose(error);
  }
}

void StreamTransport::on_end() {
  at_end_ = true;
  stop_reading();  // The end stays readable for ever.
  bool keep_open = false;
  const bool called = call(
      [&] {
        if (streaming_ != nullptr) keep_open = streaming_->eof_received();
        if (buffered_protocol_ != nullptr) keep_open = buffered_protocol_->eof_received();
      },
      "eof_received");
  if (called && !(keep_open && options_.writable)) close();
}

void StreamTransport::on_reader_gone() {
  const std::shared_ptr<StreamTransport> keep = shared_from_this();
  if (all_sent()) {
    lose({});
  } else {
    lose(errno_error_of(EPIPE, "write", "the reader closed its end"));
  }
}

// --- writing

bool StreamTransport::may_write() {
  if (closing_ || eof_wanted_ || !options_.writable || loop_ == nullptr) return false;
  if (!file_) return true;
  ExceptionContext context;
  context.message = "write() while sendfile() goes on: the data was dropped";
  context.error = make_error(Errc::invalid_state, "write", "sendfile goes on");
  context.source = "transport";
  loop_->call_exception_handler(context);
  return false;
}

void StreamTransport::write(ByteView data) {
  if (data.empty() || !may_write()) return;
  std::size_t sent = 0;
  if (buffered() == 0) {
    const std::optional<std::size_t> now_taken = offer(std::span(&data, 1));
    if (!now_taken) return;
    sent = *now_taken;
    if (sent == data.size()) return;
  }
  keep(std::span(&data, 1), sent);
}

void StreamTransport::writelines(std::span<const ByteView> chunks) {
  if (!may_write()) return;
  // As long as the system takes all that it is offered, nothing is copied.
  std::size_t sent = 0;
  while (!chunks.empty() && buffered() == 0) {
    const auto some = chunks.first(std::min(chunks.size(), os::kMostPieces));
    std::size_t offered = 0;
    for (const ByteView chunk : some) offered += chunk.size();
    if (offered > 0) {
      const std::optional<std::size_t> now_taken = offer(some);
      if (!now_taken) return;
      sent = *now_taken;
      if (sent < offered) break;
    }
    chunks = chunks.subspan(some.size());
    sent = 0;
  }
  keep(chunks, sent);
}

void StreamTransport::keep(std::span<const ByteView> pieces, std::size_t skip) {
  std::size_t size = buffer_.size() - skip;
  for (const ByteView piece : pieces) size += piece.size();
  // Growing by halves at least: many small writes must not copy the buffer each time.
  if (size > buffer_.capacity()) buffer_.reserve(std::max(size, buffer_.size() * 3 / 2));
  for (ByteView piece : pieces) {
    const std::size_t dropped = std::min(skip, piece.size());
    skip -= dropped;
    piece = piece.subspan(dropped);
    buffer_.insert(buffer_.end(), piece.begin(), piece.end());
  }
  if (buffered() == 0) return;
  wait_for_room();
  if (!lost_) update_flow();
}

void StreamTransport::consume(std::size_t count) {
  sent_ += count;
  if (sent_ == buffer_.size()) {
    release_buffer();
  } else if (sent_ > buffer_.size() / 2) {  // Moving less than was sent: linear in all.
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(sent_));
    sent_ = 0;
  }
}

void StreamTransport::moved() {
  if (lost_) return;
  const bool done = all_sent();
  if (done) room_not_needed();
  update_flow();
  // The protocol may have written again from resume_writing.
  if (done && all_sent() && !lost_) flushed();
}

void StreamTransport::flushed() {
  if (closing_) {
    lose({});
  } else if (eof_wanted_) {
    if (!options_.socket) {
      closing_ = true;
      lose({});  // The end of a pipe is its close.
      return;
    }
    const Result<void> ended = os::shutdown_write(fd_.get());
    if (ended.ok()) return;
    // ENOTCONN: the peer has reset the connection, and reading will say so.
    if (!ended.error().is_errno(ENOTCONN) || at_end_) lose(ended.error());
  }
}

Result<void> StreamTransport::write_eof() {
  if (!options_.writable) return make_error(Errc::not_supported, "write_eof");
  if (closing_ || eof_wanted_) return {};
  eof_wanted_ = true;
  if (all_sent()) {
    flushed();
  } else if (!options_.socket && !options_.readable) {
    closing_ = true;  // The end of a pipe is its close, also while something is still to be sent.
  }
  return {};
}

Result<void> StreamTransport::set_write_buffer_limits(std::optional<std::size_t> high,
                                                      std::optional<std::size_t> low) {
  if (!options_.writable) return make_error(Errc::not_supported, "set_write_buffer_limits");
  Result<void> set = flow_.set_limits(high, low);
  if (set.ok()) update_flow();
  return set;
}

void StreamTransport::drop_buffer() {
  file_.reset();
  release_buffer();
}

void StreamTransport::release_buffer() {
  buffer_ = Bytes();  // Its memory too: most transports are idle most of the time.
  sent_ = 0;
}

void StreamTransport::close() {
  if (closing_) return;
  closing_ = true;
  if (options_.readable) {
    stop_reading();
  } else if (options_.watch_reader_gone && all_sent()) {
    unwatch(Direction::read);
  }
  if (all_sent()) lose({});
}

// --- a file after the buffer

Future<std::uint64_t> StreamTransport::send_file(FileTransfer transfer) {
  static constexpr std::string_view kOp = "sendfile";
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
  wait_for_room();
  return future;
}

void StreamTransport::piece_ended(const Result<bool>& over) {
  if (!over.ok()) {
    // A file that cannot be read is no reason to end the connection.
    if (file_->transfer.source_failed()) {
      end_file(over.error());
    } else {
      lose(over.error());
    }
  } else if (*over) {
    end_file(file_->transfer.sent());
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
  room_not_needed();
  flushed();  // close() or write_eof() may have waited for the file.
}

void StreamTransport::ending(const std::optional<Error>& why) {
  if (file_)
    end_file(why ? *why : make_error(Errc::closed, "sendfile", "the transport was closed"));
}

}  // namespace loopscope
