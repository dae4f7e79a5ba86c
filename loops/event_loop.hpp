// EventLoop: the one interface. Every name and meaning follows asyncio.AbstractEventLoop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "loops/base/bytes.hpp"
#include "loops/base/callback.hpp"
#include "loops/base/clock.hpp"
#include "loops/base/result.hpp"
#include "loops/coro.hpp"
#include "loops/descriptor.hpp"
#include "loops/executor.hpp"
#include "loops/future.hpp"
#include "loops/handle.hpp"
#include "loops/options.hpp"
#include "loops/protocol.hpp"
#include "loops/server.hpp"
#include "loops/socket.hpp"
#include "loops/task.hpp"
#include "loops/transport.hpp"

namespace loopscope {

/// What an exception handler is told. source: "callback", "Future", "Task", "transport", "loop".
struct ExceptionContext {
  std::string message;
  std::exception_ptr exception{};
  std::optional<Error> error{};
  std::string_view source{};
  std::string detail{};
};
using ExceptionHandler = std::function<void(EventLoop&, const ExceptionContext&)>;
/// Called for every new task; may change its options before it starts.
using TaskFactory = std::function<void(EventLoop&, TaskOptions&)>;

enum class LogLevel : std::uint8_t { debug, warning, error };
/// Where a loop writes what asyncio writes to its logger. Default: standard error.
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// What the loop says of itself; the harness holds it against what the system shows.
struct BackendInfo {
  std::string mechanism;                                 // "epoll_pwait2 + eventfd"
  std::string version{};                                 // of a library, else empty
  os::NativeSocket wait_descriptor = os::kInvalid;       // epoll, kqueue, ring; kInvalid: none
  std::vector<os::NativeSocket> internal_descriptors{};  // all that the loop itself opened
};

using ProtocolFactory = std::function<std::shared_ptr<BaseProtocol>()>;
using DatagramFactory = std::function<std::shared_ptr<DatagramProtocol>()>;
using ProcessFactory = std::function<std::shared_ptr<SubprocessProtocol>()>;

/// A method whose capability is absent keeps its default body, which refuses with
/// Errc::not_supported and does nothing else.
///
/// thread  Everything belongs to the thread that runs the loop, but for call_soon_threadsafe.
class EventLoop {
 public:
  EventLoop();
  virtual ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // --- lifecycle
  /// Runs until stop(). errors: invalid_state while this loop, or another one on this thread,
  /// runs; closed. An ExitException from a callback leaves run_forever; the loop can run again,
  /// and callbacks that were queued behind are kept.
  virtual Result<void> run_forever() = 0;
  /// Ends the run after the current iteration. Before a run: the next run makes one iteration
  /// without blocking.
  virtual void stop() = 0;
  virtual bool is_running() const = 0;
  /// Releases everything: pending callbacks are dropped unrun, transports end without further
  /// callbacks. Idempotent. errors: invalid_state while running, and then the loop is unharmed.
  virtual Result<void> close() = 0;
  virtual bool is_closed() const = 0;
  /// Runs until the future is done; its outcome, or stopped_early when stop() came first.
  /// An exception that ended the task is rethrown.
  template <class T>
  Result<T> run_until_complete(Future<T> future);
  template <class T>
  Result<T> run_until_complete(Coro<T> main);
  /// Closes every AsyncGenerator of this loop that was begun and not ended.
  virtual Future<void> shutdown_asyncgens();
  /// Takes no more work for the default executor; done when its work has run and its threads have
  /// ended, or when the timeout passed, which is logged. run_in_executor is refused from then on.
  virtual Future<void> shutdown_default_executor(std::optional<Duration> timeout = {});

  // --- debugging
  virtual void set_debug(bool enabled);
  virtual bool get_debug() const;
  /// Debug mode reports callbacks that take at least this long. Default 100 ms.
  virtual void set_slow_callback_duration(Duration threshold);
  virtual void set_log_sink(LogSink sink);
  virtual void log(LogLevel level, std::string_view text);

  // --- scheduling
  /// Runs callback in the next iteration, in call order. Small captures allocate nothing.
  virtual Handle call_soon(Callback callback) = 0;
  /// Runs callback no earlier than `delay` from now, on the loop's clock. Never runs it inside
  /// the call. Refuses a NaN (invalid_argument). Deadlines out of range mean "never".
  virtual TimerHandle call_later(Delay delay, Callback callback) = 0;
  virtual TimerHandle call_at(TimePoint when, Callback callback) = 0;
  /// The loop's clock: monotonic.
  virtual TimePoint time() const = 0;
  /// The one call for other threads: queues callback and wakes the loop.
  virtual Handle call_soon_threadsafe(Callback callback);

