// Errors: what the operating system says, under which name it arrives, and interrupted calls.
#include <cerrno>
#include <system_error>

#include "harness/scenario.hpp"
#include "harness/scenarios/moments.hpp"
#include "harness/tools/signal_storm.hpp"

namespace loopscope::scenarios::err_system {
namespace {

using namespace std::chrono_literals;

std::error_code code_of(int number) { return {number, errno_category()}; }

Coro<void> refused(Context& cx) {
  Socket socket = Socket::make(AddressFamily::ipv4, SocketType::stream).value();
  auto connecting = cx.loop().sock_connect(socket, cx.closed_port());
  const Result<void> connected = co_await connecting;
  cx.refused(connected, code_of(ECONNREFUSED), "connecting to a port where nobody listens");
}

Coro<void> reset(Context& cx) {
  StreamPair pair = cx.tcp_pair();
  pair.peer.reset();
  auto receiving = cx.loop().sock_recv(pair.subject, 16);
  const Result<Bytes> received = co_await receiving;
  cx.refused(received, code_of(ECONNRESET), "receiving from a peer that reset the connection");
}

Coro<void> broken_pipe(Context& cx) {
  StreamPair pair = cx.stream_pair();
  pair.peer.close();
  auto sending = cx.loop().sock_sendall(pair.subject, bytes("nobody reads this"));
  const Result<void> sent = co_await sending;
  cx.refused(sent, code_of(EPIPE), "sending to a peer that has closed");
}

Coro<void> each_error(Context& cx) {
  co_await refused(cx);
  co_await reset(cx);
  co_await broken_pipe(cx);
}

Coro<void> echo_once(Context& cx, std::size_t size) {
  Peer listener = cx.tcp_listener();
  Socket socket = Socket::make(AddressFamily::ipv4, SocketType::stream).value();
  auto connecting = cx.loop().sock_connect(socket, cx.address_of(listener));
  const Result<void> connected = co_await connecting;
  cx.ok(connected, "sock_connect under a storm of signals");
  cx.thread([&cx, &listener, size] {
    const tools::Blocked spared(SIGALRM);
    Peer peer = cx.accept_from(listener);
    peer.send(text(peer.recv_exactly(size)));
  });
  auto sending = cx.loop().sock_sendall(socket, Bytes(size, std::byte{'x'}));
  const Result<void> sent = co_await sending;
  cx.ok(sent, "sock_sendall under a storm of signals");
  std::size_t received = 0;
  while (received < size) {
    auto receiving = cx.loop().sock_recv(socket, 4096);
    const Result<Bytes> piece = co_await receiving;
    cx.ok(piece, "sock_recv under a storm of signals");
    cx.at_least(piece->size(), 1u, "bytes of a piece");
    received += piece->size();
  }
  cx.join_threads();
}

void interrupted_everywhere(Context& cx) {
  const tools::SignalStorm storm(1ms);
  for (int rounds = 0; rounds < 400 && storm.interruptions() < 60; ++rounds) {
    cx.run(echo_once(cx, 100'000));
    cx.loop().call_later(2ms, [&] { cx.loop().stop(); });
    cx.run_forever();
  }
  cx.note("interruptions", storm.interruptions(), "count");
  if (storm.interruptions() < 20) cx.inconclusive("the host delivered hardly any signal");
}

void closed_while_watched(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.set_log_sink([](LogLevel, std::string_view) {});  // It may complain; that is not judged.
  auto [good, good_peer] = cx.stream_pair();
  auto [bad, bad_peer] = cx.stream_pair();
  cx.ok(loop.add_reader(good, [&] { cx.mark("good"), (void)loop.remove_reader(good); }),
        "add_reader");
  cx.ok(loop.add_reader(bad, [] {}), "add_reader");
  bad.close();
  good_peer.send("x");
  const std::uint64_t before = cx.waits();
  loop.call_later(30ms, [&] { loop.stop(); });
  const Result<void> ran = loop.run_forever();
  cx.ok(ran, "run_forever with a closed descriptor that is still watched");
  cx.at_most(cx.waits() - before, 20u, "waits in 30 ms");
  cx.expect_trace({"good"});
}

constexpr std::string_view kSockets[] = {"sock_connect", "sock_recv", "sock_sendall"};
constexpr std::string_view kReader[] = {"add_reader", "run_forever"};
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "err.selector_failure",
     .promise = "A watched descriptor that was closed neither ends the run nor makes it spin.",
     .source = "Twisted twisted/internet/selectreactor.py, _preenDescriptors",
     .needs = {Cap::add_reader, Cap::call_later},
     .body = closed_while_watched,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kReader,
     .limit = kLimit},
    {.id = "err.eintr_everywhere",
     .promise =
         "Connecting, sending, receiving and waiting work under a thousand signals a second.",
     .source = "peps.python.org/pep-0475; man 7 signal, Interruption of system calls",
     .needs = {Cap::sock_stream, Cap::call_later, Cap::native_socket},
     .body = interrupted_everywhere,
     .authority = Authority::man_page,
     .api = kSockets},
    {.id = "err.errno_mapping",
     .promise = "Refused, reset and broken connections arrive as the system's own error codes.",
     .source = "POSIX.1-2017 connect(), recv() and send(), ERRORS",
     .needs = {Cap::sock_stream, Cap::native_socket},
     .body = [](Context& cx) { cx.run(each_error(cx)); },
     .authority = Authority::posix,
     .severity = Severity::common,
     .api = kSockets,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A20", "Error handling", kScenarios};

}  // namespace loopscope::scenarios::err_system
