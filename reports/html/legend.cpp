// The legend: every word of a verdict, and what the suite does not claim.
#include <span>

#include "reports/html/sections.hpp"
#include "reports/query.hpp"

namespace loopscope::reports::html {
namespace {

struct Word {
  std::string_view word, meaning;
};

constexpr Word kOutcomeWords[] = {
    {"pass", "The promise was kept, and nothing was left behind."},
    {"diverges", "Legal or ungraded, but not the primary behaviour. Its variant has a name."},
    {"fail", "A rule of level must that a published text makes was broken."},
    {"leak", "Kept, but a descriptor, thread, child, signal or terminal state was left behind."},
    {"hang", "Still running at its limit. What it waited in was recorded before it was killed."},
    {"crash", "Ended by a signal, a sanitizer, or an exit code that is not 0; also after a pass."},
    {"unsupported",
     "The loop declares that it lacks what the scenario needs, or refused to start."},
    {"skip", "Not attempted: a fact of the platform, or the selection, says so."},
    {"inconclusive", "It ran, but this host's timing was too poor to decide."},
    {"broken", "The harness or the adapter is at fault, or the backend is not the one asked for."},
    {"notrun", "Planned, and the run ended before it."}};

constexpr Word kLevels[] = {
    {"must", "A broken one fails, if a published text makes the rule; otherwise it diverges."},
    {"should", "A broken one diverges."},
    {"info", "Values are recorded and nothing is judged."}};

constexpr Word kAuthorities[] = {
    {"posix", "POSIX says so."},
    {"man_page", "The manual page of the system says so."},
    {"vendor_doc", "The documentation of the library or the system says so."},
    {"asyncio_doc", "The documentation of asyncio says so."},
    {"de_facto", "No text says so; programs rely on it."},
    {"ours", "A rule of this project."}};

constexpr Word kCharts[] = {
    {"line", "From the least to the largest sample; logarithmic where they are far apart."},
    {"bar", "From the median to the value that nine of ten samples keep."},
    {"marks", "The long one is the median, the short one what 99 of 100 samples keep."}};

constexpr Word kKeys[] = {
    {"1 to 9", "the views, in the order of the bar"},
    {"m", "the matrix"},
    {"/", "the matrix, and its filter"},
    {"arrows", "inside the matrix: from cell to cell; also Home, End, Page Up, Page Down"},
    {"Enter", "inside the matrix: the evidence of the cell"},
    {"n, p", "the next and the previous unexpected cell"},
    {"Escape", "out of a field"},
    {"?", "this legend"}};

constexpr std::string_view kNotClaimed[] = {
    "No score and no ranking. Counts are there to find things, not to compare loops by.",
    "A pass says that one promise was kept in one process on this machine, not that a loop is "
    "correct.",
    "What is untested is not supported, and what is unsupported is no defect.",
    "A loop that is emulated in part shows our adapter there, not the library: such cells are "
    "drawn "
    "hollow.",
    "Lateness is judged against this host; the numbers are not a benchmark.",
    "Facts describe this machine, not the one that a program will be deployed on."};

void write_words(Page& page, std::string_view title, std::span<const Word> words) {
  page.put("<div><h3 class=\"sub\">{}</h3><dl class=\"words\">", title);
  for (const Word& row : words) {
    page.put("<div><dt><code>{}</code></dt><dd>{}</dd></div>", row.word, row.meaning);
  }
  page.raw("</dl></div>");
}

}  // namespace

void write_legend(Page& page, const View&) {
  page.raw(
      "<section id=\"legend\"><h2>Legend</h2><div class=\"legend\"><div><h3 "
      "class=\"sub\">Outcomes</h3>"
      "<dl class=\"words\">");
  for (const Word& row : kOutcomeWords) {
    page.raw("<div><dt>");
    flat_chip(page, row.word);
    page.put("</dt><dd>{}</dd></div>", row.meaning);
  }
  page.raw("<div><dt>");
  flat_chip(page, "pass", true);
  page.raw(
      "</dt><dd>Hollow: the loop offers this only through our adapter.</dd></div></dl></div><div>");
  write_words(page, "Levels", kLevels);
  write_words(page, "Authorities", kAuthorities);
  page.raw("</div></div><div class=\"legend\"><div id=\"queries\"><h3 class=\"sub\">Queries</h3>");
  page.put("<pre tabindex=\"0\" role=\"region\" aria-label=\"The language of queries\">{}</pre>",
           query_help());
  page.raw("</div><div>");
  write_words(page, "Charts", kCharts);
  page.raw("<div class=\"scripted\" hidden>");
  write_words(page, "Keys", kKeys);
  page.raw(
      "<p><label><input type=\"checkbox\" id=\"keys-on\" checked> single keys do this</label></p>"
      "</div></div></div><h3 class=\"sub\">What is not claimed</h3><ul class=\"claims\">");
  for (const std::string_view line : kNotClaimed) page.put("<li>{}</li>", line);
  page.raw("</ul></section>\n");
}

}  // namespace loopscope::reports::html