  // --- pool
  /// Runs work in a thread of `executor`, null for the default one; value and exception come back
  /// through the loop. Cancelling the future takes queued work back; work that runs goes on and
  /// its outcome is dropped.
  /// errors  closed after shutdown_default_executor; those of Executor::submit.
  template <class F>
  Future<std::invoke_result_t<F&>> run_in_executor(F work,
                                                   std::shared_ptr<Executor> executor = nullptr);
  virtual Result<void> set_default_executor(std::shared_ptr<Executor> executor);

  // --- futures and tasks
  template <class T = void>
  Future<T> create_future() {
    return Future<T>(detail::Ref(new detail::FutureState<T>(link_)));
  }
  /// A future of this loop that is done already. Its error counts as seen.
  template <class T>
  Future<T> done_future(Result<T> outcome) const {
    return Future<T>::ready(std::move(outcome), link_);
  }
  template <class T>
  Task<T> create_task(Coro<T> work, TaskOptions options = {});
  virtual void set_task_factory(TaskFactory factory);
  virtual TaskFactory get_task_factory() const;

  // --- names
  /// Resolves off the loop's thread; literal addresses with numeric services without a thread.
  /// errors  those of getaddrinfo(3) by their names ("EAI_NONAME"), EAI_SYSTEM as the errno.
  virtual Future<std::vector<Endpoint>> getaddrinfo(std::string host, std::string service,
                                                    AddressHints hints = {});
  virtual Future<NameInfo> getnameinfo(Endpoint address, NameInfoFlags flags = {});

  // --- networking and inter-process communication
  /// Connects a stream socket and makes a transport with a protocol of the factory.
  /// errors  that of the only address tried, or of the last with all of them in its detail;
  ///         invalid_argument for options that contradict each other. No descriptor stays open.
  virtual Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options);
  /// errors  EADDRINUSE and others of bind(2) with the address; then nothing stays open.
  virtual Future<std::shared_ptr<Server>> create_server(ProtocolFactory factory,
                                                        ServerOptions options);
  virtual Future<Link> create_unix_connection(ProtocolFactory factory, UnixConnectOptions options);
  virtual Future<std::shared_ptr<Server>> create_unix_server(ProtocolFactory factory,
                                                             UnixServerOptions options);
  /// A transport over a connected stream socket. Takes the socket, unless it refuses at once.
  virtual Future<Link> connect_accepted_socket(ProtocolFactory factory, Socket& socket,
                                               std::optional<TlsOptions> tls = {});
  virtual Future<DatagramLink> create_datagram_endpoint(DatagramFactory factory,
                                                        DatagramOptions options);
  /// Sends a part of a regular file after what was written before; writes meanwhile are refused.
  /// value: bytes sent, fewer than asked for where the file ends. The file's position is
  /// afterwards offset plus bytes sent, also after an error or a cancellation. What a cancelled
  /// TransmitFile of Windows has sent is not told: up to 64 KiB less than the peer gets, then.
  virtual Future<std::uint64_t> sendfile(std::shared_ptr<Transport> transport, FileRange range);
  /// Makes TLS of a connection: the protocol is told nothing and goes on with the new transport,
  /// which takes the place of the old one.
  virtual Future<Link> start_tls(Link plain, TlsOptions options);
  /// Takes the read end. Regular files and directories are refused (invalid_argument); the
  /// descriptor becomes non-blocking while the transport lives and gets its flag back at the end.
  /// A handle of Windows whose calls block, as CreatePipe makes it, is refused too (not_supported),
  /// unless a library under the loop has a thread for it.
  virtual Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe);
  virtual Future<Link> connect_write_pipe(ProtocolFactory factory, PipeEnd pipe);

  // --- sockets; the socket must stay open until the future is done
  /// Yields up to max_bytes bytes, none at the end of the stream.
  virtual Future<Bytes> sock_recv(Socket& socket, std::size_t max_bytes);
  virtual Future<std::size_t> sock_recv_into(Socket& socket, std::span<std::byte> buffer);
  virtual Future<Datagram> sock_recvfrom(Socket& socket, std::size_t max_bytes);
  virtual Future<std::pair<std::size_t, Endpoint>> sock_recvfrom_into(Socket& socket,
                                                                      std::span<std::byte> buffer);
  virtual Future<void> sock_sendall(Socket& socket, Bytes data);
  virtual Future<std::size_t> sock_sendto(Socket& socket, Bytes data, Endpoint peer);
  virtual Future<void> sock_connect(Socket& socket, Endpoint peer);
  virtual Future<Accepted> sock_accept(Socket& listener);
  virtual Future<std::uint64_t> sock_sendfile(Socket& socket, FileRange range);
  /// Level-triggered. One reader and one writer for a descriptor: a second add replaces the
  /// first, whose queued callback does not run. The descriptor's flags are not touched.
  /// errors  EBADF and EPERM of the mechanism; invalid_state for a descriptor that belongs to a
  ///         transport; select: invalid_argument beyond FD_SETSIZE. Nothing stays registered.
  virtual Result<void> add_reader(FileObj file, std::function<void()> callback);
  /// value: was one registered? false, not an error, for an unknown or closed descriptor.
  virtual Result<bool> remove_reader(FileObj file);
  virtual Result<void> add_writer(FileObj file, std::function<void()> callback);
  virtual Result<bool> remove_writer(FileObj file);

  // --- signals
  /// Runs callback on the loop after the signal arrived; replaces the loop's previous callback.
  /// errors  EINVAL for numbers that cannot be caught; invalid_state when another loop has it.
  virtual Result<void> add_signal_handler(int signum, std::function<void()> callback);
  /// Restores the disposition from before. value: was one registered?
  virtual Result<bool> remove_signal_handler(int signum);

  // --- subprocesses
  virtual Future<ProcessLink> subprocess_exec(ProcessFactory factory, ProcessOptions options);
  /// The same with the system's shell and `command`; options.argv is ignored.
  virtual Future<ProcessLink> subprocess_shell(ProcessFactory factory, std::string command,
                                               ProcessOptions options = {});

  // --- errors
  /// An exception inside the handler falls back to the default handler; the loop survives both.
  /// An ExitException leaves.
  virtual void call_exception_handler(const ExceptionContext& context);
  virtual void set_exception_handler(ExceptionHandler handler);  // null: the default
  virtual ExceptionHandler get_exception_handler() const;
  virtual void default_exception_handler(const ExceptionContext& context);

  // --- evidence
  virtual BackendInfo backend() const = 0;

  /// For what outlives the loop: futures, transports, handles of other objects.
  const std::shared_ptr<LoopLink>& link() const { return link_; }

 protected:
  friend class Handle;
  /// Work for another thread, and what follows in the loop's.
  struct Job {
    Callback work;   // lets no exception out
    Callback ended;  // called by the loop when work has run; never once withdrawn or closed
  };
  using JobId = std::uint64_t;
  /// Behind run_in_executor. The job belongs to the loop until it has ended.
  virtual Result<JobId> execute(Job job, std::shared_ptr<Executor> executor);
  /// Nobody is to hear of it any more; work that has not begun is taken back.
  virtual void withdraw(JobId job);
  /// For close(), before the loop counts as closed: ends every unfinished task.
  void abandon_tasks();
  virtual bool cancel_handle(const Handle& handle) = 0;

 private:
  std::shared_ptr<LoopLink> link_;
};

