// The documented limits: the claim, what the system permits, what a loop delivers, what was lifted.
#include "reports/limits.hpp"

#include <algorithm>

#include "reports/html/sections.hpp"

namespace loopscope::reports::html {
namespace {

using Judged = std::vector<std::vector<LimitResult>>;  // by platform, then by limit

std::string_view status_text(std::string_view status) {
  if (status == "permits") return "permitted";
  if (status == "delivers") return "delivered";
  if (status == "refuses") return "refused";
  if (status == "mixed") return "both";
  return status == "shown" ? "measured" : "not measured here";
}

void write_level(Page& page, const LimitLevel& level, const std::string& platforms) {
  page.put("<div class=\"level {}\"><p>", level.status);
  if (!platforms.empty()) page.put("<span class=\"of\">{}</span> ", platforms);
  page.put("<span class=\"status\">{}</span>", status_text(level.status));
  if (level.status != "not_measured") page.put(" {}", level.text);
  page.raw("</p>");
  if (!level.evidence.empty()) {
    page.raw("<ul>");
    for (const std::string& line : level.evidence) page.put("<li>{}</li>", line);
    page.raw("</ul>");
  }
  page.raw("</div>");
}

/// One level on all machines; those that show the same share a paragraph.
void write_levels(Page& page, const View& view, const Judged& judged, std::size_t limit,
                  LimitLevel LimitResult::*which, std::string_view title) {
  std::vector<std::pair<const LimitLevel*, std::string>> shown;
  for (std::size_t at = 0; at < view.platforms.size(); ++at) {
    const LimitLevel& level = judged[at][limit].*which;
    const auto same =
        std::find_if(shown.begin(), shown.end(), [&](const auto& s) { return *s.first == level; });
    if (same == shown.end()) {
      shown.emplace_back(&level, view.platforms[at].name);
    } else {
      same->second += ", " + view.platforms[at].name;
    }
  }
  page.put("<td><span class=\"head\">{}</span>", title);
  for (const auto& [level, platforms] : shown) write_level(page, *level, platforms);
  page.raw("</td>");
}

void write_limit(Page& page, const View& view, const Judged& judged, std::size_t at) {
  const Limit& limit = *judged.front()[at].limit;
  page.put(
      "<tr id=\"{}\"><th scope=\"row\"><span class=\"id\">{}</span> {}<p class=\"meta\">Python "
      "{}{}{} <span aria-hidden=\"true\">&middot;</span> ",
      limit.id, limit.id, limit.claim, limit.versions, limit.platform.empty() ? "" : ", ",
      limit.platform);
  source(page, limit.source);
  page.raw("</p></th>");
  write_levels(page, view, judged, at, &LimitResult::system, "The system");
  write_levels(page, view, judged, at, &LimitResult::loops, "The loops");
  page.put("<td><span class=\"head\">Later asyncio</span><p>{}</p></td></tr>\n", limit.later);
}

}  // namespace

void write_limits(Page& page, const View& view) {
  Judged judged;
  for (const Platform& platform : view.platforms) judged.push_back(judge_limits(platform.runs));
  page.raw(
      "<section id=\"limits\"><h2>Limits that asyncio documents</h2><p class=\"intro\">Each claim "
      "at three levels: does the system permit it, does a loop deliver it, and has a later asyncio "
      "lifted it? The first two are computed from this report; the third is what its history says."
      "</p><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Documented limits\">"
      "<table class=\"limits\"><thead><tr><th scope=\"col\">asyncio documents</th>"
      "<th scope=\"col\">the system permits</th><th scope=\"col\">a loop delivers</th>"
      "<th scope=\"col\">lifted since</th></tr></thead><tbody>\n");
  for (std::size_t i = 0; i < judged.front().size(); ++i) write_limit(page, view, judged, i);
  page.raw("</tbody></table></div></section>\n");
}

}  // namespace loopscope::reports::html
