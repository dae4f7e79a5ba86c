// Every format against the stored journals: the same counts, every cell, no markup of a stranger.
#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "reports/compare.hpp"
#include "reports/format.hpp"
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"
#include "reports/test_journals.hpp"

using namespace loopscope;
using namespace loopscope::reports;
using Json = nlohmann::json;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

std::string rendered(const char* format, const std::string& journal) {
  return render(format, stored_report(journal)).value();
}

/// The page without its script and style.
std::string body_of(const std::string& page) {
  const std::size_t begin = page.find("<main>");
  const std::size_t end = page.find("</main>");
  REQUIRE(begin != std::string::npos);
  REQUIRE(end != std::string::npos);
  return page.substr(begin, end - begin);
}

}  // namespace

TEST_CASE("formats: each has a name, an extension, a description, and can be found") {
  std::set<std::string_view> names;
  for (const Format* format : all_formats()) {
    CHECK(find_format(format->name) == format);
    CHECK(format->extension.substr(0, 1) == ".");
    CHECK_FALSE(format->description.empty());
    names.insert(format->name);
  }
  CHECK(names == std::set<std::string_view>{"annotations", "badge", "badge_svg", "console", "html",
                                            "json", "junit", "rows", "summary", "tap"});
  const Result<std::string> unknown = render("hmtl", stored_report("golden.ndjson"));
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().is(Errc::invalid_argument));
  CHECK(unknown.error().detail.find("console html json summary junit tap") != std::string::npos);
}

// Goal: there is no second truth. Method: count the same thing in both documents.
TEST_CASE("formats: the counts of the HTML page are those of the JSON report") {
  const Json report = Json::parse(rendered("json", "golden.ndjson"));
  const std::string page = body_of(rendered("html", "golden.ndjson"));
  std::map<std::string, std::size_t> cells;
  for (const Json& cell : report["cells"]) ++cells[cell["outcome"].get<std::string>()];
  for (const Outcome outcome : kOutcomes) {
    const std::string word(name(outcome));
    CAPTURE(word);
    const Json& all = report["tallies"]["all"];
    CHECK(all[word].get<std::size_t>() == cells[word]);
    const std::string matrix =
        page.substr(page.find("<section id=\"matrix\""),
                    page.find("<section id=\"cells\"") - page.find("<section id=\"matrix\""));
    CHECK(count(matrix, "<td class=\"" + word) == cells[word]);
    if (cells[word] == 0) continue;
    const std::string said = "<span class=\"k " + word + "\">" + word + "</span> " +
                             std::to_string(cells[word]) + "</button>";
    CHECK(count(matrix, said) == 1);
  }
  CHECK(count(page, "70/70 cells reported") == 1);
  for (const Json& row : report["tallies"]["loops"]) {
    std::size_t sum = 0;
    for (const Outcome outcome : kOutcomes)
      sum += row[std::string(name(outcome))].get<std::size_t>();
    CHECK(row["total"].get<std::size_t>() == sum);
  }
}

TEST_CASE("formats: every planned cell stands in JSON and HTML, also in an incomplete run") {
  const std::string whole = stored("golden.ndjson");
  const std::string parts[] = {whole, whole.substr(0, whole.size() * 3 / 4)};
  for (const std::string& text : parts) {
    const Run run = load_text(text).value();
    const Json report = Json::parse(render("json", report_of(run)).value());
    const std::string page = render("html", report_of(run)).value();
    CHECK(report["cells"].size() == 70);
    CHECK(report["complete"].get<bool>() == run.complete);
    const Report one = report_of(run);
    const reports::html::View view(one);
    for (const Cell& cell : run.cells) {
      const std::string id = view.anchor({&one.legs.front(), &cell});
      CAPTURE(id);
      // Those that have something to say are there without scripts.
      CHECK(count(page, "id=\"" + id + "\"") == (reports::html::is_plain(cell) ? 0 : 1));
      CHECK(count(page, "href=\"#" + reports::html::scenario_id(cell.scenario) + "\"") >= 1);
    }
    const std::size_t begin = page.find('{', page.find("id=\"data\""));
    const Json data = Json::parse(page.substr(begin, page.find("</script>", begin) - begin));
    CHECK(data["cells"].size() == 70);
  }
}

TEST_CASE("formats: an incomplete run says so in every format") {
  const std::string whole = stored("golden.ndjson");
  const Report run = report_of(load_text(whole.substr(0, whole.size() * 3 / 4)).value());
  CHECK(verdict(run) == "unknown");
  for (const Format* format : all_formats()) {
    CAPTURE(format->name);
    const std::string page = format->render(run, {}).value();
    const bool says = page.find("ncomplete") != std::string::npos;
    CHECK(says);
    if (format->name.substr(0, 5) == "badge") continue;  // one line has no room for the reason
    CHECK(page.find("in the middle of a line") != std::string::npos);
  }
}

