// create_connection and connect_accepted_socket: what is refused, with which error, at what cost.
#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::tcp_refusals {
namespace {

ProtocolFactory factory(Context& cx) {
  return [&cx] { return std::make_shared<StreamRecorder>(cx); };
}

Result<Link> try_connecting(Context& cx, ConnectOptions options) {
  auto made = cx.loop().create_connection(factory(cx), std::move(options));
  return cx.loop().run_until_complete(made);
}

/// What every refusal owes: no descriptor, and a loop that connects as before.
void must_be_as_before(Context& cx, std::size_t descriptors) {
  turn(cx, 5);
  cx.equal(cx.open_descriptors().size(), descriptors, "descriptors after the refusal");
  Peer listener = cx.tcp_listener();
  const WatchedStream stream = open_connection(cx, to(cx.address_of(listener)));
  Peer peer = cx.accept_from(listener);
  peer.send("as ever");
  cx.run_until([&] { return stream.seen->data == "as ever"; });
  stream->close();
  until_lost(cx, *stream.seen);
}

void must_say(Context& cx, const Result<Link>& refused, int number, std::string_view text) {
  cx.refused(refused, system_code(number), text);
  cx.is_true(!refused.error().op.empty(), "the error names the call that failed");
}

void nobody_listens(Context& cx) {
  const Endpoint closed = cx.closed_port();
  const std::size_t before = cx.open_descriptors().size();
  const Result<Link> refused = try_connecting(cx, to(closed));
  must_say(cx, refused, ECONNREFUSED, "connecting where nobody listens");
  cx.is_true(refused.error().detail.find(closed.to_string()) != std::string::npos,
             "the error names the address");
  must_be_as_before(cx, before);
}

void no_route(Context& cx) {
  const std::size_t before = cx.open_descriptors().size();
  // TCP has no broadcast: Linux says at once that there is no way there.
  const Result<Link> refused = try_connecting(cx, to(ours(Endpoint::ip("255.255.255.255", 9))));
  must_say(cx, refused, ENETUNREACH, "connecting to a broadcast address");
  const Result<Link> missing =
      try_connecting(cx, to(ours(Endpoint::unix_path(cx.temp_path("no such socket")))));
  must_say(cx, missing, ENOENT, "connecting to a path that does not exist");
  must_be_as_before(cx, before);
}

/// Both calls refuse the socket with this error, and leave it open with the caller.
void must_leave(Context& cx, Socket& socket, std::error_code code, std::string_view what) {
  const os::NativeSocket number = socket.native();
  Future<Link> adopted = cx.loop().connect_accepted_socket(factory(cx), socket);
  cx.refused(cx.loop().run_until_complete(adopted), code, "connect_accepted_socket, " + show(what));
  ConnectOptions options;
  options.sock = &socket;
  cx.refused(try_connecting(cx, options), code, "create_connection, " + show(what));
  cx.equal(socket.native(), number, "the descriptor that the caller has");
  cx.is_true(number == os::kInvalid || tools::is_open(number), "it is open");
}

void wrong_sockets(Context& cx) {
  Socket closed, file(tools::create_file(cx.temp_path("file"), "content"));
  Socket datagrams = ours(Socket::make(AddressFamily::ipv4, SocketType::datagram));
  Socket unconnected = ours(Socket::make(AddressFamily::ipv4, SocketType::stream));
  Socket listening = listening_socket();
  const std::size_t before = cx.open_descriptors().size();
  must_leave(cx, closed, system_code(EBADF), "closed");
  must_leave(cx, file, system_code(ENOTSOCK), "a regular file");
  must_leave(cx, unconnected, system_code(ENOTCONN), "not connected");
  must_leave(cx, datagrams, make_error_code(Errc::invalid_argument), "datagrams");
  must_leave(cx, listening, make_error_code(Errc::invalid_argument), "listening");
  must_be_as_before(cx, before);
}

void adopted_sockets(Context& cx) {
  Socket listener = listening_socket();
  Peer client = connect_to(ours(os::local_address(listener.native())));
  Future<Accepted> accepting = cx.loop().sock_accept(listener);
  Result<Accepted> accepted = await_outcome(cx, accepting);
  cx.ok(accepted, "sock_accept");
  const WatchedStream inbound = adopt(cx, accepted.value().connection);
  StreamPair tcp = cx.tcp_pair(), local = cx.stream_pair();
  ConnectOptions options;
  options.sock = &tcp.subject;
  const WatchedStream outbound = open_connection(cx, options);
  const WatchedStream within = adopt(cx, local.subject);
  cx.is_true(!accepted.value().connection && !tcp.subject && !local.subject,
             "the loop has taken the sockets");
  std::pair<const WatchedStream*, Peer*> both[] = {
      {&inbound, &client}, {&outbound, &tcp.peer}, {&within, &local.peer}};
  for (auto& [stream, peer] : both) {
    peer->send("question");
    cx.run_until([&] { return stream->seen->data == "question"; });
    (*stream)->write(view("answer"));
    cx.equal(read_exactly(cx, *peer, 6), "answer", "what the peer gets");
    (*stream)->close();
    cx.equal(read_to_end(cx, *peer), "", "bytes before the end");
  }
}

void contradictions(Context& cx) {
  StreamPair pair = cx.tcp_pair();
  const std::size_t before = cx.open_descriptors().size();
  const Endpoint somewhere = Endpoint::loopback(AddressFamily::ipv4, 9);
  std::vector<ConnectOptions> wrong(6);
  wrong[1] = to(somewhere);
  wrong[1].host = "127.0.0.1", wrong[1].service = "9";
  wrong[2].host = "127.0.0.1";  // and no service
  wrong[3] = to(somewhere);
  wrong[3].happy_eyeballs_delay = std::chrono::milliseconds(-1);
  wrong[4].sock = wrong[5].sock = &pair.subject;
  wrong[4].local_addr = Endpoint::loopback(AddressFamily::ipv4);
  wrong[5].addresses = {somewhere};
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    cx.refused(try_connecting(cx, wrong[i]), Errc::invalid_argument, "contradiction " + show(i));
  }
  cx.is_true(tools::is_open(pair.subject.native()), "the socket is still the caller's");
  must_be_as_before(cx, before);
}

