// Connecting: from a host or addresses to one connected stream socket, for any loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loops/event_loop.hpp"

namespace loopscope {

/// The families take turns, each in its own order; the family that comes first has
/// `first_family_count` addresses before the other one has its first. 0 counts as 1.
/// source: RFC 8305, section 4
std::vector<Endpoint> interleave(std::vector<Endpoint> addresses, unsigned first_family_count);

/// The address that host and service spell, when neither has to be looked up: a literal address
/// of that family (unspecified: any) and a number.
std::optional<Endpoint> literal_address(std::string_view host, std::string_view service,
                                        AddressFamily family = AddressFamily::unspecified);

/// errors  invalid_argument unless there is one of host with service, addresses, sock, and
///         nothing that contradicts it.
Result<void> check_connect_options(std::string_view op, const ConnectOptions& options);

/// A socket that the caller of a loop gives for a transport: connected, a stream, not listening.
/// errors  invalid_argument; EBADF, ENOTSOCK, ENOTCONN of the system. The socket is untouched.
Result<void> check_connected_socket(std::string_view op, const Socket& socket);

/// Resolves, orders the addresses and tries them, with a head start for each where
/// happy_eyeballs_delay asks for it. Uses nothing of the loop but getaddrinfo, sock_connect and
/// call_later.
///
/// lifetime  It ends when nobody holds it; what was under way is taken back then.
/// thread    The loop's.
class Connecting : public std::enable_shared_from_this<Connecting> {
 public:
  /// Given the socket, or: the error of the only address, or the last one's with what happened to
  /// each in its detail. Called once at most.
  using Then = std::function<void(Result<Socket>)>;

  /// Precondition: check_connect_options, and options.sock is null. `then` may be called inside.
  static std::shared_ptr<Connecting> start(EventLoop& loop, ConnectOptions options, Then then);
  Connecting(EventLoop& loop, ConnectOptions options, Then then);
  ~Connecting() { stop(); }
  Connecting(const Connecting&) = delete;
  Connecting& operator=(const Connecting&) = delete;
  /// Takes everything back; `then` is not called. For the loop's close() too.
  void stop();

 private:
  struct Attempt {
    std::uint64_t id;
    Endpoint address;
    bool repeated;  // the one before it met itself
    Socket socket;
    Future<void> connecting;
  };

  void resolve();
  void try_addresses(std::vector<Endpoint> addresses);
  void try_next();
  /// false: it failed at once, or there is nothing more to try because one succeeded.
  bool begin(const Endpoint& address, bool repeated = false);
  Result<Socket> open(const Endpoint& address) const;
  void arm_head_start();
  void ended(std::uint64_t id);
  bool settle(Attempt attempt, const Result<void>& outcome);
  void record(const Endpoint& address, Error error);
  void finish(Result<Socket> outcome);

  EventLoop& loop_;
  ConnectOptions options_;
  Then then_;  // empty once it was called, or never will be
  Future<std::vector<Endpoint>> resolving_;
  std::vector<Endpoint> addresses_;
  std::size_t next_ = 0;
  std::vector<Attempt> running_;
  std::uint64_t last_id_ = 0;
  TimerHandle head_start_;
  std::vector<std::string> failures_;
  std::optional<Error> last_error_;
};

}  // namespace loopscope
