// Platform facts by group, the machines side by side: value, reason, evidence, charts.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "reports/compare.hpp"
#include "reports/html/charts.hpp"
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
  if (fact.value.index() == 0 && fact.table.empty()) {
    return fact.curve ? "a curve" : "no answer";
  }
  if (fact.value.index() == 0) return "a table";
  Fact bare = fact;
  bare.reason.clear();
  return fact_text(bare);
}

ShowValue in_unit_of(const Fact& fact) {
  return [unit = fact.unit](double value) {
    return unit == "ns" ? duration_text(static_cast<std::int64_t>(value))
                        : fmt::format("{:g}{}{}", value, unit.empty() ? "" : " ", unit);
  };
}

/// A fact on all machines. Null where a machine was not asked.
struct FactRow {
  std::string id;
  std::vector<const Fact*> facts;
  const Fact& any() const {
    return **std::find_if(facts.begin(), facts.end(), [](const Fact* f) { return f != nullptr; });
  }
};

std::vector<FactRow> fact_rows(const View& view) {
  std::vector<FactRow> rows;
  std::map<std::string_view, std::size_t> at;
  for (std::size_t i = 0; i < view.platforms.size(); ++i) {
    for (const Run& run : view.platforms[i].runs) {
      for (const Fact& fact : run.facts) {
        const auto [place, fresh] = at.try_emplace(fact.id, rows.size());
        if (fresh) rows.push_back({fact.id, std::vector<const Fact*>(view.platforms.size())});
        const Fact*& known = rows[place->second].facts[i];
        if (known == nullptr) known = &fact;  // as Legs::fact
      }
    }
  }
  return rows;
}

/// Machines differ in what they answer; that two of them do not measure the same time is no news.
bool facts_differ(const FactRow& row) {
  std::set<std::string> seen;
  for (const Fact* fact : row.facts) {
    if (fact == nullptr) {
      seen.insert("not asked");
    } else if (fact->samples || fact->curve || fact->unit == "ns") {
      seen.insert("measured");
    } else {
      seen.insert(fact_text(*fact));
    }
  }
  return seen.size() > 1;
}

void write_samples(Page& page, const FactRow& row, const Fact& fact) {
  const Samples& s = *fact.samples;
  const ShowValue show = in_unit_of(fact);
  double low = s.min, high = s.max;
  for (const Fact* other : row.facts) {
    if (other == nullptr || !other->samples) continue;
    low = std::min(low, other->samples->min);
    high = std::max(high, other->samples->max);
  }
  page.raw("<div class=\"samples\">");
  draw_samples(page, s, low, high, show);
  page.put("<span>{}, min {}, p50 {}, p90 {}, p99 {}, max {}</span></div>",
           s.n == 1 ? "1 sample" : fmt::format("{} samples", s.n), show(s.min), show(s.p50),
           show(s.p90), show(s.p99), show(s.max));
}

void write_table(Page& page, const Fact& fact, std::string_view platform) {
  std::vector<std::string> columns;
  for (const FactTableRow& row : fact.table) {
    for (const auto& [column, answer] : row.cells) {
      if (std::find(columns.begin(), columns.end(), column) == columns.end())
        columns.push_back(column);
    }
  }
  page.put(
      "<details class=\"more\"{}><summary>the table</summary><div class=\"scroll\" tabindex=\"0\" "
      "role=\"region\" aria-label=\"{}, {}\"><table class=\"kinds\"><thead><tr><td></td>",
      fact.table.size() <= 12 ? " open" : "", fact.id, platform);
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
  page.raw("</tbody></table></div></details>");
}

void write_evidence(Page& page, const Fact& fact) {
  const std::vector<std::string> calls = evidence_text(fact);
  if (calls.empty() && fact.conflicts.empty()) return;
  page.raw("<details class=\"more\"><summary>evidence</summary><ul class=\"proofs\">");
  for (const std::string& line : calls) page.put("<li><code>{}</code></li>", line);
  for (const FactConflict& row : fact.conflicts) {
    page.put("<li>{} says {}, but {} says {}</li>", row.one, row.one_says, row.other,
             row.other_says);
  }
  page.put("<li>{}{}, took {}</li></ul></details>", fact.method,
           fact.privilege.empty() ? "" : ", as " + fact.privilege, duration_text(fact.took_ns));
}

void write_answer(Page& page, const View& view, const FactRow& row, std::size_t at) {
  page.put("<td data-platform=\"{}\">", view.platforms[at].name);
  if (view.many_platforms()) page.put("<span class=\"of\">{}</span>", view.platforms[at].name);
  const Fact* fact = row.facts[at];
  if (fact == nullptr) {
    page.raw("<span class=\"v null\">not asked</span></td>");
    return;
  }
  page.put("<span class=\"v {}\">{}</span>", kind_of(*fact), shown_value(*fact));
  if (!fact->reason.empty() && fact->reason != "none")
    page.put(" <span class=\"tag\">{}</span>", fact->reason);
  if (!fact->conflicts.empty()) page.raw(" <span class=\"tag odd\">methods disagree</span>");
  if (!fact->note.empty()) page.put(" <span class=\"gist\">{}</span>", fact->note);
  if (fact->samples) write_samples(page, row, *fact);
  if (!fact->table.empty()) write_table(page, *fact, view.platforms[at].name);
  write_evidence(page, *fact);
  page.raw("</td>");
}

