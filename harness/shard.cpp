// Dealing scenarios: the longest first, each to the shard with the least.
#include "harness/shard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

namespace loopscope {
namespace {

constexpr unsigned kMostShards = 1000;

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::int64_t median_of(const Durations& durations) {
  std::vector<std::int64_t> all;
  for (const auto& [id, duration] : durations) all.push_back(duration);
  if (all.empty()) return 1;
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), middle, all.end());
  return std::max<std::int64_t>(*middle, 1);
}

/// FNV-1a: no secret, only a name that two deals share when they are the same.
class Digest {
 public:
  void add(std::string_view text) {
    for (const char c : text) {
      value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
  }
  std::string text() const { return fmt::format("{:016x}", value_); }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

}  // namespace

std::optional<Shard> parse_shard(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::optional<unsigned> index = number(text.substr(0, slash));
  const std::optional<unsigned> count = number(text.substr(slash + 1));
  if (!index || !count || *index < 1 || *count > kMostShards || *index > *count)
    return std::nullopt;
  return Shard{*index, *count};
}

std::string to_string(const Shard& shard) { return fmt::format("{}/{}", shard.index, shard.count); }

Deal deal(std::span<const Scenario* const> scenarios, unsigned shards, const Durations& durations) {
  const std::int64_t unknown = median_of(durations);
  const auto duration_of = [&](std::size_t i) {
    const auto known = durations.find(scenarios[i]->id);
    return known == durations.end() ? unknown : std::max<std::int64_t>(known->second, 1);
  };
  std::vector<std::size_t> order(scenarios.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const std::int64_t first = duration_of(a), second = duration_of(b);
    return first != second ? first > second : scenarios[a]->id < scenarios[b]->id;
  });

  std::vector<std::int64_t> load(shards, 0);
  std::vector<std::size_t> hand_of(scenarios.size());
  Digest digest;
  for (const std::size_t i : order) {
    const auto least = std::min_element(load.begin(), load.end());
    *least += duration_of(i);
    hand_of[i] = static_cast<std::size_t>(least - load.begin());
    digest.add(fmt::format("{} {}\n", scenarios[i]->id, hand_of[i] + 1));
  }
  Deal dealt{.hands = std::vector<std::vector<const Scenario*>>(shards), .digest = digest.text()};
  for (std::size_t i = 0; i < scenarios.size(); ++i) {
    dealt.hands[hand_of[i]].push_back(scenarios[i]);
  }
  return dealt;
}

}  // namespace loopscope
