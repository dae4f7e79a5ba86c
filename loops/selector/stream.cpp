// Stream transports: one read an event, writes tried at once, a contiguous buffer for the rest.
#include "loops/selector/stream.hpp"

#include <algorithm>
#include <cerrno>

#include "loops/os/pipe.hpp"

namespace loopscope {
namespace {
constexpr std::size_t kReadSize = 64 * 1024;
}  // namespace

StreamTransport::StreamTransport(SelectorLoop& loop, os::UniqueFd fd,
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
    arm_reading();
  } else if (options_.watch_reader_gone) {
    watch(Direction::read, [this] { on_reader_gone(); });
  }
}

// --- reading

bool StreamTransport::is_reading() const {
  return options_.readable && !paused_ && !closing_ && !at_end_;
}

void StreamTransport::arm_reading() {
  if (!started_ || !is_reading() || loop_ == nullptr) return;
  const Result<void> watched = loop_->watch(fd_.get(), Direction::read, [this] { on_readable(); });
  if (watched.ok()) return;
  // epoll refuses what has no notion of readiness, /dev/null for one. It is always ready.
  if (watched.error().is_errno(EPERM)) {
    read_soon();
  } else {
    lose(watched.error());
  }
}

void StreamTransport::read_soon() {
  loop_->call_soon([keep = shared_from_this()] {
    if (keep->loop_ == nullptr || !keep->is_reading()) return;
    keep->on_readable();
    if (keep->loop_ != nullptr && keep->is_reading()) keep->read_soon();
  });
}

void StreamTransport::pause_reading() {
  if (!is_reading()) return;
  paused_ = true;
  unwatch(Direction::read);
}

void StreamTransport::resume_reading() {
  if (!paused_) return;
  paused_ = false;
  arm_reading();
}

Result<os::Transfer> StreamTransport::take(std::span<std::byte> buffer) {
  return options_.socket ? os::recv(fd_.get(), buffer) : os::read(fd_.get(), buffer);
}

void StreamTransport::on_readable() {
  const std::shared_ptr<StreamTransport> keep = shared_from_this();
  const std::shared_ptr<BaseProtocol> protocol = protocol_;
  std::span<std::byte> target = loop_->scratch(kReadSize);
  BufferedProtocol* const lender = buffered_protocol_;
  if (lender != nullptr) {
    const auto borrow = [&] {
      target = lender->get_buffer(-1);
      if (!target.empty() || lost_ || closing_) return;
      throw Failure(make_error(Errc::protocol, "get_buffer", "returned an empty buffer"));
    };
    if (!call(borrow, "get_buffer")) return;
    if (lost_ || closing_) return;  // The protocol ended it meanwhile.
  }
  const Result<os::Transfer> got = take(target);
  if (!got.ok()) {
    if (options_.eio_is_end && got.error().is_errno(EIO)) {
      on_end();
    } else {
      lose(got.error());
    }
    return;
  }
  if (!*got) return;  // A spurious event.
  if (**got == 0) {
    on_end();
    return;
  }
  // The bytes lie in the memory of the protocol that lent it, also if it was replaced meanwhile.
  if (lender != nullptr) {
    call([&] { lender->buffer_updated(**got); }, "buffer_updated");
  } else if (streaming_ != nullptr) {
    call([&] { streaming_->data_received(target.first(**got)); }, "data_received");
  }
}

void StreamTransport::on_end() {
  at_end_ = true;
  unwatch(Direction::read);  // The end stays readable for ever.
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

std::optional<std::size_t> StreamTransport::count_of(const Result<os::Transfer>& transfer) {
  if (transfer.ok()) return transfer->value_or(0);
  lose(transfer.error());
  return std::nullopt;
}

std::optional<std::size_t> StreamTransport::put(ByteView data) {
  return count_of(options_.socket ? os::send(fd_.get(), data) : os::write(fd_.get(), data));
}

std::optional<std::size_t> StreamTransport::put(std::span<const ByteView> pieces) {
  return count_of(options_.socket ? os::sendv(fd_.get(), pieces) : os::writev(fd_.get(), pieces));
}

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
    const std::optional<std::size_t> now_taken = put(data);
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
    const auto offer = chunks.first(std::min(chunks.size(), os::kMostPieces));
    std::size_t offered = 0;
    for (const ByteView chunk : offer) offered += chunk.size();
    if (offered > 0) {
      const std::optional<std::size_t> now_taken = put(offer);
      if (!now_taken) return;
      sent = *now_taken;
      if (sent < offered) break;
    }
    chunks = chunks.subspan(offer.size());
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

void StreamTransport::wait_for_room() {
  if (std::exchange(writing_armed_, true)) return;
  watch(Direction::write, [this] { on_writable(); });
}

void StreamTransport::on_writable() {
  const std::shared_ptr<StreamTransport> alive = shared_from_this();
  if (buffered() > 0) {
    const std::optional<std::size_t> taken = put(ByteView(buffer_).subspan(sent_));
    if (!taken) return;
    sent_ += *taken;
    if (buffered() == 0) {
      release_buffer();
    } else if (sent_ > buffer_.size() / 2) {  // Moving less than was sent: linear in all.
      buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(sent_));
      sent_ = 0;
    }
  }
  if (buffered() == 0 && file_) send_piece();
  if (lost_) return;
  const bool done = all_sent();
  if (done) {
    writing_armed_ = false;
    unwatch(Direction::write);
  }
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
  if (all_sent()) flushed();
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
  if (options_.readable || options_.watch_reader_gone) {
    if (all_sent() || options_.readable) unwatch(Direction::read);
  }
  if (all_sent()) lose({});
}

std::shared_ptr<StreamTransport> make_socket_transport(SelectorLoop& loop, os::UniqueFd fd,
                                                       std::shared_ptr<BaseProtocol> protocol) {
  StreamOptions options;
  options.socket = true;
  // Refused where there is no TCP, and on connections that have ended already.
  (void)os::set_nodelay(fd.get(), true);
  return std::make_shared<StreamTransport>(loop, std::move(fd), std::move(protocol), options);
}

}  // namespace loopscope
