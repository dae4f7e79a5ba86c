// StreamTransport: bytes in one or both directions over readiness.
#pragma once

#include "loops/common/file_transfer.hpp"
#include "loops/selector/transport_base.hpp"

namespace loopscope {

struct StreamOptions {
  bool readable = true;
  bool writable = true;
  bool socket = false;             // recv and send instead of read and write
  bool eio_is_end = false;         // a terminal says EIO when its other side was closed
  bool watch_reader_gone = false;  // a pipe's write end becomes "readable" when the reader goes
  bool restore_blocking = false;
};

class StreamTransport final : public Transport,
                              public TransportCore,
                              public std::enable_shared_from_this<StreamTransport> {
 public:
  StreamTransport(SelectorLoop& loop, os::UniqueFd fd, std::shared_ptr<BaseProtocol> protocol,
                  const StreamOptions& options);
  /// Queues connection_made and the start of reading.
  void open() { begin(shared_from_this()); }
  bool belongs_to(const SelectorLoop& loop) const { return loop_ == &loop; }
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

 private:
  void started() override;
  void ending(const std::optional<Error>& why) override;
  void drop_buffer() override;
  std::size_t buffered() const override { return buffer_.size() - sent_; }

  void arm_reading();
  void read_soon();
  void on_readable();
  void on_end();
  void on_reader_gone();
  void on_writable();
  Result<os::Transfer> take(std::span<std::byte> buffer);
  /// false: dropped silently after the end, reported while a file is sent.
  bool may_write();
  /// Writes as much of data as the system takes now. nullopt: the transport is lost.
  std::optional<std::size_t> put(ByteView data);
  std::optional<std::size_t> put(std::span<const ByteView> pieces);
  std::optional<std::size_t> count_of(const Result<os::Transfer>& transfer);
  /// Keeps a copy of the pieces but for the first `skip` bytes, for when the system takes more.
  void keep(std::span<const ByteView> pieces, std::size_t skip);
  /// Has the system taken everything, a file included?
  bool all_sent() const { return buffered() == 0 && !file_; }
  void wait_for_room();
  void flushed();
  void send_piece();
  void end_file(const Result<std::uint64_t>& outcome);
  void drop_file();
  void release_buffer();

  StreamOptions options_;
  Protocol* streaming_ = nullptr;  // protocol_ as one of its two kinds
  BufferedProtocol* buffered_protocol_ = nullptr;
  Bytes buffer_;  // what the system has not taken yet, from sent_ on
  std::size_t sent_ = 0;
  struct FileInFlight;
  std::shared_ptr<FileInFlight> file_;  // goes after the buffer; nothing is written meanwhile
  bool started_ = false;
  bool paused_ = false;
  bool at_end_ = false;      // the peer will send no more
  bool eof_wanted_ = false;  // write_eof() was called
  bool writing_armed_ = false;
};

/// A transport over a connected, non-blocking stream socket, not yet open(). TCP_NODELAY is set
/// where there is TCP.
std::shared_ptr<StreamTransport> make_socket_transport(SelectorLoop& loop, os::UniqueFd fd,
                                                       std::shared_ptr<BaseProtocol> protocol);

}  // namespace loopscope
