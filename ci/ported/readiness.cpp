// Ported programs: readers and writers. What they check: test_events.py, test_selector_events.py.
#include <filesystem>

#include "ci/ported/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::ported::readiness {
namespace {

char take_byte(const Socket& socket) {
  std::byte byte{};
  (void)os::recv(socket.native(), {&byte, 1}).value();
  return static_cast<char>(byte);
}

void reader_fires(Stage& s) {
  auto [ours, peer] = s.pair();
  const Socket& end = ours;
  s.loop().add_reader(ours, [&] { s.say("readable", std::string(1, take_byte(end))); }).value();
  s.turn(2);
  s.say("nothing yet");
  peer.send("ab");
  s.turn(3);
  s.say("removed", s.loop().remove_reader(ours));
  s.say("again", s.loop().remove_reader(ours));
  peer.send("c");
  s.turn(2);
}

void reader_replaced(Stage& s) {
  auto [ours, peer] = s.pair();
  peer.send("a");
  s.loop().add_reader(ours, s.sayer("first")).value();
  s.loop().add_reader(ours, s.sayer("second")).value();
  s.turn();
  s.say("removed", s.loop().remove_reader(ours));
  s.turn();
}

void reader_sees_the_end(Stage& s) {
  auto [ours, peer] = s.pair();
  int calls = 0;
  const Socket& end = ours;
  s.loop()
      .add_reader(ours,
                  [&] {
                    std::byte byte{};
                    s.say("read", *os::recv(end.native(), {&byte, 1}).value());
                    if (++calls == 2) s.say("removed", s.loop().remove_reader(end));
                  })
      .value();
  peer.close();
  s.turn(4);
}

void writer_fires(Stage& s) {
  auto [ours, peer] = s.pair();
  s.loop().add_writer(ours, s.sayer("writable")).value();
  s.turn(2);
  s.say("removed", s.loop().remove_writer(ours));
  s.say("again", s.loop().remove_writer(ours));
  s.turn();
}

void both_ways(Stage& s) {
  auto [ours, peer] = s.pair();
  peer.send("a");
  s.loop().add_writer(ours, s.sayer("writable")).value();
  s.loop().add_reader(ours, s.sayer("readable")).value();
  s.turn();
  s.say("reader removed", s.loop().remove_reader(ours));
  s.turn();
  s.say("writer removed", s.loop().remove_writer(ours));
  s.turn();
}

void queued_and_removed(Stage& s) {
  auto [ours, peer] = s.pair();
  const Socket& end = ours;
  peer.send("a");
  s.loop().add_reader(ours, [&] { s.say("readable", s.loop().remove_writer(end)); }).value();
  s.loop().add_writer(ours, s.sayer("never: the reader removed it")).value();
  s.turn(2);
}

void removes_itself(Stage& s) {
  auto [ours, peer] = s.pair();
  const Socket& end = ours;
  peer.send("a");
  s.loop().add_reader(ours, [&] { s.say("once", s.loop().remove_reader(end)); }).value();
  s.turn(3);
}

void reader_raises(Stage& s) {
  s.say_reports();
  auto [ours, peer] = s.pair();
  peer.send("a");
  s.loop().add_reader(ours, [] { throw Boom(); }).value();
  s.turn(2);
  s.say("removed", s.loop().remove_reader(ours));
}

void reader_before_soon(Stage& s) {
  auto [ours, peer] = s.pair();
  peer.send("a");
  s.loop().add_reader(ours, s.sayer("readable")).value();
  s.loop().call_soon(s.sayer("soon"));
  s.loop().call_later(milliseconds(0), s.sayer("timer"));
  s.turn();
}

void never_watched(Stage& s) {
  auto [ours, peer] = s.pair();
  s.say(s.loop().remove_reader(ours));
  s.say(s.loop().remove_writer(ours));
  s.loop().add_reader(ours, [] {}).value();
  s.say("the other direction", s.loop().remove_writer(ours));
}

void negative_descriptor(Stage& s) {
  s.say("reader", s.loop().add_reader(-1, [] {}).ok());
  s.say("writer", s.loop().add_writer(-1, [] {}).ok());
}

void closed_descriptor(Stage& s) {
  auto [ours, peer] = s.pair();
  const os::NativeSocket number = ours.native();
  ours.close();
  s.say("add", s.loop().add_reader(number, [] {}));
}

void regular_file(Stage& s) {
  const os::UniqueFd file = tools::create_file(s.folder() + "/file", "content");
  int calls = 0;
  const Result<void> added = s.loop().add_reader(file, [&] { ++calls; });
  s.say("add", added);
  s.turn(2);
  s.say("ready", calls > 0);
}

void of_a_transport(Stage& s) {
  auto [ours, peer] = s.pair();
  const os::NativeSocket number = ours.native();
  const auto seen = stream(s, "t");
  const auto transport =
      transport_of(s, s.loop().connect_read_pipe([&] { return seen; }, ours.release()));
  s.turn();
  s.say("pipes are not guarded", s.loop().remove_reader(number).ok());
  transport->close();
  s.turn(2);
}

void closed_loop(Stage& s) {
  auto [ours, peer] = s.pair();
  s.loop().add_reader(ours, [] {}).value();
  s.loop().close().value();
  s.say("add_reader", s.loop().add_reader(ours, [] {}));
  s.say("add_writer", s.loop().add_writer(ours, [] {}));
  s.say("remove_reader", s.loop().remove_reader(ours));
  s.say("remove_writer", s.loop().remove_writer(ours));
}

constexpr Program kPrograms[] = {
    {"readiness.reader_fires", reader_fires},
    {"readiness.reader_replaced", reader_replaced},
    {"readiness.reader_sees_the_end", reader_sees_the_end},
    {"readiness.writer_fires", writer_fires},
    {"readiness.both_ways", both_ways},
    {"readiness.queued_and_removed", queued_and_removed},
    {"readiness.removes_itself", removes_itself},
    {"readiness.reader_raises", reader_raises},
    {"readiness.reader_before_soon", reader_before_soon},
    {"readiness.never_watched", never_watched},
    {"readiness.negative_descriptor", negative_descriptor},
    {"readiness.closed_descriptor", closed_descriptor},
    {"readiness.regular_file", regular_file},
    {"readiness.of_a_transport", of_a_transport},
    {"readiness.closed_loop", closed_loop},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::readiness
