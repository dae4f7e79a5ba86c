// Badges: counting what their one line says.
#include "reports/badge.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reports/compare.hpp"
#include "reports/tally.hpp"
#include "reports/text.hpp"

namespace loopscope::reports {
namespace {

struct Kept {
  std::size_t passed = 0, judged = 0;
  bool proved = true;
  std::vector<std::string_view> loops;
};

Kept count(Legs legs) {
  Kept kept;
  for (const PlacedCell& placed : cells_of(legs)) {
    const Cell& cell = *placed;
    const ScenarioRow* scenario = placed.leg->scenario(cell.scenario);
    const LoopRow* loop = placed.leg->loop(cell.loop);
    const bool judged = was_judged(cell);
    if (scenario == nullptr || scenario->level != "must" || !judged) continue;
    if (loop != nullptr && loop->family == "reference") continue;
    kept.judged += 1;
    kept.passed += cell.outcome == Outcome::pass ? 1 : 0;
    kept.proved = kept.proved && cell.backend && cell.backend->proved;
    if (std::find(kept.loops.begin(), kept.loops.end(), cell.loop) == kept.loops.end()) {
      kept.loops.push_back(cell.loop);
    }
  }
  return kept;
}

/// The operating systems, each once: "Linux, Darwin".
std::string places(Legs legs) {
  std::vector<std::string> systems;
  for (const Run& leg : legs) {
    const std::string os = text_of(leg.header.host, "os");
    if (os.empty() || std::find(systems.begin(), systems.end(), os) != systems.end()) continue;
    systems.push_back(os);
  }
  return fmt::format("{}", fmt::join(systems, ", "));
}

}  // namespace

Badge badge_of(const Report& report) {
  Badge badge;
  const Legs legs(report);
  const std::string said = verdict(legs);
  badge.colour = said == "green" ? "brightgreen" : said == "red" ? "red" : "lightgrey";
  const Kept kept = count(legs);
  const std::string where = places(legs);
  if (kept.judged == 0) {
    badge.message = "nothing was judged";
    badge.colour = "lightgrey";
    return badge;
  }
  badge.message =
      one_line(fmt::format("must {}/{} \u00b7 {}{}{}{}{}", kept.passed, kept.judged,
                           kept.loops.size() == 1 ? std::string(kept.loops.front())
                                                  : fmt::format("{} loops", kept.loops.size()),
                           kept.proved ? " (proved)" : "", where.empty() ? "" : " \u00b7 ", where,
                           legs.complete() ? "" : " \u00b7 incomplete"));
  if (report.restriction) badge.message += one_line(" \u00b7 " + report.restriction->query);
  return badge;
}

}  // namespace loopscope::reports