void write_curves(Page& page, const View& view, const FactRow& row) {
  std::vector<CurveSeries> series;
  for (std::size_t at = 0; at < row.facts.size(); ++at) {
    if (row.facts[at] == nullptr || !row.facts[at]->curve) continue;
    series.push_back({view.platforms[at].name, &*row.facts[at]->curve});
  }
  if (!series.empty()) draw_curves(page, series, in_unit_of(row.any()));
}

void write_about(Page& page, const View& view, const FactRow& row,
                 const std::vector<std::string>& asked_by) {
  const Fact& fact = row.any();
  page.raw("<td class=\"about\">");
  write_curves(page, view, row);
  page.raw("<details class=\"more\"><summary>about</summary><dl class=\"terms\">");
  if (!fact.why.empty()) page.put("<div><dt>why it matters</dt><dd>{}</dd></div>", fact.why);
  if (!fact.how.empty()) page.put("<div><dt>how</dt><dd>{}</dd></div>", fact.how);
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
  page.raw("</dl></details></td>");
}

void write_row(Page& page, const View& view, const FactRow& row,
               const std::vector<std::string>& asked_by) {
  const bool odd = view.many_platforms() && facts_differ(row);
  page.put("<tr id=\"f.{}\"{}><th scope=\"row\"><code>{}</code><span>{}</span>{}</th>",
           slug(row.id), odd ? Raw{" class=\"odd\""} : Raw{""}, row.id, row.any().question,
           odd ? Raw{"<span class=\"tag odd\">\u2260 differs</span>"} : Raw{""});
  // A chart of several machines stands before their columns, which may be many.
  if (view.many_platforms()) write_about(page, view, row, asked_by);
  for (std::size_t at = 0; at < view.platforms.size(); ++at) write_answer(page, view, row, at);
  if (!view.many_platforms()) write_about(page, view, row, asked_by);
  page.raw("</tr>\n");
}

void open_facts(Page& page, const View& view) {
  page.put(
      "<div class=\"scroll grid facts-grid{}\" tabindex=\"0\" role=\"region\" aria-label=\"Facts "
      "of the platform\"><table class=\"facts\"><thead><tr><th scope=\"col\">fact</th>",
      view.many_platforms() ? " many" : "");
  constexpr std::string_view kAbout = "<th scope=\"col\" class=\"about\">about it</th>";
  if (view.many_platforms()) page.raw(kAbout);
  for (const Platform& platform : view.platforms) {
    page.put("<th scope=\"col\" data-platform=\"{}\">{}</th>", platform.name,
             view.many_platforms() ? platform.name : "here");
  }
  if (!view.many_platforms()) page.raw(kAbout);
  page.raw("</tr></thead>\n");
}

}  // namespace

void write_facts(Page& page, const View& view) {
  page.raw(
      "<section id=\"facts\"><h2>What this platform is</h2><p class=\"intro\">Measured by doing "
      "it, each in a process of its own. <em>No answer</em> is an answer too: not implemented, "
      "denied and not compiled in are different things.</p>");
  std::vector<FactRow> rows = fact_rows(view);
  if (rows.empty()) {
    page.raw("<p class=\"calm\">This run measured no facts.</p></section>\n");
    return;
  }
  if (view.many_platforms()) {
    page.raw(
        "<form class=\"filters\" hidden><fieldset><legend>Rows</legend><button type=\"button\" "
        "id=\"facts-differ\" aria-pressed=\"false\">only differences</button></fieldset></form>");
  }
  std::map<std::string, std::vector<std::string>> asked_by;
  for (const ScenarioRow* scenario : view.scenarios) {
    for (const std::string& fact : scenario->facts) asked_by[fact].push_back(scenario->id);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const FactRow& a, const FactRow& b) {
    return a.any().group < b.any().group;
  });
  open_facts(page, view);
  std::optional<std::string> group;
  for (const FactRow& row : rows) {
    if (row.any().group != group) {
      if (group) page.raw("</tbody>");
      group = row.any().group;
      page.put(
          "<tbody><tr class=\"group\"><th colspan=\"{}\" scope=\"rowgroup\">{} "
          "<small>{}</small></th></tr>\n",
          view.platforms.size() + 2, group_title(*group), *group);
    }
    write_row(page, view, row, asked_by[row.id]);
  }
  page.raw("</tbody></table></div></section>\n");
}

}  // namespace loopscope::reports::html
