// The writing side of libuv's streams: uv_try_write, then one uv_write at a time, then uv_shutdown.
#include <algorithm>
#include <limits>
#include <vector>

#include "loops/reference/libuv_stream_end.hpp"

namespace loopscope::libuv {
namespace {

uv_buf_t buffer_of(ByteView data) {
  // uv_buf_t is one type for reads and writes; a write does not change the bytes.
  auto* base = const_cast<char*>(reinterpret_cast<const char*>(data.data()));
  uv_buf_t buffer = uv_buf_init(base, 0);
  buffer.len = static_cast<decltype(buffer.len)>(data.size());
  return buffer;
}

/// uv_try_write tells in an int what was taken, and on Windows asks for more than an int can tell.
bool can_be_tried(std::span<const uv_buf_t> buffers) {
  constexpr std::size_t kMost = std::numeric_limits<int>::max();
  std::size_t all = 0;
  for (const uv_buf_t& buffer : buffers) all += std::min<std::size_t>(buffer.len, kMost + 1);
  return all <= kMost;
}

}  // namespace

struct StreamEnd::WriteRequest {
  uv_write_t uv{};
  std::shared_ptr<StreamEnd> end;
  Bytes data;
};

struct StreamEnd::ShutdownRequest {
  uv_shutdown_t uv{};
  std::shared_ptr<StreamEnd> end;
};

void StreamEnd::write(ByteView data) {
  if (!takes_writes() || data.empty()) return;
  const uv_buf_t whole = buffer_of(data);
  send(std::span(&whole, 1));
}

void StreamEnd::writelines(std::span<const ByteView> chunks) {
  if (!takes_writes()) return;
  std::vector<uv_buf_t> buffers;
  buffers.reserve(chunks.size());
  for (const ByteView chunk : chunks) {
    if (!chunk.empty()) buffers.push_back(buffer_of(chunk));
  }
  if (!buffers.empty()) send(buffers);
}

void StreamEnd::send(std::span<const uv_buf_t> buffers) {
  std::size_t taken = 0;
  if (!writing_ && can_be_tried(buffers)) {
    const auto count = static_cast<unsigned>(buffers.size());
    const int rc = uv_try_write(stream(), buffers.data(), count);
    if (rc < 0 && rc != UV_EAGAIN) {
      finish(uv_error(rc, "uv_try_write"));
      return;
    }
    taken = rc > 0 ? static_cast<std::size_t>(rc) : 0;
  }
  Bytes rest;
  std::vector<std::size_t> sizes;
  Bytes& target = writing_ ? waiting_ : rest;
  for (const uv_buf_t& buffer : buffers) {
    const auto skipped = std::min<std::size_t>(taken, buffer.len);
    taken -= skipped;
    if (skipped == buffer.len) continue;
    const auto* first = reinterpret_cast<const std::byte*>(buffer.base) + skipped;
    target.insert(target.end(), first, first + (buffer.len - skipped));
    sizes.push_back(buffer.len - skipped);
  }
  if (!rest.empty()) submit(std::move(rest), sizes);
  update_flow();
}

/// sizes: of the pieces that data consists of.
void StreamEnd::submit(Bytes data, std::span<const std::size_t> sizes) {
  auto request = std::make_unique<WriteRequest>();
  request->end = std::static_pointer_cast<StreamEnd>(shared_from_this());
  request->data = std::move(data);
  request->uv.data = request.get();
  std::vector<uv_buf_t> pieces;  // libuv keeps a list of its own
  pieces.reserve(sizes.size());
  ByteView left(request->data);
  for (const std::size_t size : sizes) {
    pieces.push_back(buffer_of(left.first(size)));
    left = left.subspan(size);
  }
  const auto ended = [](uv_write_t* done, int status) {
    const std::unique_ptr<WriteRequest> finished(static_cast<WriteRequest*>(done->data));
    finished->end->on_written(status);
  };
  const auto count = static_cast<unsigned>(pieces.size());
  const int rc = uv_write(&request->uv, stream(), pieces.data(), count, ended);
  if (rc != 0) {
    finish(uv_error(rc, "uv_write"));
    return;
  }
  writing_ = true;
  (void)request.release();  // libuv's until its callback
}

void StreamEnd::on_written(int status) {
  writing_ = false;
  if (lost_) return;
  loop_.enter([&] {
    if (status < 0) {
      finish(uv_error(status, "uv_write"));
      return;
    }
    if (!waiting_.empty()) {
      const std::size_t size = waiting_.size();
      submit(std::exchange(waiting_, {}), std::span(&size, 1));
    }
    update_flow();
    if (lost_ || queued() > 0) return;
    if (closing_) {
      finish(std::nullopt);
    } else if (eof_wanted_) {
      shut_down();
    }
  });
}

Result<void> StreamEnd::write_eof() {
  if (!sides_.write) return make_error(Errc::not_supported, "write_eof");
  if (closing_ || eof_wanted_) return {};
  eof_wanted_ = true;
  if (!sides_.read) {
    close();  // The end of a stream's only direction is its close.
  } else if (queued() == 0) {
    shut_down();
  }
  return {};
}

void StreamEnd::shut_down() {
  if (std::exchange(shut_, true)) return;
  auto request = std::make_unique<ShutdownRequest>();
  request->end = std::static_pointer_cast<StreamEnd>(shared_from_this());
  request->uv.data = request.get();
  const int rc = uv_shutdown(&request->uv, stream(), [](uv_shutdown_t* done, int status) {
    const std::unique_ptr<ShutdownRequest> finished(static_cast<ShutdownRequest*>(done->data));
    StreamEnd& end = *finished->end;
    // ENOTCONN: the peer has reset the connection, and reading will say so.
    if (status == 0 || end.closing_ || (status == UV_ENOTCONN && !end.at_end_)) return;
    end.finish(uv_error(status, "uv_shutdown"));
  });
  if (rc != 0) {
    finish(uv_error(rc, "uv_shutdown"));
    return;
  }
  (void)request.release();  // libuv's until its callback
}

Result<void> StreamEnd::set_write_buffer_limits(std::optional<std::size_t> high,
                                                std::optional<std::size_t> low) {
  if (!sides_.write) return make_error(Errc::not_supported, "set_write_buffer_limits");
  return set_limits(high, low);
}

}  // namespace loopscope::libuv
