// Tests of the timer wheel against the plainest thing that could be right: a sorted list.
#include "loops/base/timer_wheel.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

using namespace loopscope;
using std::chrono::nanoseconds;

namespace {
TimePoint at(std::int64_t ns) { return TimePoint(nanoseconds(ns)); }
void fire(TimerWheel& wheel, TimePoint now) {
  std::vector<std::uint64_t> ids;
  wheel.expire(now, [&](std::uint64_t id) { ids.push_back(id); });
  for (const std::uint64_t id : ids) {
    Callback callback = wheel.take(id);
    if (callback) callback();
  }
}
}  // namespace

TEST_CASE("a timer is handed out at its deadline and not one nanosecond before") {
  for (const std::int64_t when : {1LL, 16'383LL, 16'384LL, 1'000'000LL, 5'000'000'000LL,
                                  86'400'000'000'000LL, 9'000'000'000'000'000'000LL}) {
    CAPTURE(when);
    TimerWheel wheel(at(0));
    int fired = 0;
    wheel.add(at(when), [&] { ++fired; });
    CHECK(wheel.next_deadline() == at(when));
    fire(wheel, at(when - 1));
    CHECK(fired == 0);
    CHECK(wheel.next_deadline() == at(when));
    fire(wheel, at(when));
    CHECK(fired == 1);
    CHECK_FALSE(wheel.next_deadline().has_value());
  }
}

TEST_CASE("equal deadlines come out in the order of arming") {
  TimerWheel wheel(at(0));
  std::vector<int> order;
  for (int i = 0; i < 50; ++i) wheel.add(at(3'000'000), [&order, i] { order.push_back(i); });
  fire(wheel, at(4'000'000));
  REQUIRE(order.size() == 50);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("an expired timer can be cancelled before it is taken") {
  TimerWheel wheel(at(0));
  const std::uint64_t id = wheel.add(at(10), [] {});
  std::uint64_t seen = 0;
  wheel.expire(at(20), [&](std::uint64_t expired) { seen = expired; });
  CHECK(seen == id);
  CHECK(static_cast<bool>(wheel.take(id)));
  CHECK_FALSE(static_cast<bool>(wheel.take(id)));
}

// Goal: no timer is lost, early or out of order, whatever is armed, cancelled and when time moves.
// Method: random operations on the wheel and on a std::multimap, compared after every step.
TEST_CASE("a random history agrees with a sorted list") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::int64_t clock = 1'000'000'000;
    TimerWheel wheel{at(clock)};
    std::map<std::pair<std::int64_t, int>, std::uint64_t> model;
    std::vector<int> fired;
    int next = 0;
    for (int step = 0; step < 3000; ++step) {
      const auto dice = random() % 10;
      if (dice < 5) {
        const int magnitude = static_cast<int>(random() % 40);
        const std::int64_t when =
            clock + static_cast<std::int64_t>(random() % (std::uint64_t{1} << magnitude));
        const int name = next++;
        model[{when, name}] = wheel.add(at(when), [&fired, name] { fired.push_back(name); });
      } else if (dice < 7 && !model.empty()) {
        auto victim = model.begin();
        std::advance(victim, static_cast<long>(random() % model.size()));
        REQUIRE(static_cast<bool>(wheel.take(victim->second)));
        model.erase(victim);
      } else {
        clock += static_cast<std::int64_t>(random() % (std::uint64_t{1} << (random() % 36)));
        fired.clear();
        fire(wheel, at(clock));
        std::vector<int> want;
        while (!model.empty() && model.begin()->first.first <= clock) {
          want.push_back(model.begin()->first.second);
          model.erase(model.begin());
        }
        REQUIRE(fired == want);
      }
      REQUIRE(wheel.waiting() == model.size());
      const auto deadline = wheel.next_deadline();
      REQUIRE(deadline.has_value() == !model.empty());
      if (deadline) REQUIRE(*deadline <= at(model.begin()->first.first));
    }
  }
}
