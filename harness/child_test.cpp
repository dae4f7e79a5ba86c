// Tests of what a child's limit means.
#include "harness/child.hpp"

#include <doctest/doctest.h>

namespace loopscope {

using namespace std::chrono_literals;

TEST_CASE("a child's limit grows by the time the host kept it waiting, up to a bound") {
  const TimePoint began{5s};
  struct Row {
    Duration kept_waiting;
    Duration want;
  };
  const Row rows[] = {{0s, 2s}, {1ms, 2001ms}, {3s, 5s}, {8s, 10s}, {60s, 10s}};
  for (const Row& row : rows) {
    CAPTURE(row.kept_waiting.count());
    CHECK(fair_end(began, 2s, row.kept_waiting) - began == row.want);
  }
}

}  // namespace loopscope
