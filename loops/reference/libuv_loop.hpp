// LibuvLoop: the EventLoop interface over libuv's own loop and handles.
#pragma once

#include <uv.h>

#include <array>
#include <atomic>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "loops/common/loop_core.hpp"
#include "loops/common/process.hpp"
#include "loops/common/readiness_ops.hpp"

namespace loopscope::libuv {

/// One of libuv's codes, which are negative, as an Error.
Error uv_error(int code, std::string_view op);
/// Sets an Endpoint from what libuv reports; unnamed for null and for an address without a family.
Endpoint endpoint_of(const sockaddr* address);
/// What libuv takes; it points into the Endpoint.
const sockaddr* raw(const Endpoint& endpoint);
/// The AF_ number of the headers.
int native(AddressFamily family);

/// A transport, as its loop sees it.
class TransportEnd {
 public:
  virtual ~TransportEnd() = default;
  /// The loop closes: give the handle back, call no protocol any more.
  virtual void loop_closes() = 0;
};

/// What is libuv's here, and shown as it is: uv_timer on the cached millisecond clock, uv_poll,
/// uv_signal, the streams and uv_udp, the pool, and the order in which uv_run serves them. What is
/// ours is emulated: the queue behind call_soon (run by a uv_check, one poll after it was filled),
/// threadsafe calls (uv_async coalesces and carries nothing), sock_*, flow control.
class LibuvLoop final : public LoopCore {
 public:
  static Result<std::unique_ptr<EventLoop>> make(const LoopOptions& options);
  explicit LibuvLoop(const LoopOptions& options);
  ~LibuvLoop() override;

  Result<void> run_forever() override;
  void stop() override;
  Result<void> close() override;

  TimerHandle call_later(Delay delay, Callback callback) override;
  TimerHandle call_at(TimePoint when, Callback callback) override;
  /// uv_now: the time at which this iteration began, in whole milliseconds.
  TimePoint time() const override;

  /// libuv has one pool for the whole process; an executor set by the caller takes its place.
  Result<void> set_default_executor(std::shared_ptr<Executor> executor) override;
  Future<void> shutdown_default_executor(std::optional<Duration> timeout = {}) override;
  Future<std::vector<Endpoint>> getaddrinfo(std::string host, std::string service,
                                            AddressHints hints = {}) override;
  Future<NameInfo> getnameinfo(Endpoint address, NameInfoFlags flags = {}) override;

  Result<void> add_reader(FileObj file, std::function<void()> callback) override;
  Result<bool> remove_reader(FileObj file) override;
  Result<void> add_writer(FileObj file, std::function<void()> callback) override;
  Result<bool> remove_writer(FileObj file) override;
  Result<void> add_signal_handler(int signum, std::function<void()> callback) override;
  Result<bool> remove_signal_handler(int signum) override;

  Future<DatagramLink> create_datagram_endpoint(DatagramFactory factory,
                                                DatagramOptions options) override;
  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override;
  Future<std::shared_ptr<Server>> create_server(ProtocolFactory factory,
                                                ServerOptions options) override;
  Future<Link> create_unix_connection(ProtocolFactory factory, UnixConnectOptions options) override;
  Future<std::shared_ptr<Server>> create_unix_server(ProtocolFactory factory,
                                                     UnixServerOptions options) override;
  Future<Link> connect_accepted_socket(ProtocolFactory factory, Socket& socket,
                                       std::optional<TlsOptions> tls = {}) override;
  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override;
  Future<Link> connect_write_pipe(ProtocolFactory factory, PipeEnd pipe) override;

  Future<Bytes> sock_recv(Socket& socket, std::size_t max_bytes) override;
  Future<std::size_t> sock_recv_into(Socket& socket, std::span<std::byte> buffer) override;
  Future<Datagram> sock_recvfrom(Socket& socket, std::size_t max_bytes) override;
  Future<std::pair<std::size_t, Endpoint>> sock_recvfrom_into(Socket& socket,
                                                              std::span<std::byte> buffer) override;
  Future<void> sock_sendall(Socket& socket, Bytes data) override;
  Future<std::size_t> sock_sendto(Socket& socket, Bytes data, Endpoint peer) override;
  Future<void> sock_connect(Socket& socket, Endpoint peer) override;
  Future<Accepted> sock_accept(Socket& listener) override;

