// What ends an operation that the system works on: no memory, byte, client or port goes with it.
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>

#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"
#include "harness/scenarios/serving.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::uring_endings {
namespace {

void learns_of_the_end(Context& cx, Peer& peer, std::string_view how) {
  cx.is_true(run_patiently(cx, [&] { return tools::readable(peer.native()); }), how);
  cx.equal(text(peer.recv(64)), "", how);
}

void close_cancels(Context& cx) {
  Connection open = connect(cx);
  turn(cx, 3);  // It waits for data by now.
  open->close();
  learns_of_the_end(cx, open.peer, "the peer of a transport that was closed while it received");

  StreamPair pair = cx.tcp_pair();
  const os::UniqueFd other = ours(os::duplicate(pair.subject.native()));
  Future<Bytes> receiving = cx.loop().sock_recv(pair.subject, 64);
  turn(cx, 3);
  cx.is_true(receiving.cancel(), "a receive that waits can be cancelled");
  turn(cx, 3);
  pair.subject.close();
  pair.peer.send("next");
  std::string got;
  cx.is_true(run_patiently(cx, [&] { return !(got += take(other.get())).empty(); }),
             "bytes sent after the close reach the socket's other owner");
  cx.equal(got, "next", "what the socket's other owner reads");
}

void listener_close(Context& cx) {
  Serving serving(cx);
  serving.open();
  const Endpoint served = serving.address();
  turn(cx, 3);
  serving.server->close();
  settle(cx, serving.server->wait_closed(), "wait_closed");

  Socket listener = listening_socket();
  const Endpoint accepted = ours(os::local_address(listener.native()));
  Future<Accepted> accepting = cx.loop().sock_accept(listener);
  turn(cx, 3);
  cx.is_true(accepting.cancel(), "an accept that waits can be cancelled");
  turn(cx, 3);
  listener.close();

  for (const Endpoint& address : {served, accepted}) {
    const auto seen = std::make_shared<StreamRecorder>(cx);
    const auto connecting = cx.loop().create_connection([&] { return seen; }, to(address));
    cx.refused(await_outcome(cx, connecting), system_code(ECONNREFUSED),
               "a client of a listener that was closed while it accepted");
    serving.server.reset();
    ServerOptions again;
    again.addresses = {address};
    serving.open(std::move(again));
    serving.server->close();
    settle(cx, serving.server->wait_closed(), "wait_closed");
  }
}

void buffer_lifetime(Context& cx) {
  for (int round = 0; round < 40; ++round) {
    StreamPair pair = cx.stream_pair();
    std::array<std::byte, 64> buffer{};
    Future<std::size_t> receiving = cx.loop().sock_recv_into(pair.subject, buffer);
    turn(cx, round % 3);
    cx.is_true(receiving.cancel(), "a receive that waits can be cancelled");
    buffer.fill(std::byte{'#'});
    pair.peer.send("for the next one");
    turn(cx, 3);
    cx.is_true(std::all_of(buffer.begin(), buffer.end(),
                           [](std::byte each) { return each == std::byte{'#'}; }),
               "memory that was lent to a cancelled receive stays as it is");
    cx.equal(text(settle(cx, cx.loop().sock_recv(pair.subject, 64), "the next receive")),
             "for the next one", "what the next receive gets");
  }
}

void cancel_races_with_data(Context& cx) {
  constexpr int kBytes = 600;
  StreamPair pair = cx.stream_pair();
  std::atomic<int> asked{0};
  cx.thread([&] {
    for (int sent = 0; sent < kBytes; ++sent) {
      while (asked <= sent) std::this_thread::yield();  // Sends while the loop gives up.
      pair.peer.send(std::string(1, static_cast<char>('a' + sent % 26)));
    }
    pair.peer.shutdown_write();
  });
  std::string got, want;
  std::size_t cancelled = 0;
  for (int i = 0; i < kBytes; ++i) want += static_cast<char>('a' + i % 26);
  for (bool ended = false; !ended;) {
    Future<Bytes> receiving = cx.loop().sock_recv(pair.subject, 16);
    if (asked < kBytes) ++asked;
    cx.run_once();
    if (asked < kBytes && receiving.cancel()) {
      ++cancelled;
      cx.refused(receiving.result(), Errc::cancelled, "a cancelled receive");
      continue;
    }
    const Bytes part = cx.loop().run_until_complete(receiving).value();
    ended = part.empty();
    got += text(part);
  }
  cx.join_threads();
  cx.equal(got, want, "all that was sent, once and in order");
  cx.note("cancelled", static_cast<double>(cancelled), "count");
}

void cancel_races_with_clients(Context& cx) {
  constexpr int kClients = 60;
  require_descriptors(cx, 2 * kClients + 64);
  Socket listener = listening_socket(kClients);
  const Endpoint address = ours(os::local_address(listener.native()));
  std::atomic<int> asked{0};
  std::vector<Peer> clients(kClients);
  cx.thread([&] {
    for (int i = 0; i < kClients; ++i) {
      while (asked <= i) std::this_thread::yield();
      clients[static_cast<std::size_t>(i)] = connect_to(address);
    }
  });
  int served = 0;
  while (served < kClients) {
    Future<Accepted> accepting = cx.loop().sock_accept(listener);
    if (asked < kClients) ++asked;
    cx.run_once();
    if (asked < kClients && accepting.cancel()) continue;
    cx.ok(cx.loop().run_until_complete(accepting), "an accept that was not cancelled");
    ++served;
  }
  cx.join_threads();
  Future<Accepted> last = cx.loop().sock_accept(listener);
  turn(cx);
  cx.is_true(last.cancel(), "no client is handed out twice");
}

constexpr CapSet kSockets{Cap::sock_stream, Cap::native_socket};
constexpr CapSet kStreams = kSockets | CapSet{Cap::create_connection, Cap::create_server};
constexpr std::string_view kClose[] = {"sock_recv", "Transport.close"};
constexpr std::string_view kServer[] = {"sock_accept", "create_server"};
constexpr std::string_view kInto[] = {"sock_recv_into"};
constexpr std::string_view kRecv[] = {"sock_recv"};
constexpr std::string_view kAccept[] = {"sock_accept"};
constexpr std::string_view kCancelation = "man 7 io_uring_cancelation";
constexpr std::string_view kCloseText = "man 2 close; man 7 io_uring_cancelation";

constexpr Scenario kScenarios[] = {
    {.id = "uring.close_cancels",
     .promise = "Closing what receives ends the receive: the peer sees the end, and no byte that "
                "comes later is taken.",
     .source = kCloseText,
     .needs = kStreams,
     .body = close_cancels,
     .authority = Authority::man_page,
     .api = kClose},
    {.id = "uring.listener_close",
     .promise = "Closing what accepts frees the port: clients are refused, and it can be bound.",
     .source = kCloseText,
     .needs = kStreams,
     .body = listener_close,
     .authority = Authority::man_page,
     .api = kServer},
    {.id = "uring.buffer_lifetime",
     .promise = "Memory that was lent to a cancelled receive is its owner's again at once.",
     .source = kCancelation,
     .needs = kSockets,
     .body = buffer_lifetime,
     .authority = Authority::man_page,
     .api = kInto},
    {.id = "uring.cancel_results",
     .promise = "A cancel that races with data ends the receive in one way, and no byte is lost.",
     .source = kCancelation,
     .needs = kSockets,
     .body = cancel_races_with_data,
     .authority = Authority::man_page,
     .api = kRecv},
    {.id = "uring.cancel_results.accept",
     .promise = "A cancel that races with clients loses none of them, and hands none out twice.",
     .source = kCancelation,
     .needs = kSockets,
     .body = cancel_races_with_clients,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kAccept},
};

}  // namespace

extern const ScenarioFile file{"A30", "io_uring", kScenarios};
}  // namespace loopscope::scenarios::uring_endings
