// Tests of how scenarios are dealt to shards.
#include "harness/shard.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

using namespace loopscope;

namespace {

struct Stack {
  explicit Stack(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) ids.push_back("area.s" + std::to_string(i));
    for (const std::string& id : ids) {
      scenarios.push_back({.id = id, .promise = {}, .source = {}, .body = nullptr});
    }
    for (const Scenario& each : scenarios) pointers.push_back(&each);
  }
  std::vector<std::string> ids;
  std::vector<Scenario> scenarios;
  std::vector<const Scenario*> pointers;
};

std::int64_t load_of(const std::vector<const Scenario*>& hand, const Durations& durations) {
  std::int64_t sum = 0;
  for (const Scenario* each : hand) sum += durations.at(std::string(each->id));
  return sum;
}

}  // namespace

TEST_CASE("a shard is written as index/count") {
  CHECK(to_string(*parse_shard("2/3")) == "2/3");
  CHECK(parse_shard("1/1").has_value());
  CHECK(parse_shard("1000/1000").has_value());
  for (const char* bad : {"", "1", "/", "0/3", "4/3", "1/0", "1/1001", "a/3", "1/3x", "-1/3",
                          "1/ 3", "99999999999/3", "1/2/3"}) {
    CAPTURE(bad);
    CHECK(!parse_shard(bad));
  }
}

TEST_CASE("every scenario is in one hand, in the order that was given, whatever the durations") {
  std::mt19937 random(7);
  for (const unsigned shards : {1U, 2U, 3U, 7U, 64U}) {
    CAPTURE(shards);
    const Stack stack(50);
    Durations durations;
    for (std::size_t i = 0; i < 50; i += 1 + shards % 2) durations[stack.ids[i]] = random() % 1000;
    const Deal dealt = deal(stack.pointers, shards, durations);
    REQUIRE(dealt.hands.size() == shards);
    std::set<const Scenario*> seen;
    for (const auto& hand : dealt.hands) {
      CHECK(std::is_sorted(hand.begin(), hand.end()));  // They lie in one array.
      for (const Scenario* each : hand) CHECK(seen.insert(each).second);
    }
    CHECK(seen.size() == 50);
  }
}

TEST_CASE("hands take about the same time") {
  const Stack stack(200);
  Durations durations;
  std::mt19937 random(11);
  std::int64_t all = 0, longest = 0;
  for (const std::string& id : stack.ids) {
    durations[id] = 1 + random() % 1'000'000;
    all += durations[id];
    longest = std::max(longest, durations[id]);
  }
  for (const auto& hand : deal(stack.pointers, 4, durations).hands) {
    CHECK(load_of(hand, durations) <= all / 4 + longest);
    CHECK(load_of(hand, durations) >= all / 4 - longest);
  }
  std::size_t least = 200, most = 0;
  for (const auto& hand : deal(stack.pointers, 3, {}).hands) {
    least = std::min(least, hand.size());
    most = std::max(most, hand.size());
  }
  CHECK(most - least <= 1);
}

TEST_CASE("a scenario of unknown duration counts as one in the middle") {
  const Stack stack(4);
  const Durations durations{{"area.s0", 100}, {"area.s1", 10}, {"area.s2", 10}};
  const Deal dealt = deal(stack.pointers, 2, durations);
  CHECK(dealt.hands[0] == std::vector<const Scenario*>{stack.pointers[0]});
  CHECK(dealt.hands[1].size() == 3);
}

TEST_CASE("the digest is that of the deal: not of the order of the list") {
  const Stack stack(30);
  std::vector<const Scenario*> turned(stack.pointers.rbegin(), stack.pointers.rend());
  const Durations durations{{"area.s3", 9}, {"area.s5", 7}};
  const std::string digest = deal(stack.pointers, 3, durations).digest;
  CHECK(deal(turned, 3, durations).digest == digest);
  CHECK(deal(stack.pointers, 3, {{"area.s3", 9}, {"area.s5", 900}}).digest != digest);
  CHECK(deal(stack.pointers, 4, durations).digest != digest);
}
