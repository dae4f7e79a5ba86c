// libuv's loop as a reference row: its own handles under our interface.
//
// libuv's own behaviour that scenarios meet, and that is left as it is:
//   cached clock    uv_now stands still during an iteration and between runs; uv_timer_start counts
//                   from it, so a timer armed after a slow callback fires early by that much.
//   milliseconds    timers and the wait count whole milliseconds; we round delays up.
//   timers first    1.44 serves due timers before the poll (1.45 changed that), and a timer of 0 ms
//                   armed by a timer's callback runs in the same turn.
//   O_NONBLOCK      uv_poll_init and uv_pipe_open set it on the caller's descriptor.
//   one watcher     a descriptor has one uv_poll; a closed descriptor that is still watched, or
//                   one epoll refuses later, ends the process in abort().
//   error events    EPOLLERR stops a uv_poll; we start it again, as asyncio's readers stay.
//   pool            one of four threads for the process: work, lookups and files share it. A loop
//                   does not close before what runs in it for this loop is over.
//   signals         every loop that asked gets a signal; removal restores SIG_DFL.
// Source: docs.libuv.org, "Design overview", uv_loop_t, uv_timer_t, uv_poll_t, uv_signal_t; 1.44.2.
#include <utility>

#include "loops/reference/libuv_loop.hpp"
#include "loops/reference/libuv_system.hpp"

namespace loopscope::libuv {

Error uv_error(int code, std::string_view op) {
  if (code == UV_EOF) return make_error(Errc::protocol, op, "end of file");
  return Error{code_of(code), op, {}};
}

struct LibuvLoop::Timer {
  uv_timer_t handle{};
  LibuvLoop* loop = nullptr;
  std::uint32_t index = 0, generation = 0;
  Callback callback;  // empty: the slot is free
};

struct LibuvLoop::Watcher {
  uv_poll_t handle{};
  LibuvLoop* loop = nullptr;
  os::NativeSocket fd = os::kInvalid;
  std::shared_ptr<std::function<void()>> reader, writer;
};

struct LibuvLoop::SignalWatcher {
  uv_signal_t handle{};
  LibuvLoop* loop = nullptr;
  std::shared_ptr<std::function<void()>> callback;
};

namespace {

template <class Handle>
uv_handle_t* generic(Handle& handle) {
  return reinterpret_cast<uv_handle_t*>(&handle);
}

/// uv_close for a watcher that nobody needs any more: freed when libuv lets go of it.
template <class Watcher>
void close_and_free(std::unique_ptr<Watcher> watcher) {
  uv_handle_t* handle = generic(watcher->handle);
  handle->data = watcher.release();
  uv_close(handle, [](uv_handle_t* closed) {
    std::unique_ptr<Watcher>(static_cast<Watcher*>(closed->data)).reset();
  });
}

std::uint64_t ceil_to_ms(Duration delay) {
  if (delay <= Duration::zero()) return 0;
  const auto whole = std::chrono::floor<std::chrono::milliseconds>(delay);
  return static_cast<std::uint64_t>(whole.count()) + (whole < delay ? 1 : 0);
}

}  // namespace

// --- lifecycle

LibuvLoop::LibuvLoop(const LoopOptions& options) : LoopCore(options) {}

Result<std::unique_ptr<EventLoop>> LibuvLoop::make(const LoopOptions& options) {
  auto loop = std::make_unique<LibuvLoop>(options);
  if (const Result<void> opened = loop->open(); !opened.ok()) return opened.error();
  return std::unique_ptr<EventLoop>(std::move(loop));
}

Result<void> LibuvLoop::open() {
  if (const int rc = uv_loop_init(&uv_); rc != 0) return uv_error(rc, "uv_loop_init");
  opened_ = true;
  open_in_advance(uv_);
  const int rc = uv_async_init(&uv_, &async_, [](uv_async_t*) {});  // after_poll takes the inbox
  if (rc != 0) return uv_error(rc, "uv_async_init");
  // Now and not with the first connection, whose descriptors can be counted then.
  uv_pipe_init(&uv_, &first_stream_, 0);
  prepare_.data = check_.data = this;
  uv_prepare_init(&uv_, &prepare_);
  uv_check_init(&uv_, &check_);
  uv_idle_init(&uv_, &idle_);
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) {
    auto* loop = static_cast<LibuvLoop*>(handle->data);
    loop->enter([loop] { loop->before_poll(); });
  });
  uv_check_start(&check_, [](uv_check_t* handle) {
    auto* loop = static_cast<LibuvLoop*>(handle->data);
    loop->enter([loop] { loop->after_poll(); });
  });
  return {};
}

