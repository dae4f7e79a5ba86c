// Answers survive the pipe, whole or in pieces, and broken frames are noticed.
#include "probe/serialise.hpp"

#include <doctest/doctest.h>

using namespace loopscope;

namespace {

TimedResult full_answer(FactValue value) {
  return {{.value = std::move(value),
           .unit = Unit::bytes,
           .reason = Reason::denied,
           .method = Method::sysctl,
           .note = std::string("with \0 and \xff", 12),
           .evidence = {{"call(1)", "-1 EPERM", 1}, {"", "", 0}},
           .table = {{"row", {{"a", "b"}, {"c", ""}}}, {"empty", {}}},
           .samples = {1.5, -2.25},
           .curve_over = "descriptors",
           .curve = {{10, 2.5, Reason::none, "", {2.5, 3}},
                     {100, std::nullopt, Reason::not_supported, "beyond", {}}},
           .conflicts = {{"a", "1", "b", "2"}},
           .effect = Effect::traces},
          4711};
}

void check_same(const TimedResult& a, const TimedResult& b) {
  CHECK(a.took_ns == b.took_ns);
  CHECK(bool(a.result.value == b.result.value));
  CHECK(a.result.unit == b.result.unit);
  CHECK(a.result.reason == b.result.reason);
  CHECK(a.result.method == b.result.method);
  CHECK(a.result.note == b.result.note);
  REQUIRE(a.result.evidence.size() == b.result.evidence.size());
  for (std::size_t i = 0; i < a.result.evidence.size(); ++i) {
    CHECK(a.result.evidence[i].call == b.result.evidence[i].call);
    CHECK(a.result.evidence[i].result == b.result.evidence[i].result);
    CHECK(a.result.evidence[i].errno_value == b.result.evidence[i].errno_value);
  }
  REQUIRE(a.result.table.size() == b.result.table.size());
  for (std::size_t i = 0; i < a.result.table.size(); ++i) {
    CHECK(a.result.table[i].name == b.result.table[i].name);
    CHECK(bool(a.result.table[i].cells == b.result.table[i].cells));
  }
  CHECK(bool(a.result.samples == b.result.samples));
  CHECK(a.result.curve_over == b.result.curve_over);
  REQUIRE(a.result.curve.size() == b.result.curve.size());
  for (std::size_t i = 0; i < a.result.curve.size(); ++i) {
    CHECK(a.result.curve[i].x == b.result.curve[i].x);
    CHECK(bool(a.result.curve[i].value == b.result.curve[i].value));
    CHECK(a.result.curve[i].reason == b.result.curve[i].reason);
    CHECK(a.result.curve[i].note == b.result.curve[i].note);
    CHECK(bool(a.result.curve[i].samples == b.result.curve[i].samples));
  }
  REQUIRE(a.result.conflicts.size() == b.result.conflicts.size());
  for (std::size_t i = 0; i < a.result.conflicts.size(); ++i) {
    CHECK(a.result.conflicts[i].one == b.result.conflicts[i].one);
    CHECK(a.result.conflicts[i].other_says == b.result.conflicts[i].other_says);
  }
  CHECK(a.result.effect == b.result.effect);
}

}  // namespace

TEST_CASE("every kind of value comes back as it was sent, octet by octet") {
  const FactValue values[] = {FactValue{},
                              true,
                              false,
                              std::int64_t{-5},
                              9.25e18,
                              std::string("words"),
                              std::vector<std::string>{"a", "", "c"},
                              std::vector<std::string>{}};
  for (const FactValue& value : values) {
    CAPTURE(value.index());
    const TimedResult sent = full_answer(value);
    const std::string frame = encode_frame(sent) + encode_frame(sent);
    std::string buffer;
    std::vector<TimedResult> received;
    for (const char octet : frame) {
      buffer += octet;
      bool broken = false;
      if (auto answer = take_frame(buffer, broken)) received.push_back(*answer);
      CHECK(!broken);
    }
    REQUIRE(received.size() == 2);
    CHECK(buffer.empty());
    check_same(received[0], sent);
    check_same(received[1], sent);
  }
}

// Method: each octet of a frame is changed to each of a few values. The reader may find another
// answer or call the frame broken; under the sanitizers it must never read beyond it.
TEST_CASE("a damaged frame is another answer or broken, never a crash") {
  const std::string frame = encode_frame(full_answer(std::vector<std::string>{"x", "y"}));
  std::size_t broken_frames = 0;
  for (std::size_t i = 4; i < frame.size(); ++i) {
    for (const char damage : {'\x00', '\x7f', '\xff'}) {
      std::string buffer = frame;
      buffer[i] = damage;
      bool broken = false;
      (void)take_frame(buffer, broken);
      if (broken) ++broken_frames;
    }
  }
  CHECK(broken_frames > 0);
}

TEST_CASE("a frame that claims more than any answer holds is broken") {
  std::string buffer = "\xff\xff\xff\xff and more";
  bool broken = false;
  CHECK(!take_frame(buffer, broken));
  CHECK(broken);
}
