// Tests of selections: ids, prefixes, globs, and near matches of a wrong name.
#include "harness/patterns.hpp"

#include <doctest/doctest.h>

namespace loopscope {
namespace {

TEST_CASE("a pattern is an id, a glob, or a prefix with a dot at its end") {
  struct Row {
    std::string_view pattern, id;
    bool want;
  };
  const Row rows[] = {
      {"sched.soon.fifo", "sched.soon.fifo", true},
      {"sched.soon.fifo", "sched.soon.fifo.more", false},
      {"sched.", "sched.soon.fifo", true},
      {"sched.", "schedule.soon", false},
      {"sched", "sched.soon.fifo", false},
      {"*", "anything", true},
      {"*.fifo", "sched.soon.fifo", true},
      {"*.fifo", "sched.fifo.last", false},
      {"s*d.*o", "sched.soon.fifo", true},
      {"sched.????.fifo", "sched.soon.fifo", true},
      {"sched.???.fifo", "sched.soon.fifo", false},
      {"", "", true},
      {"", "x", false},
      {"**x", "aax", true},
      {"a*b*c", "a-b-b-c", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    CAPTURE(row.id);
    CHECK(matches(row.pattern, row.id) == row.want);
  }
}

TEST_CASE("a list takes in and takes out, the later pattern wins") {
  const std::vector<std::string> arguments = {"sched. , !sched.soon.fifo", ",timer.*,"};
  const std::vector<std::string> list = split_patterns(arguments);
  REQUIRE(list == std::vector<std::string>{"sched.", "!sched.soon.fifo", "timer.*"});
  CHECK(selected(list, "sched.soon.lifo"));
  CHECK_FALSE(selected(list, "sched.soon.fifo"));
  CHECK(selected(list, "timer.x"));
  CHECK_FALSE(selected(list, "wake.x"));
  const std::vector<std::string> all_but = {"!timer.*"};
  CHECK(selected(all_but, "wake.x"));
  CHECK_FALSE(selected(all_but, "timer.x"));
}

TEST_CASE("the edit distance counts insertions, deletions, substitutions and swaps") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("epoll", "epol") == 1);
  CHECK(edit_distance("epoll", "epool") == 1);
  CHECK(edit_distance("poll", "plol") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("near matches are near, nearest first, and few") {
  const std::vector<std::string> known = {"select", "poll", "epoll", "libuv"};
  CHECK(near_matches("epol", known).front() == "epoll");
  CHECK(near_matches("slect", known) == std::vector<std::string>{"select"});
  CHECK(near_matches("io_uring", known).empty());
  CHECK(near_matches("poll", known, 1) == std::vector<std::string>{"poll"});
}

}  // namespace
}  // namespace loopscope
