// Pipe transports over uv_pipe, uv_tty and uv_tcp, whichever uv_guess_handle names.
//
// libuv's own behaviour that scenarios meet, and that is left as it is:
//   idle writer   a stream that neither reads nor writes is not watched: a reader that goes away is
//                 noticed by the next write.
//   SIGPIPE       uv_write calls write(2); a program is expected to ignore SIGPIPE.
//   terminals     uv_tty reopens a slave and makes writes to a master block.
//   POLLHUP       after a short read a hang-up counts as the end of the stream.
// Source: docs.libuv.org, uv_stream_t, uv_pipe_t, uv_tty_t; 1.44.2.
#include "loops/os/net.hpp"
#include "loops/reference/libuv_transport.hpp"

namespace loopscope::libuv {
namespace {

class StreamEnd : public UvTransport<Transport> {
 public:
  using UvTransport::UvTransport;

  Result<void> open(PipeEnd&& pipe) {
    const os::NativeSocket fd = pipe.get();
    const Result<bool> blocking = os::is_blocking(fd);
    if (!blocking.ok()) return blocking.error();
    was_blocking_ = blocking.value();
    if (const Result<void> opened = open_as(uv_guess_handle(fd), fd); !opened.ok()) return opened;
    uv_os_fd_t own = fd;
    uv_fileno(handle(), &own);
    if (own == fd) {
      (void)pipe.release();  // libuv closes it with the handle.
    } else {
      reopened_from_ = std::move(pipe);  // A terminal: libuv opened it a second time.
    }
    return {};
  }

  ExtraInfo get_extra_info(std::string_view name) const override {
    if (name == "pipe" && open_) return fd_;
    return std::monostate{};
  }

 protected:
  uv_handle_t* handle() override { return &handle_.handle; }
  uv_stream_t* stream() { return &handle_.stream; }
  std::size_t queued() const override { return uv_stream_get_write_queue_size(&handle_.stream); }
  void before_close() override {
    if (was_blocking_) (void)os::set_blocking(fd_, true);  // Gone already: nothing to restore.
    reopened_from_.reset();
  }

 private:
  Result<void> open_as(uv_handle_type type, os::NativeSocket fd) {
    switch (type) {
      case UV_NAMED_PIPE:
        uv_pipe_init(loop_.uv(), &handle_.pipe, 0);
        take(fd);
        return opened(uv_pipe_open(&handle_.pipe, fd), "uv_pipe_open");
      case UV_TCP:
        uv_tcp_init(loop_.uv(), &handle_.tcp);
        take(fd);
        return opened(uv_tcp_open(&handle_.tcp, fd), "uv_tcp_open");
      case UV_TTY:
        if (const int rc = uv_tty_init(loop_.uv(), &handle_.tty, fd, 0); rc != 0) {
          return uv_error(rc, "uv_tty_init");
        }
        take(fd);
        return {};
      default:
        return make_error(Errc::invalid_argument, "uv_guess_handle",
                          "a transport needs a pipe, a stream socket or a terminal");
    }
  }
  Result<void> opened(int rc, std::string_view op) {
    if (rc == 0) return {};
    was_blocking_ = false;  // The descriptor is not libuv's: nothing to give back.
    loop_closes();
    return uv_error(rc, op);
  }

  uv_any_handle handle_{};
  os::UniqueFd reopened_from_;
  bool was_blocking_ = false;
};

class ReadPipe final : public StreamEnd {
 public:
  using StreamEnd::StreamEnd;

  void close() override { finish(std::nullopt); }
  bool is_reading() const override { return !paused_ && !closing_; }
  void pause_reading() override {
    paused_ = true;
    if (open_ && !handle_busy_) uv_read_stop(stream());
  }
  void resume_reading() override {
    if (!std::exchange(paused_, false) || !started_ || !open_ || handle_busy_) return;
    start_reading();
  }

 protected:
  void protocol_changed() override {
    plain_ = dynamic_cast<Protocol*>(protocol_.get());
    buffered_ = dynamic_cast<BufferedProtocol*>(protocol_.get());
  }
  void start_reading() override {
    started_ = true;
    if (paused_ || !open_) return;
    const int rc = uv_read_start(
        stream(),
        [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) { of(handle).lend(*buffer); },
        [](uv_stream_t* source, ssize_t count, const uv_buf_t* buffer) {
          of(reinterpret_cast<uv_handle_t*>(source)).on_read(count, *buffer);
        });
    if (rc != 0) finish(uv_error(rc, "uv_read_start"));
  }