TEST_CASE("html: nothing in a journal becomes markup") {
  const std::string page = rendered("html", "hostile.ndjson");
  const std::string body = body_of(page);
  CHECK(count(body, "<script") == 0);
  CHECK(count(body, "&lt;script&gt;") > 100);
  CHECK(count(body, "<b>\"") == 0);
  CHECK(count(body, "\x1b") == 0);
  CHECK(count(page, "<script") == 3);  // its own: the mark in the head, the data, the code
  CHECK(count(page, "</script>") == 3);
}

TEST_CASE("html: the page asks for nothing outside of itself") {
  const std::string page = rendered("html", "golden.ndjson");
  for (const char* part : {" src=\"", "<link rel=\"stylesheet", "@import", "url(", "fetch("}) {
    CAPTURE(part);
    CHECK(count(page, part) == 0);
  }
  CHECK(count(page, "default-src 'none'") == 1);
}

TEST_CASE("html: ids and text are made safe") {
  CHECK(html::escape("a<b>&\"'\x1b") == "a&lt;b&gt;&amp;&quot;&#39;\\x1b");
  CHECK(html::slug("a b/c.d-e_f") == "a_20b_2fc.d-e_5ff");
  CHECK(html::breakable("a.b_c") == "a.<wbr>b_<wbr>c");
}

TEST_CASE("json: limits, API entries and the reference are in the report") {
  const Json report = Json::parse(rendered("json", "golden.ndjson"));
  CHECK(report["schema"] == "loopscope.report/2");
  CHECK(report["legs"][0]["reference"] == "libuv");
  CHECK(report["legs"][0]["platform"] == "linux-x86_64");
  CHECK(report["verdict"] == "red");
  CHECK(report["limits"].size() == 30);
  std::size_t entries = 0;
  for (const Json& group : report["catalogue"]["api"]) entries += group["entries"].size();
  CHECK(report["api"].size() == entries);
}

TEST_CASE("console: a red line gives expected, observed and the command to see it again") {
  const Run run = stored_run("golden.ndjson");
  const std::string plain = render("console", report_of(run)).value();
  const std::string colour = render("console", report_of(run), {.colour = true}).value();
  CHECK(count(plain, "\033") == 0);
  CHECK(count(colour, "\033[31m") > 0);
  for (const Cell& cell : run.cells) {
    if (!needs_attention(cell)) continue;
    CAPTURE(cell.scenario);
    CHECK(count(plain, "rerun     " + cell.rerun) == 1);
    CHECK(count(plain, "expected  " + cell.expected) >= 1);
    CHECK(count(plain, "observed  " + cell.observed) >= 1);
  }
  CHECK(count(plain, "red  70/70 cells reported") == 1);
  const std::string hostile = render("console", stored_report("hostile.ndjson")).value();
  CHECK(count(hostile, "\033") == 0);
}

TEST_CASE("summary: a Markdown table row stays one line") {
  const std::string page = rendered("summary", "hostile.ndjson");
  CHECK(count(page, "\n|") >= 10);
  CHECK(count(page, "\n\x1b") == 0);
  CHECK(count(page, " <script>") == 0);
}

// Goal: in a report of two machines nothing is lost and nothing is ambiguous. Method: the same run
// as two legs, one of them with a cell that went otherwise; counts double, columns have platforms.
TEST_CASE("formats: several legs name their platforms, and counts are sums") {
  Report two = report_of(stored_run("golden.ndjson"));
  two.legs.push_back(two.legs.front());
  two.legs.back().platform = "macos-arm64";
  two.legs.back().header.host = {{"os", "Darwin"}, {"kernel", "24.1"}, {"arch", "arm64"}};
  Cell& changed = two.legs.back().cells.front();
  REQUIRE(changed.outcome == Outcome::pass);
  changed.outcome = Outcome::diverges;
  changed.variant = "later";
  const Json report = Json::parse(render("json", two).value());
  CHECK(report["legs"].size() == 2);
  CHECK(report["cells"].size() == 140);
  CHECK(report["planned"] == 140);
  CHECK(report["cells"][70]["leg"] == 1);
  CHECK(report["cells"][70]["platform"] == "macos-arm64");
  CHECK(report["limits"][0]["shown"].size() == 2);
  CHECK(report["tallies"]["loops"].size() == 2 * two.legs[0].catalogue.loops.size());
  for (const Json& row : report["api"]) {
    CHECK(row["loops"].size() == 2 * two.legs[0].catalogue.loops.size());
  }
  const auto found = divergences(two);
  const bool only_there = std::any_of(found.begin(), found.end(), [&](const Divergence& row) {
    return row.scenario->id == changed.scenario &&
           row.pattern == changed.loop + " @ macos-arm64 alone differs";
  });
  CHECK(only_there);
  CHECK(contradictions(two).size() == 2);
  for (const char* format : {"console", "summary", "junit", "tap", "annotations"}) {
    CAPTURE(format);
    const std::string page = render(format, two).value();
    CHECK(count(page, "epoll @ linux-x86_64") > 0);
    CHECK(count(page, "epoll @ macos-arm64") > 0);
  }
  const std::string rows = render("rows", two).value();
  CHECK(count(rows, "\"platform\":\"macos-arm64\"") == 70);
  CHECK(render("badge", two).value().find("Linux, Darwin") != std::string::npos);
}

