// Peers: plain blocking descriptors of the harness, never a loop.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "loops/base/bytes.hpp"
#include "loops/os/fd.hpp"
#include "loops/os/net.hpp"
#include "loops/os/pipe.hpp"
#include "loops/socket.hpp"

namespace loopscope {

/// A call on the harness's side failed: the cell is broken, the subject is not judged.
class PeerFailure final : public Failure {
 public:
  using Failure::Failure;
};

/// This system has nothing of the kind that a scenario is about: the cell is skipped.
/// Leaves a run of the loop, as a failed check does.
class HostLacks final : public ExitException {
 public:
  explicit HostLacks(const Error& error) : text_(to_string(error)) {}
  const char* reason() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};
/// For what the harness itself does: throws HostLacks where the system does not know how, or has no
/// such address family, and PeerFailure after any other error.
[[noreturn]] void harness_failed(const Error& error);

/// A blocking descriptor on the harness's side: socket, pipe end or terminal. Every call blocks
/// until it is done and throws PeerFailure on an error: a peer's trouble is never the subject's.
class Peer {
 public:
  Peer() = default;
  explicit Peer(os::UniqueFd fd) : fd_(std::move(fd)) {}
  void send(std::string_view data) { send(view(data)); }
  void send(ByteView data);               // all of it
  Bytes recv(std::size_t max_bytes);      // empty: end of stream; EIO of a terminal too
  Bytes recv_exactly(std::size_t count);  // throws when the stream ends before
  Bytes recv_until_eof();
  void shutdown_write();
  void close() { fd_.reset(); }
  void reset();  // RST on IP stream sockets
  os::NativeSocket native() const { return fd_.get(); }
  explicit operator bool() const { return static_cast<bool>(fd_); }
  os::UniqueFd release() { return std::move(fd_); }

 private:
  os::UniqueFd fd_;
};

/// A blocking datagram socket bound to a loopback address or a path.
class DatagramPeer {
 public:
  DatagramPeer() = default;
  explicit DatagramPeer(os::UniqueFd fd) : fd_(std::move(fd)) {}
  Endpoint address() const;
  void sendto(std::string_view data, const Endpoint& to);
  Datagram recvfrom();
  void close() { fd_.reset(); }
  os::NativeSocket native() const { return fd_.get(); }

 private:
  os::UniqueFd fd_;
};

struct StreamPair {
  Socket subject;  // belongs to the loop's side: non-blocking
  Peer peer;       // blocking, ours
};

}  // namespace loopscope
