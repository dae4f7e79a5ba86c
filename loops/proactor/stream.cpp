// Stream transports over operations: a receive that stays in force, one send at a time.
#include "loops/proactor/stream.hpp"

#include <cerrno>

#include "loops/os/pipe.hpp"

namespace loopscope {

std::shared_ptr<StreamTransport> ProactorLoop::new_stream(os::UniqueFd fd,
                                                          std::shared_ptr<BaseProtocol> protocol,
                                                          const StreamOptions& options) {
  Bytes first = ops_.claim(fd.get());
  return std::make_shared<ProactorStream>(*this, std::move(fd), std::move(protocol), options,
                                          std::move(first));
}

class ProactorStream::Receiving final : public LoopOperation {
 public:
  Receiving(os::NativeSocket from, bool socket) : LoopOperation(Kind::receive, from) {
    is_socket = socket;
    repeats = true;
  }
  std::shared_ptr<ProactorStream> stream;  // while in flight

 private:
  void done(Completion completion) override {
    const std::shared_ptr<ProactorStream> keep = completion.more ? stream : std::move(stream);
    keep->arrived(std::move(completion));
  }
  void released() override { stream.reset(); }
};

class ProactorStream::Sending final : public LoopOperation {
 public:
  Sending(os::NativeSocket into_fd, bool socket) : LoopOperation(Kind::send, into_fd) {
    is_socket = socket;
  }
  Bytes data;
  std::shared_ptr<ProactorStream> stream;  // while in flight

