// Report format "badge_svg": the badge, drawn. textLength makes the text as wide as its box in
// every font.
#include "reports/badge.hpp"
#include "reports/format.hpp"
#include "reports/html/writer.hpp"

namespace loopscope::formats::badge_svg {
namespace {

using namespace reports;

constexpr double kPerCharacter = 6.3, kPadding = 6, kHeight = 20, kBaseline = 14;

/// Characters, not bytes: continuation bytes of UTF-8 do not count.
double width_of(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) == 0x80 ? 0 : 1;
  return static_cast<double>(count) * kPerCharacter;
}

std::string_view fill_of(std::string_view colour) {
  if (colour == "brightgreen") return "#2c6e3f";
  return colour == "red" ? "#b3261e" : "#5f6368";
}

Result<std::string> render_badge_svg(const Report& report, const RenderOptions&) {
  const Badge badge = badge_of(report);
  const double left = width_of(badge.label), right = width_of(badge.message);
  const double middle = left + 2 * kPadding, whole = middle + right + 2 * kPadding;
  reports::html::Page page;
  page.put(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0f}\" height=\"{:.0f}\" role=\"img\" "
      "aria-label=\"{}: {}\">\n",
      whole, kHeight, badge.label, badge.message);
  page.put("<title>{}: {}</title>\n", badge.label, badge.message);
  page.put("<rect width=\"{:.0f}\" height=\"{:.0f}\" rx=\"3\" fill=\"{}\"/>\n", whole, kHeight,
           fill_of(badge.colour));
  page.put(
      "<path d=\"M3 0h{:.1f}v{:.0f}h-{:.1f}a3 3 0 0 1-3-3v-14a3 3 0 0 1 3-3z\" "
      "fill=\"#3c4043\"/>\n",
      middle - 3, kHeight, middle - 3);
  page.raw("<g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\n");
  page.put("<text x=\"{:.1f}\" y=\"{:.0f}\" textLength=\"{:.1f}\">{}</text>\n", kPadding, kBaseline,
           left, badge.label);
  page.put("<text x=\"{:.1f}\" y=\"{:.0f}\" textLength=\"{:.1f}\">{}</text>\n", middle + kPadding,
           kBaseline, right, badge.message);
  page.raw("</g>\n</svg>\n");
  return page.take();
}

}  // namespace

extern const Format format{.name = "badge_svg",
                           .extension = ".svg",
                           .description = "one line, drawn, for a README",
                           .render = render_badge_svg};

}  // namespace loopscope::formats::badge_svg
