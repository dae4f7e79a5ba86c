// Report format "annotations": the workflow commands by which GitHub Actions marks a job's page.
#include <fmt/format.h>

#include <iterator>

#include "reports/compare.hpp"
#include "reports/format.hpp"
#include "reports/tally.hpp"
#include "reports/text.hpp"

namespace loopscope::formats::annotations {
namespace {

using namespace reports;

// A step shows ten of a kind and drops the rest.
constexpr std::size_t kShown = 10;
constexpr std::size_t kLongest = 4000;  // of one mark

/// As the runner wants it: a "%" begins an escape, a line end would end the command.
std::string escaped(std::string_view text, bool property) {
  const std::string plain =
      without_controls(shortened(text, kLongest), [](std::string_view control) {
        return control == "\n" || control == "\r" ? std::string(control) : std::string(" ");
      });
  std::string out;
  for (const char c : plain) {
    if (c == '%' || c == '\n' || c == '\r' || (property && (c == ':' || c == ','))) {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

void command(std::string& page, std::string_view kind, std::string_view title,
             std::string_view message) {
  fmt::format_to(std::back_inserter(page), "::{} title={}::{}\n", kind, escaped(title, true),
                 escaped(message, false));
}

std::string message_of(const Cell& cell) {
  std::string text = cell.reason;
  const auto line = [&](std::string_view key, std::string_view value) {
    if (value.empty()) return;
    text.append(text.empty() ? "" : "\n").append(key).append(": ").append(value);
  };
  line("expected", cell.expected);
  line("observed", cell.observed);
  line("run again", cell.rerun);
  return text;
}

/// The cells of one kind, the most severe causes first; of those beyond ten, how many.
void write_cells(std::string& page, std::string_view kind, Legs legs,
                 const std::vector<PlacedCell>& cells) {
  const std::size_t shown = cells.size() <= kShown ? cells.size() : kShown - 1;
  for (std::size_t i = 0; i < shown; ++i) {
    const Cell& cell = *cells[i];
    command(page, kind,
            fmt::format("{} on {}: {}", cell.scenario, legs.column(*cells[i].leg, cell.loop),
                        name(cell.outcome)),
            message_of(cell));
  }
  if (shown < cells.size()) {
    command(page, kind, fmt::format("{} more cells", cells.size() - shown),
            "The report has them all.");
  }
}

Result<std::string> render_annotations(const Report& report, const RenderOptions&) {
  const Legs legs(report);
  std::vector<PlacedCell> red, unknown;
  for (const Cause& cause : attention_by_cause(legs)) {
    for (const PlacedCell& cell : cause.cells) {
      const bool judged = is_red(cell->outcome) || cell->standing == "stale_expectation";
      (judged ? red : unknown).push_back(cell);
    }
  }
  std::string page;
  write_cells(page, "error", legs, red);
  write_cells(page, "warning", legs, unknown);
  if (!legs.complete()) command(page, "warning", "incomplete run", legs.incomplete_because());
  command(page, "notice", "loopscope: " + verdict(legs),
          fmt::format("{}/{} cells reported{}{}", reported(legs), legs.planned(),
                      report.restriction ? "; " : "", restriction_text(report)));
  return page;
}

}  // namespace

extern const Format format{.name = "annotations",
                           .extension = ".txt",
                           .description = "GitHub's marks on the page of a job",
                           .render = render_annotations};

}  // namespace loopscope::formats::annotations
