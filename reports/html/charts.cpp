// Charts as SVG. No library: two shapes, drawn once, need no script and print well.
#include "reports/html/charts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace loopscope::reports::html {
namespace {

constexpr double kFarApart = 20;  // a range that a linear scale would squeeze into its end

/// From values to places.
class Scale {
 public:
  Scale(double low, double high, double from, double to)
      : low_(low), high_(high), from_(from), to_(to) {
    logarithmic_ = low > 0 && high / low > kFarApart;
    if (logarithmic_) low_ = std::log(low), high_ = std::log(high);
  }
  double operator()(double value) const {
    const double at = logarithmic_ ? std::log(std::max(value, std::exp(low_))) : value;
    const double part = high_ > low_ ? std::clamp((at - low_) / (high_ - low_), 0.0, 1.0) : 0.5;
    return from_ + part * (to_ - from_);
  }
  bool logarithmic() const { return logarithmic_; }

 private:
  double low_, high_, from_, to_;
  bool logarithmic_ = false;
};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

std::string points_text(const CurveSeries& series, const ShowValue& show) {
  std::string text;
  for (const CurvePoint& point : series.curve->points) {
    text += fmt::format("{}{:g}: {}", text.empty() ? "" : ", ", point.x,
                        point.value ? show(*point.value) : point.reason);
  }
  return text;
}

void draw_line(Page& page, const CurveSeries& series, std::size_t number, const Scale& x,
               const Scale& y, const ShowValue& show) {
  std::string path;
  bool pen_down = false;
  for (const CurvePoint& point : series.curve->points) {
    if (point.value) {
      path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x(point.x), y(*point.value));
    }
    pen_down = point.value.has_value();
  }
  page.put("<g class=\"series s{}\"><path d=\"{}\"/>", number % 6, path);
  for (const CurvePoint& point : series.curve->points) {
    if (!point.value) continue;
    page.raw(
        fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\">", x(point.x), y(*point.value)));
    page.put("<title>{} {}: {}</title></circle>", series.name, fmt::format("{:g}", point.x),
             show(*point.value));
  }
  page.raw("</g>");
}

}  // namespace

void draw_samples(Page& page, const Samples& samples, double low, double high,
                  const ShowValue& show) {
  const Scale x(low, high, 3, 157);
  page.put(
      "<svg class=\"box\" viewBox=\"0 0 160 14\" width=\"160\" height=\"14\" role=\"img\" "
      "aria-label=\"from {} to {}, half below {}\">",
      show(samples.min), show(samples.max), show(samples.p50));
  page.raw(fmt::format("<path class=\"range\" d=\"M{:.1f} 7H{:.1f}\"/>", x(samples.min),
                       x(samples.max)));
  page.raw(fmt::format("<path class=\"most\" d=\"M{:.1f} 7H{:.1f}\"/>", x(samples.p50),
                       std::max(x(samples.p90), x(samples.p50) + 1)));
  page.raw(fmt::format("<path class=\"half\" d=\"M{:.1f} 1V13\"/>", x(samples.p50)));
  page.raw(fmt::format("<path class=\"tail\" d=\"M{:.1f} 3V11\"/></svg>", x(samples.p99)));
}

void draw_curves(Page& page, const std::vector<CurveSeries>& series, const ShowValue& show) {
  Range xs, ys;
  for (const CurveSeries& one : series) {
    for (const CurvePoint& point : one.curve->points) {
      xs.add(point.x);
      if (point.value) ys.add(*point.value);
    }
  }
  if (xs.empty() || ys.empty()) return;
  const Scale x(xs.low, xs.high, 8, 332), y(ys.low, ys.high, 112, 12);
  std::string label;
  for (const CurveSeries& one : series) {
    label += fmt::format("{}{}{}", label.empty() ? "" : "; ",
                         one.name.empty() ? "" : one.name + " ", points_text(one, show));
  }
  page.put(
      "<figure class=\"curve\"><svg viewBox=\"0 0 340 132\" width=\"340\" height=\"132\" "
      "role=\"img\" aria-label=\"{}\"><path class=\"axis\" d=\"M8 8V116H336\"/>",
      label);
  for (std::size_t i = 0; i < series.size(); ++i) draw_line(page, series[i], i, x, y, show);
  page.put("<text x=\"12\" y=\"11\">{}</text><text x=\"8\" y=\"128\">{}</text>", show(ys.high),
           fmt::format("{:g}", xs.low));
  page.put("<text x=\"332\" y=\"128\" text-anchor=\"end\">{} {}{}</text></svg><figcaption>",
           fmt::format("{:g}", xs.high), series.front().curve->over,
           x.logarithmic() || y.logarithmic() ? " (logarithmic)" : "");
  for (std::size_t i = 0; i < series.size(); ++i) {
    page.put("<span class=\"s{}\">{}</span> {} ", i % 6, series[i].name,
             points_text(series[i], show));
  }
  page.raw("</figcaption></figure>");
}

}  // namespace loopscope::reports::html
