// TCP transports: the order of a protocol's callbacks and of the bytes.
#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"

namespace loopscope::scenarios::tcp_order {
namespace {

void made_before_data(Context& cx) {
  StreamPair pair = cx.tcp_pair();
  pair.peer.send("all of it");
  pair.peer.close();  // Data and end are there before the transport is.
  const Connection c = connect(cx, std::make_shared<StreamRecorder>(cx), std::move(pair));
  until_lost(cx, *c.seen);
  cx.equal(c.seen->data, "all of it", "the bytes");
  cx.is_true(!c.seen->reason, "the peer's end is no error");
  cx.expect_trace({"made", "data", "eof", "lost"});
}

/// c: close, a: abort, w: write, b: write more than the peer reads, e: the peer closes, r: the peer
/// resets, t: some iterations.
void act(Context& cx, Connection& c, char step) {
  if (step == 'c') c->close();
  if (step == 'a') c->abort();
  if (step == 'w') c->write(view("word"));
  if (step == 'b') write_until_buffered(cx, *c.transport);
  if (step == 'e') c.peer.close();
  if (step == 'r') c.peer.reset();
  if (step == 't') turn(cx);
}

void lost_once(Context& cx) {
  for (const std::string_view steps : {"ca", "ac", "cc", "eca", "etc", "eta", "rca", "rwtc", "wrta",
                                       "bca", "bac", "brta", "brcta", "bewtc", "wetwtc"}) {
    Connection c = connect(cx);
    for (const char step : steps) act(cx, c, step);
    until_lost(cx, *c.seen);
    cx.equal(c.seen->lost, 1u, "calls of connection_lost after " + std::string(steps));
  }
}

void closed_by_resume(Context& cx) {
  Connection c = connect(cx);
  c.seen->on_resume = [&] { c->close(); };
  const std::size_t written = write_until_buffered(cx, *c.transport);
  const std::string more(1'000'000, 'x');
  c->write(view(more));
  cx.equal(read_to_end(cx, c.peer).size(), written + more.size(), "bytes that arrive");
  until_lost(cx, *c.seen);
  cx.expect_trace({"made", "paused", "resumed", "lost"});
}

void writes_in_order(Context& cx) {
  StreamPair pair = cx.tcp_pair();
  os::set_buffer_sizes(pair.subject.native(), 32'768, 0).value();  // Most of it has to wait.
  // A kernel that is left alone may keep megabytes for a reader who does not come.
  os::set_buffer_sizes(pair.peer.native(), 0, 200'000).value();
  Connection c = connect(cx, std::make_shared<StreamRecorder>(cx), std::move(pair));
  std::string sent;
  const auto say = [&](int number) {
    const std::string word = std::to_string(number) + " ";
    c->write(view(word));
    sent += word;
  };
  c.seen->on_resume = [&] { say(-1); };
  int number = 0;
  const auto say_some = [&] {
    for (int i = 0; i < 400; ++i) say(number++);
  };
  say_some();
  while (c.seen->pauses == 0 && number < 500'000) {
    cx.loop().call_soon(say_some);
    turn(cx);
  }
  cx.at_least(c.seen->pauses, 1u, "calls of pause_writing");
  for (int i = 0; i < 1'000; ++i) say(i);
  std::string got;
  cx.run_until([&] {
    const std::size_t here = tools::bytes_waiting(c.peer.native());
    if (here > 0) got += text(c.peer.recv(here));
    return got.size() >= sent.size() && c.seen->resumes > 0;
  });
  cx.equal(got.size(), sent.size(), "bytes that arrive");
  cx.is_true(got == sent, "they arrive in the order of the calls");
}

constexpr CapSet kNeeds{Cap::create_connection};
constexpr std::string_view kApi[] = {"connect_accepted_socket", "Protocol.connection_made",
                                     "Protocol.data_received", "Protocol.eof_received",
                                     "Protocol.connection_lost"};
constexpr std::string_view kEndApi[] = {"Transport.close", "Transport.abort",
                                        "Protocol.connection_lost"};
constexpr std::string_view kWriteApi[] = {"Transport.write", "Protocol.pause_writing",
                                          "Protocol.resume_writing"};

constexpr Scenario kScenarios[] = {
    {.id = "tcp.made_before_data",
     .promise = "connection_made comes first, then the data, the end, and connection_lost last.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#streaming-protocols",
     .needs = kNeeds,
     .body = made_before_data,
     .api = kApi},
    {.id = "tcp.lost_exactly_once",
     .promise = "However close, abort, end and reset meet, connection_lost comes once.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.BaseProtocol.connection_lost;"
               " github.com/python/cpython/issues/98703",
     .needs = kNeeds,
     .body = lost_once,
     .api = kEndApi},
    {.id = "tcp.lost_once.resume_closes",
     .promise = "A close() from resume_writing flushes the rest and ends the connection once.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.BaseProtocol.connection_lost;"
               " github.com/python/cpython/issues/156512",
     .needs = kNeeds,
     .body = closed_by_resume,
     .severity = Severity::common,
     .api = kEndApi},
    {.id = "tcp.write.order",
     .promise = "Bytes arrive in the order of the writes, those from callbacks included.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.write",
     .needs = kNeeds,
     .body = writes_in_order,
     .api = kWriteApi},
};

}  // namespace

extern const ScenarioFile file{"A7", "TCP transports", kScenarios};
}  // namespace loopscope::scenarios::tcp_order
