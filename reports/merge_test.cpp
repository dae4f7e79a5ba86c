// Merging: what is refused and where, and that the order and grouping of files do not matter.
#include "reports/merge.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "harness/host.hpp"
#include "reports/format.hpp"
#include "reports/merged.hpp"
#include "reports/tally.hpp"
#include "reports/test_journals.hpp"

using namespace loopscope;
using namespace loopscope::reports;
using Json = nlohmann::ordered_json;

namespace {

struct Folder {
  std::string path = host::make_temp_dir("loopscope-merge").value();
  ~Folder() { host::remove_tree(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name, std::ios::binary) << text;
    return path + "/" + name;
  }
};

struct Merged {
  MergeResult result;
  std::string text;
};

Merged merged(const std::vector<std::string>& paths, const MergeOptions& options = {}) {
  std::vector<MergeInput> inputs;
  for (const std::string& path : paths) inputs.push_back({path, ""});
  std::ostringstream out;
  Merged made;
  made.result = merge(inputs, options, out);
  made.text = out.str();
  return made;
}

/// A small run: its id, its machine, and the scenarios that it has.
struct Small {
  std::string id = "1", arch = "x86_64", started = "2026-11-01T00:00:00Z", promise = "p";
  std::vector<int> scenarios{0, 1};
  std::string outcome = "pass";
  bool whole = true;
  int shard = 0;  // of three
};

std::string journal_of(const Small& run) {
  Json loops = Json::array(), scenarios = Json::array(), plan = Json::array();
  for (const char* loop : {"poll", "libuv"}) {
    loops.push_back({{"name", loop}, {"family", "selector"}, {"native", Json::array()}});
  }
  for (int i = 0; i < 6; ++i) {
    scenarios.push_back({{"id", "a.s" + std::to_string(i)}, {"promise", run.promise}});
  }
  std::vector<Json> lines{{{"header",
                            {{"schema", "loopscope.journal/1"},
                             {"run_id", run.id},
                             {"started_utc", run.started},
                             {"host", {{"os", "Linux"}, {"arch", run.arch}}}}}},
                          {{"catalogue", {{"loops", loops}, {"scenarios", scenarios}}}},
                          {{"fact", {{"id", "fact.of." + run.id}, {"value", true}}}}};
  if (run.shard != 0) {
    lines[0]["header"]["shard"] = {{"index", run.shard}, {"count", 3}, {"deal", "00ff"}};
  }
  std::vector<Json> cells;
  for (const int scenario : run.scenarios) {
    for (const char* loop : {"poll", "libuv"}) {
      const std::string id = "a.s" + std::to_string(scenario);
      const bool skipped = scenario == 5;
      plan.push_back({{"loop", loop},
                      {"scenario", id},
                      {"decision", skipped ? "skip" : "run"},
                      {"reason", skipped ? "no" : ""}});
      if (skipped) continue;
      cells.push_back({{"cell",
                        {{"loop", loop},
                         {"scenario", id},
                         {"outcome", run.outcome},
                         {"counters", {{"waits", {{"poll", scenario}}}}},
                         {"notes", {{"late", {{"value", 0.1}, {"unit", "ns"}}}}}}}});
    }
  }
  lines.push_back({{"plan", {{"cells", plan}}}});
  if (!run.whole) cells.resize(cells.size() / 2);
  lines.insert(lines.end(), cells.begin(), cells.end());
  if (run.whole)
    lines.push_back(
        {{"footer",
          {{"verdict", run.outcome == "pass" ? "green" : "red"}, {"planned", plan.size()}}}});
  std::string text;
  for (const Json& line : lines) text += line.dump() + "\n";
  return text;
}

std::string stored_at(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> reasons(const MergeResult& result) {
  std::vector<std::string> all;
  for (const Refusal& refusal : result.refused) all.push_back(refusal.why);
  std::sort(all.begin(), all.end());
  return all;
}

std::string edited(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

struct Damage {
  const char* what;
  std::string text;
  const char* want;
};

/// The file is refused by its line, and another one beside it merges as if it were alone.
void check_refused(const Folder& folder, const Damage& damage) {
  CAPTURE(damage.what);
  const std::string path = folder.write("bad", damage.text);
  const Merged alone = merged({path});
  REQUIRE(alone.result.refused.size() == 1);
  const std::string why = alone.result.refused.front().why;
  CHECK_MESSAGE(why.find(path + ": line ") == 0, why);
  CHECK_MESSAGE(why.find(damage.want) != std::string::npos, why);
  const std::string arm = folder.write("arm", journal_of({.id = "9", .arch = "arm64"}));
  const Merged beside = merged({path, arm});
  CHECK(beside.result.legs == 1);
  CHECK(beside.text == merged({arm}).text);
}

}  // namespace

// Goal: nothing is lost on the way through a merged document or a report.json. Method: compare the
// values that were read directly with those that went through.
TEST_CASE("merge: a run is the same value after it was merged") {
  const Folder folder;
  const std::string whole = stored("golden.ndjson");
  const std::string texts[] = {whole, stored("hostile.ndjson"), whole.substr(0, whole.size() / 2)};
  for (const std::string& text : texts) {
    const Run run = load_text(text).value();
    const std::string journal = folder.write("run.ndjson", text);
    const std::string report = folder.write("report.json", render("json", report_of(run)).value());
    const std::string once = folder.write("once.ndjson", merged({journal}).text);
    const std::string again = folder.write("again.ndjson", merged({report}).text);
    CHECK(once.size() > 0);
    CHECK(stored_at(once) == stored_at(again));
    CHECK(load_report(journal).value().legs == std::vector<Run>{run});
    CHECK(load_report(report).value().legs == std::vector<Run>{run});
    Run back = load_leg(index_legs(once).value().legs.at(0)).value();
    CHECK(back == run);
  }
}

// Goal: merging is a union of legs: associative, idempotent, and blind to order. Method: random
// sets of small runs, shards and cut ones among them; every way to merge them gives the same bytes.
TEST_CASE("merge: order, grouping and repetition do not matter") {
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 chance(seed);
  const auto below = [&](int n) { return static_cast<int>(chance() % static_cast<unsigned>(n)); };
  for (int round = 0; round < 30; ++round) {
    const Folder folder;
    std::vector<std::string> files;
    std::size_t cells = 0;
    for (int i = 0; i < 5; ++i) {
      // Up to three shards of one platform: they divide the scenarios among them.
      const int shards = 1 + below(3);
      for (int shard = 0; shard < shards; ++shard) {
        Small run{
            .id = std::to_string(round) + "." + std::to_string(i) + "." + std::to_string(shard),
            .arch = "arch" + std::to_string(i),
            .started = "2026-11-0" + std::to_string(1 + below(9)) + "T00:00:00Z",
            .scenarios = {},
            .outcome = below(2) == 0 ? "pass" : "fail",
            .whole = below(4) != 0};
        for (int s = shard; s < 6; s += shards) run.scenarios.push_back(s);
        cells += 2 * run.scenarios.size();
        files.push_back(folder.write("run" + std::to_string(files.size()), journal_of(run)));
      }
    }
    const MergeOptions options{.expected = {{"linux-arch0", ""}, {"windows-x", "no compiler"}}};
    const Merged all = merged(files, options);
    REQUIRE(reasons(all.result).empty());
    CHECK(all.result.cells == cells);
    CHECK(all.result.missing == std::vector<std::string>{"windows-x: no compiler"});
    std::shuffle(files.begin(), files.end(), chance);
    CHECK(merged(files, options).text == all.text);
    std::vector<std::string> twice = files;
    twice.insert(twice.end(), files.begin(), files.begin() + 1 + below(3));
    CHECK(merged(twice, options).text == all.text);
    const auto middle = files.begin() + 1 + below(static_cast<int>(files.size()) - 1);
    const std::string left = folder.write("left", merged({files.begin(), middle}, options).text);
    const std::string right = folder.write("right", merged({middle, files.end()}).text);
    CHECK(merged({left, right}).text == all.text);
    CHECK(merged({right, left, files.front()}).text == all.text);
    const std::string whole = folder.write("whole", all.text);
    CHECK(merged({whole}).text == all.text);
    CHECK(merged({whole, left}).text == all.text);
    const Report report = load_report(whole).value();
    CHECK(Legs(report).planned() == cells + 1);  // and the missing leg
    const auto absent = std::find_if(report.legs.begin(), report.legs.end(),
                                     [](const Run& leg) { return leg.platform == "windows-x"; });
    REQUIRE(absent != report.legs.end());
    CHECK(absent->incomplete_because == "no compiler");
    CHECK_FALSE(Legs(report).complete());
  }
}

// Goal: of runs that exclude each other the choice does not depend on the order of the arguments.
TEST_CASE("merge: what is refused is refused in every order") {
  const Folder folder;
  std::vector<std::string> files{
      folder.write("a", journal_of({.id = "1"})),
      folder.write("b", journal_of({.id = "2", .started = "2026-11-02T00:00:00Z"})),
      folder.write("c", journal_of({.id = "1", .outcome = "fail"})),
      folder.write("d", journal_of({.id = "3", .arch = "arm64", .promise = "another"})),
      folder.write("e", "nothing\n")};
  std::sort(files.begin(), files.end());
  const Merged first = merged(files);
  CHECK(first.result.legs == 1);
  CHECK(first.result.refused.size() == 4);
  do {
    const Merged other = merged(files);
    REQUIRE(other.text == first.text);
    REQUIRE(reasons(other.result) == reasons(first.result));
  } while (std::next_permutation(files.begin(), files.end()));
}

TEST_CASE("merge: what is no journal, or not as it was written, is refused by its line") {
  const Folder folder;
  const std::string good = journal_of({});
  const Damage rows[] = {
      {"an empty file", "", "line 1: the journal is empty"},
      {"a foreign file", "<html>\n</html>\n", "line 1: not JSON"},
      {"foreign JSON", "{\"name\":\"x\"}\n", "line 1: a journal begins with a header"},
      {"a package.json", "{\n \"name\": \"x\"\n}\n", "line 1: \"schema\" is missing"},
      {"a newer journal", edited(good, "journal/1", "journal/2"),
       "line 1: the schema is loopscope.j"},
      {"a run without an id", edited(good, "\"run_id\":\"1\"", "\"run_id\":\"\""),
       "line 1: the run has no id"},
      {"a damaged line", edited(good, "{\"fact\":", "{\"fact\""), "line 3: not JSON"},
      {"an edited outcome", edited(good, "\"outcome\":\"pass\"", "\"outcome\":\"great\""),
       "line 5: unknown outcome"},
      {"an edited count", edited(good, "\"footer\":{", "\"footer\":{\"by_outcome\":{\"pass\":3},"),
       "line 9: the journal contradicts itself: The footer counts 3 pass, the cells are 4."},
  };
  for (const Damage& row : rows) check_refused(folder, row);
  const Merged missing = merged({folder.path + "/none"});
  CHECK(missing.result.refused.at(0).why.find("ENOENT") != std::string::npos);
}

TEST_CASE("merge: a damaged document or report is refused by its line") {
  const Folder folder;
  const std::string good = journal_of({});
  const std::string document = merged({folder.write("good", good)}).text;
  const std::string report = render("json", report_of(load_text(good).value())).value();
  const Damage rows[] = {
      {"a newer merged document", edited(document, "merged/1", "merged/2"),
       "line 1: the schema is"},
      {"a cut merged document", document.substr(0, document.size() / 2), "the document is cut"},
      {"a merged document without its end", document.substr(0, document.rfind("{\"end\"")),
       "the document is cut: it has no end line"},
      {"more behind the end", document + "{}\n", "there is more behind the end"},
      {"an edited cell of a merged document",
       edited(document, "\"outcome\":\"pass\"", "\"outcome\":\"fail\""),
       "line 4: the leg linux-x86_64 or its rules are not as they were written"},
      {"an edited rule of a merged document",
       edited(document, "\"promise\":\"p\"", "\"promise\":\"q\""), "are not as they were written"},
      {"a longer leg", edited(document, "\"outcome\":\"pass\"", "\"outcome\":\"crash\""),
       "not as it was written"},
      {"a leg that was taken out", edited(document, "\"legs\":1", "\"legs\":2"),
       "2 legs were written, 1 are here"},
      {"a cut report", report.substr(0, report.size() / 2), "not JSON; is the report cut?"},
      {"a newer report", edited(report, "report/2", "report/3"), "line 1: the schema is"},
      {"an older report", edited(report, "report/2", "report/1"), "render it again"},
      {"an edited report",
       edited(report, "\"outcome\": \"pass\",\n   \"reason\"",
              "\"outcome\": \"great\",\n   \"reason\""),
       "cells[0]: unknown outcome"},
      {"a part of a report", edited(report, "\"restriction\": null", "\"restriction\": {}"),
       "line 1: a query left only a part"},
  };
  for (const Damage& row : rows) check_refused(folder, row);
}

TEST_CASE("merge: duplicates, other rules, names") {
  const Folder folder;
  const std::string one = folder.write("one", journal_of({.id = "1"}));
  const std::string two = folder.write("two", journal_of({.id = "2"}));
  const std::string other = folder.write("other", journal_of({.id = "3", .promise = "q"}));
  const auto why = [](const Merged& made) { return made.result.refused.at(0).why; };
  CHECK(why(merged({one, two})).find("a.s0 on poll has a result on linux-x86_64 already") !=
        std::string::npos);
  std::ostringstream out;
  const auto named = [&](const std::string& name) {
    return merge({{one, ""}, {two, name}}, {}, out);
  };
  CHECK(named("linux-november").legs == 2);
  CHECK(named("linux-x86_64").legs == 1);
  const std::string arm =
      folder.write("arm", journal_of({.id = "4", .arch = "arm64", .promise = "q"}));
  CHECK(why(merged({one, arm})).find("another promise than in ") != std::string::npos);
  const Merged mixed = merged({one, arm}, {.mixed_rules = true});
  CHECK(mixed.result.legs == 2);
  const Report both = load_report(folder.write("both", mixed.text)).value();
  CHECK(both.legs[0].scenario("a.s0")->promise == "q");
  CHECK(both.legs[1].scenario("a.s0")->promise == "p");
  CHECK(merged({folder.path + "/both"}, {.mixed_rules = true}).text == mixed.text);
  const MergeResult twice = merge({{one, "x"}, {one, "y"}}, {}, out);
  CHECK(twice.refused.at(0).why.find("under the name x") != std::string::npos);
  const MergeResult renamed = merge({{folder.path + "/both", "z"}}, {.mixed_rules = true}, out);
  CHECK(renamed.legs == 0);
}

TEST_CASE("merge: what is incomplete or missing is notrun, with the reason") {
  const Folder folder;
  const std::string cut = folder.write("cut", journal_of({.whole = false}));
  const Merged made = merged({cut}, {.expected = {{"macos-arm64", ""}}});
  CHECK(made.result.incomplete == 1);
  const Report report = load_report(folder.write("out", made.text)).value();
  REQUIRE(report.legs.size() == 2);
  CHECK(verdict(report) == "unknown");
  CHECK(tally_all(report).of(Outcome::notrun) == 3);
  for (const PlacedCell& cell : cells_of(report)) {
    if (cell->outcome != Outcome::notrun) continue;
    CHECK(cell->reason == cell.leg->incomplete_because);
    CHECK_FALSE(cell->reason.empty());
  }
  for (const char* format : {"console", "summary", "junit", "tap", "annotations", "rows"}) {
    CAPTURE(format);
    const std::string page = render(format, report).value();
    CHECK(page.find("macos-arm64") != std::string::npos);
    CHECK(page.find("nothing that was merged is of it") != std::string::npos);
  }
  // A later merge that has the leg is complete.
  const std::string arm = journal_of({.id = "8", .arch = "arm64"});
  const MergeInput mac{folder.write("mac", arm), "macos-arm64"};
  std::ostringstream out;
  CHECK(merge({{folder.path + "/out", ""}, mac}, {}, out).missing.empty());
}

TEST_CASE("merge: shards of a run are one run, and one that is missing is notrun") {
  const Folder folder;
  std::vector<std::string> parts;
  for (int shard = 1; shard <= 3; ++shard) {
    const std::string id = "0" + std::to_string(shard);
    parts.push_back(folder.write("shard" + id,
                                 journal_of({.id = id, .scenarios = {shard - 1}, .shard = shard})));
  }
  const Merged all = merged(parts);
  CHECK(all.result.missing.empty());
  const Report whole = load_report(folder.write("whole", all.text)).value();
  CHECK(verdict(whole) == "green");
  CHECK(whole.legs.size() == 3);
  CHECK(Legs(whole).by_platform().size() == 1);

  const Merged some = merged({parts[0], parts[2]});
  CHECK(some.result.missing == std::vector<std::string>{"linux-x86_64, shard 2/3"});
  const Report part = load_report(folder.write("part", some.text)).value();
  CHECK(verdict(part) == "unknown");
  CHECK(Legs(part).incomplete_because().find("the shard 2/3 of this run is missing") !=
        std::string::npos);
}
