// ServerCore: what the servers of our own loops share, whichever way they accept.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "loops/common/listeners.hpp"
#include "loops/os/socket_file.hpp"

namespace loopscope {

class TlsTransport;

/// Who wants to know that a transport has ended.
class ConnectionOwner {
 public:
  /// Once, after connection_lost returned and the descriptor was closed, or when the loop closed.
  virtual void connection_ended(BaseTransport& transport) = 0;

 protected:
  ~ConnectionOwner() = default;
};

/// What a server goes by, whatever its sockets are.
struct ServerRules {
  ProtocolFactory factory;
  int backlog = 100;
  bool keep_alive = false;
  std::optional<os::SocketFile> file{};  // removed by close()
  /// What stands between a connection and its protocol; empty: nothing.
  std::function<Result<std::shared_ptr<TlsTransport>>(std::shared_ptr<BaseProtocol>)> secure{};
};

/// Listeners, connections and waiters. A derived class accepts: it calls admit() for each new
/// connection and accept_failed() for each error.
///
/// lifetime  Held by whatever watches its listeners, and by each of its connections.
class ServerCore : public Server,
                   public ConnectionOwner,
                   public std::enable_shared_from_this<ServerCore> {
 public:
  ServerCore(EventLoop& loop, std::vector<Listener> listeners, ServerRules rules);

  void close() override;
  void close_clients() override;
  void abort_clients() override;
  Result<void> start_serving() override;
  bool is_serving() const override { return serving_; }
  std::vector<Endpoint> sockets() const override;
  std::vector<os::NativeSocket> descriptors() const override;
  Future<void> wait_closed() override;
  void connection_ended(BaseTransport& transport) override;

 protected:
  /// Connections for one wake-up: many, so that a crowd is served quickly, and not so many that
  /// everybody else waits for it.
  static constexpr int kMostAtOnce = 64;
  int at_once() const;

  /// Begins to accept from listener `index`, and ends it. The descriptor stays open for both.
  virtual Result<void> begin_accepting(std::size_t index) = 0;
  virtual void end_accepting(std::size_t index) = 0;
  /// The listening sockets are about to be closed, for good.
  virtual void listeners_end() = 0;
  /// A transport over the connection that calls connection_ended() of this server.
  virtual std::shared_ptr<Transport> open_connection(os::UniqueFd fd,
                                                     std::shared_ptr<BaseProtocol> protocol) = 0;

  /// Makes a protocol and a transport. A factory that throws is reported and costs the connection.
  virtual void admit(os::UniqueFd connection);
  /// false: do not accept from this listener now. What the system has run out of is reported once,
  /// until an accept succeeds, and accepting goes on a second later or when a connection ends.
  virtual bool accept_failed(std::size_t index, const Error& error);
  bool accepting() const { return serving_ && !resting_; }
  bool is_open() const { return !closed_ && loop() != nullptr; }
  os::NativeSocket listener(std::size_t index) const { return listeners_[index].fd.get(); }

  /// Ends listening for good. For close(), for the loop's end and for the destructor.
  void end();
  /// The loop, while it is open; else null.
  EventLoop* loop() const;

 private:
  void rest();
  void go_on();
  void report(std::string message, std::optional<Error> error);
  void tell_waiters();
  template <class Act>
  void each_connection(Act act);

  std::shared_ptr<LoopLink> link_;
  std::vector<Listener> listeners_;
  ServerRules rules_;
  // What ends, and what its protocol talks to: TLS over it, or the same.
  std::unordered_map<const BaseTransport*, Transport*> connections_;
  std::vector<Future<void>> waiters_;
  TimerHandle rest_timer_;
  bool serving_ = false;
  bool closed_ = false;
  bool resting_ = false;        // the system ran out of something
  bool want_reported_ = false;  // and the exception handler knows
};

}  // namespace loopscope
