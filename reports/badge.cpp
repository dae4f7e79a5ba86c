// Badges: counting what their one line says.
#include "reports/badge.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reports/tally.hpp"
#include "reports/text.hpp"

namespace loopscope::reports {
namespace {

struct Kept {
  std::size_t passed = 0, judged = 0;
  bool proved = true;
  std::vector<std::string_view> loops;
};

Kept count(const Run& run) {
  Kept kept;
  for (const Cell& cell : run.cells) {
    const ScenarioRow* scenario = run.scenario(cell.scenario);
    const LoopRow* loop = run.loop(cell.loop);
    const bool judged =
        cell.outcome == Outcome::pass || cell.outcome == Outcome::diverges || is_red(cell.outcome);
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

}  // namespace

Badge badge_of(const Run& run) {
  Badge badge;
  const std::string said = verdict(run);
  badge.colour = said == "green" ? "brightgreen" : said == "red" ? "red" : "lightgrey";
  const Kept kept = count(run);
  const std::string os = text_of(run.header.host, "os");
  if (kept.judged == 0) {
    badge.message = "nothing was judged";
    badge.colour = "lightgrey";
    return badge;
  }
  badge.message =
      one_line(fmt::format("must {}/{} \u00b7 {}{}{}{}{}", kept.passed, kept.judged,
                           kept.loops.size() == 1 ? std::string(kept.loops.front())
                                                  : fmt::format("{} loops", kept.loops.size()),
                           kept.proved ? " (proved)" : "", os.empty() ? "" : " \u00b7 ", os,
                           run.complete ? "" : " \u00b7 incomplete"));
  if (run.restriction) badge.message += one_line(" \u00b7 " + run.restriction->query);
  return badge;
}

}  // namespace loopscope::reports
