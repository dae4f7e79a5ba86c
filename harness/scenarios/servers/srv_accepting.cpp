// Accepting: crowds, clients that go away, errors of accept, and factories that throw.
#include <cerrno>

#include "harness/scenario.hpp"
#include "harness/scenarios/serving.hpp"
#include "harness/tools/accept_faults.hpp"

namespace loopscope::scenarios::srv_accepting {
namespace {

/// A listening socket of the harness with clients that are connected and not accepted yet.
struct Queue {
  explicit Queue(std::size_t count) : listener(listening_socket(static_cast<int>(count) + 8)) {
    const Endpoint address = ours(os::local_address(listener.native()));
    for (std::size_t i = 0; i < count; ++i) clients.push_back(connect_to(address));
  }
  /// All of them are served, an echo each.
  void talk(Context& cx, Serving& serving) {
    cx.is_true(run_patiently(cx, [&] { return serving.made == clients.size(); }),
               "every client is accepted");
    for (Peer& client : clients) client.send("x");
    cx.is_true(run_patiently(cx, [&] { return serving.received.size() == clients.size(); }),
               "every client is heard");
    for (Peer& client : clients) cx.equal(find(cx, client), "x", "the answer to a client");
  }
  Socket listener;
  std::vector<Peer> clients;
};

void crowd_at_once(Context& cx) {
  constexpr std::size_t kClients = 480;  // with both ends, below FD_SETSIZE
  require_descriptors(cx, 2 * kClients + 64);
  Queue queue(kClients);
  Serving serving(cx);
  const PerIteration accepted(cx, serving.asked);
  ServerOptions options;
  options.sock = &queue.listener;
  serving.open(std::move(options));
  queue.talk(cx, serving);
  cx.note("most_accepts_per_iteration", static_cast<double>(accepted.most()), "count");
  if (accepted.most() == kClients) {
    cx.diverges("accepts all before anything else", "a turn for others", "none");
  }
}

void one_at_a_time(Context& cx) {
  Queue queue(10);
  Serving serving(cx);
  const PerIteration accepted(cx, serving.asked);
  ServerOptions options;
  options.sock = &queue.listener;
  options.backlog = 1;
  serving.open(std::move(options));
  queue.talk(cx, serving);
  cx.equal(accepted.most(), 1u, "clients accepted in one iteration, with a backlog of one");
}

std::size_t highest_descriptor(const Context& cx) {
  const std::vector<os::NativeSocket> open = cx.open_descriptors();
  return static_cast<std::size_t>(*std::max_element(open.begin(), open.end()));
}

void out_of_descriptors(Context& cx) {
  unsigned reports = 0;
  cx.loop().set_exception_handler([&](EventLoop&, const ExceptionContext&) { ++reports; });
  StreamPair pair = cx.stream_pair();
  os::UniqueFd early = ours(os::open_socket(AddressFamily::ipv4, SocketType::stream, true));
  Peer client;
  Serving serving(cx);
  {
    const DescriptorLimit limit(cx, highest_descriptor(cx) + 20);
    serving.open();  // Under the limit: an accept that was asked for before has the one from then.
    turn(cx);
    const std::vector<os::UniqueFd> all = exhaust_descriptors(pair.subject.native());
    (void)ours(os::connect(early.get(), serving.address()));
    client = Peer(std::move(early));
    client.send("hello");
    turn(cx, 20);
    pair.peer.send("meanwhile");
    cx.equal(text(settle(cx, cx.loop().sock_recv(pair.subject, 64), "sock_recv")), "meanwhile",
             "what another socket receives meanwhile");
    cx.at_most(waits_while_idle(cx, std::chrono::milliseconds(300)), kFewWaits,
               "waits in 300 ms without a descriptor");
    cx.at_least(reports, 1u, "reports to the exception handler");
    cx.at_most(reports, 3u, "reports to the exception handler");
  }
  cx.run_until([&] { return tools::readable(client.native()); });
  const std::string found = find(cx, client);
  if (found == "end" || found == "reset") {
    cx.diverges("accepts the client and closes it", "hello", found);
  }
  cx.equal(found, "hello", "what the client gets once there are descriptors");
}

void errors_of_one_connection(Context& cx) {
  Serving serving(cx);
  serving.open();
  const std::vector<int> errors{ECONNABORTED, EPERM, EPROTO, ENETDOWN, EHOSTUNREACH};
  tools::fail_accepts(errors);
  Peer first = connect_to(serving.address());
  cx.equal(ask(cx, first, "first"), "first", "the answer to the client behind the errors");
  if (tools::accept_failures_left() == errors.size()) {
    cx.inconclusive("this loop's accept cannot be made to fail");
  }
  cx.equal(tools::accept_failures_left(), 0u, "errors that were not met");
  cx.is_true(serving.server->is_serving(), "is_serving after the errors");
  Peer second = connect_to(serving.address());
  cx.equal(ask(cx, second, "second"), "second", "the answer to the next client");
}

void gone_before_accept(Context& cx) {
  Serving serving(cx);
  serving.open();
  connect_to(serving.address()).reset();
  Peer second = connect_to(serving.address());
  cx.equal(ask(cx, second, "here"), "here", "the answer to the client behind it");
  cx.is_true(run_patiently(cx, [&] { return serving.alive() == 1; }), "the first one has ended");
  turn(cx, 5);
  cx.equal(serving.alive(), 1u, "connections left");
  cx.note("delivered", serving.made == 2 ? "yes" : "no");
}

void shared_listener(Context& cx) {
  Socket listener = listening_socket();
  const os::UniqueFd shared = ours(os::duplicate(listener.native()));
  Serving serving(cx);
  ServerOptions options;
  options.sock = &listener;
  serving.open(std::move(options));
  std::size_t taken = 0;
  std::vector<os::UniqueFd> kept;
  for (std::size_t round = 1; round <= 5; ++round) {
    const Peer client = connect_to(serving.address());
    cx.loop().call_soon([&] {  // Another process would be as quick.
      auto other = ours(os::accept(shared.get()));
      if (other) ++taken, kept.push_back(std::move(other->first));
    });
    cx.is_true(run_patiently(cx, [&] { return taken + serving.made >= round; }), "one takes it");
    cx.equal(taken + serving.made, round, "connections made of as many clients");
  }
  cx.note("taken_by_the_other", static_cast<double>(taken), "count");
  Peer last = connect_to(serving.address());
  cx.equal(ask(cx, last, "mine"), "mine", "the answer when nobody else accepts");
}

void factory_throws(Context& cx) {
  Serving serving(cx);
  serving.open();
  unsigned reports = 0;
  cx.loop().set_exception_handler([&](EventLoop&, const ExceptionContext&) { ++reports; });
  serving.on_asked = [&] {
    if (serving.asked == 1) throw std::runtime_error("no protocol for the first");
  };
  serving.on_made = [&](Transport&) {
    if (serving.asked == 2) throw std::runtime_error("not for the second either");
  };
  Peer first = connect_to(serving.address());
  cx.equal(find(cx, first), "end", "what the client of the failed factory finds");
  Peer second = connect_to(serving.address());
  cx.equal(find(cx, second), "end", "what the client of the failed connection_made finds");
  cx.equal(reports, 2u, "reports to the exception handler");
  Peer third = connect_to(serving.address());
  cx.equal(ask(cx, third, "third"), "third", "the answer to the next client");
  third.close();
  serving.server->close();
  (void)await_outcome(cx, serving.server->wait_closed(), "wait_closed ends");
}

constexpr CapSet kNeeds{Cap::create_server, Cap::native_socket};
constexpr CapSet kWithSockets{Cap::create_server, Cap::sock_stream};
constexpr CapSet kWithHandler{Cap::create_server, Cap::exception_handler};
constexpr std::string_view kApi[] = {"create_server", "Protocol.connection_made",
                                     "Protocol.data_received", "Transport.write"};
constexpr std::string_view kWithReports[] = {"create_server", "set_exception_handler",
                                             "Protocol.connection_made"};
constexpr std::string_view kServer =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_server";

constexpr Scenario kScenarios[] = {
    {.id = "srv.accept.backlog_loop",
     .promise = "Hundreds of clients at once are all accepted and served, and others get a turn "
                "between them.",
     .source = kServer,
     .needs = kNeeds,
     .body = crowd_at_once,
     .api = kApi,
     .exclusive = Resource::descriptors},
    {.id = "srv.backlog_one",
     .promise = "With a backlog of one, one client is accepted in an iteration, and none is left.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_selector_events.py: "
               "test_accept_connection_multiple; github.com/python/cpython/issues/91780",
     .needs = kNeeds,
     .body = one_at_a_time,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kApi},
    {.id = "srv.accept.emfile",
     .promise = "A server without a free descriptor rests instead of spinning, says so, and serves "
                "the client that waits once there are descriptors.",
     .source = "github.com/python/cpython/issues/151615; libev: The special problem of "
               "accept()ing when you can't",
     .needs = kWithSockets | kWithHandler,
     .body = out_of_descriptors,
     .level = Level::should,
     .authority = Authority::de_facto,
     .api = kWithReports},
    {.id = "srv.accept.transient_errors",
     .promise = "Errors of accept that belong to one connection do not stop the server.",
     .source = "man 2 accept, RETURN VALUE, Error handling",
     .needs = kNeeds,
     .body = errors_of_one_connection,
     .authority = Authority::man_page,
     .api = kApi},
    {.id = "srv.accept.reset_before_accept",
     .promise = "A client that resets before it is accepted costs nobody else anything: it is "
                "delivered and lost, or not delivered.",
     .source = "github.com/python-trio/trio: src/trio/_highlevel_socket.py",
     .needs = kNeeds,
     .body = gone_before_accept,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi},
    {.id = "srv.shared_listener_processes",
     .promise = "A server that finds its client taken by another user of the listener carries on.",
     .source = "man 2 accept, NOTES; EAGAIN",
     .needs = kNeeds,
     .body = shared_listener,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kApi},
    {.id = "srv.factory_raises",
     .promise =
         "An exception of the factory or of connection_made is reported and ends that client "
         "alone.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_base_events.py: "
               "test_accept_connection_exception; docs.python.org/3/library/"
               "asyncio-eventloop.html#error-handling-api",
     .needs = kWithHandler,
     .body = factory_throws,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kWithReports},
};

}  // namespace

extern const ScenarioFile file{"A8", "Servers", kScenarios};
}  // namespace loopscope::scenarios::srv_accepting