  Future<ProcessLink> subprocess_exec(ProcessFactory factory, ProcessOptions options) override;
  Future<ProcessLink> subprocess_shell(ProcessFactory factory, std::string command,
                                       ProcessOptions options) override;

  BackendInfo backend() const override;

  // --- for the transports
  uv_loop_t* uv() { return &uv_; }
  /// The frame around every call that libuv makes into this process: no exception passes it. One
  /// that must leave the run is kept, and thrown again when uv_run has returned.
  template <class F>
  void enter(F&& work) noexcept {
    try {
      timed(work, [] { return "a callback of libuv"; });
    } catch (...) {
      leave();
    }
  }
  /// Runs one call into a protocol. false: it threw, and the exception handler was told.
  template <class F>
  bool call_protocol(F&& work, std::string_view message) {
    bool returned = false;
    guarded(
        [&] {
          work();
          returned = true;
        },
        "transport", message);
    return returned;
  }
  /// fd: kInvalid as long as the handle has none.
  void adopt(TransportEnd& end, os::NativeSocket fd);
  void release(TransportEnd& end, os::NativeSocket fd);
  /// What is under way in libuv's pool. It is not over before its callback, which also comes when
  /// the loop closes: then nobody is told.
  void pool_began(uv_req_t* request) { pool_requests_.insert(request); }
  void pool_ended(uv_req_t* request) { pool_requests_.erase(request); }
  /// Takes back what has not begun. What has ended is not looked at.
  void pool_cancel(uv_req_t* request) {
    if (pool_requests_.contains(request)) (void)uv_cancel(request);  // UV_EBUSY: it runs.
  }
  /// For one read at a time: what a protocol gets is valid during the call alone.
  std::span<char> read_buffer() { return read_buffer_; }

 protected:
  Result<JobId> execute(Job job, std::shared_ptr<Executor> executor) override;
  void withdraw(JobId job) override;
  void wake() noexcept override { uv_async_send(&async_); }
  bool cancel_timer(std::uint64_t id) override;

 private:
  struct Timer;
  struct Watcher;
  struct SignalWatcher;
  struct Work;

  void work_ended();
  Result<void> open();
  void leave() noexcept;
  void before_poll();
  void after_poll();
  Timer& take_timer();
  void fire(Timer& timer);
  Result<void> watch(os::NativeSocket fd, std::shared_ptr<std::function<void()>> Watcher::*side,
                     std::function<void()>&& callback, std::string_view op);
  Result<bool> unwatch(os::NativeSocket fd, std::shared_ptr<std::function<void()>> Watcher::*side,
                       std::string_view op);
  void rearm(Watcher& watcher);
  void on_poll(Watcher& watcher, int status, int events);
  void on_signal(SignalWatcher& watcher);
  void close_handles();

  uv_loop_t uv_{};
  uv_prepare_t prepare_{};
  uv_check_t check_{};
  uv_idle_t idle_{};  // active while something is ready: keeps the poll from blocking
  uv_async_t async_{};
  uv_pipe_t first_stream_{};  // libuv opens its spare descriptor with the first stream
  bool opened_ = false;
  std::uint64_t batch_end_ = 0;
  std::atomic<bool> stopping_{false};
  bool polled_ = false;  // this run has come to its first poll
  std::exception_ptr leaving_;
  TimePoint closed_at_{};

  std::vector<std::unique_ptr<Timer>> timers_;
  std::vector<std::uint32_t> free_timers_;
  std::unordered_map<os::NativeSocket, std::unique_ptr<Watcher>> watchers_;
  std::unordered_map<int, std::unique_ptr<SignalWatcher>> signals_;
  std::unordered_set<TransportEnd*> transports_;
  std::unordered_set<os::NativeSocket> transport_fds_;
  std::unordered_set<uv_req_t*> pool_requests_;
  std::size_t works_ = 0;                // given to uv_queue_work, and not over
  std::vector<Future<void>> work_ends_;  // of shutdown_default_executor
  bool own_default_ = false, pool_shut_ = false;
  LoopReadiness readiness_{*this};
  ReadinessOps ops_{readiness_};
  std::unique_ptr<Processes> processes_;  // null before the first child
  std::array<char, 65536> read_buffer_;
};

}  // namespace loopscope::libuv
