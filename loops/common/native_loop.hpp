// NativeLoop: what our own loops share that talk to the operating system, whichever way they wait.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <set>
#include <unordered_set>
#include <vector>

#include "loops/common/loop_base.hpp"
#include "loops/common/process.hpp"
#include "loops/common/readiness.hpp"
#include "loops/os/signals.hpp"

namespace loopscope {

inline constexpr CapSet kNativeCaps{Cap::call_soon,
                                    Cap::call_later,
                                    Cap::call_soon_threadsafe,
                                    Cap::exception_handler,
                                    Cap::debug_mode,
                                    Cap::futures,
                                    Cap::add_reader,
                                    Cap::add_writer,
                                    Cap::sock_stream,
                                    Cap::sock_datagram,
                                    Cap::flow_control,
                                    Cap::create_datagram_endpoint,
                                    Cap::pipes,
                                    Cap::signals,
                                    Cap::native_socket,
                                    Cap::create_connection,
                                    Cap::create_server,
                                    Cap::unix_sockets,
                                    Cap::sendfile,
                                    Cap::sock_sendfile,
                                    Cap::getaddrinfo,
                                    Cap::run_in_executor,
                                    Cap::subprocess};

class DatagramEndpoint;
class ServerCore;
class StreamTransport;
struct Listener;
struct ServerRules;
struct StreamOptions;

/// A transport or a server as its loop sees it: something to end without a word when the loop
/// closes.
class LoopResource {
 public:
  virtual void loop_closed() = 0;

 protected:
  ~LoopResource() = default;
};

/// Readers, writers, signals, children, connections and servers, over what a derived class
/// supplies: how it waits, how it watches a descriptor, and how its transports move bytes.
class NativeLoop : public LoopBase, protected Readiness, private os::SignalSink {
 public:
  explicit NativeLoop(const LoopOptions& options);
  ~NativeLoop() override;

  Result<void> add_reader(FileObj file, std::function<void()> callback) override;
  Result<bool> remove_reader(FileObj file) override;
  Result<void> add_writer(FileObj file, std::function<void()> callback) override;
  Result<bool> remove_writer(FileObj file) override;

  Result<void> add_signal_handler(int signum, std::function<void()> callback) override;
  Result<bool> remove_signal_handler(int signum) override;

  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override;
  Future<Link> connect_accepted_socket(ProtocolFactory factory, Socket& socket,
                                       std::optional<TlsOptions> tls = {}) override;
  Future<std::shared_ptr<Server>> create_server(ProtocolFactory factory,
                                                ServerOptions options) override;
  Future<Link> create_unix_connection(ProtocolFactory factory, UnixConnectOptions options) override;
  Future<std::shared_ptr<Server>> create_unix_server(ProtocolFactory factory,
                                                     UnixServerOptions options) override;
  Future<DatagramLink> create_datagram_endpoint(DatagramFactory factory,
                                                DatagramOptions options) override;
  /// A transport that is not one of this loop's own, TLS for one, is fed through write().
  Future<std::uint64_t> sendfile(std::shared_ptr<Transport> transport, FileRange range) override;
  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override;
  Future<Link> connect_write_pipe(ProtocolFactory factory, PipeEnd pipe) override;

  Future<ProcessLink> subprocess_exec(ProcessFactory factory, ProcessOptions options) override;
  Future<ProcessLink> subprocess_shell(ProcessFactory factory, std::string command,
                                       ProcessOptions options) override;

  // --- for the transports of this loop
  /// Watches without the guard that keeps callers away from a transport's descriptor.
  Result<void> watch(os::NativeSocket fd, Direction direction,
                     std::function<void()> ready) override;
  void unwatch(os::NativeSocket fd, Direction direction) override { (void)forget(fd, direction); }
  /// fd: kInvalid for what has no descriptor of its own.
  void adopt(os::NativeSocket fd, LoopResource* resource);
  void release(os::NativeSocket fd, LoopResource* resource);
  /// A transport over a connected, non-blocking stream socket, not yet open(). TCP_NODELAY is set
  /// where there is TCP.
  std::shared_ptr<StreamTransport> new_socket_stream(os::UniqueFd fd,
                                                     std::shared_ptr<BaseProtocol> protocol);
  /// Makes the link of `future` over a connected, non-blocking stream socket and queues its
  /// outcome. A factory that throws ends the future with that, and the socket.
  void open_link(Future<Link> future, os::UniqueFd fd, const ProtocolFactory& factory,
                 const std::optional<TlsOptions>& tls = {}, bool server_side = false);
  /// Memory for one read, shared by all transports: valid until the next call.
  std::span<std::byte> scratch(std::size_t size) {
    if (scratch_.size() < size) scratch_.resize(size);
    return std::span(scratch_).first(size);
  }
  template <class F>
  void guard(F&& work, std::string_view source, std::string_view message) {
    guarded(std::forward<F>(work), source, message);
  }