LibuvLoop::~LibuvLoop() {
  if (!opened_) return;
  if (!is_closed() && get_debug()) log(LogLevel::warning, "unclosed event loop");
  (void)close();  // Nobody to tell: E7. A loop that runs is not destroyed.
}

Result<void> LibuvLoop::run_forever() {
  if (const Result<void> allowed = may_run("run_forever"); !allowed.ok()) return allowed;
  {
    const RunScope running(*this);
    polled_ = false;
    uv_run(&uv_, stopping_ ? UV_RUN_NOWAIT : UV_RUN_DEFAULT);
  }
  stopping_ = false;
  if (leaving_) std::rethrow_exception(std::exchange(leaving_, nullptr));
  return {};
}

void LibuvLoop::stop() {
  stopping_ = true;
  // Outside of a run uv_stop would skip the whole next one. So it would from a timer that is due
  // when the run begins, which libuv from 1.45 on calls before its first iteration.
  if (is_running() && polled_) uv_stop(&uv_);
}

void LibuvLoop::leave() noexcept {
  if (!leaving_) leaving_ = std::current_exception();
  uv_stop(&uv_);
}

Result<void> LibuvLoop::close() {
  if (is_closed()) return {};
  if (is_running()) return make_error(Errc::invalid_state, "close", "the loop is running");
  closed_at_ = time();
  close_core();
  close_handles();
  return {};
}

void LibuvLoop::close_handles() {
  for (const auto& timer : timers_) Callback(std::move(timer->callback)).reset();
  // The callbacks go last: what they captured may call back into a loop that knows them no more.
  const auto watchers = std::exchange(watchers_, {});
  const auto signals = std::exchange(signals_, {});
  processes_.reset();
  while (!transports_.empty()) (*transports_.begin())->loop_closes();
  ops_.clear();
  // Lookups are of no use any more. Work was promised to run, and libuv's loop does not close
  // before what is under way is over.
  for (uv_req_t* request : pool_requests_) {
    if (request->type != UV_WORK) (void)uv_cancel(request);
  }
  const auto close_one = [](uv_handle_t* handle, void*) {
    if (!uv_is_closing(handle)) uv_close(handle, nullptr);
  };
  uv_walk(&uv_, close_one, nullptr);
  while (uv_loop_close(&uv_) == UV_EBUSY) uv_run(&uv_, UV_RUN_DEFAULT);
  timers_.clear();
}

// --- the queue behind call_soon: what is ready before a poll runs after it

void LibuvLoop::before_poll() {
  polled_ = true;
  inbox_.drain(ready_);
  batch_end_ = ready_.tail();
  if (stopping_) uv_stop(&uv_);
  if (!ready_.empty() || !inbox_.may_sleep()) {
    uv_idle_start(&idle_, [](uv_idle_t*) {});
  } else {
    uv_idle_stop(&idle_);
  }
}

void LibuvLoop::after_poll() {
  const bool poll_added_nothing = ready_.tail() == batch_end_;
  inbox_.drain(ready_);
  if (poll_added_nothing) batch_end_ = ready_.tail();  // a posted callback woke us: it runs now
  if (!leaving_) run_ready(batch_end_);
}

// --- timers

TimePoint LibuvLoop::time() const {
  if (is_closed()) return closed_at_;
  return TimePoint(std::chrono::milliseconds(uv_now(&uv_)));
}

TimerHandle LibuvLoop::call_later(Delay delay, Callback callback) {
  if (delay.is_nan()) return TimerHandle(Errc::invalid_argument);
  return call_at(saturating_add(time(), delay.value()), std::move(callback));
}

TimerHandle LibuvLoop::call_at(TimePoint when, Callback callback) {
  if (const std::optional<Errc> why = refuses()) return TimerHandle(*why);
  Timer& timer = take_timer();
  timer.callback = std::move(callback);
  const TimePoint cached = time();
  const std::uint64_t ms = when <= cached ? 0 : ceil_to_ms(when - cached);
  uv_timer_start(
      &timer.handle,
      [](uv_timer_t* handle) {
        Timer& due = *static_cast<Timer*>(handle->data);
        due.loop->fire(due);
      },
      ms, 0);
  const std::uint64_t id = (std::uint64_t{timer.generation} << 32) | timer.index;
  return TimerHandle(this, id, when);
}