TEST_CASE("html: a platform stands beside the one where most passes, or the one asked for") {
  Report two = report_of(stored_run("golden.ndjson"));
  two.legs.push_back(two.legs.front());
  Run& other = two.legs.back();
  other.platform = "macos-arm64";
  other.header.host = two.legs.front().header.host;
  const auto section = [&](const Beside& beside) {
    RenderOptions how;
    how.beside = beside;
    const std::string page = render("html", two, how).value();
    const std::size_t begin = page.find("<section id=\"platforms\">");
    REQUIRE(begin != std::string::npos);
    return page.substr(begin, page.find("</section>", begin) - begin);
  };
  // The same run twice: nothing differs, and that is said.
  const std::string same = section({});
  CHECK(count(same, "<details") == 1);
  CHECK(count(same, "0 of the machine and 0 cells are otherwise") == 1);
  CHECK(count(same, "alike") > 1);
  CHECK(count(same, "<span class=\"k") == 0);

  Cell& changed = other.cells.front();
  REQUIRE(changed.outcome == Outcome::pass);
  changed.outcome = Outcome::fail;
  other.header.host.emplace_back("place", Scalar(std::string("docker")));
  const std::string one = section({});
  const std::string so = ": 1 of the machine and 1 cells are otherwise than on ";
  CHECK(count(one, "macos-arm64" + so + "linux-x86_64") == 1);
  CHECK(count(one, "<code>" + changed.scenario + "</code>") == 1);
  CHECK(count(one, "<code>place</code>") == 1);
  CHECK(count(one, "<span class=\"k fail\">fail</span> 1") == 1);
  const std::string asked = section({{"", "macos-arm64"}});
  CHECK(count(asked, "linux-x86_64" + so + "macos-arm64") == 1);
  CHECK(count(asked, "<span class=\"k pass\">pass</span> 1") == 1);
  // That one alone; the other stands beside the one where most passes, as before.
  CHECK(count(section({{"linux-x86_64", "macos-arm64"}}), "<details") == 2);
}

TEST_CASE(
    "html: a platform that was not run says why, and one without a loop says what is missing") {
  Report two = report_of(stored_run("golden.ndjson"));
  two.legs.push_back(two.legs.front());
  two.legs.back().platform = "macos-arm64";
  const std::string loop = two.legs.back().cells.front().loop;
  for (Cell& cell : two.legs.back().cells) {
    if (cell.loop != loop) continue;
    cell.outcome = Outcome::unsupported;
    cell.reason = "no such ring: EPERM";
  }
  two.legs.push_back(two.legs.front());
  Run& empty = two.legs.back();
  empty.platform = "nowhere";
  empty.cells.resize(1);
  empty.cells.front().outcome = Outcome::notrun;
  empty.complete = false;
  empty.incomplete_because = "compiled, not run";
  const std::string page = render("html", two).value();
  CHECK(count(page, "<small>no such ring: EPERM</small>") == 1);
  CHECK(count(page, "not run: compiled, not run</td>") == 1);
  CHECK(count(page, "id=\"beside-nowhere\"") == 0);
}

TEST_CASE("html: one platform stands beside nothing") {
  CHECK(count(render("html", report_of(stored_run("golden.ndjson"))).value(),
              "<section id=\"platforms\">") == 0);
}

TEST_CASE("platform_of: the system, and what a run was told to do without") {
  Header header;
  header.host = {{"os", "Darwin"}, {"arch", "arm64"}};
  CHECK(platform_of(header) == "macos-arm64");
  header.environment_options = {{"LOOPSCOPE_JOBS", "2"}, {"LOOPSCOPE_URING", "plain"}};
  CHECK(platform_of(header) == "macos-arm64+uring=plain");
  header.host = {{"os", "<b>"}, {"arch", "x/y z"}};
  CHECK(platform_of(header) == "_b_-x_y_z+uring=plain");
}
