// The workloads by plain calls of libuv, as a C program would make them.
#include <uv.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "ci/bench/bench.hpp"

namespace loopscope::bench {
namespace {

/// A loop that is closed with all its handles.
class Loop {
 public:
  Loop() { uv_loop_init(&loop_); }
  ~Loop() {
    uv_walk(
        &loop_,
        [](uv_handle_t* handle, void*) {
          if (!uv_is_closing(handle)) uv_close(handle, nullptr);
        },
        nullptr);
    while (uv_loop_close(&loop_) == UV_EBUSY) uv_run(&loop_, UV_RUN_DEFAULT);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  uv_loop_t* get() { return &loop_; }
  void run() { uv_run(&loop_, UV_RUN_DEFAULT); }

 private:
  uv_loop_t loop_{};
};

/// libuv has no queue of callbacks. Its cheapest deferred call is a timer of 0 ms.
double soon_batch() {
  std::vector<uv_timer_t> timers(kBatch);
  Loop loop;
  static int calls;
  calls = 0;
  for (uv_timer_t& timer : timers) uv_timer_init(loop.get(), &timer);
  const ProcessorTime time;
  for (int batch = 0; batch < kBatches; ++batch) {
    for (uv_timer_t& timer : timers)
      uv_timer_start(
          &timer, [](uv_timer_t*) { ++calls; }, 0, 0);
    loop.run();
  }
  return time.per_operation(calls);
}

double soon_chain() {
  uv_idle_t idle;
  static int left;
  left = kChain / 10;  // a turn each: dearer than the others' calls
  Loop loop;
  uv_idle_init(loop.get(), &idle);
  const int all = left;
  const ProcessorTime time;
  uv_idle_start(&idle, [](uv_idle_t* handle) {
    if (--left == 0) uv_idle_stop(handle);
  });
  loop.run();
  return time.per_operation(all);
}

struct Timers {
  explicit Timers(uv_loop_t* loop) : all(kTimers) {
    for (uv_timer_t& timer : all) uv_timer_init(loop, &timer);
  }
  void arm() {
    Delays delays;
    for (uv_timer_t& timer : all) {
      uv_timer_start(
          &timer, [](uv_timer_t*) {}, static_cast<std::uint64_t>(delays.next().count()), 0);
    }
  }
  std::vector<uv_timer_t> all;
};

double timers_arm() {
  // Declared before the loop: the handles have to outlive its closing.
  std::unique_ptr<Timers> timers;
  Loop loop;
  timers = std::make_unique<Timers>(loop.get());
  const ProcessorTime time;
  timers->arm();
  return time.per_operation(kTimers);
}

double timers_cancel() {
  std::unique_ptr<Timers> timers;
  Loop loop;
  timers = std::make_unique<Timers>(loop.get());
  timers->arm();
  const ProcessorTime time;
  for (uv_timer_t& timer : timers->all) uv_timer_stop(&timer);
  return time.per_operation(kTimers);
}

double timers_fire() {
  std::unique_ptr<Timers> timers;
  Loop loop;
  timers = std::make_unique<Timers>(loop.get());
  Delays delays;
  static std::size_t fired;
  fired = 0;
  for (uv_timer_t& timer : timers->all) {
    const auto within_100_ms = static_cast<std::uint64_t>(delays.next().count() % 100);
    uv_timer_start(
        &timer, [](uv_timer_t*) { ++fired; }, within_100_ms, 0);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(110));
  const ProcessorTime time;
  loop.run();
  return time.per_operation(static_cast<double>(fired));
}

/// Two loops on two threads that wake each other in turn.
struct Waker {
  uv_async_t async{};
  uv_async_t* other = nullptr;
  int left = kWakes;
  static void on_wake(uv_async_t* handle) {
    auto& self = *static_cast<Waker*>(handle->data);
    const bool last = --self.left == 0;
    uv_async_send(self.other);
    if (last) uv_stop(handle->loop);
  }
};

double wake() {
  Waker here, there;
  Loop first, second;
  uv_async_init(first.get(), &here.async, Waker::on_wake);
  uv_async_init(second.get(), &there.async, Waker::on_wake);
  here.async.data = &here;
  there.async.data = &there;
  here.other = &there.async;
  there.other = &here.async;
  std::thread thread([&] { second.run(); });
  const WallTime time;
  uv_async_send(&there.async);
  first.run();
  thread.join();
  return time.per_operation(2.0 * kWakes);
}

struct Echo {
  std::array<char, 65536> buffer{};
  uv_udp_t server{}, client{};
  uv_pipe_t to_read{}, to_write{}, back_read{}, back_write{};
  int left = kEchoes;
  uv_buf_t payload() { return uv_buf_init(buffer.data(), kPayload); }
};
void lend(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
  auto& echo = *static_cast<Echo*>(handle->data);
  *buffer = uv_buf_init(echo.buffer.data(), static_cast<unsigned>(echo.buffer.size()));
}

void answer_datagram(uv_udp_t* handle, ssize_t count, const uv_buf_t*, const sockaddr* from,
                     unsigned) {
  if (count <= 0 || from == nullptr) return;
  auto& echo = *static_cast<Echo*>(handle->data);
  if (handle == &echo.client && --echo.left == 0) {
    uv_stop(handle->loop);
    return;
  }
  const uv_buf_t out = echo.payload();
  uv_udp_try_send(handle, &out, 1, from);
}

double udp_echo() {
  const auto echo = std::make_unique<Echo>();
  Loop loop;
  sockaddr_in any{};
  uv_ip4_addr("127.0.0.1", 0, &any);
  for (uv_udp_t* end : {&echo->server, &echo->client}) {
    uv_udp_init(loop.get(), end);
    end->data = echo.get();
    uv_udp_bind(end, reinterpret_cast<const sockaddr*>(&any), 0);
    uv_udp_recv_start(end, lend, answer_datagram);
  }
  int size = sizeof any;
  uv_udp_getsockname(&echo->server, reinterpret_cast<sockaddr*>(&any), &size);
  const ProcessorTime time;
  const uv_buf_t out = echo->payload();
  uv_udp_try_send(&echo->client, &out, 1, reinterpret_cast<const sockaddr*>(&any));
  loop.run();
  return time.per_operation(kEchoes);
}

void answer_stream(uv_stream_t* handle, ssize_t count, const uv_buf_t*) {
  if (count <= 0) return;
  auto& echo = *static_cast<Echo*>(handle->data);
  const bool at_client = handle == reinterpret_cast<uv_stream_t*>(&echo.back_read);
  if (at_client && --echo.left == 0) {
    uv_stop(handle->loop);
    return;
  }
  const uv_buf_t out = echo.payload();
  uv_try_write(reinterpret_cast<uv_stream_t*>(at_client ? &echo.to_write : &echo.back_write), &out,
               1);
}

double pipe_echo() {
  const auto echo = std::make_unique<Echo>();
  Loop loop;
  uv_file there[2], back[2];
  uv_pipe(there, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
  uv_pipe(back, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
  const std::pair<uv_pipe_t*, uv_file> ends[] = {{&echo->to_read, there[0]},
                                                 {&echo->to_write, there[1]},
                                                 {&echo->back_read, back[0]},
                                                 {&echo->back_write, back[1]}};
  for (const auto& [end, fd] : ends) {
    uv_pipe_init(loop.get(), end, 0);
    end->data = echo.get();
    uv_pipe_open(end, fd);
  }
  uv_read_start(reinterpret_cast<uv_stream_t*>(&echo->to_read), lend, answer_stream);
  uv_read_start(reinterpret_cast<uv_stream_t*>(&echo->back_read), lend, answer_stream);
  const ProcessorTime time;
  const uv_buf_t out = echo->payload();
  uv_try_write(reinterpret_cast<uv_stream_t*>(&echo->to_write), &out, 1);
  loop.run();
  return time.per_operation(kEchoes);
}

}  // namespace

RawLibuv raw_libuv() {
  return {soon_batch,  soon_chain, timers_arm, timers_cancel,
          timers_fire, wake,       udp_echo,   pipe_echo};
}

}  // namespace loopscope::bench
