// StreamEnd: one transport over uv_tcp, uv_pipe or uv_tty, in one direction or in both.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "loops/reference/libuv_transport.hpp"

namespace loopscope::libuv {

/// What a transport may do with its stream.
struct Sides {
  bool read = true, write = true;
};

/// Is this a name that uv_pipe_bind and uv_pipe_connect can take?
/// errors  not_supported for abstract names before 1.46, which pads them; invalid_argument for a
///         NUL inside a path.
Result<void> check_pipe_name(std::string_view op, const std::string& path);

/// Opened by one of the first group of calls, then given a protocol and begun. What fails to open
/// leaves nothing behind.
class StreamEnd final : public UvTransport<Transport> {
 public:
  using UvTransport::UvTransport;

  // --- opening
  /// Takes a pipe, a terminal or a socket over; its blocking flag comes back at the end.
  Result<void> open_pipe(os::UniqueFd&& pipe, Sides sides);
  /// Takes a connected stream socket over, unless it refuses.
  Result<void> open_socket(Socket& socket, std::string_view op);
  /// A handle for uv_tcp_connect or uv_accept. With a family it has its socket already.
  Result<void> init_tcp(AddressFamily family = AddressFamily::unspecified);
  /// A handle for uv_pipe_connect, uv_accept or, with the parent's sides, uv_spawn.
  void init_pipe(Sides sides = {});
  /// libuv has given the handle its descriptor, or connected it: takes note of it and of its names.
  void connected();
  /// Gives an end up that no protocol knows yet.
  void discard() { loop_closes(); }
  /// The two calls that every protocol gets first, without a future to complete.
  void begin_unasked();
  /// Called once: connection_lost has returned, or the loop closed.
  void on_end(std::function<void()> ended) { ended_ = std::move(ended); }

  /// Discards an end that nobody has taken until its scope ends: a factory may throw.
  class Discarding {
   public:
    explicit Discarding(StreamEnd& end) : end_(&end) {}
    ~Discarding() {
      if (end_ != nullptr) end_->discard();
    }
    Discarding(const Discarding&) = delete;
    Discarding& operator=(const Discarding&) = delete;
    void keep() { end_ = nullptr; }

   private:
    StreamEnd* end_;
  };

  uv_stream_t* stream() { return &handle_.stream; }
  uv_tcp_t* tcp() { return &handle_.tcp; }
  uv_pipe_t* pipe() { return &handle_.pipe; }
  os::NativeSocket descriptor() const { return fd_; }
  /// What connects it, for errors.
  std::string_view connect_call() const {
    return handle_.handle.type == UV_TCP ? "uv_tcp_connect" : "uv_pipe_connect";
  }

  // --- Transport
  void close() override;
  ExtraInfo get_extra_info(std::string_view name) const override;
  bool is_reading() const override { return sides_.read && !paused_ && !closing_ && !at_end_; }
  void pause_reading() override;
  void resume_reading() override;
  void write(ByteView data) override;
  void writelines(std::span<const ByteView> chunks) override;
  bool can_write_eof() const override { return sides_.write; }
  Result<void> write_eof() override;
  std::size_t get_write_buffer_size() const override { return write_buffer_size(); }
  WriteBufferLimits get_write_buffer_limits() const override { return limits(); }
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override;

 protected:
  uv_handle_t* handle() override { return &handle_.handle; }
  std::size_t queued() const override {
    return uv_stream_get_write_queue_size(&handle_.stream) + waiting_.size();
  }
  void protocol_changed() override;
  void start_reading() override;
  void before_close() override;
  void after_lost() override;

 private:
  struct WriteRequest;
  struct ShutdownRequest;

  static StreamEnd& of(uv_handle_t* handle) {
    return static_cast<StreamEnd&>(*static_cast<UvTransport*>(handle->data));
  }
  Result<void> open_as(uv_handle_type type, os::NativeSocket fd);
  Result<void> opened(int rc, std::string_view op);
  void remember_names();

  void lend(uv_buf_t& buffer);
  void after_declined();
  void on_read(ssize_t count, const uv_buf_t& buffer);
  void received(const char* data, std::size_t count);
  void end_of_stream();

  bool takes_writes() const { return sides_.write && open_ && !closing_ && !eof_wanted_; }
  void send(std::span<const uv_buf_t> buffers);
  void submit(Bytes data, std::span<const std::size_t> sizes);
  void on_written(int status);
  void shut_down();

  union Handle {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
    uv_tty_t tty;
  };
  Handle handle_{};
  Protocol* plain_ = nullptr;
  BufferedProtocol* buffered_ = nullptr;
  Sides sides_;
  bool was_blocking_ = false;
  bool started_ = false, paused_ = false, at_end_ = false;
  bool writing_ = false;  // a write request is libuv's
  bool eof_wanted_ = false, shut_ = false;
  bool declined_ = false;  // get_buffer lent nothing that may be read into
  Bytes waiting_;  // written meanwhile: libuv sends one request an iteration, however small it is
  os::UniqueFd reopened_from_;
  Endpoint local_, peer_;
  std::function<void()> ended_;
};

}  // namespace loopscope::libuv
