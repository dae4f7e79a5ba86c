// Report format "tap": the Test Anything Protocol, version 14 (testanything.org), for harnesses
// that speak it. A known failure that is as expected is a TODO, which does not fail a harness.
#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "reports/format.hpp"
#include "reports/redact.hpp"
#include "reports/tally.hpp"
#include "reports/text.hpp"

namespace loopscope::formats::tap {
namespace {

using namespace reports;

constexpr std::size_t kLongest = 4000;  // prove gives up on a scalar of 64 KiB

/// On one line, and without what ends a description: "#" begins a directive.
std::string description(std::string_view text) {
  std::string out;
  for (const char c : one_line(shortened(text, kLongest))) {
    if (c == '#' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

/// A JSON string is a YAML scalar, whatever it holds.
std::string scalar(std::string_view text) {
  return nlohmann::json(shortened(text, kLongest)).dump(-1, ' ', true);
}

void write_details(std::string& page, const Cell& cell) {
  page += "  ---\n";
  const auto line = [&](std::string_view key, std::string_view value) {
    if (value.empty()) return;
    fmt::format_to(std::back_inserter(page), "  {}: {}\n", key, scalar(value));
  };
  line("outcome", name(cell.outcome));
  line("message", cell.reason);
  line("expected", cell.expected);
  line("observed", cell.observed);
  line("at", cell.where);
  line("rerun", cell.rerun);
  page += "  ...\n";
}

void write_point(std::string& page, Legs legs, const PlacedCell& placed, std::size_t number) {
  const Cell& cell = *placed;
  const bool kept = cell.outcome == Outcome::pass || cell.outcome == Outcome::diverges;
  const bool attempted = cell.outcome != Outcome::unsupported && cell.outcome != Outcome::skip;
  const bool attention = needs_attention(cell);
  const bool ok = attempted ? kept && !attention : !attention;
  std::string what = description(legs.column(*placed.leg, cell.loop) + " " + cell.scenario);
  if (cell.repeat != 0) what += fmt::format(" repeat {}", cell.repeat);
  fmt::format_to(std::back_inserter(page), "{} {} - {}", ok ? "ok" : "not ok", number, what);
  if (!attempted && ok) {
    fmt::format_to(std::back_inserter(page), " # SKIP {}", description(cell.reason));
  } else if (!ok && !attention) {
    fmt::format_to(std::back_inserter(page), " # TODO {}",
                   description(cell.expectation ? cell.expectation->why : cell.reason));
  }
  page += '\n';
  if (!ok) write_details(page, cell);
}

Result<std::string> render_tap(const Report& report, const RenderOptions&) {
  const Legs legs(report);
  const std::vector<PlacedCell> cells = cells_of(legs);
  std::string page = fmt::format("TAP version 14\n1..{}\n", cells.size());
  if (const std::string text = redaction_text(legs); !text.empty()) page += "# " + text + '\n';
  if (report.restriction) page += "# " + one_line(restriction_text(report)) + '\n';
  for (std::size_t i = 0; i < cells.size(); ++i) write_point(page, legs, cells[i], i + 1);
  if (!legs.complete()) {
    fmt::format_to(std::back_inserter(page), "Bail out! incomplete run: {}\n",
                   description(legs.incomplete_because()));
  }
  return page;
}

}  // namespace

extern const Format format{.name = "tap",
                           .extension = ".tap",
                           .description = "TAP 14 for a test harness",
                           .render = render_tap};

}  // namespace loopscope::formats::tap
