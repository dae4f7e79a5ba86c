// Transports: what a protocol writes to. Names and meaning as in asyncio's transports.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "loops/base/bytes.hpp"
#include "loops/base/result.hpp"
#include "loops/os/native.hpp"
#include "loops/os/net.hpp"
#include "loops/protocol.hpp"

namespace loopscope {

/// What get_extra_info gives: nothing, an address, a descriptor (still owned by the transport),
/// or text.
using ExtraInfo = std::variant<std::monostate, Endpoint, os::NativeSocket, std::string>;

/// Thread: the loop's. After close() or abort() every call is harmless; none of them blocks.
class BaseTransport {
 public:
  virtual ~BaseTransport() = default;
  /// Flushes what is buffered, then connection_lost(null). Idempotent. Reading stops at once.
  virtual void close() = 0;
  virtual bool is_closing() const = 0;
  /// "sockname", "peername" (kept after close), "socket", "pipe"; monostate for other names.
  virtual ExtraInfo get_extra_info(std::string_view name) const = 0;
  /// Takes effect with the next call; bytes already received and not delivered go to it.
  virtual void set_protocol(std::shared_ptr<BaseProtocol> protocol) = 0;
  virtual std::shared_ptr<BaseProtocol> get_protocol() const = 0;
};

struct WriteBufferLimits {
  std::size_t low, high;  // bytes
};

/// A stream in one or two directions. A read-only transport refuses what writes (not_supported),
/// a write-only one what reads.
class Transport : public BaseTransport {
 public:
  virtual bool is_reading() const { return false; }
  /// No data_received from the return of this call on. Idempotent.
  virtual void pause_reading() {}
  virtual void resume_reading() {}

  /// Sends or buffers a copy: bytes changed afterwards are never sent. Dropped after
  /// write_eof(), close(), abort() and the loss of the connection. Never blocks, never fails:
  /// errors arrive at connection_lost.
  virtual void write(ByteView data) { (void)data; }
  virtual void writelines(std::span<const ByteView> chunks) {
    for (const ByteView chunk : chunks) write(chunk);
  }
  virtual bool can_write_eof() const { return false; }
  /// Ends our half after the buffer was flushed. Idempotent.
  virtual Result<void> write_eof() { return make_error(Errc::not_supported, "write_eof"); }
  /// Drops the buffer; connection_lost(null) soon.
  virtual void abort() = 0;
  virtual std::size_t get_write_buffer_size() const { return 0; }  // bytes not yet taken by the OS
  virtual WriteBufferLimits get_write_buffer_limits() const { return {0, 0}; }
  /// Both in bytes, nullopt for the default: high 64 KiB (or 4 x low), low high / 4.
  /// errors  invalid_argument unless high >= low.
  virtual Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                               std::optional<std::size_t> low) {
    (void)high, (void)low;
    return make_error(Errc::not_supported, "set_write_buffer_limits");
  }
};

class DatagramTransport : public BaseTransport {
 public:
  /// Sends one datagram, an empty one included, or queues it whole and in order.
  /// to: null on a connected endpoint. System errors go to error_received.
  /// errors  invalid_argument when `to` differs from the peer of a connected endpoint, or when
  ///         there is no address at all; closed after close().
  virtual Result<void> sendto(ByteView data, const Endpoint* to = nullptr) = 0;
  virtual void abort() = 0;
  virtual std::size_t get_write_buffer_size() const { return 0; }
  virtual Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                               std::optional<std::size_t> low) {
    (void)high, (void)low;
    return make_error(Errc::not_supported, "set_write_buffer_limits");
  }
};

class SubprocessTransport : public BaseTransport {
 public:
  virtual int get_pid() const = 0;
  virtual std::shared_ptr<BaseTransport> get_pipe_transport(int fd) const = 0;
  virtual std::optional<int> get_returncode() const = 0;  // negative: minus the signal number
  virtual Result<void> kill() = 0;
  virtual Result<void> terminate() = 0;
  virtual Result<void> send_signal(int signum) = 0;
};

template <class T, class P>
struct LinkOf {
  std::shared_ptr<T> transport;
  std::shared_ptr<P> protocol;
};
using Link = LinkOf<Transport, BaseProtocol>;
using DatagramLink = LinkOf<DatagramTransport, DatagramProtocol>;
using ProcessLink = LinkOf<SubprocessTransport, SubprocessProtocol>;

}  // namespace loopscope
