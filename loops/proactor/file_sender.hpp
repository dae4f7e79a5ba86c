// FileSender: pieces of a file on their way into a descriptor, by operations.
#pragma once

#include <functional>
#include <memory>

#include "loops/common/file_transfer.hpp"
#include "loops/os/pipe.hpp"
#include "loops/proactor/operation.hpp"

namespace loopscope {

/// The system moves them, by one call or through a pipe; where it cannot, they are read and sent.
///
/// thread  The loop's. lifetime  One that is busy is kept by its operation.
class FileSender : public std::enable_shared_from_this<FileSender> {
 public:
  /// true: the whole file is sent; false: there may be more. As FileTransfer::step.
  using Then = std::function<void(const Result<bool>& over)>;

  FileSender(ProactorLoop& loop, os::NativeSocket out, bool is_socket)
      : loop_(loop), out_(out), is_socket_(is_socket) {}
  bool busy() const { return then_ != nullptr; }
  /// Sends the next piece; then() is called inside a wait, or inside this call when nothing is
  /// left to do. Precondition: it is not busy.
  void send_piece(std::shared_ptr<FileTransfer> transfer, Then then);
  /// Ends the piece early: what has gone has gone. then() still comes. No effect when not busy.
  void give_up();

 private:
  class Move;
  class Send;

  void transmit();
  /// Notes what has been sent. false: that failed, and the transfer has ended with it.
  bool count(const Completion& completion);
  void transmitted(const Completion& completion);
  void fill();
  void refused();
  void released();
  void filled(const Completion& completion);
  void drain();
  void drained(const Completion& completion);
  void read_and_send();
  void finish(const Result<bool>& over);
  void start(std::shared_ptr<LoopOperation> operation);

  ProactorLoop& loop_;
  const os::NativeSocket out_;
  const bool is_socket_;
  os::Pipe pipe_;  // between the file and the descriptor; opened with the first piece
  std::size_t in_pipe_ = 0;
  bool native_ = true;  // until the system refused
  bool given_up_ = false;
  std::shared_ptr<FileTransfer> transfer_;
  Then then_;
  std::shared_ptr<LoopOperation> current_;
};

}  // namespace loopscope
