// The documented limits: the claim, and what this machine shows at three levels.
#include "reports/limits.hpp"

#include "reports/html/sections.hpp"

namespace loopscope::reports::html {
namespace {

std::string_view status_text(std::string_view status) {
  if (status == "permits") return "permitted";
  if (status == "delivers") return "delivered";
  if (status == "refuses") return "refused";
  if (status == "mixed") return "both";
  return status == "shown" ? "measured" : "not measured here";
}

void write_level(Page& page, std::string_view title, const LimitLevel& level) {
  page.put("<div class=\"level {}\"><h4>{}</h4><p><span class=\"status\">{}</span>", level.status,
           title, status_text(level.status));
  if (level.status != "not_measured") page.put(" {}", level.text);
  page.raw("</p>");
  if (!level.evidence.empty()) {
    page.raw("<ul>");
    for (const std::string& line : level.evidence) page.put("<li>{}</li>", line);
    page.raw("</ul>");
  }
  page.raw("</div>");
}

}  // namespace

void write_limits(Page& page, const View& view) {
  page.raw(
      "<section id=\"limits\"><h2>Limits that asyncio documents</h2><p class=\"intro\">Each claim "
      "at three "
      "levels: does the system permit it, does a loop deliver it, and has a later asyncio lifted "
      "it? "
      "The first two are computed from this run; the third is what its history says.</p>");
  for (const LimitResult& row : judge_limits(view.run)) {
    const Limit& limit = *row.limit;
    page.put(
        "<article class=\"limit\" id=\"{}\"><header><h3><span "
        "class=\"id\">{}</span><span>{}</span></h3>"
        "<p class=\"meta\">Python {}{}{} <span aria-hidden=\"true\">&middot;</span> ",
        limit.id, limit.id, limit.claim, limit.versions, limit.platform.empty() ? "" : ", ",
        limit.platform);
    source(page, limit.source);
    page.raw("</p></header><div class=\"levels\">");
    if (row.system.status == "not_measured" && row.system.text == row.loops.text) {
      page.put(
          "<div class=\"level not_measured both\"><h4>The system, the loops</h4><p>{}</p></div>",
          row.system.text);
    } else {
      write_level(page, "The system", row.system);
      write_level(page, "The loops", row.loops);
    }
    page.put("<div class=\"level later\"><h4>Later asyncio</h4><p>{}</p></div></div></article>",
             limit.later);
  }
  page.raw("</section>");
}

}  // namespace loopscope::reports::html
