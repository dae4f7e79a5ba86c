// Unix connections and datagrams: echo, names, full queues, descriptors nobody asked for.
#include <cerrno>

#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/scenarios/serving.hpp"

namespace loopscope::scenarios::unix_connections {
namespace {

Future<Link> connecting(Context& cx, const std::string& path,
                        std::shared_ptr<BaseProtocol> protocol) {
  UnixConnectOptions options;
  options.path = path;
  return cx.loop().create_unix_connection([protocol] { return protocol; }, std::move(options));
}

void echo(Context& cx) {
  const std::string path = cx.temp_path("echo");
  Serving serving(cx);
  serving.open_unix(path);
  const auto seen = std::make_shared<StreamRecorder>(cx);
  const Link link = await_outcome(cx, connecting(cx, path, seen), "create_unix_connection").value();
  const std::string big(500'000, 'u');
  link.transport->write(view(big));
  cx.is_true(run_patiently(cx, [&] { return seen->data.size() == big.size(); }), "all comes back");
  cx.equal(seen->data == big, true, "and is what was sent");
  cx.equal(address_of(*link.transport, "peername").path(), path, "peername of the client");
  link.transport->close();
  cx.is_true(run_patiently(cx, [&] { return seen->lost + serving.lost == 2; }), "both sides end");
  cx.equal(seen->lost, 1u, "connection_lost of the client");
  cx.is_true(!seen->reason, "a clean end");
}

void unnamed_client(Context& cx) {
  Serving serving(cx);
  std::vector<std::string> names;
  std::string own;
  serving.on_made = [&](Transport& transport) {
    names.push_back(address_of(transport, "peername").path());
    own = address_of(transport, "sockname").path();
  };
  const std::string path = cx.temp_path("names"), mine = cx.temp_path("mine");
  serving.open_unix(path);
  const Peer unnamed = connect_to(serving.address());
  cx.is_true(run_patiently(cx, [&] { return names.size() == 1; }), "the first client is accepted");
  os::UniqueFd socket = ours(os::open_socket(AddressFamily::unix_domain, SocketType::stream, true));
  ours(os::bind(socket.get(), ours(Endpoint::unix_path(mine))));
  (void)ours(os::connect(socket.get(), serving.address()));
  cx.is_true(run_patiently(cx, [&] { return names.size() == 2; }), "the second one too");
  cx.equal(names, std::vector<std::string>{"", mine}, "the names of the two clients");
  cx.equal(own, path, "sockname of a connection");
}

void full_queue(Context& cx) {
  const std::string path = cx.temp_path("full");
  Socket listener = ours(Socket::make(AddressFamily::unix_domain, SocketType::stream));
  const Endpoint address = ours(Endpoint::unix_path(path));
  ours(os::bind(listener.native(), address));
  ours(os::listen(listener.native(), 0));
  std::vector<os::UniqueFd> queued;
  for (bool full = false; !full;) {
    os::UniqueFd fd = ours(os::open_socket(AddressFamily::unix_domain, SocketType::stream));
    const Result<bool> connected = os::connect(fd.get(), address);
    full = !connected.ok();
    if (!full) queued.push_back(std::move(fd));
  }
  const auto seen = std::make_shared<StreamRecorder>(cx);
  const Future<Link> link = connecting(cx, path, seen);
  turn(cx, 20);
  if (link.done() && !link.result().ok()) return;  // Refused: the caller knows.
  cx.is_true(!link.done(), "no connection is made while the queue is full");
  cx.at_most(waits_while_idle(cx, std::chrono::milliseconds(100)), kFewWaits * 2,
             "waits in 100 ms while the queue is full");
  for (std::size_t i = 0; i < queued.size(); ++i) (void)ours(os::accept(listener.native()));
  const Link made = await_outcome(cx, link, "connecting when there is room").value();
  const auto accepted = ours(os::accept(listener.native()));
  cx.is_true(accepted.has_value(), "the listener has the connection");
  made.transport->write(view("alive"));
  cx.is_true(run_patiently(cx, [&] { return tools::readable(accepted->first.get()); }), "it lives");
  cx.equal(take(accepted->first.get()), "alive", "what comes over it");
}

void cancelled_in_queue(Context& cx) {
  const std::string path = cx.temp_path("cancelled");
  Socket listener = ours(Socket::make(AddressFamily::unix_domain, SocketType::stream));
  const Endpoint address = ours(Endpoint::unix_path(path));
  ours(os::bind(listener.native(), address));
  ours(os::listen(listener.native(), 0));
  const Peer queued = connect_to(address);
  turn(cx, 3);
  const std::size_t before = cx.open_descriptors().size();
  const auto seen = std::make_shared<StreamRecorder>(cx);
  Future<Link> link = connecting(cx, path, seen);
  turn(cx, 5);
  (void)link.cancel();
  turn(cx, 5);
  cx.equal(cx.open_descriptors().size(), before, "descriptors after the cancellation");
  (void)ours(os::accept(listener.native()));
  (void)waits_while_idle(cx, std::chrono::milliseconds(100));
  cx.is_true(!ours(os::accept(listener.native())).has_value(), "nobody connects any more");
}

void nobody_there(Context& cx) {
  const std::string missing = cx.temp_path("missing"), dead = cx.temp_path("dead");
  {
    const Socket once = ours(Socket::make(AddressFamily::unix_domain, SocketType::stream));
    ours(os::bind(once.native(), ours(Endpoint::unix_path(dead))));
  }
  turn(cx, 3);
  const std::size_t before = cx.open_descriptors().size();
  const auto seen = std::make_shared<StreamRecorder>(cx);
  const auto nothing = await_outcome(cx, connecting(cx, missing, seen));
  cx.refused(nothing, system_code(ENOENT), "a path where nothing is");
  const auto refused = await_outcome(cx, connecting(cx, dead, seen));
  cx.refused(refused, system_code(ECONNREFUSED), "a path where a dead socket lies");
  cx.is_true(to_string(refused.error()).find(dead) != std::string::npos,
             "the error names the path");
  turn(cx, 3);
  cx.equal(cx.open_descriptors().size(), before, "descriptors after both");
  cx.expect_trace({});
}

void datagrams(Context& cx) {
  const std::string path = cx.temp_path("receiver"), mine = cx.temp_path("sender");
  DatagramOptions options;
  options.local_addr = ours(Endpoint::unix_path(path));
  const WatchedDatagram endpoint = open_endpoint(cx, std::move(options));
  os::UniqueFd fd = ours(os::open_socket(AddressFamily::unix_domain, SocketType::datagram, true));
  ours(os::bind(fd.get(), ours(Endpoint::unix_path(mine))));
  DatagramPeer peer(std::move(fd));
  for (const std::string_view word : {"one", "", "three"}) {
    peer.sendto(word, ours(Endpoint::unix_path(path)));
  }
  cx.is_true(run_patiently(cx, [&] { return endpoint.seen->datagrams.size() == 3; }), "all come");
  cx.equal(endpoint.seen->texts(), std::vector<std::string>{"one", "", "three"}, "the datagrams");
  cx.equal(endpoint.seen->datagrams.front().sender.path(), mine, "the sender");

  DatagramOptions connected;
  connected.remote_addr = ours(Endpoint::unix_path(mine));
  const WatchedDatagram sender = open_endpoint(cx, std::move(connected));
  constexpr int kMany = 1'000;  // net.unix.max_dgram_qlen is far below
  for (int i = 0; i < kMany; ++i) cx.ok(sender->sendto(view(std::to_string(i))), "sendto");
  cx.at_least(sender->get_write_buffer_size(), 1u, "bytes that wait for room in the peer's queue");
  cx.at_most(waits_while_idle(cx, std::chrono::milliseconds(30)), kFewWaits,
             "waits in 30 ms while the peer's queue is full");
  for (int i = 0; i < kMany; ++i) {
    cx.is_true(run_patiently(cx, [&] { return tools::readable(peer.native()); }), "more comes");
    cx.equal(text(peer.recvfrom().data), std::to_string(i), "the next datagram");
  }
  cx.equal(sender.seen->errors.size(), 0u, "errors meanwhile");
}

void descriptors_unasked(Context& cx) {
  Serving serving(cx);
  serving.echo = false;
  serving.open_unix(cx.temp_path("rights"));
  Peer client = connect_to(serving.address());
  cx.is_true(run_patiently(cx, [&] { return serving.made == 1; }), "the client is accepted");
  const std::size_t before = cx.open_descriptors().size();
  for (std::size_t i = 1; i <= 100; ++i) {
    tools::send_descriptor(client.native(), client.native());
    if (i % 10 == 0) {
      cx.is_true(run_patiently(cx, [&] { return serving.received.size() == i; }), "all bytes come");
    }
  }
  cx.equal(cx.open_descriptors().size(), before, "descriptors after 100 that nobody asked for");
}

void hangup_of_the_new(Context& cx) {
  const std::string path = cx.temp_path("fresh");
  Serving serving(cx);
  serving.open_unix(path);
  Socket fresh = ours(Socket::make(AddressFamily::unix_domain, SocketType::stream));
  std::size_t calls = 0;  // Linux: it hangs up before it has ever been connected.
  cx.ok(cx.loop().add_writer(fresh, [&] { ++calls; }), "add_writer");
  turn(cx, 5);
  cx.at_most(calls, 5u, "calls in five iterations");
  cx.ok(cx.loop().remove_writer(fresh), "remove_writer");
  const std::size_t after = calls;
  cx.at_most(waits_while_idle(cx, std::chrono::milliseconds(20)), kFewWaits,
             "waits after it is not watched any more");
  cx.equal(calls, after, "calls after it is not watched any more");
  cx.ok(await_outcome(cx, cx.loop().sock_connect(fresh, serving.address())), "sock_connect");
  cx.ok(await_outcome(cx, cx.loop().sock_sendall(fresh, bytes("x"))), "sock_sendall");
  cx.equal(text(await_outcome(cx, cx.loop().sock_recv(fresh, 8)).value()), "x", "the answer");
}

constexpr CapSet kNeeds{Cap::unix_sockets};
constexpr CapSet kNative{Cap::unix_sockets, Cap::native_socket};
constexpr CapSet kDatagram{Cap::create_datagram_endpoint, Cap::native_socket};
constexpr CapSet kWriter{Cap::unix_sockets, Cap::add_writer, Cap::sock_stream};
constexpr std::string_view kBoth[] = {"create_unix_server", "create_unix_connection"};
constexpr std::string_view kServer[] = {"create_unix_server", "Transport.get_extra_info"};
constexpr std::string_view kConnect[] = {"create_unix_connection"};
constexpr std::string_view kDatagramFact[] = {"unix.dgram"};
constexpr std::string_view kDatagramApi[] = {"create_datagram_endpoint", "DatagramTransport.sendto",
                                             "DatagramProtocol.datagram_received"};
constexpr std::string_view kWriterApi[] = {"add_writer", "remove_writer", "create_unix_server",
                                           "sock_connect"};
#define LOOPSCOPE_DOCS "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop."

constexpr Scenario kScenarios[] = {
    {.id = "unix.stream.echo",
     .promise = "A Unix client and a Unix server of the loop exchange what they are given.",
     .source = LOOPSCOPE_DOCS "create_unix_connection",
     .needs = kNeeds,
     .body = echo,
     .api = kBoth},
    {.id = "unix.peer_unnamed",
     .promise = "A client without a name has an empty one, and a client with a name has that.",
     .source = "man 7 unix, Address format, unnamed",
     .needs = kNeeds,
     .body = unnamed_client,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kServer},
    {.id = "unix.connect.full_backlog",
     .promise =
         "A connection to a listener with a full queue waits or is refused; a transport that "
         "is handed out is connected.",
     .source = "man 2 connect, EAGAIN",
     .needs = kNative,
     .body = full_queue,
     .authority = Authority::man_page,
     .api = kConnect},
    {.id = "unix.connect.full_backlog.cancel",
     .promise = "A cancelled connection does not go on trying, and leaves no descriptor.",
     .source = "docs.python.org/3/library/asyncio-future.html#asyncio.Future.cancel",
     .needs = kNative,
     .body = cancelled_in_queue,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::edge,
     .api = kConnect},
    {.id = "unix.connect.no_listener",
     .promise = "A missing path is ENOENT, a dead socket's is ECONNREFUSED.",
     .source = "man 7 unix; man 2 connect, ECONNREFUSED and ENOENT",
     .needs = kNeeds,
     .body = nobody_there,
     .authority = Authority::man_page,
     .api = kConnect},
    {.id = "unix.dgram",
     .promise = "Unix datagrams keep their boundaries and their sender, and wait for room in the "
                "peer's queue.",
     .source = "man 7 unix, SOCK_DGRAM; github.com/python/cpython/issues/75426",
     .needs = kDatagram,
     .body = datagrams,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kDatagramApi,
     .facts = kDatagramFact},
    {.id = "unix.scm_rights.unexpected",
     .promise = "Descriptors that nobody asked for do not stay in the process.",
     .source = "man 7 unix, SCM_RIGHTS",
     .needs = kNeeds,
     .body = descriptors_unasked,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kServer},
    {.id = "unix.epollhup_fresh",
     .promise = "Watching a Unix socket that was never connected neither spins nor spoils it.",
     .source = "github.com/MagicStack/uvloop: tests/test_unix.py, test_epollhup",
     .needs = kWriter,
     .body = hangup_of_the_new,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kWriterApi},
};
#undef LOOPSCOPE_DOCS

}  // namespace

extern const ScenarioFile file{"A10", "Unix sockets", kScenarios};
}  // namespace loopscope::scenarios::unix_connections
