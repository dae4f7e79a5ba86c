// TCP transports: each direction has an end of its own.
#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"

namespace loopscope::scenarios::tcp_half_close {
namespace {

void write_after_peer_end(Context& cx) {
  const auto seen = std::make_shared<StreamRecorder>(cx);
  seen->keep_open = true;
  Connection c = connect(cx, seen, cx.tcp_pair());
  c.peer.shutdown_write();
  cx.run_until([&] { return cx.trace().count("eof") > 0; });
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits while the peer's half is at its end");
  cx.is_true(!c->is_closing(), "our half stays open");
  const std::string answer(1'000'000, 'a');
  c->write(view(answer));
  c->close();
  cx.is_true(read_to_end(cx, c.peer) == answer, "what was written after the end arrives");
  until_lost(cx, *seen);
  cx.equal(seen->lost, 1u, "calls of connection_lost");
  cx.equal(cx.trace().count("eof"), 1u, "calls of eof_received");
}

void read_after_own_end(Context& cx) {
  Connection c = connect(cx);
  cx.is_true(c->can_write_eof(), "can_write_eof");
  const std::string question(3'000'000, 'q');
  c->write(view(question));
  cx.ok(c->write_eof(), "write_eof");
  cx.ok(c->write_eof(), "write_eof again");
  c->write(view("too late"));
  const std::string got = read_to_end(cx, c.peer);
  cx.equal(got.size(), question.size(), "bytes before the end that the peer sees");
  cx.is_true(got == question, "they are what was written before write_eof");
  c->write(view("later still"));
  c.peer.send("answer");
  cx.run_until([&] { return c.seen->data == "answer"; });
  cx.is_true(!c->is_closing(), "the transport reads on");
  c.peer.close();
  until_lost(cx, *c.seen);
  cx.is_true(!c.seen->reason, "the end of both halves is no error");
  cx.equal(c.seen->lost, 1u, "calls of connection_lost");
}

void end_behind_pause(Context& cx) {
  Connection c = connect(cx);
  c->pause_reading();
  c.peer.send("held back");
  c.peer.close();
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits while data and end are held back");
  cx.expect_trace({"made"});
  c->resume_reading();
  until_lost(cx, *c.seen);
  cx.equal(c.seen->data, "held back", "the bytes");
  cx.is_true(!c.seen->reason, "the end is no error");
  cx.expect_trace({"made", "data", "eof", "lost"});
}

constexpr CapSet kNeeds{Cap::create_connection};
constexpr CapSet kTimed{Cap::create_connection, Cap::call_later};
constexpr std::string_view kEndApi[] = {"Protocol.eof_received", "Transport.write",
                                        "Transport.close"};
constexpr std::string_view kOwnApi[] = {"Transport.write_eof", "Transport.can_write_eof",
                                        "Transport.write"};
constexpr std::string_view kPauseApi[] = {"Transport.pause_reading", "Transport.resume_reading",
                                          "Protocol.eof_received"};

constexpr Scenario kScenarios[] = {
    {.id = "tcp.half_close.eof_then_write",
     .promise = "A true from eof_received keeps our half open, and the loop asleep.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.Protocol.eof_received",
     .needs = kTimed,
     .body = write_after_peer_end,
     .api = kEndApi},
    {.id = "tcp.half_close.write_eof",
     .promise = "write_eof flushes and ends our half once; reading goes on, writing does not.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.write_eof",
     .needs = kNeeds,
     .body = read_after_own_end,
     .api = kOwnApi},
    {.id = "tcp.eof.while_paused",
     .promise = "Data and end behind a pause wait without a spin, and come when it is lifted.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.ReadTransport.pause_reading",
     .needs = kTimed,
     .body = end_behind_pause,
     .api = kPauseApi},
};

}  // namespace

extern const ScenarioFile file{"A7", "TCP transports", kScenarios};
}  // namespace loopscope::scenarios::tcp_half_close