LibuvLoop::Timer& LibuvLoop::take_timer() {
  if (!free_timers_.empty()) {
    const std::uint32_t index = free_timers_.back();
    free_timers_.pop_back();
    return *timers_[index];
  }
  auto timer = std::make_unique<Timer>();
  timer->loop = this;
  timer->index = static_cast<std::uint32_t>(timers_.size());
  timer->handle.data = timer.get();
  uv_timer_init(&uv_, &timer->handle);
  timers_.push_back(std::move(timer));
  return *timers_.back();
}

void LibuvLoop::fire(Timer& timer) {
  Callback callback = std::move(timer.callback);
  ++timer.generation;
  free_timers_.push_back(timer.index);
  if (leaving_) {
    ready_.push(std::move(callback));  // The run is ending: the next one runs it.
    return;
  }
  enter([&] { run_callback(callback); });
}

bool LibuvLoop::cancel_timer(std::uint64_t id) {
  const auto index = static_cast<std::uint32_t>(id);
  if (index >= timers_.size()) return false;
  Timer& timer = *timers_[index];
  if (timer.generation != static_cast<std::uint32_t>(id >> 32) || !timer.callback) return false;
  const Callback dropped = std::move(timer.callback);
  ++timer.generation;
  if (is_closed()) return true;
  uv_timer_stop(&timer.handle);
  free_timers_.push_back(index);
  return true;
}

// --- readers and writers

Result<void> LibuvLoop::watch(os::NativeSocket fd,
                              std::shared_ptr<std::function<void()>> Watcher::*side,
                              std::function<void()>&& callback, std::string_view op) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, op);
  if (transport_fds_.contains(fd)) {
    return make_error(Errc::invalid_state, op, "the descriptor belongs to a transport");
  }
  auto found = watchers_.find(fd);
  if (found == watchers_.end()) {
    auto watcher = std::make_unique<Watcher>();
    const auto socket = static_cast<uv_os_sock_t>(fd);  // on POSIX any descriptor
    if (const int rc = uv_poll_init_socket(&uv_, &watcher->handle, socket); rc != 0) {
      return uv_error(rc, "uv_poll_init_socket");
    }
    watcher->handle.data = watcher.get();
    watcher->loop = this;
    watcher->fd = fd;
    found = watchers_.emplace(fd, std::move(watcher)).first;
  }
  Watcher& watcher = *found->second;
  const auto replaced =
      std::exchange(watcher.*side, std::make_shared<std::function<void()>>(std::move(callback)));
  rearm(watcher);
  return {};  // What was replaced is destroyed here, when the watcher is in order again.
}

Result<bool> LibuvLoop::unwatch(os::NativeSocket fd,
                                std::shared_ptr<std::function<void()>> Watcher::*side,
                                std::string_view op) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, op);
  if (transport_fds_.contains(fd)) {
    return make_error(Errc::invalid_state, op, "the descriptor belongs to a transport");
  }
  const auto found = watchers_.find(fd);
  if (found == watchers_.end()) return false;
  Watcher& watcher = *found->second;
  const auto removed = std::exchange(watcher.*side, nullptr);
  if (!removed) return false;
  rearm(watcher);
  return true;
}

void LibuvLoop::rearm(Watcher& watcher) {
  const int events = (watcher.reader ? UV_READABLE : 0) | (watcher.writer ? UV_WRITABLE : 0);
  if (events != 0) {
    uv_poll_start(&watcher.handle, events, [](uv_poll_t* handle, int status, int seen) {
      Watcher& ready = *static_cast<Watcher*>(handle->data);
      ready.loop->on_poll(ready, status, seen);
    });
    return;
  }
  auto gone = watchers_.extract(watcher.fd);
  uv_poll_stop(&watcher.handle);
  close_and_free(std::move(gone.mapped()));
}

void LibuvLoop::on_poll(Watcher& watcher, int status, int events) {
  if (status < 0) {
    // EPOLLERR: libuv has stopped the handle. Both sides get to see the error by a call of theirs.
    events = UV_READABLE | UV_WRITABLE;
    rearm(watcher);
  }
  const auto run = [&](std::shared_ptr<std::function<void()>> Watcher::*side,
                       std::string_view kind) {
    const auto callback = watcher.*side;
    if (!callback || leaving_) return;
    Callback call([callback, kind, fd = watcher.fd] { run_as(kind, fd, *callback); });
    enter([&] { run_callback(call); });
  };
  // The watcher lives at least until this iteration's closing phase.
  if ((events & UV_READABLE) != 0) run(&Watcher::reader, "reader of descriptor");
  if ((events & UV_WRITABLE) != 0) run(&Watcher::writer, "writer of descriptor");
}