 private:
  void done(Completion completion) override {
    data = Bytes();
    const std::shared_ptr<ProactorStream> keep = std::move(stream);
    keep->sent(completion);
  }
  void released() override { stream.reset(); }
};

void ProactorStream::Arrival::keep() {
  if (!lent) return;
  kept.assign(lent.bytes().begin(), lent.bytes().end());
  lent = LentBytes();
}

ProactorStream::ProactorStream(ProactorLoop& loop, os::UniqueFd fd,
                               std::shared_ptr<BaseProtocol> protocol, const StreamOptions& options,
                               Bytes first)
    : StreamTransport(loop, std::move(fd), std::move(protocol), options), proactor_loop_(&loop) {
  if (!first.empty()) arrivals_.push_back({{}, std::move(first), {}});
}

// --- reading

void ProactorStream::start_reading() {
  if (!arrivals_.empty()) {
    deliver_soon();
    return;
  }
  const bool may_lack_writer = os::kReadsAsEndedBeforeWriter && !options_.socket;
  if (may_lack_writer && !std::exchange(had_writer_, true)) {
    // A FIFO that nobody has opened for writing yet reads as if it had ended; only readiness tells.
    watch(Direction::read, [this] {
      unwatch(Direction::read);
      if (may_read()) start_reading();
    });
    return;
  }
  if (receiving_ && receiving_->in_flight()) return;  // Its end starts the next one.
  if (!receiving_) receiving_ = std::make_shared<Receiving>(fd_.get(), options_.socket);
  receiving_->stream = self();
  if (const Result<void> started = proactor_loop_->start(receiving_); !started.ok()) {
    receiving_->stream.reset();
    lose(started.error());
  }
}

void ProactorStream::stop_reading() {
  if (proactor_loop_ == nullptr) return;
  if (receiving_) {
    proactor_loop_->cancel(*receiving_);
  } else if (os::kReadsAsEndedBeforeWriter && !options_.socket) {
    unwatch(Direction::read);
    had_writer_ = false;
  }
  for (Arrival& arrival : arrivals_) arrival.keep();
}

/// Inside the wait.
void ProactorStream::arrived(Completion completion) {
  if (lost_) {
    maybe_settled();
    return;
  }
  if (completion.error != std::errc::operation_canceled) {
    // An end that is no end: a pool without memory has nothing to give.
    arrivals_.push_back({std::move(completion.data), {}, completion.error});
    if (!may_read()) arrivals_.back().keep();
    if (may_read()) deliver_soon();
  } else if (may_read() && !completion.more) {
    start_reading();
  }
}

void ProactorStream::deliver_soon() {
  if (std::exchange(delivery_queued_, true)) return;
  proactor_loop_->queue([keep = self()] { keep->deliver_one(); });
}

void ProactorStream::deliver_one() {
  delivery_queued_ = false;
  if (!may_read() || arrivals_.empty()) return;
  const Arrival arrival = std::move(arrivals_.front());
  arrivals_.pop_front();
  if (arrival.error) {
    receive_failed(Error{arrival.error, options_.socket ? "recv" : "read", {}});
    return;
  }
  if (arrival.bytes().empty()) {
    on_end();
    return;
  }
  deliver_bytes(arrival.bytes());
  if (may_read()) start_reading();  // Or the next arrival.
}

void ProactorStream::watch_reader_gone() {
  watch(Direction::read, [this] { on_reader_gone(); });
}

// --- writing

void ProactorStream::wait_for_room() {
  if (sending_bytes_ > 0 || proactor_loop_ == nullptr) return;
  if (StreamTransport::buffered() == 0) {
    if (file_) send_piece();
    return;
  }
  if (file_sender_ && file_sender_->busy()) return;  // The last piece of a file that was given up.
  if (!sending_) sending_ = std::make_shared<Sending>(fd_.get(), options_.socket);
  if (sending_->in_flight()) return;
  sending_->data = std::move(buffer_);
  release_buffer();
  sending_->pieces.assign(1, ByteView(sending_->data));
  sending_->stream = self();
  sending_bytes_ = sending_->data.size();
  if (const Result<void> started = proactor_loop_->start(sending_); !started.ok()) {
    sending_bytes_ = 0;
    sending_->stream.reset();
    lose(started.error());
  }
}

void ProactorStream::room_not_needed() {
  if (file_sender_ && !file_) file_sender_->give_up();
}

/// Inside the wait.
void ProactorStream::sent(const Completion& completion) {
  sending_bytes_ = 0;
  if (lost_) {
    maybe_settled();
    return;
  }
  if (!completion.ok()) {
    const Error why{completion.error, options_.socket ? "send" : "write", {}};
    proactor_loop_->queue([keep = self(), why] { keep->lose(why); });
    return;
  }
  wait_for_room();
  proactor_loop_->queue([keep = self()] { keep->moved(); });
}

// --- a file

void ProactorStream::send_piece() {
  if (!file_sender_) {
    file_sender_ = std::make_shared<FileSender>(*proactor_loop_, fd_.get(), options_.socket);
  }
  if (file_sender_->busy()) return;
  const std::shared_ptr<FileTransfer> transfer(file_, &file_->transfer);
  file_sender_->send_piece(transfer, [keep = self()](const Result<bool>& over) {
    keep->proactor_loop_->queue([keep, over] { keep->piece_over(over); });
  });
}

void ProactorStream::piece_over(const Result<bool>& over) {
  if (lost_) {
    maybe_settled();
    return;
  }
  if (file_) piece_ended(over);
  if (lost_) return;
  wait_for_room();  // The next piece, or what was written after a file that was given up.
  moved();
}

// --- the end

void ProactorStream::drop_buffer() {
  StreamTransport::drop_buffer();
  sending_bytes_ = 0;  // What is lent to the system is nobody's any more.
  arrivals_.clear();
}

void ProactorStream::ending(const std::optional<Error>& why) {
  StreamTransport::ending(why);
  if (receiving_) proactor_loop_->cancel(*receiving_);
  if (sending_) proactor_loop_->cancel(*sending_);
  if (file_sender_) file_sender_->give_up();
}

bool ProactorStream::busy() const {
  return (receiving_ && receiving_->in_flight()) || (sending_ && sending_->in_flight()) ||
         (file_sender_ && file_sender_->busy());
}

void ProactorStream::maybe_settled() {
  if (lost_ && !busy()) settled();
}

void ProactorStream::loop_closed() {
  proactor_loop_ = nullptr;
  StreamTransport::loop_closed();
}

}  // namespace loopscope
