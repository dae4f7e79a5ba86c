// Ported programs: pipe and terminal transports. What they check: test_events.py and
// test_unix_events.py.
#include <algorithm>

#include "ci/ported/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::ported::pipes {
namespace {

std::shared_ptr<Transport> reader(Stage& s, std::shared_ptr<Stream> seen, os::UniqueFd end) {
  return transport_of(s, s.loop().connect_read_pipe([&] { return seen; }, std::move(end)));
}
std::shared_ptr<Transport> writer(Stage& s, std::shared_ptr<Stream> seen, os::UniqueFd end) {
  return transport_of(s, s.loop().connect_write_pipe([&] { return seen; }, std::move(end)));
}
os::Pipe pipe() { return std::move(os::open_pipe().value()); }

void read_to_the_end(Stage& s) {
  os::Pipe ends = pipe();
  Peer peer(std::move(ends.write));
  const auto seen = stream(s, "r");
  const auto transport = reader(s, seen, std::move(ends.read));
  s.say("connected");
  peer.send("first");
  s.turn(2);
  peer.send("second");
  s.turn(2);
  peer.close();
  s.turn(3);
  s.say("closing", transport->is_closing());
}

void read_paused(Stage& s) {
  os::Pipe ends = pipe();
  Peer peer(std::move(ends.write));
  const auto seen = stream(s, "r");
  const auto transport = reader(s, seen, std::move(ends.read));
  s.say("reading", transport->is_reading());
  transport->pause_reading();
  transport->pause_reading();
  s.say("reading", transport->is_reading());
  peer.send("waits");
  s.turn(3);
  s.say("resuming");
  transport->resume_reading();
  transport->resume_reading();
  s.turn(3);
  transport->close();
  s.turn(2);
  s.say("reading", transport->is_reading());
}

void read_closed(Stage& s) {
  os::Pipe ends = pipe();
  Peer peer(std::move(ends.write));
  const auto seen = stream(s, "r");
  const auto transport = reader(s, seen, std::move(ends.read));
  peer.send("never read");
  transport->close();
  transport->close();
  s.say("closing", transport->is_closing());
  s.turn(3);
}

void read_closed_by_data(Stage& s) {
  os::Pipe ends = pipe();
  Peer peer(std::move(ends.write));
  const auto seen = stream(s, "r");
  const auto transport = reader(s, seen, std::move(ends.read));
  seen->on_data = [&](ByteView) { transport->close(); };
  peer.send("one");
  s.turn(2);
  s.say("turned");
  s.turn(2);
}

void write_and_end(Stage& s) {
  os::Pipe ends = pipe();
  Peer peer(std::move(ends.read));
  const auto seen = stream(s, "w");
  const auto transport = writer(s, seen, std::move(ends.write));
  transport->write(view("a"));
  s.until_there(peer, 1);
  s.say("first", peer.recv(10));
  transport->write(view("b"));
  s.say("can_write_eof", transport->can_write_eof());
  transport->write_eof().value();
  s.say("closing", transport->is_closing());
  s.turn(3);
  s.until_there(peer, 1);
  s.say("rest", peer.recv(10));
  s.say("end", peer.recv(10).size());
}

void write_reader_gone(Stage& s) {
  os::Pipe ends = pipe();
  const auto seen = stream(s, "w");
  const auto transport = writer(s, seen, std::move(ends.write));
  s.turn();
  ends.read.reset();
  s.turn(3);
  s.say("closing", transport->is_closing());
}

void write_buffer(Stage& s) {
  os::Pipe ends = pipe();
  Peer peer(std::move(ends.read));
  const auto seen = stream(s, "w");
  const auto transport = writer(s, seen, std::move(ends.write));
  s.turn();
  const std::string block(1'000'000, 'x');
  transport->write(view(block));
  s.say("buffered", transport->get_write_buffer_size() > 0);
  transport->close();
  s.say("lost", seen->lost);
  std::size_t got = 0;
  while (!seen->lost) {
    while (tools::readable(peer.native()) && got < block.size()) got += peer.recv(65536).size();
    s.turn();
  }
  while (got < block.size()) got += peer.recv(65536).size();
  s.say("got", got);
}

void write_aborted(Stage& s) {
  os::Pipe ends = pipe();
  Peer peer(std::move(ends.read));
  const auto seen = stream(s, "w");
  const auto transport = writer(s, seen, std::move(ends.write));
  const std::string block(1'000'000, 'x');
  transport->write(view(block));
  transport->abort();
  transport->abort();
  s.say("closing", transport->is_closing());
  s.turn(3);
}

void write_limits(Stage& s) {
  os::Pipe ends = pipe();
  const auto seen = stream(s, "w");
  const auto transport = writer(s, seen, std::move(ends.write));
  const auto say_limits = [&] {
    const WriteBufferLimits limits = transport->get_write_buffer_limits();
    s.say(limits.low, limits.high);
  };
  say_limits();
  s.say(transport->set_write_buffer_limits(1024, std::nullopt));
  say_limits();
  s.say(transport->set_write_buffer_limits(std::nullopt, 100));
  say_limits();
  s.say(transport->set_write_buffer_limits(0, 0));
  say_limits();
  s.say(transport->set_write_buffer_limits(1, 2));
  say_limits();
  s.say(transport->set_write_buffer_limits(std::nullopt, std::nullopt));
  say_limits();
}

void write_pauses(Stage& s) {
  os::Pipe ends = pipe();
  Peer peer(std::move(ends.read));
  const auto seen = stream(s, "w");
  const auto transport = writer(s, seen, std::move(ends.write));
  s.turn();
  const std::size_t capacity =
      tools::set_pipe_capacity(std::get<os::NativeSocket>(transport->get_extra_info("pipe")), 4096);
  const std::string fill(capacity, 'f'), block(1500, 'x');
  transport->write(view(fill));
  s.until_there(peer, capacity);
  transport->set_write_buffer_limits(2000, 1000).value();
  transport->write(view(block));
  s.say("buffered", transport->get_write_buffer_size());
  transport->write(view(block));
  s.say("buffered", transport->get_write_buffer_size());
  transport->write(view(block));
  std::size_t got = 0;
  while (got < capacity + 3 * block.size()) {
    s.until_there(peer, 1);
    got += peer.recv(4096).size();
    s.turn(2);
  }
  s.say("got", got == capacity + 4500);
  transport->close();
  s.turn(2);
}

void regular_file_refused(Stage& s) {
  const std::string path = s.folder() + "/file";
  const auto seen = stream(s, "f");
  const auto factory = [&] { return seen; };
  s.say("read", s.loop()
                    .run_until_complete(
                        s.loop().connect_read_pipe(factory, tools::create_file(path, "content")))
                    .ok());
  s.say("write", s.loop()
                     .run_until_complete(s.loop().connect_write_pipe(
                         factory, tools::open_path(path, tools::Access::write)))
                     .ok());
}

void socket_both_ends(Stage& s) {
  auto [ours, peer] = s.pair();
  const auto seen = stream(s, "r");
  const auto transport = reader(s, seen, ours.release());
  peer.send("through a socket");
  s.turn(2);
  peer.close();
  s.turn(3);
}

void terminal_read(Stage& s) {
  os::Pty pty = std::move(os::open_pty(true).value());
  Peer slave(std::move(pty.slave));
  const auto seen = stream(s, "r");
  const auto transport = reader(s, seen, std::move(pty.master));
  slave.send("typed");
  s.run_until([&] { return seen->data == "typed"; });
  slave.close();
  s.run_until([&] { return seen->lost; });
}

void terminal_write(Stage& s) {
  os::Pty pty = std::move(os::open_pty(true).value());
  Peer slave(std::move(pty.slave));
  const auto seen = stream(s, "w");
  const auto transport = writer(s, seen, std::move(pty.master));
  transport->write(view("shown"));
  s.until_there(slave, 5);
  s.say(slave.recv_exactly(5));
  transport->close();
  s.turn(3);
}

void reader_raises(Stage& s) {
  s.say_reports();
  os::Pipe ends = pipe();
  Peer peer(std::move(ends.write));
  const auto seen = stream(s, "r");
  const auto transport = reader(s, seen, std::move(ends.read));
  seen->on_data = [](ByteView) { throw Boom(); };
  peer.send("x");
  s.turn(3);
  s.say("closing", transport->is_closing());
}

constexpr Program kPrograms[] = {
    {"pipes.read_to_the_end", read_to_the_end},
    {"pipes.read_paused", read_paused},
    {"pipes.read_closed", read_closed},
    {"pipes.read_closed_by_data", read_closed_by_data},
    {"pipes.reader_raises", reader_raises},
    {"pipes.write_and_end", write_and_end},
    {"pipes.write_reader_gone", write_reader_gone},
    {"pipes.write_buffer", write_buffer},
    {"pipes.write_aborted", write_aborted},
    {"pipes.write_limits", write_limits},
    {"pipes.write_pauses", write_pauses},
    {"pipes.regular_file_refused", regular_file_refused},
    {"pipes.socket_both_ends", socket_both_ends},
    {"pipes.terminal_read", terminal_read},
    {"pipes.terminal_write", terminal_write},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::pipes