 protected:
  /// Changes what a descriptor is watched for; either may be empty, and both may be the same when
  /// the number may have come to mean another descriptor.
  /// errors  as those of Selector::add and modify. Then it is watched as before.
  virtual Result<void> set_interest(os::NativeSocket fd, Interest before, Interest after) = 0;
  /// What it is watched for now.
  Interest interest_in(os::NativeSocket fd) const;
  /// Queues the callback of one ready descriptor and direction.
  virtual void dispatch(os::NativeSocket fd, Direction direction);
  /// The descriptor is not watched any more because it was closed: its callbacks run once, so
  /// that an operation that waits on it finds out, and it is forgotten.
  void descriptor_gone(os::NativeSocket fd);
  /// A signal that this loop handles has arrived; poll() has to come by. In a signal handler, or
  /// anywhere else.
  void mark_signal(int signum) noexcept;
  /// For poll(), after the wait: queues the handlers of signals that have arrived.
  void collect_signals();

  /// How this loop's streams, datagram endpoints and servers are made; none of them open yet.
  virtual std::shared_ptr<StreamTransport> new_stream(os::UniqueFd fd,
                                                      std::shared_ptr<BaseProtocol> protocol,
                                                      const StreamOptions& options) = 0;
  virtual std::shared_ptr<DatagramEndpoint> new_datagram_endpoint(
      os::UniqueFd fd, std::shared_ptr<DatagramProtocol> protocol,
      std::optional<Endpoint> remote) = 0;
  virtual std::shared_ptr<ServerCore> new_server(std::vector<Listener> listeners,
                                                 ServerRules rules) = 0;
  /// Made with the first child. errors: those of make_exit_watcher.
  virtual Result<std::unique_ptr<ExitWatcher>> exit_watcher(Readiness& readiness);

  /// For close(): ends transports, servers and children, and forgets readers and signals. A
  /// derived class does this first and then lets go of what it waits with.
  void close_backend() override;
  /// For destructors, which must close while the derived class is whole.
  void close_unclosed();

 private:
  struct Watch {
    std::shared_ptr<std::function<void()>> callback;
    std::uint64_t serial = 0;  // tells an event for this watch from one for its predecessor
  };
  struct Entry {
    Watch read, write;
    Watch& of(Direction direction) { return direction == Direction::read ? read : write; }
    Interest interest() const { return {read.callback != nullptr, write.callback != nullptr}; }
  };

  EventLoop& event_loop() override { return *this; }
  void signal_arrived(int signum) noexcept override;

  Result<std::shared_ptr<Server>> open_server(std::vector<Listener> listeners, ServerRules rules,
                                              bool start);
  Result<std::shared_ptr<Server>> bind_server(const std::vector<Endpoint>& addresses,
                                              ServerRules rules, const ServerOptions& options);
  Result<void> secure(ServerRules& rules, const std::optional<TlsOptions>& tls);
  Future<std::shared_ptr<Server>> server_made(Result<std::shared_ptr<Server>> made);
  Result<void> open_tls(const Future<Link>& future, os::UniqueFd fd,
                        std::shared_ptr<BaseProtocol> protocol, const TlsOptions& options,
                        bool server_side);
  Future<Link> connect_pipe(std::string_view op, ProtocolFactory factory, PipeEnd pipe,
                            Direction direction);
  Result<void> may_watch(std::string_view op, os::NativeSocket fd) const;
  Result<bool> forget(os::NativeSocket fd, Direction direction);
  Entry* entry_of(os::NativeSocket fd);
  void run_watch(os::NativeSocket fd, Direction direction, std::uint64_t serial);
  void run_signal(int signum, std::uint64_t serial);

  std::vector<Entry> entries_;  // by descriptor
  Bytes scratch_;
  std::uint64_t next_serial_ = 1;
  std::unordered_set<os::NativeSocket> owned_;  // descriptors that belong to transports
  std::set<LoopResource*> resources_;
  std::array<Watch, os::kMaxSignal> signal_handlers_;
  std::array<std::atomic<bool>, os::kMaxSignal> signal_pending_{};
  std::atomic<bool> any_signal_{false};
  ChildWatcher child_watcher_;
  std::unique_ptr<Processes> processes_;  // null before the first child
};

}  // namespace loopscope
