// ReadinessOps: sock_* for any loop that can say when a descriptor is ready.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "loops/common/backoff.hpp"
#include "loops/common/readiness.hpp"
#include "loops/event_loop.hpp"

namespace loopscope {

/// Readiness through the public add_reader and add_writer of a loop.
class LoopReadiness final : public Readiness {
 public:
  explicit LoopReadiness(EventLoop& loop) : loop_(loop) {}
  EventLoop& event_loop() override { return loop_; }
  Result<void> watch(os::NativeSocket fd, Direction direction,
                     std::function<void()> ready) override;
  void unwatch(os::NativeSocket fd, Direction direction) override;

 private:
  EventLoop& loop_;
};

/// Each operation is tried at once and armed only when it would block. Operations on one socket
/// in one direction are served in the order in which they were started.
class ReadinessOps {
 public:
  explicit ReadinessOps(Readiness& readiness) : readiness_(readiness) {}

  Future<Bytes> recv(Socket& socket, std::size_t max_bytes);
  Future<std::size_t> recv_into(Socket& socket, std::span<std::byte> buffer);
  Future<Datagram> recvfrom(Socket& socket, std::size_t max_bytes);
  Future<std::pair<std::size_t, Endpoint>> recvfrom_into(Socket& socket,
                                                         std::span<std::byte> buffer);
  Future<void> sendall(Socket& socket, Bytes data);
  Future<std::size_t> sendto(Socket& socket, Bytes data, Endpoint peer);
  Future<void> connect(Socket& socket, Endpoint peer);
  Future<Accepted> accept(Socket& listener);
  Future<std::uint64_t> sendfile(Socket& socket, const FileRange& range);

  /// Forgets every operation; their futures stay pending, as asyncio's do when its loop closes.
  void clear();

 private:
  struct Operation {
    virtual ~Operation() = default;
    /// true when the operation is over, one way or the other.
    virtual bool attempt() = 0;
    /// May it block on a descriptor that is ready? Then it is tried again after a pause.
    bool blocks_when_ready = false;
  };
  template <class T, class Try>
  struct OperationOf;
  using Key = std::pair<os::NativeSocket, Direction>;
  struct Queue {
    std::deque<std::shared_ptr<Operation>> operations;
    Backoff backoff;
    Handle pause_over;
  };

  template <class T, class Try>
  Future<T> start(std::string_view op, Socket& socket, Direction direction, Try attempt,
                  bool blocks_when_ready = false);
  Result<void> enqueue(Key key, std::shared_ptr<Operation> operation);
  void drop(Key key, const Operation* operation);
  void serve(Key key);
  Result<void> arm(Key key);
  void pause(Key key, Queue& queue);
  void disarm(std::map<Key, Queue>::iterator served);

  Readiness& readiness_;
  std::map<Key, Queue> pending_;
};

}  // namespace loopscope
