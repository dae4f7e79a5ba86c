// StreamTransport: bytes in one or both directions.
#pragma once

#include "loops/common/file_transfer.hpp"
#include "loops/common/transport_core.hpp"

namespace loopscope {

struct StreamOptions {
  bool readable = true;
  bool writable = true;
  bool socket = false;             // recv and send instead of read and write
  bool eio_is_end = false;         // a terminal says EIO when its other side was closed
  bool watch_reader_gone = false;  // a pipe's write end becomes "readable" when the reader goes
  bool restore_blocking = false;
};

/// What a stream is to its user. A derived class moves the bytes: it reads when it is told to,
/// takes what is offered, and says when there is room again.
class StreamTransport : public Transport,
                        public TransportCore,
                        public std::enable_shared_from_this<StreamTransport> {
 public:
  StreamTransport(NativeLoop& loop, os::UniqueFd fd, std::shared_ptr<BaseProtocol> protocol,
                  const StreamOptions& options);
  /// Queues connection_made and the start of reading.
  void open() { begin(shared_from_this()); }
  bool belongs_to(const NativeLoop& loop) const { return loop_ == &loop; }
  /// Behind EventLoop::sendfile: sends the file after what is buffered.
  Future<std::uint64_t> send_file(FileTransfer transfer);

  void close() override;
  bool is_closing() const override { return closing_; }
  ExtraInfo get_extra_info(std::string_view name) const override { return describe(name); }
  void set_protocol(std::shared_ptr<BaseProtocol> protocol) override;
  std::shared_ptr<BaseProtocol> get_protocol() const override { return protocol_; }

  bool is_reading() const override;
  void pause_reading() override;
  void resume_reading() override;

  void write(ByteView data) override;
  void writelines(std::span<const ByteView> chunks) override;
  bool can_write_eof() const override { return options_.writable; }
  Result<void> write_eof() override;
  void abort() override { lose({}); }
  std::size_t get_write_buffer_size() const override { return buffered(); }
  WriteBufferLimits get_write_buffer_limits() const override { return flow_.limits(); }
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override;

 protected:
  static constexpr std::size_t kReadSize = 64 * 1024;

  // --- how the bytes are moved
  /// Reads from now on: calls received() or ended() for what comes, failed() when it fails.
  virtual void start_reading() = 0;
  /// Nothing is to be received until start_reading() is called again.
  virtual void stop_reading() = 0;
  /// Calls on_reader_gone() when nobody can read any more what is written.
  virtual void watch_reader_gone() = 0;
  /// Takes what it can of the pieces now; nothing is buffered. nullopt: the transport is lost.
  virtual std::optional<std::size_t> offer(std::span<const ByteView> pieces) = 0;
  /// There is something in buffer_, or a file: moves it as there is room, and calls moved() then.
  virtual void wait_for_room() = 0;
  /// Nothing is left to be moved.
  virtual void room_not_needed() = 0;

  void ending(const std::optional<Error>& why) override;
  void drop_buffer() override;
  std::size_t buffered() const override { return buffer_.size() - sent_; }

  bool may_read() const { return started_ && is_reading() && loop_ != nullptr; }
  BufferedProtocol* lender() const { return buffered_protocol_; }
  /// Memory that the protocol lends for a read of unknown size; empty: the transport has ended.
  std::span<std::byte> borrow();
  /// Bytes have arrived: in memory that `lender` lent, or, without one, anywhere.
  void received(std::span<const std::byte> data, BufferedProtocol* lender);
  /// Bytes have arrived in memory of the transport's own, whatever protocol there is.
  void deliver_bytes(ByteView data);
  void receive_failed(const Error& error);
  /// The peer will send no more.
  void on_end();
  void on_reader_gone();

  bool eio_ends(const Error& error) const;
  /// Has the system taken everything, a file included?
  bool all_sent() const { return buffered() == 0 && !file_; }
  /// Some of the buffer or of a file has gone.
  void moved();
  /// `count` bytes of buffer_ have gone.
  void consume(std::size_t count);
  void release_buffer();
  /// One more piece of the file has been sent, or its end was reached (over), or it failed.
  void piece_ended(const Result<bool>& over);

  StreamOptions options_;
  Bytes buffer_;  // what the system has not taken yet, from sent_ on
  std::size_t sent_ = 0;
  struct FileInFlight {
    FileTransfer transfer;
    Future<std::uint64_t> future;
  };
  std::shared_ptr<FileInFlight> file_;  // goes after the buffer; nothing is written meanwhile

 private:
  void started() override;
  /// false: dropped silently after the end, reported while a file is sent.
  bool may_write();
  /// Keeps a copy of the pieces but for the first `skip` bytes, for when the system takes more.
  void keep(std::span<const ByteView> pieces, std::size_t skip);
  void flushed();
  void end_file(const Result<std::uint64_t>& outcome);
  void drop_file();

  Protocol* streaming_ = nullptr;  // protocol_ as one of its two kinds
  BufferedProtocol* buffered_protocol_ = nullptr;
  bool started_ = false;
  bool paused_ = false;
  bool at_end_ = false;      // the peer will send no more
  bool eof_wanted_ = false;  // write_eof() was called
};

}  // namespace loopscope
