// How servers begin and end: start_serving, close, close_clients, wait_closed, the loop's close.
#include <cerrno>

#include "harness/scenario.hpp"
#include "harness/scenarios/serving.hpp"

namespace loopscope::scenarios::srv_ending {
namespace {

void stops_listening(Context& cx) {
  Serving serving(cx);
  serving.open();
  const Endpoint address = serving.address();
  Peer client = connect_to(address);
  cx.equal(ask(cx, client, "before"), "before", "the answer before the close");
  cx.is_true(serving.server->is_serving(), "is_serving before the close");
  serving.server->close();
  cx.is_true(!serving.server->is_serving(), "is_serving after the close");
  cx.is_true(serving.server->sockets().empty(), "no sockets are left");
  cx.refused(try_connect(address), system_code(ECONNREFUSED), "connecting after the close");
  cx.equal(ask(cx, client, "after"), "after", "the answer to a client that was connected");

  Serving again(cx);
  ServerOptions options;
  options.addresses = {address};
  again.open(std::move(options));
  Peer newcomer = connect_to(address);
  cx.equal(ask(cx, newcomer, "new"), "new", "the answer of a new server at the same address");
}

void pending_clients(Context& cx) {
  Serving serving(cx);
  serving.open();
  turn(cx, 3);
  std::vector<Peer> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(connect_to(serving.address()));
  std::size_t accepted = 0;
  cx.loop().call_soon([&] {
    serving.server->close();
    accepted = serving.asked;
  });
  turn(cx, 10);
  cx.equal(serving.asked, accepted, "clients accepted, after the close as before it");
  for (std::size_t i = accepted; i < clients.size(); ++i) {
    const std::string found = find(cx, clients[i]);
    cx.is_true(found == "reset" || found == "end", "a client that was not accepted is let go");
  }
}

void waiting_for_the_end(Context& cx) {
  Serving serving(cx);
  serving.open();
  Peer client = connect_to(serving.address());
  cx.equal(ask(cx, client, "x"), "x", "the answer");
  std::size_t alive_at_end = 99;
  Future<void> first = serving.server->wait_closed();
  Future<void> second = serving.server->wait_closed();
  first.add_done_callback([&] { alive_at_end = serving.alive(); });
  turn(cx, 5);
  cx.is_true(!first.done(), "wait_closed waits while the server listens");
  serving.server->close();
  Future<void> third = serving.server->wait_closed();
  turn(cx, 5);
  cx.is_true(!first.done() && !third.done(), "wait_closed waits for the last connection");
  cx.is_true(second.cancel(), "one waiter is cancelled");
  turn(cx, 5);
  cx.is_true(!first.done() && !third.done(), "the others wait on");
  client.close();
  cx.ok(await_outcome(cx, first), "wait_closed before the close");
  cx.ok(await_outcome(cx, third), "wait_closed after the close");
  turn(cx, 5);  // Done is known before the callback of the first waiter runs.
  cx.equal(alive_at_end, 0u, "connections when the waiter was told");
  cx.ok(outcome(cx, serving.server->wait_closed(), "wait_closed"), "wait_closed after the end");
}

/// A server whose connections write `size` bytes each as soon as they are made.
struct Pouring {
  Pouring(Context& cx, std::size_t size) : serving(cx) {
    serving.open();
    serving.on_made = [size](Transport& transport) {
      transport.write(view(std::string(size, 'p')));
    };
    for (int i = 0; i < 3; ++i) clients.push_back(connect_to(serving.address()));
    cx.is_true(run_patiently(cx, [&] { return serving.made == 3; }), "three clients are accepted");
  }
  /// What has come for a client by the end of its stream.
  std::size_t drain(Context& cx, Peer& client) {
    std::size_t size = 0;
    for (;;) {
      const std::string found = find(cx, client);
      if (found == "end" || found == "reset" || found == "nothing") return size;
      size += found.size();
    }
  }
  Serving serving;
  std::vector<Peer> clients;
};

void ending_the_clients(Context& cx) {
  constexpr std::size_t kSize = 8'000'000;  // more than a connection's kernel buffers take
  Pouring closed(cx, kSize), aborted(cx, kSize);
  closed.serving.server->close_clients();
  aborted.serving.server->abort_clients();
  turn(cx, 10);
  cx.equal(aborted.serving.lost, 3u, "connections that have ended soon after abort_clients");
  for (Peer& client : closed.clients) {
    cx.equal(closed.drain(cx, client), kSize, "bytes that a client gets after close_clients");
  }
  for (Peer& client : aborted.clients) {
    cx.at_most(aborted.drain(cx, client), kSize - 1, "bytes that one gets after abort_clients");
  }
  cx.is_true(run_patiently(cx, [&] { return closed.serving.alive() == 0; }), "all have ended");
  for (Pouring* each : {&closed, &aborted}) {
    each->serving.server->close_clients();
    each->serving.server->abort_clients();
    turn(cx, 5);
    cx.equal(each->serving.lost, 3u, "connection_lost, once for each");
    cx.is_true(each->serving.server->is_serving(), "the server goes on");
  }
}

void serving_later(Context& cx) {
  Serving serving(cx);
  ServerOptions options;
  options.addresses = {Endpoint::loopback(AddressFamily::ipv4)};
  options.start_serving = false;
  serving.open(std::move(options));
  const Endpoint address = serving.address();
  cx.is_true(!serving.server->is_serving(), "is_serving before start_serving");
  cx.refused(try_connect(address), system_code(ECONNREFUSED), "connecting before start_serving");
  cx.ok(serving.server->start_serving(), "start_serving");
  cx.ok(serving.server->start_serving(), "start_serving again");
  cx.is_true(serving.server->is_serving(), "is_serving after start_serving");
  Peer client = connect_to(address);
  cx.equal(ask(cx, client, "x"), "x", "the answer");
  serving.server->close();
  serving.server->close();
  cx.refused(serving.server->start_serving(), "start_serving after the close");
  cx.is_true(!serving.server->is_serving(), "is_serving after the close");
}

void loop_closes(Context& cx) {
  const std::size_t before = cx.open_descriptors().size();
  Peer client, queued;
  Serving serving(cx);
  {
    const std::unique_ptr<EventLoop> loop = cx.new_loop();
    ServerOptions options;
    options.addresses = {Endpoint::loopback(AddressFamily::ipv4)};
    const auto made = loop->create_server(serving.factory(), std::move(options));
    const auto server = loop->run_until_complete(made);
    cx.ok(server, "create_server");
    serving.server = *server;
    client = connect_to(serving.address());
    for (int i = 0; i < 200 && serving.made == 0; ++i) loop->stop(), (void)loop->run_forever();
    cx.equal(serving.made, 1u, "the client is accepted");
    queued = connect_to(serving.address());
    cx.ok(loop->close(), "close() of the loop");
    cx.equal(serving.lost, 0u, "callbacks during the loop's close");
  }
  serving.server->close_clients();
  serving.server->close();
  cx.is_true(serving.server->sockets().empty(), "the server has no sockets left");
  serving.server.reset();
  for (Peer* each : {&client, &queued}) {
    const std::string found = find(cx, *each);
    cx.is_true(found == "end" || found == "reset", "a client of a closed loop is let go");
    each->close();
  }
  cx.equal(cx.open_descriptors().size(), before, "descriptors after the loop has gone");
  cx.equal(serving.asked, 1u, "clients accepted in all");
}

constexpr CapSet kNeeds{Cap::create_server};
constexpr std::string_view kApi[] = {"create_server", "Protocol.connection_made",
                                     "Protocol.connection_lost"};
constexpr std::string_view kWithClose[] = {"create_server", "close"};
constexpr std::string_view kWithWrite[] = {"create_server", "Transport.close", "Transport.abort",
                                           "Protocol.connection_lost"};
#define LOOPSCOPE_DOCS "docs.python.org/3/library/asyncio-eventloop.html#asyncio.Server."

constexpr Scenario kScenarios[] = {
    {.id = "srv.close.stops_listening",
     .promise = "After close() clients are refused, connections live on, and the address is free.",
     .source = LOOPSCOPE_DOCS "close",
     .needs = kNeeds,
     .body = stops_listening,
     .api = kApi},
    {.id = "srv.close.pending_backlog",
     .promise = "Clients that wait in the queue are let go by close(), and none is accepted after "
                "it.",
     .source = LOOPSCOPE_DOCS "close",
     .needs = kNeeds,
     .body = pending_clients,
     .severity = Severity::common,
     .api = kApi},
    {.id = "srv.wait_closed",
     .promise = "wait_closed ends when the server is closed and its connections are gone; "
                "cancelling one waiter leaves the others.",
     .source = LOOPSCOPE_DOCS "wait_closed",
     .needs = kNeeds,
     .body = waiting_for_the_end,
     .severity = Severity::common,
     .api = kApi},
    {.id = "srv.close_clients_abort_clients",
     .promise =
         "close_clients flushes and ends every connection once, abort_clients drops and ends "
         "it; both leave the server listening.",
     .source = LOOPSCOPE_DOCS "close_clients",
     .needs = kNeeds,
     .body = ending_the_clients,
     .severity = Severity::edge,
     .api = kWithWrite},
    {.id = "srv.start_serving_later",
     .promise = "Without start_serving the server listens only when it is told to, and never again "
                "after close().",
     .source = LOOPSCOPE_DOCS "start_serving",
     .needs = kNeeds,
     .body = serving_later,
     .severity = Severity::edge,
     .api = kApi},
    {.id = "srv.loop_closed",
     .promise = "A loop that closes lets go of its servers and their clients without a callback, "
                "and leaves no descriptor.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.close",
     .needs = kNeeds,
     .body = loop_closes,
     .severity = Severity::common,
     .api = kWithClose},
};
#undef LOOPSCOPE_DOCS

}  // namespace

extern const ScenarioFile file{"A8", "Servers", kScenarios};
}  // namespace loopscope::scenarios::srv_ending
