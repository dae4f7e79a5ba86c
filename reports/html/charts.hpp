// Charts: small pictures in SVG of what the text beside them says.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "reports/html/writer.hpp"
#include "reports/model.hpp"

namespace loopscope::reports::html {

/// A value of a chart in words: "61.2 us".
using ShowValue = std::function<std::string(double)>;

/// The range of samples as a line, half to nine tenths of them as a bar, and marks at p50 and p99.
/// Drawn from `low` to `high`, so that several of them can be compared; on a logarithmic scale when
/// they are far apart.
void draw_samples(Page& page, const Samples& samples, double low, double high,
                  const ShowValue& show);

struct CurveSeries {
  std::string name;  // of the machine
  const Curve* curve = nullptr;
};
/// How a value grows, a line for each machine. Points without a value leave a gap.
void draw_curves(Page& page, const std::vector<CurveSeries>& series, const ShowValue& show);

}  // namespace loopscope::reports::html