void literal_hosts(Context& cx) {
  for (const AddressFamily family : {AddressFamily::ipv4, AddressFamily::ipv6}) {
    Peer listener = cx.tcp_listener(family);
    const Endpoint address = cx.address_of(listener);
    ConnectOptions options;
    options.host = address.host();
    options.service = std::to_string(address.port());
    const std::size_t threads = tools::thread_count();
    const WatchedStream stream = open_connection(cx, options);
    cx.equal(address_of(*stream.transport, "peername"), address, "peername");
    cx.equal(tools::thread_count(), threads, "threads: a literal is not looked up");
  }
}

constexpr CapSet kNeeds{Cap::create_connection};
constexpr CapSet kAccepts{Cap::create_connection, Cap::sock_stream};
constexpr std::string_view kApi[] = {"create_connection"};
constexpr std::string_view kBothApi[] = {"create_connection", "connect_accepted_socket"};
constexpr std::string_view kConnect =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_connection";
constexpr std::string_view kAccepted =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.connect_accepted_socket";

constexpr Scenario kScenarios[] = {
    {.id = "tcp.connect.refused",
     .promise =
         "Connecting where nobody listens is ECONNREFUSED, names the address, leaks nothing.",
     .source = "man 2 connect, ERRORS, ECONNREFUSED",
     .needs = kNeeds,
     .body = nobody_listens,
     .authority = Authority::man_page,
     .api = kApi},
    {.id = "tcp.connect.unreachable",
     .promise = "An address that cannot be reached is the system's error, and leaks nothing.",
     .source = "man 2 connect, ERRORS, ENETUNREACH",
     .needs = kNeeds,
     .body = no_route,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kApi},
    {.id = "tcp.connect.bad_socket",
     .promise = "A socket that is no connected stream is refused, and stays open with the caller.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_base_events.py"
               " test_create_connection_wrong_sock",
     .needs = kNeeds,
     .body = wrong_sockets,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kBothApi},
    {.id = "tcp.connect.accepted_socket",
     .promise = "An accepted or connected socket of the caller becomes a transport.",
     .source = kAccepted,
     .needs = kAccepts,
     .body = adopted_sockets,
     .severity = Severity::edge,
     .api = kBothApi},
    {.id = "tcp.connect.contradictions",
     .promise = "Options that contradict each other are refused before anything is opened.",
     .source = kConnect,
     .needs = kNeeds,
     .body = contradictions,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::edge,
     .api = kApi},
    {.id = "tcp.connect.literal_host",
     .promise = "A literal address and a number connect without a look-up.",
     .source = kConnect,
     .needs = kNeeds,
     .body = literal_hosts,
     .severity = Severity::common,
     .api = kApi},
};

}  // namespace

extern const ScenarioFile file{"A7", "TCP transports", kScenarios};
}  // namespace loopscope::scenarios::tcp_refusals
