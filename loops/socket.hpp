// Socket and FileObj: the caller's descriptors as the loops take them.
#pragma once

#include "loops/os/fd.hpp"
#include "loops/os/net.hpp"

namespace loopscope {

/// A socket that the caller owns. Move-only; opaque for loops in another process.
/// Born non-blocking and close-on-exec, as sock_* requires.
class Socket {
 public:
  Socket() = default;
  explicit Socket(os::UniqueFd fd) : fd_(std::move(fd)) {}
  static Result<Socket> make(AddressFamily family, SocketType type);

  explicit operator bool() const { return static_cast<bool>(fd_); }
  os::NativeSocket native() const { return fd_.get(); }
  os::UniqueFd release() { return std::move(fd_); }
  void close() { fd_.reset(); }

 private:
  os::UniqueFd fd_;
};

struct Accepted {
  Socket connection;
  Endpoint peer;
};

/// Anything with a descriptor, borrowed for one call: asyncio's "fileobj".
class FileObj {
 public:
  FileObj(os::NativeSocket fd) : fd_(fd) {}                 // NOLINT: implicit
  FileObj(const Socket& socket) : fd_(socket.native()) {}   // NOLINT: implicit
  FileObj(const os::UniqueFd& fd) : fd_(fd.get()) {}        // NOLINT: implicit
  os::NativeSocket native() const { return fd_; }

 private:
  os::NativeSocket fd_;
};

/// One end of a pipe, FIFO, terminal or socket, given to connect_read_pipe or connect_write_pipe,
/// which own it from then on.
using PipeEnd = os::UniqueFd;

}  // namespace loopscope
