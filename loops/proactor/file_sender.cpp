// Pieces of files: by one call, or from the file into a pipe and from the pipe into the descriptor.
#include "loops/proactor/file_sender.hpp"

#include <algorithm>

#include "loops/proactor/proactor_loop.hpp"

namespace loopscope {
namespace {

constexpr std::size_t kPipeful = 64 * 1024;  // what a new pipe holds: filling it never waits

/// What the system says when it cannot move the bytes of this file by itself.
bool is_refusal(const std::error_code& error) {
  return error == std::errc::invalid_argument || error == std::errc::function_not_supported ||
         error == std::errc::operation_not_supported;
}

}  // namespace

class FileSender::Move final : public LoopOperation {
 public:
  using Ended = void (FileSender::*)(const Completion&);
  Move(std::shared_ptr<FileSender> owner, Kind by, os::NativeSocket one, os::NativeSocket other,
       std::size_t bytes, Ended ended)
      : LoopOperation(by, one), owner_(std::move(owner)), ended_(ended) {
    to = other;
    count = bytes;
  }

 private:
  void done(Completion completion) override { ((*owner_).*ended_)(completion); }
  void released() override { std::exchange(owner_, nullptr)->released(); }
  std::shared_ptr<FileSender> owner_;
  Ended ended_;
};

class FileSender::Send final : public LoopOperation {
 public:
  Send(std::shared_ptr<FileSender> owner, os::NativeSocket out, bool socket, Bytes bytes)
      : LoopOperation(Kind::send, out), owner_(std::move(owner)), data_(std::move(bytes)) {
    is_socket = socket;
    pieces.assign(1, ByteView(data_));
  }

 private:
  void done(Completion completion) override { owner_->drained(completion); }
  void released() override { std::exchange(owner_, nullptr)->released(); }
  std::shared_ptr<FileSender> owner_;
  Bytes data_;
};

void FileSender::start(std::shared_ptr<LoopOperation> operation) {
  current_ = operation;
  if (const Result<void> started = loop_.start(std::move(operation)); !started.ok()) {
    finish(started.error());
  }
}

void FileSender::send_piece(std::shared_ptr<FileTransfer> transfer, Then then) {
  transfer_ = std::move(transfer);
  then_ = std::move(then);
  given_up_ = false;
  if (transfer_->complete()) {
    finish(true);
  } else if (!native_) {
    read_and_send();
  } else {
    is_socket_&& loop_.transmits_files() ? transmit() : fill();
  }
}

void FileSender::give_up() {
  if (!busy()) return;
  given_up_ = true;
  if (current_) loop_.cancel(*current_);
}

void FileSender::transmit() {
  const auto move = std::make_shared<Move>(shared_from_this(), Operation::Kind::transmit, out_,
                                           transfer_->source(), transfer_->next(kPipeful),
                                           &FileSender::transmitted);
  move->offset = transfer_->position();
  start(move);
}

bool FileSender::count(const Completion& completion) {
  if (completion.count == 0) return true;
  const Result<void> counted = transfer_->advance(completion.count);
  if (!counted.ok()) finish(counted.error());
  return counted.ok();
}

void FileSender::transmitted(const Completion& completion) {
  if (!count(completion)) return;
  if (given_up_) {
    finish(false);
  } else if (!completion.ok() && is_refusal(completion.error)) {
    refused();
  } else if (!completion.ok()) {
    finish(Error{completion.error, "sendfile", {}});
  } else {
    finish(completion.count == 0 || transfer_->complete());
  }
}

void FileSender::fill() {
  if (!pipe_.read) {
    Result<os::Pipe> opened = os::open_pipe();
    if (!opened.ok()) {
      finish(opened.error());
      return;
    }
    pipe_ = std::move(opened).value();
  }
  const auto splice =
      std::make_shared<Move>(shared_from_this(), Operation::Kind::splice, transfer_->source(),
                             pipe_.write.get(), transfer_->next(kPipeful), &FileSender::filled);
  splice->offset = transfer_->position();
  start(splice);
}

void FileSender::filled(const Completion& completion) {
  if (given_up_) {
    finish(false);
  } else if (!completion.ok() && is_refusal(completion.error)) {
    refused();
  } else if (!completion.ok()) {
    finish(transfer_->blame(Error{completion.error, "splice", {}}));
  } else if (completion.count == 0) {
    finish(true);  // The end of the file.
  } else {
    in_pipe_ = completion.count;
    drain();
  }
}

/// The system cannot move this file into this descriptor by itself.
void FileSender::refused() {
  native_ = false;
  pipe_ = {};
  in_pipe_ = 0;
  if (transfer_->may_read()) {
    read_and_send();
  } else {
    finish(transfer_->blame(
        make_error(Errc::not_supported, "splice", "the system cannot send this file by itself")));
  }
}

void FileSender::drain() {
  start(std::make_shared<Move>(shared_from_this(), Operation::Kind::splice, pipe_.read.get(), out_,
                               in_pipe_, &FileSender::drained));
}

/// Also when the bytes were read and not spliced: then they never were in the pipe.
void FileSender::drained(const Completion& completion) {
  in_pipe_ -= std::min(in_pipe_, completion.count);
  if (!count(completion)) return;
  if (given_up_) {
    finish(false);
  } else if (!completion.ok() && native_ && is_refusal(completion.error)) {
    refused();
  } else if (!completion.ok()) {
    finish(Error{completion.error, "sendfile", {}});
  } else if (in_pipe_ > 0) {
    drain();
  } else {
    finish(transfer_->complete());
  }
}

void FileSender::read_and_send() {
  Bytes buffer(FileTransfer::kReadPiece);
  const Result<std::span<std::byte>> piece = transfer_->read(buffer);
  if (!piece.ok() || piece->empty()) {
    finish(piece.ok() ? Result<bool>(true) : Result<bool>(piece.error()));
    return;
  }
  buffer.resize(piece->size());
  start(std::make_shared<Send>(shared_from_this(), out_, is_socket_, std::move(buffer)));
}

void FileSender::released() {
  current_.reset();
  transfer_.reset();
  then_ = nullptr;
}

void FileSender::finish(const Result<bool>& over) {
  // The next piece goes through the same pipe, unless something is left in it that will not go.
  if (in_pipe_ > 0 || !over.ok() || *over) pipe_ = {};
  in_pipe_ = 0;
  current_.reset();
  transfer_.reset();
  const Then then = std::exchange(then_, nullptr);
  then(over);
}

}  // namespace loopscope
