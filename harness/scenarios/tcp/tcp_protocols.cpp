// TCP transports: which protocol gets the bytes, in whose memory, and what is known of the ends.
#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"

namespace loopscope::scenarios::tcp_protocols {
namespace {

void switching_kinds(Context& cx) {
  Connection c = connect(cx);
  const auto lending = std::make_shared<BufferedRecorder>(cx, 4'096);
  const auto last = std::make_shared<StreamRecorder>(cx);
  c.seen->on_data = [&] { c->set_protocol(lending); };
  lending->on_data = [&] {
    if (lending->data.size() >= 9'000) c->set_protocol(last);
  };
  c.peer.send("first");
  cx.run_until([&] { return c.seen->data == "first"; });
  cx.is_true(c->get_protocol() == lending, "get_protocol gives the new protocol");
  std::string sent;
  for (int i = 0; sent.size() < 50'000; ++i) sent += std::to_string(i) + " ";
  c.peer.send(sent);  // Of this the second protocol gets a beginning, and the third the rest.
  cx.run_until([&] { return lending->data.size() + last->data.size() >= sent.size(); });
  cx.equal(c.seen->data, "first", "bytes of the first protocol");
  cx.is_true(lending->data + last->data == sent, "no byte is lost or comes twice");
  c.peer.close();
  cx.run_until([&] { return c.seen->lost + lending->lost + last->lost > 0; });
  turn(cx);
  cx.equal(last->lost, 1u, "the last protocol is told of the end");
  cx.equal(c.seen->lost + lending->lost, 0u, "calls to protocols that were replaced");
}

void own_memory(Context& cx) {
  const auto small = std::make_shared<BufferedRecorder>(cx, 7);
  auto c = connect(cx, small, cx.tcp_pair());
  std::string sent;
  for (int i = 0; sent.size() < 2'000; ++i) sent += std::to_string(i) + " ";
  c.peer.send(sent);
  cx.run_until([&] { return small->data.size() >= sent.size(); });
  cx.is_true(small->data == sent, "bytes beyond the lent memory come later, in order");
  c.peer.close();
  until_lost(cx, *small);
  cx.is_true(!small->reason, "the end is no error");
  cx.expect_trace({"made", "data", "eof", "lost"});
}

void no_memory(Context& cx) {
  const auto none = std::make_shared<BufferedRecorder>(cx, 0);
  cx.loop().set_exception_handler([](EventLoop&, const ExceptionContext&) {});
  auto c = connect(cx, none, cx.tcp_pair());
  c.peer.send("where to?");
  until_lost(cx, *none);
  cx.is_true(none->reason.has_value(), "an empty buffer is an error");
  cx.equal(none->data, "", "bytes delivered");
  cx.expect_trace({"made", "lost"});
}

void names_outlive_the_socket(Context& cx) {
  for (const AddressFamily family : {AddressFamily::ipv4, AddressFamily::ipv6}) {
    StreamPair pair = cx.tcp_pair(family);
    const Endpoint here = os::local_address(pair.subject.native()).value();
    const Endpoint there = cx.address_of(pair.peer);
    Connection c = connect(cx, std::make_shared<StreamRecorder>(cx), std::move(pair));
    const os::NativeSocket fd = descriptor_of(*c.transport, "socket");
    cx.is_true(tools::is_open(fd), "the socket that get_extra_info gives is open");
    const auto must_know = [&](std::string_view when) {
      cx.equal(address_of(*c.transport, "sockname"), here, "sockname " + std::string(when));
      cx.equal(address_of(*c.transport, "peername"), there, "peername " + std::string(when));
    };
    must_know("while it is open");
    c.seen->on_lost = [&] { must_know("in connection_lost"); };
    c->close();
    must_know("after close()");
    until_lost(cx, *c.seen);
    must_know("after the end");
    const os::NativeSocket later = descriptor_of(*c.transport, "socket");
    cx.is_true(later == os::kInvalid || later == fd, "no other descriptor takes its place");
    cx.is_true(std::holds_alternative<std::monostate>(c->get_extra_info("no such thing")),
               "an unknown name gives nothing");
  }
}

constexpr CapSet kNeeds{Cap::create_connection};
constexpr std::string_view kSwitchApi[] = {"Transport.set_protocol", "Transport.get_protocol",
                                           "Protocol.data_received",
                                           "BufferedProtocol.buffer_updated"};
constexpr std::string_view kLendApi[] = {"BufferedProtocol.get_buffer",
                                         "BufferedProtocol.buffer_updated"};
constexpr std::string_view kInfoApi[] = {"Transport.get_extra_info"};
constexpr std::string_view kGetBuffer =
    "docs.python.org/3/library/asyncio-protocol.html#asyncio.BufferedProtocol.get_buffer";

constexpr Scenario kScenarios[] = {
    {.id = "tcp.protocol_switch",
     .promise = "set_protocol from inside a callback, to either kind, gets the next bytes there.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.BaseTransport.set_protocol; bugs.python.org/issue33654",
     .needs = kNeeds,
     .body = switching_kinds,
     .severity = Severity::common,
     .api = kSwitchApi},
    {.id = "tcp.buffered.get_buffer",
     .promise = "A protocol's own memory is filled and no more; the rest waits for the next call.",
     .source = kGetBuffer,
     .needs = kNeeds,
     .body = own_memory,
     .severity = Severity::common,
     .api = kLendApi},
    {.id = "tcp.buffered.empty_buffer",
     .promise = "An empty buffer from get_buffer is an error that ends the connection.",
     .source = kGetBuffer,
     .needs = kNeeds,
     .body = no_memory,
     .severity = Severity::common,
     .api = kLendApi},
    {.id = "tcp.extra_info.after_close",
     .promise = "sockname and peername stay known when the socket has gone.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_sslproto.py"
               " test_get_extra_info_on_closed_connection",
     .needs = kNeeds,
     .body = names_outlive_the_socket,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kInfoApi},
};

}  // namespace

extern const ScenarioFile file{"A7", "TCP transports", kScenarios};
}  // namespace loopscope::scenarios::tcp_protocols
