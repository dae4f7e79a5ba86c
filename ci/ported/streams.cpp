// Ported programs: stream transports and what they tell a protocol. What they check:
// test_selector_events.py, test_events.py, test_buffered_proto.py.
#include "ci/ported/peers.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::ported::streams {
namespace {

void half_close(Stage& s) {
  Connected c = connected(s);
  c.transport->write(view("last"));
  s.say("can_write_eof", c.transport->can_write_eof());
  c.transport->write_eof().value();
  c.transport->write_eof().value();
  s.turn(2);
  s.say("peer has", c.peer.recv_until_eof());
  s.say("closing", c.transport->is_closing());
  c.peer.send("answer");
  c.peer.close();
  s.run_until([&] { return c.seen->lost; });
}

void end_kept_open(Stage& s) {
  Connected c = connected(s);
  c.seen->keep_open = true;
  c.peer.shutdown_write();
  s.run_until([&] { return c.seen->ended; });
  s.turn(3);
  s.say("closing", c.transport->is_closing());
  c.transport->write(view("still here"));
  s.until_there(c.peer, 10);
  s.say("peer has", c.peer.recv_exactly(10));
  c.transport->close();
  s.turn(2);
}

void closed_in_made(Stage& s) {
  const auto seen = stream(s, "c");
  seen->on_made = [&] { seen->transport->close(); };
  auto [transport, peer] = connect(s, seen);
  s.say("connected");
  s.turn(2);
  s.say("end at the peer", peer.recv(10).size());
}

void written_in_made(Stage& s) {
  const auto seen = stream(s, "c");
  seen->on_made = [&] { dynamic_cast<Transport&>(*seen->transport).write(view("first")); };
  auto [transport, peer] = connect(s, seen);
  s.until_there(peer, 5);
  s.say("peer has", peer.recv_exactly(5));
  transport->close();
  s.turn(2);
}

void close_flushes(Stage& s) {
  constexpr std::size_t kSize = 8'000'000;
  Connected c = connected(s);
  const std::string block(kSize, 'x');
  c.transport->write(view(block));
  s.say("buffered", c.transport->get_write_buffer_size() > 0);
  c.transport->close();
  c.transport->write(view("dropped"));
  s.turn(2);
  s.say("lost", c.seen->lost);
  std::size_t got = 0;
  while (!c.seen->lost || got < kSize) {
    while (got < kSize && tools::readable(c.peer.native())) got += c.peer.recv(65536).size();
    if (!c.seen->lost) s.turn();
  }
  s.say("got", got);
  s.say("then the end", c.peer.recv(10).size());
}

void aborted(Stage& s) {
  Connected c = connected(s);
  const std::string block(8'000'000, 'x');
  c.transport->write(view(block));
  c.transport->abort();
  c.transport->abort();
  s.say("closing", c.transport->is_closing());
  s.say("buffered", c.transport->get_write_buffer_size());
  s.turn(2);
}

void reset_by_the_peer(Stage& s) {
  Connected c = connected(s);
  c.peer.reset();
  s.run_until([&] { return c.seen->lost; });
}

void data_before_close_by_the_peer(Stage& s) {
  Connected c = connected(s);
  c.seen->quiet = true;
  const std::string block(200'000, 'x');
  c.peer.send(block);
  c.peer.close();
  s.run_until([&] { return c.seen->lost; });
  s.say("got", c.seen->data.size());
}

void paused(Stage& s) {
  Connected c = connected(s);
  s.say("reading", c.transport->is_reading());
  c.transport->pause_reading();
  c.transport->pause_reading();
  c.peer.send("waits");
  s.turn(3);
  s.say("reading", c.transport->is_reading());
  c.transport->resume_reading();
  c.transport->resume_reading();
  s.run_until([&] { return c.seen->data == "waits"; });
  c.transport->close();
  s.say("reading", c.transport->is_reading());
  c.transport->pause_reading();
  c.transport->resume_reading();
  s.turn(2);
}

void paused_in_made(Stage& s) {
  const auto seen = stream(s, "c");
  seen->on_made = [&] { dynamic_cast<Transport&>(*seen->transport).pause_reading(); };
  auto [transport, peer] = connect(s, seen);
  peer.send("waits");
  s.turn(3);
  s.say("resuming");
  transport->resume_reading();
  s.run_until([&] { return seen->data == "waits"; });
}

void paused_in_data(Stage& s) {
  Connected c = connected(s);
  c.seen->on_data = [&](ByteView) { c.transport->pause_reading(); };
  c.peer.send("one");
  s.run_until([&] { return c.seen->data == "one"; });
  c.peer.send("two");
  s.turn(3);
  s.say("resuming");
  c.transport->resume_reading();
  s.run_until([&] { return c.seen->data == "onetwo"; });
}

void flow_control(Stage& s) {
  Connected c = connected(s);
  const std::string block(8'000'000, 'x');
  c.transport->set_write_buffer_limits(100'000, 50'000).value();
  c.transport->write(view(block));
  c.transport->write(view("more"));
  std::size_t got = 0;
  while (got < block.size() + 4) {
    while (tools::readable(c.peer.native())) got += c.peer.recv(1'000'000).size();
    s.turn();
  }
  s.turn(2);
  s.say("got", got);
  s.say("buffered", c.transport->get_write_buffer_size());
}

void protocol_replaced(Stage& s) {
  Connected c = connected(s, "first");
  const auto second = stream(s, "second");
  s.say("its protocol", c.transport->get_protocol() == c.seen);
  c.seen->on_data = [&](ByteView) { c.transport->set_protocol(second); };
  c.peer.send("one");
  s.run_until([&] { return c.seen->data == "one"; });
  s.say("its protocol", c.transport->get_protocol() == second);
  c.peer.send("two");
  s.run_until([&] { return second->data == "two"; });
  c.peer.close();
  s.run_until([&] { return second->lost; });
}

void lines(Stage& s) {
  Connected c = connected(s);
  const ByteView chunks[] = {view("a"), view(""), view("bc"), view("d")};
  c.transport->writelines(chunks);
  c.transport->write({});
  s.until_there(c.peer, 4);
  s.say("peer has", c.peer.recv_exactly(4));
  c.transport->close();
  s.turn(2);
  s.say("end at the peer", c.peer.recv(10).size());
}

void buffered_protocol(Stage& s) {
  const auto seen = std::make_shared<Buffered>(s, "b", 4);
  auto [transport, peer] = connect(s, seen);
  peer.send("123456");
  s.run_until([&] { return seen->data == "123456"; });
  peer.close();
  s.run_until([&] { return seen->lost; });
}

void buffered_without_buffer(Stage& s) {
  s.say_reports();
  const auto seen = std::make_shared<Buffered>(s, "b", 0);
  auto [transport, peer] = connect(s, seen);
  peer.send("x");
  s.turn(3);
  s.say("closing", transport->is_closing(), "lost", seen->lost);
}

void data_raises(Stage& s) {
  s.say_reports();
  Connected c = connected(s);
  c.seen->on_data = [](ByteView) { throw Boom(); };
  c.peer.send("x");
  s.turn(3);
  s.say("closing", c.transport->is_closing());
}

void made_raises(Stage& s) {
  s.say_reports();
  const auto seen = stream(s, "c");
  seen->on_made = [] { throw Boom(); };
  auto [transport, peer] = connect(s, seen);
  s.turn(2);
  s.say("closing", transport->is_closing());
}

void lost_raises(Stage& s) {
  s.say_reports();
  Connected c = connected(s);
  c.seen->on_lost = [] { throw Boom(); };
  c.transport->close();
  s.turn(2);
  s.say("end at the peer", c.peer.recv(10).size());
}

void lost_is_later(Stage& s) {
  Connected c = connected(s);
  c.transport->close();
  s.say("closed");
  s.loop().call_soon(s.sayer("soon"));
  s.turn(2);
}

constexpr Program kPrograms[] = {
    {"streams.half_close", half_close},
    {"streams.end_kept_open", end_kept_open},
    {"streams.closed_in_made", closed_in_made},
    {"streams.written_in_made", written_in_made},
    {"streams.close_flushes", close_flushes},
    {"streams.aborted", aborted},
    {"streams.reset_by_the_peer", reset_by_the_peer},
    {"streams.data_before_close_by_the_peer", data_before_close_by_the_peer},
    {"streams.paused", paused},
    {"streams.paused_in_made", paused_in_made},
    {"streams.paused_in_data", paused_in_data},
    {"streams.flow_control", flow_control},
    {"streams.protocol_replaced", protocol_replaced},
    {"streams.lines", lines},
    {"streams.buffered_protocol", buffered_protocol},
    {"streams.buffered_without_buffer", buffered_without_buffer},
    {"streams.data_raises", data_raises},
    {"streams.made_raises", made_raises},
    {"streams.lost_raises", lost_raises},
    {"streams.lost_is_later", lost_is_later},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::streams
