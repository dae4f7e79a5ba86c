// Protocols: what a loop calls. Names and order as in asyncio's protocols.
#pragma once

#include <memory>
#include <span>

#include "loops/base/bytes.hpp"
#include "loops/base/error.hpp"
#include "loops/os/net.hpp"

namespace loopscope {

class BaseTransport;

/// Callbacks common to all protocols. All are called on the loop's thread; an exception from any
/// of them goes to the loop's exception handler and ends the connection with it.
class BaseProtocol {
 public:
  virtual ~BaseProtocol() = default;
  /// First call, exactly once. The transport lives at least until connection_lost returned.
  virtual void connection_made(BaseTransport& transport) { (void)transport; }
  /// Last call, exactly once. why: null for a clean end (EOF, close(), abort()).
  virtual void connection_lost(const Error* why) { (void)why; }
  /// The write buffer rose above the high water mark; strictly alternates with resume_writing.
  virtual void pause_writing() {}
  virtual void resume_writing() {}
};

class Protocol : public BaseProtocol {
 public:
  virtual void data_received(ByteView data) { (void)data; }
  /// The peer will send no more. false closes the transport, true keeps our half open.
  virtual bool eof_received() { return false; }
};

/// A protocol that lends its own memory for received bytes.
class BufferedProtocol : public BaseProtocol {
 public:
  /// size_hint: -1 or the wanted size. An empty buffer is an error that ends the connection.
  virtual std::span<std::byte> get_buffer(std::ptrdiff_t size_hint) = 0;
  virtual void buffer_updated(std::size_t count) = 0;
  virtual bool eof_received() { return false; }
};

class DatagramProtocol : public BaseProtocol {
 public:
  virtual void datagram_received(ByteView data, const Endpoint& sender) {
    (void)data, (void)sender;
  }
  /// A send or receive failed with a system error; the endpoint goes on.
  virtual void error_received(const Error& error) { (void)error; }
};

class SubprocessProtocol : public BaseProtocol {
 public:
  virtual void pipe_data_received(int fd, ByteView data) { (void)fd, (void)data; }
  virtual void pipe_connection_lost(int fd, const Error* why) { (void)fd, (void)why; }
  virtual void process_exited() {}
};

}  // namespace loopscope
