// Platform facts by group: value, reason, evidence; tables and quantiles where there are some.
#include <algorithm>
#include <map>
#include <set>

#include "reports/compare.hpp"
#include "reports/html/sections.hpp"

namespace loopscope::reports::html {
namespace {

std::string_view group_title(std::string_view group) {
  constexpr std::pair<std::string_view, std::string_view> kTitles[] = {
      {"B1", "Clocks and timers"},
      {"B2", "Readiness mechanisms"},
      {"B3", "Wake-ups, signals, processes"},
      {"B4", "Files, pipes, terminals"},
      {"B5", "Sockets"},
      {"B6", "IOCP and the Windows kernel"},
      {"B7", "io_uring"},
      {"B8", "Limits and environment"}};
  for (const auto& [id, title] : kTitles) {
    if (id == group) return title;
  }
  return group.empty() ? "Other facts" : group;
}

std::string_view kind_of(const Fact& fact) {
  if (const bool* answer = std::get_if<bool>(&fact.value)) return *answer ? "yes" : "no";
  return fact.value.index() == 0 && fact.table.empty() ? "null" : "value";
}

std::string shown_value(const Fact& fact) {
  if (fact.value.index() == 0) return fact.table.empty() ? "no answer" : "a table";
  Fact bare = fact;
  bare.reason.clear();
  return fact_text(bare);
}

void write_samples(Page& page, const Fact& fact) {
  const Samples& s = *fact.samples;
  const auto show = [&](double value) {
    return fact.unit == "ns" ? duration_text(static_cast<std::int64_t>(value))
                             : fmt::format("{:g} {}", value, fact.unit);
  };
  const double span = s.max - s.min;
  const auto at = [&](double value) { return span > 0 ? 100.0 * (value - s.min) / span : 0.0; };
  page.put(
      "<p class=\"samples\"><span class=\"box\" aria-hidden=\"true\" "
      "style=\"--a:{:.1f}%;--b:{:.1f}%;"
      "--c:{:.1f}%\"></span>{}, min {}, p50 {}, p90 {}, p99 {}, max {}</p>",
      at(s.p50), at(s.p90), at(s.p99), s.n == 1 ? "1 sample" : fmt::format("{} samples", s.n),
      show(s.min), show(s.p50), show(s.p90), show(s.p99), show(s.max));
}

void write_table(Page& page, const Fact& fact) {
  std::vector<std::string> columns;
  for (const FactTableRow& row : fact.table) {
    for (const auto& [column, answer] : row.cells) {
      if (std::find(columns.begin(), columns.end(), column) == columns.end())
        columns.push_back(column);
    }
  }
  page.put(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table "
      "class=\"kinds\"><thead>"
      "<tr><td></td>",
      fact.id);
  for (const std::string& column : columns) page.put("<th scope=\"col\">{}</th>", column);
  page.raw("</tr></thead><tbody>");
  for (const FactTableRow& row : fact.table) {
    page.put("<tr><th scope=\"row\">{}</th>", row.name);
    for (const std::string& column : columns) {
      const auto found = std::find_if(row.cells.begin(), row.cells.end(),
                                      [&](const auto& cell) { return cell.first == column; });
      const std::string answer = found == row.cells.end() ? "" : found->second;
      const bool refused =
          answer.size() > 2 && answer[0] == 'E' && answer[1] >= 'A' && answer[1] <= 'Z';
      page.raw(refused ? "<td class=\"refused\">" : "<td>").text(answer).raw("</td>");
    }
    page.raw("</tr>");
  }
  page.raw("</tbody></table></div>");
}

void write_fact(Page& page, const Fact& fact, const std::vector<std::string>& asked_by) {
  page.put("<div class=\"fact\" id=\"f.{}\"><dt><code>{}</code><span>{}</span></dt><dd>",
           slug(fact.id), fact.id, fact.question);
  page.put("<span class=\"v {}\">{}</span>", kind_of(fact), shown_value(fact));
  if (!fact.reason.empty() && fact.reason != "none")
    page.put(" <span class=\"tag\">{}</span>", fact.reason);
  if (!fact.note.empty()) page.put(" <span class=\"gist\">{}</span>", fact.note);
  if (fact.samples) write_samples(page, fact);
  if (!fact.table.empty()) write_table(page, fact);
  page.raw("<details class=\"more\"><summary>evidence</summary><dl class=\"terms\">");
  const auto term = [&](std::string_view label, std::string_view value) {
    if (!value.empty()) page.put("<div><dt>{}</dt><dd>{}</dd></div>", label, value);
  };
  for (const std::string& line : evidence_text(fact)) term("call", line);
  term("method", fact.method);
  term("took", duration_text(fact.took_ns));
  term("why it matters", fact.why);
  page.raw("<div><dt>source</dt><dd>");
  source(page, fact.source);
  page.raw("</dd></div>");
  if (!asked_by.empty()) {
    page.raw("<div><dt>needed by</dt><dd>");
    for (const std::string& id : asked_by) {
      page.put("<a href=\"#{}\"><code>{}</code></a> ", scenario_id(id), id);
    }
    page.raw("</dd></div>");
  }
  page.raw("</dl></details></dd></div>");
}

}  // namespace

void write_facts(Page& page, const View& view) {
  page.raw(
      "<section id=\"facts\"><h2>What this platform is</h2><p class=\"intro\">Measured by doing "
      "it, "
      "each in a process of its own. <em>No answer</em> is an answer too: not implemented, denied "
      "and "
      "not compiled in are different things.</p>");
  if (view.run.facts.empty()) page.raw("<p class=\"calm\">This run measured no facts.</p>");
  std::map<std::string, std::vector<std::string>> asked_by;
  for (const ScenarioRow& scenario : view.run.catalogue.scenarios) {
    for (const std::string& fact : scenario.facts) asked_by[fact].push_back(scenario.id);
  }
  std::vector<std::string> groups;
  for (const Fact& fact : view.run.facts) {
    if (std::find(groups.begin(), groups.end(), fact.group) == groups.end())
      groups.push_back(fact.group);
  }
  for (const std::string& group : groups) {
    page.put("<h3 class=\"sub\">{} <small>{}</small></h3><dl class=\"facts\">", group_title(group),
             group);
    for (const Fact& fact : view.run.facts) {
      if (fact.group == group) write_fact(page, fact, asked_by[fact.id]);
    }
    page.raw("</dl>");
  }
  page.raw("</section>");
}

}  // namespace loopscope::reports::html
