// SelectorLoop: the EventLoop over any Selector.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <set>
#include <unordered_set>
#include <vector>

#include "loops/common/loop_base.hpp"
#include "loops/common/process.hpp"
#include "loops/common/readiness_ops.hpp"
#include "loops/os/signals.hpp"
#include "loops/os/waker.hpp"
#include "loops/selector/selector.hpp"

namespace loopscope {

inline constexpr CapSet kSelectorCaps{Cap::call_soon,
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

class ServerCore;
struct Listener;
struct ServerRules;

/// A transport or a server as its loop sees it: something to end without a word when the loop
/// closes.
class LoopResource {
 public:
  virtual void loop_closed() = 0;

 protected:
  ~LoopResource() = default;
};

class SelectorLoop : public LoopBase, private Readiness, private os::SignalSink {
 public:
  SelectorLoop(const LoopOptions& options, std::unique_ptr<Selector> selector,
               std::unique_ptr<os::Waker> waker);
  ~SelectorLoop() override;
  /// errors  those of the waker and of Selector::add.
  static Result<std::unique_ptr<SelectorLoop>> make(const LoopOptions& options,
                                                    std::unique_ptr<Selector> selector);
  /// The second half of construction, for classes derived from this one.
  Result<void> open();

  Result<void> add_reader(FileObj file, std::function<void()> callback) override;
  Result<bool> remove_reader(FileObj file) override;
  Result<void> add_writer(FileObj file, std::function<void()> callback) override;
  Result<bool> remove_writer(FileObj file) override;

  Result<void> add_signal_handler(int signum, std::function<void()> callback) override;
  Result<bool> remove_signal_handler(int signum) override;

  Future<Bytes> sock_recv(Socket& socket, std::size_t max_bytes) override;
  Future<std::size_t> sock_recv_into(Socket& socket, std::span<std::byte> buffer) override;
  Future<Datagram> sock_recvfrom(Socket& socket, std::size_t max_bytes) override;
  Future<std::pair<std::size_t, Endpoint>> sock_recvfrom_into(Socket& socket,
                                                              std::span<std::byte> buffer) override;
  Future<void> sock_sendall(Socket& socket, Bytes data) override;
  Future<std::size_t> sock_sendto(Socket& socket, Bytes data, Endpoint peer) override;
  Future<void> sock_connect(Socket& socket, Endpoint peer) override;
  Future<Accepted> sock_accept(Socket& listener) override;
  Future<std::uint64_t> sock_sendfile(Socket& socket, FileRange range) override;

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

  BackendInfo backend() const override;

  // --- for the transports of this loop
  /// Watches without the guard that keeps callers away from a transport's descriptor.
  Result<void> watch(os::NativeSocket fd, Direction direction,
                     std::function<void()> ready) override;
  void unwatch(os::NativeSocket fd, Direction direction) override { (void)forget(fd, direction); }
  /// fd: kInvalid for what has no descriptor of its own.
  void adopt(os::NativeSocket fd, LoopResource* resource);
  void release(os::NativeSocket fd, LoopResource* resource);
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
  void wake() noexcept override { waker_->wake(); }
  Result<void> poll(std::optional<Duration> timeout) override;
  void close_backend() override;
  /// Queues the callback of one ready descriptor and direction.
  virtual void dispatch(os::NativeSocket fd, Direction direction);
  Selector& selector() { return *selector_; }
  /// What create_server and create_unix_server make, not serving yet.
  virtual std::shared_ptr<ServerCore> new_server(std::vector<Listener> listeners,
                                                 ServerRules rules);
  /// Made with the first child. errors: those of make_exit_watcher.
  virtual Result<std::unique_ptr<ExitWatcher>> exit_watcher(Readiness& readiness);

 private:
  struct Watch {
    std::shared_ptr<std::function<void()>> callback;
    std::uint64_t serial = 0;  // tells an event for this watch from one for its predecessor
  };
  struct Entry {
    Watch read, write;
    Watch& of(Direction direction) { return direction == Direction::read ? read : write; }
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
  /// In a forked child: a wake channel of its own. The inherited one is the parent's.
  Result<void> take_over();
  Result<void> may_watch(std::string_view op, os::NativeSocket fd) const;
  Result<bool> forget(os::NativeSocket fd, Direction direction);
  Entry* entry_of(os::NativeSocket fd);
  void run_watch(os::NativeSocket fd, Direction direction, std::uint64_t serial);
  void descriptor_gone(const Ready& ready);
  void collect_signals();
  void run_signal(int signum, std::uint64_t serial);

  std::unique_ptr<Selector> selector_;
  std::unique_ptr<os::Waker> waker_;
  unsigned generation_;  // of the process whose waker it is, see os::fork_generation
  ReadinessOps ops_;
  std::vector<Entry> entries_;  // by descriptor
  std::vector<Ready> events_;   // of the current wait; kept for its capacity
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

template <SelectorResult (*make_selector)()>
Result<std::unique_ptr<EventLoop>> make_selector_loop(const LoopOptions& options) {
  SelectorResult selector = make_selector();
  if (!selector.ok()) return selector.error();
  auto loop = SelectorLoop::make(options, std::move(selector).value());
  if (!loop.ok()) return loop.error();
  return std::unique_ptr<EventLoop>(std::move(loop).value());
}

}  // namespace loopscope
