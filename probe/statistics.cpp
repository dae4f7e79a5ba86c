// Nearest-rank quantiles: each is a value that was really seen.
#include "probe/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace loopscope {

std::optional<Quantiles> quantiles(std::span<const double> samples) {
  if (samples.empty()) return std::nullopt;
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  const auto rank = [&](double share) {
    const double place = std::ceil(share * static_cast<double>(sorted.size()));
    return sorted[static_cast<std::size_t>(std::max(place, 1.0)) - 1];
  };
  return Quantiles{sorted.size(), sorted.front(), rank(0.5), rank(0.9), rank(0.99), sorted.back()};
}

}  // namespace loopscope
