// Order statistics of a handful of samples.
#pragma once

#include <optional>
#include <span>

namespace loopscope {

struct Quantiles {
  std::size_t n = 0;
  double min = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;
};

/// Nearest-rank quantiles; nullopt without samples.
std::optional<Quantiles> quantiles(std::span<const double> samples);

}  // namespace loopscope
