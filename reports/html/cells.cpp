// The evidence: one section for each scenario, one panel or one line for each of its cells.
#include <algorithm>

#include "reports/compare.hpp"
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

constexpr std::size_t kTraceInLine = 8;

void term(Page& page, std::string_view label, std::string_view value) {
  if (!value.empty()) page.put("<div><dt>{}</dt><dd>{}</dd></div>", label, value);
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

void write_promise(Page& page, const ScenarioRow& row) {
  page.put("<p class=\"promise\">{}</p><dl class=\"terms\">", row.promise);
  page.raw("<div><dt>Source</dt><dd>");
  source(page, row.source);
  page.raw("</dd></div>");
  term(page, "Level", row.level + ", by " + row.authority + ", " + row.severity);
  term(page, "Needs", joined(row.needs));
  term(page, "Facts", joined(row.facts));
  term(page, "Exercises", joined(row.api));
  term(page, "Caught by it", joined(row.kills));
  term(page, "Written in", row.file);
  if (row.timing) term(page, "Runs alone", "its verdict depends on the host's timing");
  if (row.exclusive) term(page, "One at a time", "it takes many of the host's resources");
  page.raw("</dl>");
}

std::string note_text(const Note& note) {
  const auto* whole = std::get_if<std::int64_t>(&note.value);
  if (note.unit == "ns" && whole != nullptr) return duration_text(*whole);
  return to_text(note.value) + (note.unit.empty() ? "" : " " + note.unit);
}

/// "outer 81 us, sibling 90 us, nested 94 us", for a cell that needs no panel.
void write_trace_line(Page& page, const Cell& cell) {
  const std::size_t shown = std::min(cell.trace.size(), kTraceInLine);
  for (std::size_t i = 0; i < shown; ++i) {
    page.put("<span class=\"ev\">{} <i>{}</i></span> ", cell.trace[i].what,
             duration_text(cell.trace[i].t_ns));
  }
  const auto rest = static_cast<std::int64_t>(cell.trace.size() - shown) + cell.trace_dropped;
  if (rest > 0) page.put("<span class=\"ev\">and {} more</span> ", rest);
  for (const Note& note : cell.notes) {
    page.put("<span class=\"ev\">{} <i>{}</i></span> ", note.key, note_text(note));
  }
}

void write_proof_line(Page& page, const Backend& backend) {
  page.put("<b>{}</b> {}", backend.effective, backend.proved ? "proved" : "not proved");
  for (const Proof& proof : backend.proof) page.put(" <i>{}</i>", proof.value);
}

void write_line(Page& page, const Run& run, const Cell& cell) {
  page.put("<tr id=\"{}\" data-loop=\"{}\" data-o=\"{}\"><th scope=\"row\">{}{}</th><td>",
           cell_id(cell), cell.loop, name(cell.outcome), cell.loop,
           cell.repeat == 0 ? "" : fmt::format(" (repeat {})", cell.repeat));
  flat_chip(page, name(cell.outcome));
  if (!cell.ran) {
    page.raw("</td><td colspan=\"3\">");
    const auto steps = why_chain(run, cell);
    if (steps.size() < 2) page.put("<span class=\"ev\">{}</span>", cell.reason);
    for (std::size_t i = 1; i < steps.size(); ++i) {
      page.put("<span class=\"ev\">{}{} <b>{}</b></span>", i == 1 ? "" : "\u2190 ", steps[i].what,
               steps[i].answer);
    }
    page.raw("</td></tr>");
    return;
  }
  page.put("</td><td class=\"num\">{}</td><td class=\"proof\">", duration_text(cell.took_ns));
  if (cell.backend) write_proof_line(page, *cell.backend);
  page.raw("</td><td>");
  write_trace_line(page, cell);
  page.raw("</td></tr>");
}

void write_trace(Page& page, const Cell& cell) {
  if (cell.trace.empty()) return;
  const std::int64_t last = std::max<std::int64_t>(1, cell.trace.back().t_ns);
  page.raw("<h5>Trace</h5><ol class=\"trace\">");
  for (const TraceEvent& event : cell.trace) {
    const double at = 100.0 * static_cast<double>(std::clamp<std::int64_t>(event.t_ns, 0, last)) /
                      static_cast<double>(last);
    page.put("<li><i>{}</i><span class=\"rail\" style=\"--at:{:.1f}%\"></span><span>{}</span></li>",
             duration_text(event.t_ns), at, event.what);
  }
  page.raw("</ol>");
  if (cell.trace_dropped > 0)
    page.put("<p class=\"note\">{} more events were dropped.</p>", cell.trace_dropped);
}

void write_backend(Page& page, const Cell& cell) {
  if (!cell.backend) return;
  const Backend& backend = *cell.backend;
  if (backend.effective.empty() && backend.proof.empty()) {
    page.raw("<h5>Backend</h5><p>The process ended before it could say.</p>");
    return;
  }
  page.put("<h5>Backend</h5><p>{} was asked for, <b>{}</b> was found: {}.</p><ul class=\"proofs\">",
           backend.requested, backend.effective.empty() ? "nothing" : backend.effective,
           backend.proved ? "proved" : "not proved");
  for (const Proof& proof : backend.proof) {
    page.put("<li>{}: <code>{}</code></li>", proof.how, proof.value);
  }
  page.raw("</ul>");
}

void write_leaks(Page& page, const Cell& cell) {
  if (cell.leaks.empty()) return;
  page.raw(
      "<h5>Left behind</h5><div class=\"scroll\"><table class=\"plain\"><thead><tr><th>kind</th>"
      "<th>what</th><th>before</th><th>after</th></tr></thead><tbody>");
  for (const Leak& leak : cell.leaks) {
    page.put("<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td></tr>", leak.kind,
             leak.what, leak.before, leak.after);
  }
  page.raw("</tbody></table></div>");
}

void write_field(Page& page, const std::pair<std::string, Scalar>& field) {
  const std::string& key = field.first;
  const auto* whole = std::get_if<std::int64_t>(&field.second);
  const auto ends_with = [&](std::string_view unit) {
    return key.size() > unit.size() &&
           key.compare(key.size() - unit.size(), unit.size(), unit) == 0;
  };
  if (whole != nullptr && ends_with("_ns")) {
    term(page, key.substr(0, key.size() - 3), duration_text(*whole));
  } else if (whole != nullptr && ends_with("_bytes")) {
    term(page, key.substr(0, key.size() - 6), size_text(*whole));
  } else {
    term(page, key, to_text(field.second));
  }
}

void write_numbers(Page& page, const Cell& cell) {
  page.raw("<h5>Numbers</h5><dl class=\"terms\">");
  term(page, "took",
       duration_text(cell.took_ns) +
           (cell.limit_ms > 0 ? " of " + duration_text(cell.limit_ms * 1000000) : ""));
  if (cell.end) {
    if (cell.end->exit_code) term(page, "exit code", fmt::format("{}", *cell.end->exit_code));
    if (cell.end->signal) term(page, "signal", fmt::format("{}", *cell.end->signal));
    if (cell.end->killed_at_limit) term(page, "ended", "killed at its limit");
  }
  for (const Note& note : cell.notes) term(page, note.key, note_text(note));
  // A process that ended before it could say measured nothing: its zeros are no counts.
  const bool silent = cell.backend && cell.backend->effective.empty();
  if (!silent) {
    for (const auto& field : cell.counters) write_field(page, field);
  }
  for (const auto& field : cell.control)
    write_field(page, {"control " + field.first, field.second});
  page.raw("</dl>");
}

void write_list(Page& page, std::string_view title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  page.put("<h6>{}</h6><pre>", title);
  for (const std::string& line : lines) page.put("{}\n", line);
  page.raw("</pre>");
}

void write_dossier(Page& page, const Dossier& dossier) {
  page.raw("<details class=\"more\" open><summary>What it was doing at the end</summary>");
  for (const ThreadState& thread : dossier.threads) {
    page.put("<h6>thread {} {}{}{}</h6><pre>", thread.tid, thread.name,
             thread.state.empty() ? "" : ", " + thread.state,
             thread.wchan.empty() || thread.wchan == "0" ? "" : ", waiting in " + thread.wchan);
    for (const std::string& frame : thread.stack) page.put("{}\n", frame);
    page.raw("</pre>");
  }
  write_list(page, "descriptors", dossier.descriptors);
  write_list(page, "last events", dossier.last_events);
  page.raw("</details>");
}

void write_output(Page& page, std::string_view title, std::string_view text) {
  if (text.empty()) return;
  page.put("<details class=\"more\"><summary>{}</summary><pre>{}</pre></details>", title, text);
}

void write_why(Page& page, const Run& run, const Cell& cell) {
  const auto steps = why_chain(run, cell);
  if (steps.size() < 2) return;
  page.raw("<h5>Why</h5><ol class=\"why\">");
  for (const WhyStep& step : steps) page.put("<li>{} <b>{}</b></li>", step.what, step.answer);
  page.raw("</ol>");
}

void write_panel_head(Page& page, const View& view, const Cell& cell) {
  page.put("<header><h4><span class=\"loop\">{}</span> ", cell.loop);
  flat_chip(page, name(cell.outcome));
  if (!cell.variant.empty()) page.put(" <code>{}</code>", cell.variant);
  page.raw("</h4>");
  if (cell.repeat != 0) page.put("<span class=\"tag\">repeat {}</span>", cell.repeat);
  if (cell.standing == "as_expected" && cell.expectation) {
    page.raw("<span class=\"tag\">known, as expected</span>");
  } else if (cell.standing == "stale_expectation") {
    page.raw("<span class=\"tag odd\">the expectation is stale</span>");
  } else if (cell.standing == "unexpected") {
    page.raw("<span class=\"tag odd\">unexpected</span>");
  }
  const Relation versus = relation(view.run, cell, view.reference);
  if (versus == Relation::only_this_loop)
    page.put("<span class=\"tag\">{} passes</span>", view.reference);
  if (versus == Relation::also_reference)
    page.put("<span class=\"tag\">also on {}</span>", view.reference);
  page.raw("</header>");
}

void write_panel(Page& page, const View& view, const Cell& cell) {
  page.put("<article class=\"panel {}\" id=\"{}\" data-loop=\"{}\" data-o=\"{}\">",
           name(cell.outcome), cell_id(cell), cell.loop, name(cell.outcome));
  write_panel_head(page, view, cell);
  if (!cell.reason.empty()) page.put("<p class=\"reason\">{}</p>", cell.reason);
  if (!cell.what.empty()) {
    page.put("<p class=\"check\">Checked: {}{}</p>", cell.what,
             cell.where.empty() ? "" : " (" + cell.where + ")");
  }
  if (!cell.expected.empty() || !cell.observed.empty()) {
    page.put(
        "<div class=\"sides\"><div><h5>Expected</h5><pre>{}</pre></div>"
        "<div class=\"saw\"><h5>Observed</h5><pre>{}</pre></div></div>",
        cell.expected, cell.observed);
  }
  if (cell.expectation) {
    page.put("<p class=\"note\">Expected to be {}: {} (", cell.expectation->outcome,
             cell.expectation->why);
    source(page, cell.expectation->source);
    page.raw(")</p>");
  }
  write_why(page, view.run, cell);
  write_leaks(page, cell);
  page.raw("<div class=\"sides even\"><div>");
  write_trace(page, cell);
  write_backend(page, cell);
  page.raw("</div><div>");
  write_numbers(page, cell);
  page.raw("</div></div>");
  if (cell.dossier) write_dossier(page, *cell.dossier);
  write_output(page, "stderr", cell.err);
  write_output(page, "stdout", cell.out);
  if (!cell.rerun.empty()) {
    page.put("<p class=\"rerun\"><span>Run it again</span> <code>{}</code></p>", cell.rerun);
  }
  page.raw("</article>");
}

/// A cell that says nothing but its outcome gets a line; every other one gets a panel.
bool is_plain(const Cell& cell) {
  return !cell.ran || (cell.outcome == Outcome::pass && !needs_attention(cell));
}

void write_scenario(Page& page, const View& view, const ScenarioRow& scenario) {
  std::vector<const Cell*> plain, panels;
  for (const LoopRow* loop : view.loops) {
    for (const Cell* cell : view.cells(scenario.id, loop->name)) {
      (is_plain(*cell) ? plain : panels).push_back(cell);
    }
  }
  if (plain.empty() && panels.empty()) return;
  const bool open = std::any_of(panels.begin(), panels.end(),
                                [](const Cell* cell) { return needs_attention(*cell); });
  page.put("<details class=\"scenario\" id=\"{}\" data-scenario=\"{}\"{}><summary><code>{}</code>",
           scenario_id(scenario.id), scenario.id, open ? " open" : "", scenario.id);
  page.raw("<span class=\"marks\">");
  for (const LoopRow* loop : view.loops) {
    const Cell* cell = view.worst(scenario.id, loop->name);
    if (cell != nullptr)
      page.put("<i class=\"k mini {}\" title=\"{}\">{}</i>", name(cell->outcome), loop->name,
               name(cell->outcome));
  }
  page.raw("</span></summary><div class=\"body\">");
  write_promise(page, scenario);
  for (const Cell* cell : panels) write_panel(page, view, *cell);
  if (!plain.empty()) {
    page.raw("<div class=\"scroll\"><table class=\"lines\"><tbody>");
    for (const Cell* cell : plain) write_line(page, view.run, *cell);
    page.raw("</tbody></table></div>");
  }
  const auto rerun = std::find_if(plain.begin(), plain.end(), [](const Cell* c) { return c->ran; });
  if (rerun != plain.end()) {
    page.put("<p class=\"rerun\"><span>Run it again</span> <code>{}</code></p>", (*rerun)->rerun);
  }
  page.raw("</div></details>");
}

}  // namespace

void write_cells(Page& page, const View& view) {
  page.raw(
      "<section id=\"cells\"><h2>Evidence, scenario by scenario</h2>"
      "<p class=\"intro\">What was promised and by whom, what came, and how it was seen. Times "
      "count from the start of the cell.</p>");
  std::string_view group;
  for (const ScenarioRow& scenario : view.run.catalogue.scenarios) {
    bool planned = false;
    for (const LoopRow* loop : view.loops) {
      planned = planned || !view.cells(scenario.id, loop->name).empty();
    }
    if (!planned) continue;
    if (scenario.group != group)
      page.put("<h3 class=\"sub\">{} <small>{}</small></h3>", scenario.topic, scenario.group);
    group = scenario.group;
    write_scenario(page, view, scenario);
  }
  page.raw("</section>");
}

}  // namespace loopscope::reports::html
