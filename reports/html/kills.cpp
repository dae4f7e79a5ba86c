// The kill matrix: each faulty loop, what is wrong with it, and the scenarios that caught it.
#include "reports/kills.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "reports/html/sections.hpp"
#include "reports/redact.hpp"

namespace loopscope::reports::html {
namespace {

using Trials = std::vector<const KillTrial*>;

void write_trials(Page& page, const View& view, const Trials& trials) {
  for (const KillTrial* trial : trials) {
    page.raw("<div>");
    flat_chip(page, trial->outcome);
    const bool known = std::any_of(view.scenarios.begin(), view.scenarios.end(),
                                   [&](const auto* row) { return row->id == trial->scenario; });
    if (known) {
      page.put(" <a href=\"#{}\"><code>{}</code></a>", scenario_id(trial->scenario),
               trial->scenario);
    } else {
      page.put(" <code>{}</code>", trial->scenario);
    }
    if (!trial->right) page.raw(" <span class=\"tag odd\">not as it must be</span>");
    if (!trial->reason.empty()) page.put(" <small>{}</small>", trial->reason);
    page.raw("</div>");
  }
}

void write_faulty(Page& page, const View& view, const FaultyRow& faulty, const Trials& trials) {
  Trials caught, odd, kept;
  for (const KillTrial* trial : trials) {
    if (trial->must_fail) {
      caught.push_back(trial);
    } else {
      (trial->right ? kept : odd).push_back(trial);
    }
  }
  page.put("<tr><th scope=\"row\"><code>{}</code><span>{}</span></th><td>", faulty.name,
           faulty.defect);
  write_trials(page, view, caught);
  page.raw("</td><td>");
  write_trials(page, view, odd);
  if (!kept.empty()) {
    page.put("<details class=\"more\"><summary>{} of {} passed</summary>", kept.size(),
             kept.size() + odd.size());
    write_trials(page, view, kept);
    page.raw("</details>");
  }
  page.raw("</td></tr>\n");
}

void write_uncaught(Page& page, const View& view, const Kills& kills) {
  std::set<std::string_view> catches;
  for (const KillTrial& trial : kills.trials) {
    if (trial.must_fail && trial.right) catches.insert(trial.scenario);
  }
  std::vector<const ScenarioRow*> never;
  for (const ScenarioRow* row : view.scenarios) {
    if (catches.count(row->id) == 0) never.push_back(row);
  }
  page.put(
      "<details class=\"group\"><summary>Scenarios of this report that caught no faulty loop there "
      "<span class=\"count\">{}</span></summary><p class=\"names\">",
      never.size());
  for (const ScenarioRow* row : never) {
    page.put("<a href=\"#{}\"><code>{}</code></a> <small>{}</small> ", scenario_id(row->id),
             row->id, row->level);
  }
  page.raw("</p></details>\n");
}

}  // namespace

void write_kills(Page& page, const View& view, const Kills& kills) {
  std::map<std::string_view, Trials> by_loop;
  std::size_t wrong = 0;
  for (const KillTrial& trial : kills.trials) {
    by_loop[trial.faulty].push_back(&trial);
    if (!trial.right) ++wrong;
  }
  page.put(
      "<section id=\"kills\"><h2>Kill matrix</h2><p class=\"intro\">Loops that are wrong on "
      "purpose, "
      "in one way each, and the scenarios that caught them: a pass means something because the "
      "scenario can fail. {} loops, {} trials, {} not as they must be.</p><div class=\"scroll\" "
      "tabindex=\"0\" role=\"region\" aria-label=\"Kill matrix\"><table class=\"differs kills\">"
      "<thead><tr><th scope=\"col\">faulty loop</th><th scope=\"col\">caught by</th><th "
      "scope=\"col\">must keep</th></tr></thead><tbody>\n",
      kills.loops.size(), kills.trials.size(), wrong);
  for (const FaultyRow& faulty : kills.loops) {
    write_faulty(page, view, faulty, by_loop[faulty.name]);
  }
  page.raw("</tbody></table></div>");
  if (const std::string text = redaction_text(kills); !text.empty()) {
    page.put("<p class=\"note\">For sharing, {}.</p>", text);
  }
  write_uncaught(page, view, kills);
  page.raw("</section>\n");
}

}  // namespace loopscope::reports::html