Result<void> LibuvLoop::add_reader(FileObj file, std::function<void()> callback) {
  return watch(file.native(), &Watcher::reader, std::move(callback), "add_reader");
}
Result<void> LibuvLoop::add_writer(FileObj file, std::function<void()> callback) {
  return watch(file.native(), &Watcher::writer, std::move(callback), "add_writer");
}
Result<bool> LibuvLoop::remove_reader(FileObj file) {
  return unwatch(file.native(), &Watcher::reader, "remove_reader");
}
Result<bool> LibuvLoop::remove_writer(FileObj file) {
  return unwatch(file.native(), &Watcher::writer, "remove_writer");
}

// --- signals

Result<void> LibuvLoop::add_signal_handler(int signum, std::function<void()> callback) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, "add_signal_handler");
  auto shared = std::make_shared<std::function<void()>>(std::move(callback));
  if (const auto found = signals_.find(signum); found != signals_.end()) {
    found->second->callback.swap(shared);
    return {};
  }
  auto watcher = std::make_unique<SignalWatcher>();
  if (const int rc = uv_signal_init(&uv_, &watcher->handle); rc != 0) {
    return uv_error(rc, "uv_signal_init");
  }
  watcher->handle.data = watcher.get();
  watcher->loop = this;
  watcher->callback = std::move(shared);
  const auto arrived = [](uv_signal_t* handle, int) {
    SignalWatcher& seen = *static_cast<SignalWatcher*>(handle->data);
    seen.loop->on_signal(seen);
  };
  if (const int rc = uv_signal_start(&watcher->handle, arrived, signum); rc != 0) {
    close_and_free(std::move(watcher));
    return uv_error(rc, "uv_signal_start");
  }
  signals_.emplace(signum, std::move(watcher));
  return {};
}

Result<bool> LibuvLoop::remove_signal_handler(int signum) {
  if (const std::optional<Errc> why = refuses()) return make_error(*why, "remove_signal_handler");
  auto gone = signals_.extract(signum);
  if (gone.empty()) return false;
  const auto callback = gone.mapped()->callback;  // its captures go when all is in order
  uv_signal_stop(&gone.mapped()->handle);
  close_and_free(std::move(gone.mapped()));
  return true;
}

void LibuvLoop::on_signal(SignalWatcher& watcher) {
  const auto callback = watcher.callback;
  Callback call([callback, signum = watcher.handle.signum] {
    run_as("handler of signal", signum, *callback);
  });
  if (leaving_) {
    ready_.push(std::move(call));
    return;
  }
  enter([&] { run_callback(call); });
}

// --- transports' descriptors

void LibuvLoop::adopt(TransportEnd& end, os::NativeSocket fd) {
  transports_.insert(&end);
  if (fd != os::kInvalid) transport_fds_.insert(fd);
}

void LibuvLoop::release(TransportEnd& end, os::NativeSocket fd) {
  transports_.erase(&end);
  transport_fds_.erase(fd);
}

// --- sock_*: libuv has nothing between a uv_poll and a whole stream; emulated over uv_poll

Future<Bytes> LibuvLoop::sock_recv(Socket& socket, std::size_t max_bytes) {
  return ops_.recv(socket, max_bytes);
}
Future<std::size_t> LibuvLoop::sock_recv_into(Socket& socket, std::span<std::byte> buffer) {
  return ops_.recv_into(socket, buffer);
}
Future<Datagram> LibuvLoop::sock_recvfrom(Socket& socket, std::size_t max_bytes) {
  return ops_.recvfrom(socket, max_bytes);
}
Future<std::pair<std::size_t, Endpoint>> LibuvLoop::sock_recvfrom_into(
    Socket& socket, std::span<std::byte> buffer) {
  return ops_.recvfrom_into(socket, buffer);
}
Future<void> LibuvLoop::sock_sendall(Socket& socket, Bytes data) {
  return ops_.sendall(socket, std::move(data));
}
Future<std::size_t> LibuvLoop::sock_sendto(Socket& socket, Bytes data, Endpoint peer) {
  return ops_.sendto(socket, std::move(data), peer);
}
Future<void> LibuvLoop::sock_connect(Socket& socket, Endpoint peer) {
  return ops_.connect(socket, peer);
}
Future<Accepted> LibuvLoop::sock_accept(Socket& listener) { return ops_.accept(listener); }

BackendInfo LibuvLoop::backend() const {
  BackendInfo info;
  info.version = uv_version_string();
  describe_wait(uv_, info);
  if (is_closed()) {
    info.wait_descriptor = os::kInvalid;
    info.internal_descriptors.clear();
  }
  return info;
}

}  // namespace loopscope::libuv
