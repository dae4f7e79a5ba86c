// SocketOps: sock_* by operations.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "loops/common/readiness.hpp"
#include "loops/event_loop.hpp"
#include "loops/os/descriptor_use.hpp"
#include "loops/proactor/operation.hpp"

namespace loopscope {

/// Operations on one socket in one direction are served in the order in which they were started,
/// one at a time. What a cancelled one has taken from the system is for its successor: no byte,
/// datagram or client is lost.
class SocketOps final : private os::DescriptorUser {
 public:
  explicit SocketOps(ProactorLoop& loop) : loop_(loop) {}

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

  /// Bytes that were received for nobody: whoever takes the socket over gets them first.
  Bytes claim(os::NativeSocket fd);
  /// Forgets every operation; their futures stay pending, as asyncio's do when its loop closes.
  void clear();

 private:
  class Job;
  template <class T>
  class JobOf;
  template <class T, class Finish, class Claim>
  class SimpleFor;
  class SendFileJob;

  using Key = std::pair<os::NativeSocket, Direction>;
  /// What cancelled operations have taken.
  struct Leftovers {
    os::FdIdentity socket;
    Bytes bytes;
    std::deque<Datagram> datagrams;
    std::deque<Accepted> connections;
  };

  template <class T, class Make>
  Future<T> receive(std::string_view op, const Socket& socket, std::size_t max_bytes, Make make);
  template <class T, class Make>
  Future<T> receive_from(std::string_view op, const Socket& socket, std::size_t max_bytes,
                         Make make);
  template <class T, class Finish, class Claim>
  auto job_for(Key key, Operation::Kind kind, std::string_view op, Finish finish, Claim claim);
  template <class T>
  Future<T> begin(std::shared_ptr<JobOf<T>> job);
  void descriptor_closes(os::NativeSocket fd) noexcept override;
  void end_use_of(os::NativeSocket fd);
  void over(Job& job);
  void drop(const std::shared_ptr<Job>& job);
  void serve(Key key);
  Leftovers& leftovers_for(os::NativeSocket fd);
  /// Null where there are none; those of an earlier socket with this number are forgotten.
  Leftovers* leftovers_of(os::NativeSocket fd);

  ProactorLoop& loop_;
  std::map<Key, std::deque<std::shared_ptr<Job>>> pending_;
  std::map<os::NativeSocket, Leftovers> leftovers_;
};

}  // namespace loopscope