 private:
  static ReadPipe& of(uv_handle_t* handle) {
    return static_cast<ReadPipe&>(*static_cast<UvTransport*>(handle->data));
  }
  void lend(uv_buf_t& buffer) {
    if (buffered_ == nullptr) {
      const std::span<char> shared = loop_.read_buffer();
      buffer = uv_buf_init(shared.data(), static_cast<unsigned>(shared.size()));
      return;
    }
    buffer = uv_buf_init(nullptr, 0);  // libuv then reads nothing and reports UV_ENOBUFS
    const auto asked = protocol_;
    std::span<std::byte> lent;
    declined_ = true;
    handle_busy_ = true;
    const auto ask = [&] {
      lent = buffered_->get_buffer(-1);
      declined_ = false;
    };
    deliver(ask, "get_buffer");
    handle_busy_ = false;
    if (lost_ || paused_ || protocol_ != asked) declined_ = true;
    if (declined_) return;
    buffer = uv_buf_init(reinterpret_cast<char*>(lent.data()), static_cast<unsigned>(lent.size()));
  }
  /// The protocol did something else than lend its memory: its wish is carried out now.
  void after_declined() {
    declined_ = false;
    if (lost_) {
      close_handle();
    } else if (paused_) {
      uv_read_stop(stream());
    }
  }
  void on_read(ssize_t count, const uv_buf_t& buffer) {
    const auto self = shared_from_this();
    if (declined_) {
      after_declined();
    } else if (lost_ || count == 0) {
      return;
    } else if (count == UV_EOF) {
      end_of_stream();
    } else if (count == UV_ENOBUFS) {
      finish(make_error(Errc::protocol, "protocol", "get_buffer() returned an empty buffer"));
    } else if (count < 0) {
      finish(uv_error(static_cast<int>(count), "uv_read"));
    } else {
      received(buffer.base, static_cast<std::size_t>(count));
    }
  }
  void received(const char* data, std::size_t count) {
    const auto protocol = protocol_;
    if (buffered_ != nullptr) {
      deliver([&] { buffered_->buffer_updated(count); }, "buffer_updated");
    } else if (plain_ != nullptr) {
      deliver([&] { plain_->data_received(std::as_bytes(std::span(data, count))); },
              "data_received");
    }
  }
  void end_of_stream() {
    const auto self = shared_from_this();
    (void)loop_.call_soon([self, this] {
      if (buffered_ != nullptr) (void)buffered_->eof_received();
      if (plain_ != nullptr) (void)plain_->eof_received();
    });
    finish(std::nullopt);  // There is no other half to keep open.
  }

  Protocol* plain_ = nullptr;
  BufferedProtocol* buffered_ = nullptr;
  bool started_ = false, paused_ = false;
  bool declined_ = false;  // get_buffer lent nothing that may be read into
};

class WritePipe final : public StreamEnd {
 public:
  using StreamEnd::StreamEnd;

  void write(ByteView data) override {
    if (closing_ || data.empty()) return;
    uv_buf_t whole = buffer_of(data);
    const int taken = uv_try_write(stream(), &whole, 1);
    if (taken < 0 && taken != UV_EAGAIN) {
      finish(uv_error(taken, "uv_try_write"));
      return;
    }
    const ByteView rest = data.subspan(taken > 0 ? static_cast<std::size_t>(taken) : 0);
    if (rest.empty()) return;
    queue(rest);
    update_flow();
  }
  bool can_write_eof() const override { return true; }
  Result<void> write_eof() override {
    close();  // The end of a pipe's only direction is its close.
    return {};
  }
  void close() override {
    closing_ = true;
    if (open_ && queued() > 0) return;  // The last completed write closes.
    finish(std::nullopt);
  }
  std::size_t get_write_buffer_size() const override { return write_buffer_size(); }
  WriteBufferLimits get_write_buffer_limits() const override { return limits(); }
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override {
    return set_limits(high, low);
  }

 protected:
  void start_reading() override {}

 private:
  struct Request {
    uv_write_t uv{};
    std::shared_ptr<WritePipe> pipe;
    Bytes data;
  };
  static uv_buf_t buffer_of(ByteView data) {
    // uv_buf_t is one type for reads and writes; a write does not change the bytes.
    auto* base = const_cast<char*>(reinterpret_cast<const char*>(data.data()));
    uv_buf_t buffer = uv_buf_init(base, 0);
    buffer.len = data.size();
    return buffer;
  }
  void queue(ByteView data) {
    auto request = std::make_unique<Request>();
    request->pipe = std::static_pointer_cast<WritePipe>(shared_from_this());
    request->data.assign(data.begin(), data.end());
    request->uv.data = request.get();
    const uv_buf_t buffer = buffer_of(request->data);
    const int rc = uv_write(&request->uv, stream(), &buffer, 1, [](uv_write_t* done, int status) {
      const std::unique_ptr<Request> finished(static_cast<Request*>(done->data));
      finished->pipe->on_written(status);
    });
    if (rc != 0) {
      finish(uv_error(rc, "uv_write"));
      return;
    }
    (void)request.release();  // libuv's until its callback
  }
  void on_written(int status) {
    if (lost_) return;
    loop_.enter([&] {
      if (status < 0) {
        finish(uv_error(status, "uv_write"));
        return;
      }
      update_flow();
      if (closing_ && !lost_ && queued() == 0) finish(std::nullopt);
    });
  }
};

}  // namespace

Future<Link> LibuvLoop::connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) {
  const std::string_view op = "connect_read_pipe";
  if (const std::optional<Errc> why = refuses()) return done_future<Link>(make_error(*why, op));
  const auto open = [&](ReadPipe& end) { return end.open(std::move(pipe)); };
  return link_up<Link, ReadPipe>(*this, factory, op, open);
}

Future<Link> LibuvLoop::connect_write_pipe(ProtocolFactory factory, PipeEnd pipe) {
  const std::string_view op = "connect_write_pipe";
  if (const std::optional<Errc> why = refuses()) return done_future<Link>(make_error(*why, op));
  const auto open = [&](WritePipe& end) { return end.open(std::move(pipe)); };
  return link_up<Link, WritePipe>(*this, factory, op, open);
}

}  // namespace loopscope::libuv
