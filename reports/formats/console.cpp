// Report format "console": what a terminal shows at the end of a run.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "reports/compare.hpp"
#include "reports/format.hpp"
#include "reports/redact.hpp"
#include "reports/tally.hpp"
#include "reports/text.hpp"

namespace loopscope::formats::console {
namespace {

using namespace reports;

constexpr std::string_view kReset = "\033[0m";
constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kRed = "\033[31m";
constexpr std::string_view kGreen = "\033[32m";
constexpr std::string_view kYellow = "\033[33m";

// Of cells that never ran there is nothing to say but their names.
constexpr std::size_t kMostNotRun = 10;
constexpr std::size_t kLongest = 4000;  // bytes of a field

/// Text from a child may hold control characters; a terminal must not obey them.
std::string printable(std::string_view text) {
  return without_controls(text, [](std::string_view control) {
    return control == "\n" ? std::string("\\n") : shown_control(control);
  });
}

class Page {
 public:
  explicit Page(bool colour) : colour_(colour) {}

  std::string in(std::string_view style, std::string_view text) const {
    return colour_ ? fmt::format("{}{}{}", style, text, kReset) : std::string(text);
  }
  void line(std::string_view text) { (text_ += text) += '\n'; }
  std::string take() { return std::move(text_); }

 private:
  bool colour_;
  std::string text_;
};

std::string_view colour_of(const Cell& cell) {
  return is_red(cell.outcome) ? kRed : cell.outcome == Outcome::pass ? kGreen : kYellow;
}

/// One red or unknown cell: what was promised, what came, and how to see it again.
void describe(Legs legs, const PlacedCell& placed, Page& page) {
  const Cell& cell = *placed;
  page.line(fmt::format("{} {} on {}", page.in(colour_of(cell), name(cell.outcome)),
                        page.in(kBold, printable(cell.scenario)),
                        printable(legs.column(*placed.leg, cell.loop))));
  const auto field = [&](std::string_view label, std::string_view text) {
    if (!text.empty())
      page.line(fmt::format("  {:<9} {}", label, printable(shortened(text, kLongest))));
  };
  field("check", cell.what);
  field("expected", cell.expected);
  field("observed", cell.observed.empty() && cell.what.empty() ? cell.reason : cell.observed);
  if (!cell.observed.empty() && cell.reason != cell.observed) field("reason", cell.reason);
  field("where", cell.where);
  for (const Leak& leak : cell.leaks) {
    field("left", fmt::format("{}: {} (before: {}, after: {})", leak.kind, leak.what, leak.before,
                              leak.after));
  }
  field("standing", cell.standing == "as_expected" ? "" : cell.standing);
  field("rerun", cell.rerun);
}

void table_of_loops(Legs legs, Page& page) {
  const Tally all = tally_all(legs);
  std::vector<Outcome> shown;
  for (const Outcome outcome : kOutcomes) {
    if (all.of(outcome) != 0) shown.push_back(outcome);
  }
  std::size_t width = 4;
  const std::vector<Tally> rows = tally_by_loop(legs);
  for (const Tally& tally : rows) width = std::max(width, tally.column.size());
  std::string head = fmt::format("{:<{}}", "loop", width);
  for (const Outcome outcome : shown) {
    fmt::format_to(std::back_inserter(head), "  {}", name(outcome));
  }
  page.line(page.in(kBold, head));
  for (const Tally& tally : rows) {
    const std::string absent = absence(legs, tally);
    if (tally.total() == 0 && absent.empty()) continue;
    std::string line = fmt::format("{:<{}}", printable(tally.column), width);
    for (const Outcome outcome : shown) {
      fmt::format_to(std::back_inserter(line), "  {:>{}}", tally.of(outcome), name(outcome).size());
    }
    if (!absent.empty()) {
      fmt::format_to(std::back_inserter(line), "  absent: {}", printable(absent));
    }
    page.line(line);
  }
}

Result<std::string> render_console(const Report& report, const RenderOptions& options) {
  const Legs legs(report);
  Page page(options.colour);
  for (const Cause& cause : attention_by_cause(legs)) {
    page.line(page.in(kBold, fmt::format("{} ({})", printable(cause.title), cause.cells.size())));
    const bool never_ran = cause.cells.front()->outcome == Outcome::notrun;
    const std::size_t shown =
        never_ran ? std::min(cause.cells.size(), kMostNotRun) : cause.cells.size();
    for (std::size_t i = 0; i < shown; ++i) describe(legs, cause.cells[i], page);
    if (shown < cause.cells.size()) {
      page.line(fmt::format("... and {} more", cause.cells.size() - shown));
    }
    page.line("");
  }
  table_of_loops(legs, page);
  page.line("");
  if (legs.several()) {
    for (const Run& leg : legs) {
      page.line(fmt::format("{}  {}", page.in(kBold, leg.platform), printable(leg_text(leg))));
    }
    page.line("");
  }
  for (const std::string& sentence : contradictions(legs)) {
    page.line(page.in(kYellow, "contradiction: " + printable(sentence)));
  }
  const std::string word = verdict(legs);
  const std::string_view style = word == "red" ? kRed : word == "green" ? kGreen : kYellow;
  std::string line =
      fmt::format("{}  {}/{} cells reported", page.in(style, word), reported(legs), legs.planned());
  std::int64_t took_ns = 0;
  for (const Run& leg : legs) took_ns += leg.footer ? leg.footer->took_ns : 0;
  if (took_ns != 0) line += ", " + duration_text(took_ns);
  if (!legs.complete()) line += "; incomplete: " + printable(legs.incomplete_because());
  page.line(line);
  if (report.restriction) page.line(printable(restriction_text(report)));
  if (const std::string text = redaction_text(legs); !text.empty()) page.line(text);
  return page.take();
}

}  // namespace

extern const Format format{.name = "console",
                           .extension = ".txt",
                           .description = "what a terminal shows at the end of a run",
                           .render = render_console};

}  // namespace loopscope::formats::console
