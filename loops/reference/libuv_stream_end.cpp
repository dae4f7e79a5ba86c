// Stream transports of the libuv row: opening, reading, and both ends of a stream's life.
//
// libuv's own behaviour that scenarios meet, and that is left as it is:
//   idle writer   a stream that neither reads nor writes is not watched: a peer that goes away is
//                 noticed by the next write.
//   SIGPIPE       uv_write calls write(2); a program is expected to ignore SIGPIPE.
//   terminals     uv_tty reopens a slave and makes writes to a master block.
//   POLLHUP       after a short read a hang-up counts as the end of the stream.
// Source: docs.libuv.org, uv_stream_t, uv_tcp_t, uv_pipe_t, uv_tty_t; 1.44.2.
#include "loops/reference/libuv_stream_end.hpp"

#include "loops/os/net.hpp"
#include "loops/reference/libuv_system.hpp"

namespace loopscope::libuv {
Result<void> check_pipe_name(std::string_view op, const std::string& path) {
  const bool abstract = path.front() == '\0';
  if (!abstract && path.find('\0') != path.npos) {
    return make_error(Errc::invalid_argument, op, "a NUL inside a path");
  }
#if UV_VERSION_HEX < 0x012E00
  if (abstract) {
    return make_error(Errc::not_supported, op, "libuv before 1.46 has no abstract names");
  }
#endif
  return {};
}

// --- opening and closing

Result<void> StreamEnd::open_pipe(os::UniqueFd&& pipe, Sides sides) {
  const os::NativeSocket fd = pipe.get();
  const Result<bool> blocking = os::is_blocking(fd);
  if (!blocking.ok()) return blocking.error();
  was_blocking_ = blocking.value();
  sides_ = sides;
  if (const Result<void> opened = open_as(handle_type_of(fd), fd); !opened.ok()) return opened;
  if (descriptor_of(handle()) == fd) {
    (void)pipe.release();  // libuv closes it with the handle.
  } else {
    // A terminal, which libuv opens a second time, or any on Windows.
    reopened_from_ = std::move(pipe);
  }
  remember_names();
  return {};
}

Result<void> StreamEnd::open_socket(Socket& socket, std::string_view op) {
  const os::NativeSocket fd = socket.native();
  const Result<SocketType> type = os::type_of(fd);
  if (!type.ok()) return type.error();
  if (*type != SocketType::stream) {
    return make_error(Errc::invalid_argument, op, "a stream socket was expected");
  }
  if (const Result<void> opened = open_as(handle_type_of(fd), fd); !opened.ok()) return opened;
  (void)socket.release().release();  // libuv closes it with the handle.
  connected();
  return {};
}

Result<void> StreamEnd::open_as(uv_handle_type type, os::NativeSocket fd) {
  switch (type) {
    case UV_NAMED_PIPE: {
      FileNumber file(fd);
      uv_pipe_init(loop_.uv(), pipe(), 0);
      take(fd);
      const int rc = uv_pipe_open(pipe(), file.get());
      if (rc == 0) file.release();
      return opened(rc, "uv_pipe_open");
    }
    case UV_TCP:
      uv_tcp_init(loop_.uv(), tcp());
      take(fd);
      return opened(uv_tcp_open(tcp(), static_cast<uv_os_sock_t>(fd)), "uv_tcp_open");
    case UV_TTY: {
      FileNumber file(fd);
      if (const int rc = uv_tty_init(loop_.uv(), &handle_.tty, file.get(), 0); rc != 0) {
        return uv_error(rc, "uv_tty_init");
      }
      file.release();
      take(fd);
      return {};
    }
    default:
      return make_error(Errc::invalid_argument, "uv_guess_handle",
                        "a transport needs a pipe, a stream socket or a terminal");
  }
}

Result<void> StreamEnd::opened(int rc, std::string_view op) {
  if (rc == 0) return {};
  was_blocking_ = false;  // The descriptor is not libuv's: nothing to give back.
  discard();
  return uv_error(rc, op);
}

Result<void> StreamEnd::init_tcp(AddressFamily family) {
  const auto domain = static_cast<unsigned>(native(family));
  if (const int rc = uv_tcp_init_ex(loop_.uv(), tcp(), domain); rc != 0) {
    return uv_error(rc, "uv_tcp_init_ex");
  }
  take(family != AddressFamily::unspecified ? descriptor_of(handle()) : os::kInvalid);
  return {};
}

void StreamEnd::init_pipe(Sides sides) {
  sides_ = sides;
  uv_pipe_init(loop_.uv(), pipe(), 0);
  take(os::kInvalid);
}

void StreamEnd::connected() {
  if (fd_ == os::kInvalid) {
    const os::NativeSocket fd = descriptor_of(handle());
    if (fd != os::kInvalid) take(fd);
  }
  // Small writes are not held back: asyncio's default, not libuv's. What cannot have it (a socket
  // that its peer has reset already) shows that by its first read.
  if (handle_.handle.type == UV_TCP) (void)uv_tcp_nodelay(tcp(), 1);
  remember_names();
}

void StreamEnd::remember_names() {
  // What is no socket has no names.
  if (Result<Endpoint> local = os::local_address(fd_); local.ok()) local_ = local.value();
  if (Result<Endpoint> peer = os::peer_address(fd_); peer.ok()) peer_ = peer.value();
}

void StreamEnd::begin_unasked() {
  tell_made_soon();
  const auto self = shared_from_this();
  (void)loop_.call_soon([self, this] {
    if (!closing_) start_reading();
  });
}

void StreamEnd::before_close() {
  waiting_ = {};
  if (was_blocking_) (void)os::set_blocking(fd_, true);  // Gone already: nothing to restore.
  reopened_from_.reset();
}

void StreamEnd::after_lost() {
  if (const auto ended = std::exchange(ended_, nullptr)) ended();
}

void StreamEnd::close() {
  if (closing_) return;
  closing_ = true;
  if (open_ && sides_.read && !handle_busy_) uv_read_stop(stream());
  if (open_ && queued() > 0) return;  // The last completed write closes.
  finish(std::nullopt);
}

ExtraInfo StreamEnd::get_extra_info(std::string_view name) const {
  if (name == "sockname" && local_.size() > 0) return local_;
  if (name == "peername" && peer_.size() > 0) return peer_;
  if ((name == "pipe" || name == "socket") && open_) return fd_;
  return std::monostate{};
}

// --- reading

void StreamEnd::protocol_changed() {
  plain_ = dynamic_cast<Protocol*>(protocol_.get());
  buffered_ = dynamic_cast<BufferedProtocol*>(protocol_.get());
}

void StreamEnd::start_reading() {
  started_ = true;
  if (!is_reading() || !open_) return;
  const int rc = uv_read_start(
      stream(),
      [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) { of(handle).lend(*buffer); },
      [](uv_stream_t* source, ssize_t count, const uv_buf_t* buffer) {
        of(reinterpret_cast<uv_handle_t*>(source)).on_read(count, *buffer);
      });
  if (rc != 0 && rc != UV_EALREADY) finish(uv_error(rc, "uv_read_start"));
}

void StreamEnd::pause_reading() {
  if (!is_reading()) return;
  paused_ = true;
  if (started_ && open_ && !handle_busy_) uv_read_stop(stream());
}

void StreamEnd::resume_reading() {
  if (!std::exchange(paused_, false) || !started_ || !open_ || handle_busy_) return;
  start_reading();
}

void StreamEnd::lend(uv_buf_t& buffer) {
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
  if (!is_reading() || protocol_ != asked) declined_ = true;
  if (declined_) return;
  buffer = uv_buf_init(reinterpret_cast<char*>(lent.data()), static_cast<unsigned>(lent.size()));
}

void StreamEnd::after_declined() {
  // The protocol did something else than lend its memory: its wish is carried out now.
  declined_ = false;
  if (lost_) {
    close_handle();
  } else if (!is_reading()) {
    uv_read_stop(stream());
  }
}

void StreamEnd::on_read(ssize_t count, const uv_buf_t& buffer) {
  const auto self = shared_from_this();
  if (declined_) {
    after_declined();
  } else if (closing_ || count == 0) {
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

void StreamEnd::received(const char* data, std::size_t count) {
  const auto protocol = protocol_;
  if (buffered_ != nullptr) {
    deliver([&] { buffered_->buffer_updated(count); }, "buffer_updated");
  } else if (plain_ != nullptr) {
    deliver([&] { plain_->data_received(std::as_bytes(std::span(data, count))); }, "data_received");
  }
}

void StreamEnd::end_of_stream() {
  at_end_ = true;
  const auto protocol = protocol_;
  bool keep_open = false;
  const auto tell = [&] {
    if (buffered_ != nullptr) {
      keep_open = buffered_->eof_received();
    } else if (plain_ != nullptr) {
      keep_open = plain_->eof_received();
    }
  };
  deliver(tell, "eof_received");
  if (!keep_open || !sides_.write) close();
}

}  // namespace loopscope::libuv
