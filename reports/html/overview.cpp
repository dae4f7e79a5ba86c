// The head of the page: the verdict, whether it is complete, the machine, and the loops with the
// backend that was found behind each.
#include <algorithm>
#include <set>

#include "reports/compare.hpp"
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

std::string plural(std::size_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

/// One sentence that says what the verdict rests on.
std::string because(const Run& run, const std::string& word) {
  if (!run.complete) return "Incomplete: " + run.incomplete_because + ".";
  std::size_t red = 0, other = 0;
  for (const Cell& cell : run.cells) {
    if (!needs_attention(cell)) continue;
    ++(is_red(cell.outcome) ? red : other);
  }
  if (word == "red") {
    std::string text = red == 0 ? plural(other, "result is", "results are") + " not as expected."
                                : plural(red, "result is", "results are") + " red.";
    if (red != 0 && other != 0) {
      text += " " + plural(other, "other needs", "others need") + " attention.";
    }
    return text;
  }
  if (word == "unknown") {
    return other == 0 ? "The journal does not say green."
                      : plural(other, "result cannot", "results cannot") + " be judged.";
  }
  return other == 0 ? "Nothing is red and nothing is unknown."
                    : plural(other, "result needs", "results need") + " attention.";
}

/// "2026-11-21T11:00:00Z" as "2026-11-21 11:00 UTC"; anything else as it is.
std::string moment(const std::string& utc) {
  if (utc.size() != 20 || utc[10] != 'T' || utc[19] != 'Z') return utc;
  return utc.substr(0, 10) + " " + utc.substr(11, 5) + " UTC";
}

void fact(Page& page, std::string_view label, std::string_view value) {
  if (!value.empty()) page.put("<div><dt>{}</dt><dd>{}</dd></div>", label, value);
}

void write_machine(Page& page, const Run& run) {
  const Fields& host = run.header.host;
  std::string cpus = text_of(host, "cpus");
  if (!cpus.empty()) cpus += cpus == "1" ? " CPU" : " CPUs";
  page.raw("<dl class=\"machine\">");
  fact(page, "System", text_of(host, "os") + " " + text_of(host, "kernel"));
  fact(page, "Machine", text_of(host, "arch") + (cpus.empty() ? "" : ", " + cpus));
  fact(page, "C library", text_of(host, "libc"));
  fact(page, "Hypervisor", text_of(host, "hypervisor"));
  fact(page, "Container", text_of(host, "container"));
  fact(page, "Layers", text_of(host, "layers"));
  const std::string soft = text_of(host, "nofile_soft");
  if (!soft.empty()) fact(page, "Descriptors", soft + " of " + text_of(host, "nofile_hard"));
  fact(page, "Slack for lateness", fmt::format("{} ms", run.header.slack_ms));
  if (run.footer) fact(page, "Took", duration_text(run.footer->took_ns));
  fact(
      page, "loopscope",
      text_of(run.header.tool, "version") + " " + text_of(run.header.tool, "commit").substr(0, 10));
  fact(page, "Built with",
       text_of(run.header.tool, "compiler") + ", " + text_of(run.header.tool, "build_type"));
  page.raw("</dl>");
}

void write_rest_of_host(Page& page, const Run& run) {
  page.raw(
      "<details class=\"more\"><summary>Everything the header says</summary>"
      "<div class=\"scroll\"><table class=\"plain\"><tbody>");
  const auto row = [&](std::string_view key, std::string_view value) {
    page.put("<tr><th scope=\"row\">{}</th><td>{}</td></tr>", key, value);
  };
  row("run_id", run.header.run_id);
  for (const auto& [key, value] : run.header.host) row("host." + key, to_text(value));
  for (const auto& [key, value] : run.header.tool) row("loopscope." + key, to_text(value));
  for (const auto& [key, value] : run.header.environment_options) row(key, to_text(value));
  row("arguments", fmt::format("{}", fmt::join(run.header.argv, " ")));
  row("jobs", fmt::format("{}", run.header.jobs));
  row("repeat", fmt::format("{}", run.header.repeat));
  row("limit_scale", fmt::format("{:g}", run.header.limit_scale));
  if (run.resumed != 0) row("resumed", fmt::format("{} times", run.resumed));
  page.raw("</tbody></table></div></details>");
}

/// What was found behind a loop in all its cells.
struct Found {
  std::set<std::string> effective;
  std::size_t proved = 0, asked = 0, silent = 0;  // silent: it ended before it could say
};

Found found_behind(const Legs& runs, const std::string& loop) {
  Found found;
  for (const PlacedCell& cell : cells_of(runs)) {
    if (cell->loop != loop || !cell->backend) continue;
    if (cell->backend->effective.empty()) {
      ++found.silent;
      continue;
    }
    ++found.asked;
    if (cell->backend->proved) ++found.proved;
    found.effective.insert(cell->backend->effective);
  }
  return found;
}

void write_found(Page& page, const Platform& platform, const Tally& tally) {
  const LoopRow* loop = platform.runs.loop(tally.loop);
  const Found found = found_behind(platform.runs, tally.loop);
  page.put("<td>{}", loop == nullptr ? std::string{} : loop->mechanism);
  if (loop != nullptr && !loop->version.empty()) page.put(" <small>{}</small>", loop->version);
  page.put("</td><td><strong>{}</strong> ", fmt::format("{}", fmt::join(found.effective, ", ")));
  const bool all = found.proved == found.asked;
  if (found.asked == 0) {
    page.raw("<span class=\"tag\">nothing ran</span>");
  } else {
    page.put("<span class=\"tag {}\">proved in {} of {} cells</span>", all ? "good" : "odd",
             found.proved, found.asked);
  }
  if (found.silent != 0) {
    page.put(" <span class=\"tag\">{} ended before they could say</span>", found.silent);
  }
  page.raw("</td><td>");
}

void write_loop(Page& page, const Platform& platform, const Tally& tally) {
  const std::string absent = absence(platform.runs, tally);
  if (tally.total() == 0 && absent.empty()) return;
  page.put("<tr data-loop=\"{}\" data-platform=\"{}\"><th scope=\"row\">{}</th>", tally.loop,
           platform.name, tally.loop);
  if (absent.empty()) {
    write_found(page, platform, tally);
  } else {
    page.put("<td colspan=\"2\" class=\"absent\">absent: {}</td><td>", absent);
  }
  for (const Outcome outcome : kOutcomes) {
    if (tally.of(outcome) == 0) continue;
    page.put("<span class=\"n\" data-outcome=\"{}\"><span class=\"k {}\">{}</span> {}</span> ",
             name(outcome), name(outcome), name(outcome), tally.of(outcome));
  }
  page.raw("</td></tr>\n");
}

void write_loops(Page& page, const Platform& platform, std::size_t number) {
  page.put(
      "<h2 class=\"small\" id=\"loops-{}\">Loops that were run, and what was found behind them</h2>"
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"loops-{}\">"
      "<table class=\"loops\"><thead><tr><th scope=\"col\">loop</th><th "
      "scope=\"col\">mechanism</th><th scope=\"col\">effective backend</th><th "
      "scope=\"col\">cells</th></tr></thead><tbody>\n",
      number, number);
  for (const Tally& tally : tally_by_loop(platform.runs)) write_loop(page, platform, tally);
  page.raw("</tbody></table></div>");
}

void write_runs(Page& page, const View& view) {
  page.raw(
      "<h2 class=\"small\" id=\"runs\">Runs of this report</h2><div class=\"scroll\" "
      "tabindex=\"0\" role=\"region\" aria-labelledby=\"runs\"><table class=\"loops "
      "runs\"><thead><tr><th scope=\"col\">platform</th><th scope=\"col\">verdict</th><th "
      "scope=\"col\">system</th><th scope=\"col\">cells</th></tr></thead><tbody>\n");
  for (const Run& run : view.all) {
    const std::string word = verdict(run);
    page.put(
        "<tr data-platform=\"{}\"><th scope=\"row\">{}</th><td><span class=\"verdict {}\">{}"
        "</span> {}</td><td>{} {}, {}</td><td>{}/{} reported, {}</td></tr>\n",
        run.platform, run.platform, word, word, because(run, word), text_of(run.header.host, "os"),
        text_of(run.header.host, "kernel"), text_of(run.header.host, "arch"), reported(run),
        run.cells.size(), moment(run.header.started_utc));
  }
  page.raw("</tbody></table></div>");
}

void write_head(Page& page, const View& view) {
  const std::string word = verdict(view.all);
  const auto green = std::count_if(view.all.begin(), view.all.end(),
                                   [](const Run& run) { return verdict(run) == "green"; });
  const std::string why = view.all.several()
                              ? fmt::format("{} of {} runs are green.", green, view.all.size())
                              : because(view.all.front(), word);
  page.put(
      "<header class=\"head\"><p class=\"brand\">loopscope</p>"
      "<h1><span class=\"verdict {}\">{}</span> <span class=\"because\">{}</span></h1>",
      word, word, why);
  page.put("<p class=\"lead\">{}/{} cells reported", reported(view.all), view.all.planned());
  if (!view.all.several()) {
    const std::string& started = view.all.front().header.started_utc;
    page.put(
        " <span aria-hidden=\"true\">&middot;</span> started <time datetime=\"{}\">{}</time>"
        "<span id=\"age\"></span>",
        started, moment(started));
  }
  page.raw("</p>");
  for (const std::string& sentence : contradictions(view.all)) {
    page.put("<p class=\"warning\">A journal contradicts itself. {}</p>", sentence);
  }
}

}  // namespace

void write_overview(Page& page, const View& view) {
  write_head(page, view);
  if (view.all.several()) write_runs(page, view);
  for (std::size_t i = 0; i < view.platforms.size(); ++i) {
    const Platform& platform = view.platforms[i];
    if (view.all.several()) {
      page.put("<details class=\"group\"><summary>{}</summary>", platform.name);
    }
    for (const Run& run : platform.runs) write_machine(page, run);
    write_loops(page, platform, i);
    for (const Run& run : platform.runs) write_rest_of_host(page, run);
    if (view.all.several()) page.raw("</details>\n");
  }
  page.raw("</header>\n");
}

}  // namespace loopscope::reports::html
