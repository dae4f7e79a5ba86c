// create_connection: which addresses are tried, from where, and what becomes of the others.
#include <algorithm>
#include <stdexcept>

#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios::tcp_connect {
namespace {

/// A loopback address whose listener's queue is full: a connect there is never answered.
class SilentAddress {
 public:
  explicit SilentAddress(Context& cx) : listener_(listening_socket(0)) {
    address = ours(os::local_address(listener_.native()));
    for (int i = 0; i < 16; ++i) {
      Socket next = ours(Socket::make(AddressFamily::ipv4, SocketType::stream));
      (void)ours(os::connect(next.native(), address));
      waiting_.push_back(std::move(next));
    }
    // On loopback an answer is there when connect returns; who is not connected now waits. Wine
    // names a peer already then: a socket that waits cannot be written to.
    if (tools::writable(waiting_.back().native())) {
      cx.inconclusive("this system's backlog never fills");
    }
  }
  Endpoint address;

 private:
  Socket listener_;
  std::vector<Socket> waiting_;
};

std::shared_ptr<StreamRecorder> recorder(Context& cx) {
  return std::make_shared<StreamRecorder>(cx);
}

Result<Link> try_connecting(Context& cx, ConnectOptions options) {
  auto made = cx.loop().create_connection([&cx] { return recorder(cx); }, std::move(options));
  return cx.loop().run_until_complete(made);
}

void must_be_named(Context& cx, const Error& error, const Endpoint& address) {
  if (error.detail.find(address.to_string()) != std::string::npos) return;
  cx.failed("the error names each address", address.to_string(), to_string(error));
}

void addresses_in_turn(Context& cx) {
  Peer listener = cx.tcp_listener();
  const Endpoint dead[] = {cx.closed_port(), cx.closed_port()};
  const std::size_t before = cx.open_descriptors().size();
  ConnectOptions options;
  options.addresses = {dead[0], dead[1], cx.address_of(listener)};
  const WatchedStream stream = open_connection(cx, options);
  cx.equal(address_of(*stream.transport, "peername"), options.addresses[2], "the one that answers");
  cx.equal(cx.open_descriptors().size(), before + 1, "descriptors: one more, for the connection");
  Peer peer = cx.accept_from(listener);
  stream->write(view("hello"));
  cx.equal(read_exactly(cx, peer, 5), "hello", "what the peer gets");
  stream->close();
  until_lost(cx, *stream.seen);
  peer.close();

  options.addresses.pop_back();
  const Result<Link> failed = try_connecting(cx, options);
  cx.refused(failed, system_code(ECONNREFUSED), "connecting when nobody answers");
  for (const Endpoint& address : dead) must_be_named(cx, failed.error(), address);
  cx.equal(cx.open_descriptors().size(), before, "descriptors after all have failed");
}

void happy_eyeballs(Context& cx) {
  const SilentAddress silent(cx);
  Peer listener = cx.tcp_listener();
  const std::size_t before = cx.open_descriptors().size();
  ConnectOptions options;
  options.addresses = {silent.address, cx.address_of(listener)};
  options.happy_eyeballs_delay = std::chrono::milliseconds(40);
  const TimePoint begun = cx.loop().time();
  const WatchedStream stream = open_connection(cx, options);
  cx.not_before(cx.loop().time(), begun + *options.happy_eyeballs_delay, "the second attempt");
  cx.equal(address_of(*stream.transport, "peername"), options.addresses[1], "the one that answers");
  cx.equal(cx.open_descriptors().size(), before + 1, "descriptors: the loser's is closed");
  Peer peer = cx.accept_from(listener);
  peer.send("still here");
  cx.run_until([&] { return stream.seen->data == "still here"; });

  // A failure does not wait for its delay to pass.
  options.addresses = {cx.closed_port(), cx.address_of(listener)};
  options.happy_eyeballs_delay = std::chrono::hours(24);
  cx.equal(address_of(*open_connection(cx, options).transport, "peername"), options.addresses[1],
           "the one after an address that refuses");
}

void from_a_local_address(Context& cx) {
  const Endpoint other = ours(Endpoint::ip("127.0.0.2", 0));
  Peer listener = cx.tcp_listener();
  ConnectOptions options = to(cx.address_of(listener));
  options.addresses.insert(options.addresses.begin(), Endpoint::loopback(AddressFamily::ipv6, 9));
  options.local_addr = other;
  const WatchedStream stream = open_connection(cx, options);  // the IPv6 address is passed over
  cx.equal(address_of(*stream.transport).host(), "127.0.0.2", "host of sockname");
  cx.equal(address_of(*stream.transport, "peername"), options.addresses[1], "peername");

  const std::size_t before = cx.open_descriptors().size();
  options.local_addr = ours(Endpoint::ip("192.0.2.1", 0));  // documentation only: nobody has it
  options.addresses.erase(options.addresses.begin());
  const Result<Link> foreign = try_connecting(cx, options);
  cx.refused(foreign, system_code(EADDRNOTAVAIL), "a local address of somebody else");
  must_be_named(cx, foreign.error(), *options.local_addr);
  options.local_addr = Endpoint::loopback(AddressFamily::ipv6);
  const Result<Link> mixed = try_connecting(cx, options);
  cx.refused(mixed, "a local address of another family");
  must_be_named(cx, mixed.error(), *options.local_addr);
  cx.equal(cx.open_descriptors().size(), before, "descriptors after both were refused");
}

void cancelled_at_any_point(Context& cx) {
  require_descriptors(cx, 128);
  const Peer listener = cx.tcp_listener(AddressFamily::ipv4, 64);
  const SilentAddress silent(cx);
  const std::size_t before = cx.open_descriptors().size();
  for (unsigned round = 0; round < 200; ++round) {
    ConnectOptions options = to(round % 3 == 0 ? silent.address : cx.address_of(listener));
    if (round % 4 == 0) options.addresses.push_back(cx.closed_port());
    if (round % 5 == 0) options.happy_eyeballs_delay = Duration::zero();
    const auto seen = recorder(cx);
    Future<Link> made = cx.loop().create_connection([&] { return seen; }, std::move(options));
    turn(cx, round % 7);
    if (made.cancel()) {
      turn(cx, 2);
      cx.is_true(made.cancelled(), "the future ends as cancelled");
    } else if (const Result<Link> link = made.result(); link.ok()) {
      link->transport->abort();
    }
    turn(cx, 2);
    if (seen->transport != nullptr) cx.equal(seen->lost, 1u, "a connection that was made ends");
  }
  turn(cx, 10);
  const std::size_t kept_ports = 50;  // what closed_port holds until the end of the cell
  cx.equal(cx.open_descriptors().size(), before + kept_ports, "descriptors after 200 connects");
}

struct NoProtocol : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void must_raise(Context& cx, const Future<Link>& made) {
  const auto done = [&] { return made.done(); };
  cx.is_true(run_patiently(cx, done), "the call ends");
  try {
    (void)made.result();
  } catch (const NoProtocol& raised) {
    cx.equal(std::string_view(raised.what()), "no protocol today", "the exception's text");
    return;
  }
  cx.failed("the factory's exception", "thrown by result()", "no exception");
}

void factory_raises(Context& cx) {
  const auto factory = []() -> std::shared_ptr<BaseProtocol> {
    throw NoProtocol("no protocol today");
  };
  Peer listener = cx.tcp_listener();
  const std::size_t before = cx.open_descriptors().size();
  must_raise(cx, cx.loop().create_connection(factory, to(cx.address_of(listener))));
  cx.equal(cx.open_descriptors().size(), before, "descriptors after the factory raised");
  Peer peer = cx.accept_from(listener);
  cx.equal(read_to_end(cx, peer), "", "bytes before the end at the peer");

  StreamPair pair = cx.tcp_pair();
  must_raise(cx, cx.loop().connect_accepted_socket(factory, pair.subject));
  if (pair.subject) cx.diverges("the socket is left open", "closed", "open");
  cx.equal(read_to_end(cx, pair.peer), "", "bytes before the end at the other peer");
  cx.equal(open_connection(cx, to(cx.address_of(listener))).seen->lost, 0u, "the loop works on");
}

void connected_to_itself(Context& cx) {
  Endpoint own;
  {
    const Socket briefly = ours(Socket::make(AddressFamily::ipv4, SocketType::stream));
    ours(os::bind(briefly.native(), Endpoint::loopback(AddressFamily::ipv4)));
    own = ours(os::local_address(briefly.native()));
  }
  const std::size_t before = cx.open_descriptors().size();
  ConnectOptions options = to(own);  // Nobody listens there.
  options.local_addr = own;
  const Result<Link> made = try_connecting(cx, options);
  if (!made.ok()) {
    if (made.error().is_errno(EADDRINUSE)) cx.inconclusive("somebody else took the port");
    cx.refused(made, system_code(ECONNREFUSED), "a connection of a socket with itself");
    cx.equal(cx.open_descriptors().size(), before, "descriptors after the refusal");
    return;
  }
  cx.equal(address_of(*made->transport), address_of(*made->transport, "peername"), "both names");
  cx.diverges("handed out", "refused: nobody listens there", "connected to itself");
}

constexpr CapSet kNeeds{Cap::create_connection};
constexpr CapSet kTimed{Cap::create_connection, Cap::call_later};
constexpr std::string_view kApi[] = {"create_connection", "Transport.get_extra_info"};
constexpr std::string_view kBothApi[] = {"create_connection", "connect_accepted_socket"};
constexpr std::string_view kConnect =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_connection";

constexpr Scenario kScenarios[] = {
    {.id = "tcp.connect.multiple_addresses",
     .promise = "Addresses are tried in turn; the error of a failure names each of them.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_base_events.py"
               " test_create_connection_multiple_errors",
     .needs = kNeeds,
     .body = addresses_in_turn,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi},
    {.id = "tcp.connect.happy_eyeballs",
     .promise = "With happy_eyeballs_delay an address that is silent holds up the next one for so"
                " long, and one that refuses not at all.",
     .source = kConnect,
     .needs = kTimed,
     .body = happy_eyeballs,
     .severity = Severity::common,
     .api = kApi},
    {.id = "tcp.connect.local_addr",
     .promise = "local_addr is bound first, for addresses of its family; its errors name it.",
     .source = kConnect,
     .needs = kNeeds,
     .body = from_a_local_address,
     .severity = Severity::edge,
     .api = kApi},
    {.id = "tcp.connect.cancel_no_leak",
     .promise = "200 connects cancelled at different points leave no descriptor behind.",
     .source = "github.com/MagicStack/uvloop/blob/master/tests/test_tcp.py"
               " test_create_connection_sock_cancel_fd_leak;"
               " docs.python.org/3/library/asyncio-task.html#task-cancellation",
     .needs = kNeeds,
     .body = cancelled_at_any_point,
     .api = kApi},
    {.id = "tcp.connect.protocol_factory_raises",
     .promise = "A factory that raises closes the socket, and the caller gets the exception.",
     .source = kConnect,
     .needs = kNeeds,
     .body = factory_raises,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kBothApi},
    {.id = "tcp.self_connect",
     .promise = "A connection of a socket with itself is not handed out.",
     .source = "www.rfc-editor.org/rfc/rfc9293#section-3.5 (simultaneous open)",
     .needs = kNeeds,
     .body = connected_to_itself,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::edge,
     .api = kApi},
};

}  // namespace

extern const ScenarioFile file{"A7", "TCP transports", kScenarios};
}  // namespace loopscope::scenarios::tcp_connect
