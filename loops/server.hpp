// Server: a set of listening sockets and the connections that came in through them.
#pragma once

#include <vector>

#include "loops/future.hpp"
#include "loops/os/native.hpp"
#include "loops/os/net.hpp"

namespace loopscope {

/// source: asyncio.Server. thread: the loop's.
///
/// lifetime  The loop keeps a server that listens; connections outlive close().
class Server {
 public:
  virtual ~Server() = default;
  /// Stops listening at once and closes the listening sockets; connections stay. Idempotent.
  virtual void close() = 0;
  /// close() on every connection: each flushes and ends.
  virtual void close_clients() = 0;
  /// abort() on every connection.
  virtual void abort_clients() = 0;
  /// Begins to listen. Idempotent. errors: closed after close(); those of listen(2).
  virtual Result<void> start_serving() = 0;
  virtual bool is_serving() const = 0;
  /// The addresses of the listening sockets; none after close().
  virtual std::vector<Endpoint> sockets() const = 0;
  /// The listening descriptors, still the server's; none after close().
  virtual std::vector<os::NativeSocket> descriptors() const = 0;
  /// Done when the server is closed and its last connection has ended. Every call gives a future
  /// of its own: cancelling one leaves the others.
  virtual Future<void> wait_closed() = 0;
};

}  // namespace loopscope
