// TCP transports: a reset is told from an end, however it is found out.
#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"

namespace loopscope::scenarios::tcp_reset {
namespace {

void must_be_a_reset(Context& cx, const StreamRecorder& seen) {
  cx.equal(seen.lost, 1u, "calls of connection_lost");
  cx.is_true(seen.reason.has_value(), "connection_lost is given an error");
  const bool known = seen.reason->code == std::errc::connection_reset ||
                     seen.reason->code == std::errc::broken_pipe;
  if (!known) cx.failed("the error", "ECONNRESET or EPIPE", to_string(*seen.reason));
}

void reset_found_by_reading(Context& cx) {
  Connection c = connect(cx);
  c.peer.reset();
  until_lost(cx, *c.seen);
  cx.expect_trace({"made", "lost"});
  must_be_a_reset(cx, *c.seen);

  Connection held =
      connect(cx);  // What a reset does to bytes that were not read is nobody's promise.
  held->pause_reading();
  held.peer.send("1234");
  cx.run_until([&] { return tools::readable(descriptor_of(*held.transport, "socket")); });
  held.peer.reset();
  held->resume_reading();
  until_lost(cx, *held.seen);
  cx.note("queued_bytes", held.seen->data.empty() ? "dropped" : "delivered");
  must_be_a_reset(cx, *held.seen);
}

void reset_found_by_writing(Context& cx) {
  for (const bool reset : {true, false}) {
    Connection c = connect(cx);
    c->pause_reading();  // Reading shall not find out first.
    turn(cx);
    reset ? c.peer.reset() : c.peer.close();
    cx.run_until([&] {
      c->write(view("word"));
      return c.seen->lost > 0;
    });
    turn(cx);
    must_be_a_reset(cx, *c.seen);
    cx.is_true(c->is_closing(), "the transport is closing then");
  }
}

void reset_behind_pause(Context& cx) {
  Connection c = connect(cx);
  c->pause_reading();
  turn(cx);
  c.peer.reset();
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits after a reset behind a pause");
  cx.note("while_paused", c.seen->lost > 0 ? "told" : "held back");
  c->resume_reading();
  until_lost(cx, *c.seen);
  must_be_a_reset(cx, *c.seen);
}

constexpr CapSet kNeeds{Cap::create_connection};
constexpr CapSet kTimed{Cap::create_connection, Cap::call_later};
constexpr std::string_view kReadApi[] = {"Protocol.connection_lost", "Protocol.data_received"};
constexpr std::string_view kWriteApi[] = {"Protocol.connection_lost", "Transport.write"};
constexpr std::string_view kPauseApi[] = {"Protocol.connection_lost", "Transport.pause_reading",
                                          "Transport.resume_reading"};
constexpr std::string_view kLost =
    "docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseProtocol.connection_lost";

constexpr Scenario kScenarios[] = {
    {.id = "tcp.reset.reading",
     .promise = "A reset that reading finds is an error of connection_lost, not an end.",
     .source = kLost,
     .needs = kNeeds,
     .body = reset_found_by_reading,
     .api = kReadApi},
    {.id = "tcp.reset.writing",
     .promise = "A reset that writing finds ends the connection once, with the error.",
     .source = kLost,
     .needs = kNeeds,
     .body = reset_found_by_writing,
     .api = kWriteApi},
    {.id = "tcp.reset.while_paused",
     .promise = "A reset behind a pause makes nobody spin, and is told when it is lifted.",
     .source = "man 2 epoll_ctl, EPOLLERR and EPOLLHUP;"
               " docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.ReadTransport.pause_reading",
     .needs = kTimed,
     .body = reset_behind_pause,
     .api = kPauseApi},
};

}  // namespace

extern const ScenarioFile file{"A7", "TCP transports", kScenarios};
}  // namespace loopscope::scenarios::tcp_reset
