// Stream transports over readiness: one read an event, writes tried at once.
#include "loops/selector/stream.hpp"

#include <cerrno>

#include "loops/os/pipe.hpp"
#include "loops/selector/selector_loop.hpp"

namespace loopscope {

std::shared_ptr<StreamTransport> SelectorLoop::new_stream(os::UniqueFd fd,
                                                          std::shared_ptr<BaseProtocol> protocol,
                                                          const StreamOptions& options) {
  return std::make_shared<SelectorStream>(*this, std::move(fd), std::move(protocol), options);
}

// --- reading

void SelectorStream::start_reading() {
  const Result<void> watched = loop_->watch(fd_.get(), Direction::read, [this] { on_readable(); });
  if (watched.ok()) return;
  // epoll refuses what has no notion of readiness, /dev/null for one. It is always ready.
  if (watched.error().is_errno(EPERM)) {
    read_soon();
  } else {
    lose(watched.error());
  }
}

void SelectorStream::read_soon() {
  const auto self = std::static_pointer_cast<SelectorStream>(shared_from_this());
  loop_->call_soon([self] {
    if (!self->may_read()) return;
    self->on_readable();
    if (self->may_read()) self->read_soon();
  });
}

void SelectorStream::on_readable() {
  const std::shared_ptr<StreamTransport> keep = shared_from_this();
  const std::shared_ptr<BaseProtocol> protocol = protocol_;
  BufferedProtocol* const lending = lender();
  const std::span<std::byte> target = lending == nullptr ? loop_->scratch(kReadSize) : borrow();
  if (target.empty()) return;
  const Result<os::Transfer> got =
      options_.socket ? os::recv(fd_.get(), target) : os::read(fd_.get(), target);
  if (!got.ok()) {
    receive_failed(got.error());
  } else if (*got) {  // else a spurious event
    **got == 0 ? on_end() : received(target.first(**got), lending);
  }
}

void SelectorStream::watch_reader_gone() {
  watch(Direction::read, [this] { on_reader_gone(); });
}

// --- writing

std::optional<std::size_t> SelectorStream::offer(std::span<const ByteView> pieces) {
  const os::NativeSocket fd = fd_.get();
  const Result<os::Transfer> taken =
      pieces.size() == 1 ? (options_.socket ? os::send(fd, pieces[0]) : os::write(fd, pieces[0]))
                         : (options_.socket ? os::sendv(fd, pieces) : os::writev(fd, pieces));
  if (taken.ok()) return taken->value_or(0);
  lose(taken.error());
  return std::nullopt;
}

void SelectorStream::wait_for_room() {
  if (file_ && buffered() == 0) send_piece();
  if (all_sent() || lost_ || std::exchange(writing_armed_, true)) return;
  watch(Direction::write, [this] { on_writable(); });
}

void SelectorStream::room_not_needed() {
  writing_armed_ = false;
  unwatch(Direction::write);
}

void SelectorStream::on_writable() {
  const std::shared_ptr<StreamTransport> alive = shared_from_this();
  if (buffered() > 0) {
    const ByteView rest = ByteView(buffer_).subspan(sent_);
    const std::optional<std::size_t> taken = offer(std::span(&rest, 1));
    if (!taken) return;
    consume(*taken);
  }
  if (buffered() == 0 && file_) send_piece();
  moved();
}

void SelectorStream::send_piece() {
  const std::shared_ptr<FileInFlight> file = file_;
  piece_ended(file->transfer.step(fd_.get(), options_.socket ? &os::send : &os::write));
}

}  // namespace loopscope
