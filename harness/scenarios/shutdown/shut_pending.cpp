// Shutdown with work pending: close() takes everything down, and nothing runs afterwards.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>

#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/forked.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::shut_pending {
namespace {

using namespace std::chrono_literals;

void pending_everything(Context& cx) {
  EventLoop& loop = cx.loop();
  auto [idle, idle_peer] = cx.stream_pair();
  auto [ready, ready_peer] = cx.stream_pair();
  os::Pipe pipe = cx.pipe();
  const WatchedStream writer = connect_writer(cx, std::move(pipe.write));
  write_until_buffered(cx, *writer.transport);
  const auto mark = [&cx] { cx.mark("a callback after close()"); };
  auto receiving = loop.sock_recv(idle, 16);
  receiving.add_done_callback(mark);
  cx.ok(loop.add_reader(ready, mark), "add_reader");
  ready_peer.send("x");
  loop.call_soon(mark);
  loop.call_soon_threadsafe(mark);
  loop.call_later(0s, mark);
  loop.call_later(1h, mark);
  cx.ok(loop.close(), "close() with everything pending");
  cx.refused(loop.run_forever(), Errc::closed, "run_forever after close()");
  cx.equal(cx.trace().count("a callback after close()"), 0u, "callbacks after close()");
}

void outliving_objects(Context& cx) {
  std::unique_ptr<EventLoop> loop = cx.new_loop();
  auto [subject, peer] = cx.stream_pair();
  auto pending = loop->create_future<int>(), finished = loop->create_future<int>();
  auto receiving = loop->sock_recv(subject, 16);
  Handle handle = loop->call_soon([&] { cx.mark("a callback ran"); });
  TimerHandle timer = loop->call_later(0s, [&] { cx.mark("a callback ran"); });
  finished.set_result(1);
  cx.ok(loop->close(), "close");
  (void)handle.cancel();  // Whether it says so is open: the callback was dropped.
  (void)timer.cancel();   // The same.
  loop.reset();
  peer.send("x");
  cx.equal(finished.result().value(), 1, "the result of a future that outlives its loop");
  pending.add_done_callback([&] { cx.mark("a callback ran"); });
  (void)receiving.cancel();  // Nobody waits for it any more.
  cx.is_true(pending.set_result(2), "set_result() on a future that outlives its loop");
  cx.is_true(pending.get_loop() == nullptr, "the future knows that its loop has gone");
  cx.expect_trace({});
}

void transport_outlives_loop(Context& cx) {
  std::unique_ptr<EventLoop> loop = cx.new_loop();
  os::Pipe pipe = cx.pipe();
  const auto seen = std::make_shared<StreamRecorder>(cx);
  auto made = loop->connect_write_pipe([&] { return seen; }, std::move(pipe.write));
  const Result<Link> link = loop->run_until_complete(made);
  cx.ok(link, "connect_write_pipe");
  cx.ok(loop->close(), "close");
  loop.reset();
  link->transport->write(view("into the void"));
  link->transport->close();
  link->transport->abort();
  cx.equal(text(Peer(std::move(pipe.read)).recv_until_eof()), "", "bytes that were still sent");
}

void buffered_writes(Context& cx) {
  EventLoop& loop = cx.loop();
  os::Pipe pipe = cx.pipe();
  const WatchedStream writer = connect_writer(cx, std::move(pipe.write));
  const std::size_t written = write_until_buffered(cx, *writer.transport);
  const std::size_t kept = writer->get_write_buffer_size();
  cx.run_once();  // A stopped loop keeps what is buffered.
  cx.equal(writer->get_write_buffer_size(), kept, "buffered bytes between two runs");
  std::size_t received = 0;
  Peer reader(std::move(pipe.read));
  cx.thread([&] {
    received = reader.recv_exactly(written).size();
    loop.call_soon_threadsafe([&] { loop.stop(); });
  });
  cx.run_forever();
  cx.join_threads();
  cx.equal(received, written, "bytes that arrive when the loop runs again");
}

/// Ends the process while a loop runs in another of its threads. Returns only when it cannot.
int exit_while_a_loop_runs(Context& cx) {
  Result<std::unique_ptr<EventLoop>> made = cx.descriptor().make(LoopOptions{});
  if (!made.ok()) return 1;
  std::atomic<long> thread{0};
  std::thread([loop = std::move(made).value(), &thread] {
    loop->call_soon([&thread] { thread = tools::thread_id(); });
    (void)loop->run_forever();  // It does not return: the process ends.
  }).detach();
  while (thread == 0) std::this_thread::yield();
  tools::wait_until_asleep(thread);
  std::exit(0);
}

void exit_with_running_loop(Context& cx) {
  cx.equal(tools::in_forked_child([&] { return exit_while_a_loop_runs(cx); }), 0,
           "the exit code of a process that ends while a loop runs in another thread");
}

constexpr std::string_view kClose[] = {"close"};
constexpr std::string_view kExit[] = {"run_forever"};
constexpr std::string_view kOutlive[] = {"close", "create_future", "Handle.cancel"};
constexpr std::string_view kTransport[] = {"close", "Transport.write", "Transport.close"};
constexpr std::string_view kBuffered[] = {"stop", "run_forever", "Transport.write"};
constexpr std::string_view kCloseDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.close";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "shut.pending_everything",
     .promise = "close() with timers, readers, operations and buffered writes returns, and no "
                "callback runs afterwards.",
     .source = kCloseDoc,
     .needs = {Cap::call_soon, Cap::call_later, Cap::call_soon_threadsafe, Cap::add_reader,
               Cap::sock_stream, Cap::pipes},
     .body = pending_everything,
     .api = kClose,
     .limit = kLimit},
    {.id = "shut.destructors_after_close",
     .promise = "Handles and futures that outlive their loop are harmless.",
     .source = "github.com/python/cpython/issues/92841",
     .needs = {Cap::call_soon, Cap::call_later, Cap::futures, Cap::sock_stream},
     .body = outliving_objects,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kOutlive,
     .limit = kLimit},
    {.id = "shut.destructors_after_close.transports",
     .promise = "Transports that outlive their loop are harmless, and send nothing more.",
     .source = "github.com/python/cpython/issues/83413",
     .needs = {Cap::call_soon, Cap::futures, Cap::pipes},
     .body = transport_outlives_loop,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kTransport,
     .limit = kLimit},
    {.id = "shut.writes_flushed_or_reported",
     .promise = "What a transport has buffered when the loop stops is sent when it runs again.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.write",
     .needs = {Cap::call_soon, Cap::call_soon_threadsafe, Cap::futures, Cap::pipes,
               Cap::flow_control},
     .body = buffered_writes,
     .level = Level::should,
     .severity = Severity::common,
     .api = kBuffered,
     .limit = kLimit},
    {.id = "shut.at_exit",
     .promise = "A process can exit while a loop runs in another of its threads.",
     .source = "libuv src/uv-common.c, uv_library_shutdown",
     .needs = {Cap::call_soon, Cap::native_socket},
     .body = exit_with_running_loop,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kExit,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A28", "Shutdown with work pending", kScenarios};

}  // namespace loopscope::scenarios::shut_pending
