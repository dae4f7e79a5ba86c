// ProactorStream: a stream transport over operations.
#pragma once

#include <list>

#include "loops/common/stream.hpp"
#include "loops/proactor/file_sender.hpp"
#include "loops/proactor/proactor_loop.hpp"

namespace loopscope {

/// One receive and one send at a time, lent to the system. What arrives while nobody reads is
/// kept, because it cannot be put back.
class ProactorStream final : public StreamTransport {
 public:
  /// first: bytes that sock_recv took from the socket before, for nobody.
  ProactorStream(ProactorLoop& loop, os::UniqueFd fd, std::shared_ptr<BaseProtocol> protocol,
                 const StreamOptions& options, Bytes first);

 private:
  class Receiving;
  class Sending;
  struct Arrival {
    LentBytes lent;
    Bytes kept;  // the same in memory of our own: the pool is for those who read
    std::error_code error;
    ByteView bytes() const { return lent ? ByteView(lent.bytes()) : ByteView(kept); }
    void keep();
  };

  void start_reading() override;
  void stop_reading() override;
  void watch_reader_gone() override;
  std::optional<std::size_t> offer(std::span<const ByteView>) override { return 0; }
  void wait_for_room() override;
  void room_not_needed() override;
  std::size_t buffered() const override { return StreamTransport::buffered() + sending_bytes_; }
  void drop_buffer() override;
  void ending(const std::optional<Error>& why) override;
  bool busy() const override;
  void loop_closed() override;

  void arrived(Completion completion);
  void deliver_soon();
  void deliver_one();
  void sent(const Completion& completion);
  void send_piece();
  void piece_over(const Result<bool>& over);
  void maybe_settled();
  std::shared_ptr<ProactorStream> self() {
    return std::static_pointer_cast<ProactorStream>(shared_from_this());
  }

  ProactorLoop* proactor_loop_;  // null once the loop closed
  std::shared_ptr<Receiving> receiving_;
  std::shared_ptr<Sending> sending_;
  std::shared_ptr<FileSender> file_sender_;
  std::list<Arrival> arrivals_;  // empty most of the time, when a deque would keep half a KiB
  std::size_t sending_bytes_ = 0;
  bool delivery_queued_ = false;
  bool had_writer_ = false;  // of what is no socket: it is read, and not only watched
};

}  // namespace loopscope
