// Report format "junit": XML for the test views of CI services.
//
// What its readers know is pass, skipped, failure and error. So a cell that is as a known
// expectation says is skipped with the reason: it must not turn a green run red. What was planned
// and never ran is an error: it must not turn an unknown run green. The outcome itself stays as a
// property.
#include <algorithm>

#include "reports/format.hpp"
#include "reports/html/writer.hpp"
#include "reports/redact.hpp"
#include "reports/tally.hpp"
#include "reports/text.hpp"

namespace loopscope::formats::junit {
namespace {

using namespace reports;
using reports::html::Page;

constexpr std::size_t kLongest = 1000;  // of a message; the details have it whole

enum class Verdict : std::uint8_t { passed, skipped, failure, error };

Verdict verdict_of(const Cell& cell) {
  if (!needs_attention(cell)) {
    return cell.outcome == Outcome::pass || cell.outcome == Outcome::diverges ? Verdict::passed
                                                                              : Verdict::skipped;
  }
  // A promise that was judged and not kept; everything else ended before it could be judged.
  const bool judged = cell.outcome == Outcome::pass || cell.outcome == Outcome::diverges ||
                      cell.outcome == Outcome::fail || cell.outcome == Outcome::leak;
  return judged ? Verdict::failure : Verdict::error;
}

std::size_t count_of(const std::vector<PlacedCell>& cells, Verdict wanted) {
  return static_cast<std::size_t>(
      std::count_if(cells.begin(), cells.end(),
                    [&](const PlacedCell& cell) { return verdict_of(*cell) == wanted; }));
}

/// One line: what a list of tests shows.
std::string summary_of(const Cell& cell) {
  std::string text(name(cell.outcome));
  if (cell.standing == "stale_expectation") text += ", but expected " + cell.expectation->outcome;
  if (cell.standing == "as_expected" && cell.expectation) {
    return text + ", as expected: " + cell.expectation->why;
  }
  if (!cell.variant.empty()) text += " (" + cell.variant + ")";
  if (!cell.reason.empty()) text += ": " + shortened(cell.reason, kLongest);
  return text;
}

std::string details_of(const Cell& cell) {
  std::string text;
  const auto line = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) text.append(key).append(": ").append(value).append("\n");
  };
  if (cell.reason.size() > kLongest) line("reason", cell.reason);
  line("expected", cell.expected);
  line("observed", cell.observed);
  line("where", cell.where);
  for (const Leak& leak : cell.leaks) {
    line("left behind", leak.kind + " " + leak.what + ", " + leak.before + " -> " + leak.after);
  }
  line("run again", cell.rerun);
  return text;
}

void write_case(Page& page, std::string_view suite, const PlacedCell& placed) {
  const Cell& cell = *placed;
  const ScenarioRow* scenario = placed.leg->scenario(cell.scenario);
  page.put("    <testcase classname=\"{}.{}\" name=\"{}", suite,
           scenario == nullptr ? "unknown" : scenario->topic, cell.scenario);
  if (cell.repeat != 0) page.put("[{}]", cell.repeat);
  page.put("\" time=\"{:.6f}\">\n", static_cast<double>(cell.took_ns) / 1e9);
  page.put("      <properties>\n        <property name=\"outcome\" value=\"{}\"/>\n",
           name(cell.outcome));
  if (cell.backend) {
    page.put("        <property name=\"backend\" value=\"{}{}\"/>\n", cell.backend->effective,
             cell.backend->proved ? " (proved)" : "");
  }
  page.raw("      </properties>\n");
  const Verdict verdict = verdict_of(cell);
  if (verdict == Verdict::skipped) {
    page.put("      <skipped message=\"{}\"/>\n", summary_of(cell));
  } else if (verdict != Verdict::passed) {
    const std::string_view element = verdict == Verdict::failure ? "failure" : "error";
    page.put("      <{} type=\"{}\" message=\"{}\">{}</{}>\n", element, name(cell.outcome),
             summary_of(cell), details_of(cell), element);
  }
  if (!cell.err.empty()) page.put("      <system-err>{}</system-err>\n", cell.err);
  page.raw("    </testcase>\n");
}

/// Those that say something.
void write_properties(Page& page,
                      const std::vector<std::pair<std::string_view, std::string>>& rows) {
  std::string_view open = "    <properties>\n", close;
  for (const auto& [name, value] : rows) {
    if (value.empty()) continue;
    page.raw(open);
    page.put("      <property name=\"{}\" value=\"{}\"/>\n", name, value);
    open = {};
    close = "    </properties>\n";
  }
  page.raw(close);
}

void write_suite(Page& page, const Report& report, const Tally& tally) {
  std::vector<PlacedCell> cells;
  std::int64_t took_ns = 0;
  for (const PlacedCell& cell : cells_of(report)) {
    if (cell->loop != tally.loop || cell.leg->platform != tally.platform) continue;
    cells.push_back(cell);
    took_ns += cell->took_ns;
  }
  if (cells.empty()) return;
  page.put("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
           tally.column, cells.size(), count_of(cells, Verdict::failure),
           count_of(cells, Verdict::error), count_of(cells, Verdict::skipped));
  // ISO 8601 without a zone, as the readers want it; it is UTC.
  page.put(" time=\"{:.6f}\" timestamp=\"{}\">\n", static_cast<double>(took_ns) / 1e9,
           cells.front().leg->header.started_utc.substr(
               0, std::string_view("2026-01-01T00:00:00").size()));
  write_properties(page,
                   {{"query", restriction_text(report)}, {"redaction", redaction_text(report)}});
  for (const PlacedCell& cell : cells) write_case(page, tally.column, cell);
  page.raw("  </testsuite>\n");
}

/// An incomplete run is an error of its own: what is there may all have passed.
void write_incomplete(Page& page, Legs legs, std::size_t missing) {
  page.put(
      "  <testsuite name=\"loopscope\" tests=\"{}\" failures=\"0\" errors=\"{}\" skipped=\"0\" "
      "time=\"0\">\n",
      missing, missing);
  for (const Run& leg : legs) {
    if (leg.complete) continue;
    page.put(
        "    <testcase classname=\"{}\" name=\"complete\" time=\"0\">\n"
        "      <error type=\"incomplete\" message=\"incomplete run: {}\"/>\n"
        "    </testcase>\n",
        legs.column(leg, "loopscope.run"), leg.incomplete_because);
  }
  page.raw("  </testsuite>\n");
}

Result<std::string> render_junit(const Report& report, const RenderOptions&) {
  const Legs legs(report);
  const std::vector<PlacedCell> cells = cells_of(legs);
  const auto missing = static_cast<std::size_t>(
      std::count_if(legs.begin(), legs.end(), [](const Run& leg) { return !leg.complete; }));
  Page page;
  page.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
  page.put(
      "<testsuites name=\"loopscope\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n",
      cells.size() + missing, count_of(cells, Verdict::failure),
      count_of(cells, Verdict::error) + missing, count_of(cells, Verdict::skipped));
  if (missing != 0) write_incomplete(page, legs, missing);
  for (const Tally& tally : tally_by_loop(legs)) write_suite(page, report, tally);
  page.raw("</testsuites>\n");
  return page.take();
}

}  // namespace

extern const Format format{.name = "junit",
                           .extension = ".xml",
                           .description = "JUnit XML for the test view of a CI service",
                           .render = render_junit};

}  // namespace loopscope::formats::junit