template <class T>
Task<T> EventLoop::create_task(Coro<T> work, TaskOptions options) {
  if (const TaskFactory factory = get_task_factory()) factory(*this, options);
  detail::Ref<detail::TaskState<T>> state(
      new detail::TaskState<T>(link_, std::move(work), std::move(options)));
  state->start();
  return Task<T>(std::move(state));
}

template <class T>
Result<T> EventLoop::run_until_complete(Future<T> future) {
  const std::uint64_t id = future.add_done_callback([this] { stop(); });
  Result<void> ran = run_forever();
  if (!future.done()) {
    future.remove_done_callback(id);
    if (!ran.ok()) return ran.error();
    return make_error(Errc::stopped_early, "run_until_complete",
                      "the loop stopped before the future was done");
  }
  return future.result();
}

template <class T>
Result<T> EventLoop::run_until_complete(Coro<T> main) {
  if (is_closed()) return make_error(Errc::closed, "run_until_complete");
  return run_until_complete<T>(static_cast<Future<T>>(create_task(std::move(main))));
}

template <class F>
Future<std::invoke_result_t<F&>> EventLoop::run_in_executor(F work,
                                                            std::shared_ptr<Executor> executor) {
  using T = std::invoke_result_t<F&>;
  struct Slot {  // written by the worker, read by the loop's thread after the work is done
    std::optional<detail::Stored<T>> value;
    std::exception_ptr exception;
  };
  const auto slot = std::make_shared<Slot>();
  auto guarded = [slot, work = std::move(work)]() mutable noexcept {
    try {
      if constexpr (std::is_void_v<T>) {
        work();
        slot->value.emplace();
      } else {
        slot->value.emplace(work());
      }
    } catch (...) {
      slot->exception = std::current_exception();
    }
  };
  Future<T> outcome = create_future<T>();
  auto ended = [outcome, slot]() mutable {
    if (slot->exception) {
      outcome.set_exception(std::exchange(slot->exception, nullptr));
    } else {
      outcome.set_result(std::move(*slot->value));
    }
  };
  const Result<JobId> id = execute({std::move(guarded), std::move(ended)}, std::move(executor));
  if (!id.ok()) return done_future<T>(id.error());
  outcome.set_cancel_hook([this, job = *id] { withdraw(job); });
  return outcome;
}

/// Done after `delay`; cancelling it cancels the timer. Zero or less is done already and makes who
/// awaits it give way for one turn of the loop. source: asyncio.sleep
Future<void> sleep(EventLoop& loop, Delay delay);

}  // namespace loopscope
