// Comparing two runs: each kind of change, from two journals that differ in one place.
#include "reports/diff.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "reports/test_journals.hpp"

using namespace loopscope;
using namespace loopscope::reports;

namespace {

Run golden() { return stored_run("golden.ndjson"); }

Cell& first_with(Run& run, Outcome outcome) {
  for (Cell& cell : run.cells) {
    if (cell.outcome == outcome) return cell;
  }
  FAIL("no such cell");
  return run.cells.front();
}

/// The one change that `edit` makes of the newer run.
Change change_after(const std::function<void(Run&, Run&)>& edit) {
  Run before = golden(), after = golden();
  edit(before, after);
  const RunDiff found = diff(before, after);
  REQUIRE(found.cells.size() == 1);
  CHECK(found.of(found.cells.front().change) == 1);
  return found.cells.front().change;
}

ScenarioRow& rule_of(Run& run, const std::string& id) {
  for (ScenarioRow& row : run.catalogue.scenarios) {
    if (row.id == id) return row;
  }
  FAIL("no such scenario");
  return run.catalogue.scenarios.front();
}

}  // namespace

TEST_CASE("diff: a run does not differ from itself") {
  const Run run = golden();
  const RunDiff found = diff(run, run);
  CHECK(found.cells.empty());
  CHECK(found.host.empty());
  CHECK(found.same == run.cells.size());
}

TEST_CASE("diff: a change has one name") {
  const auto outcome = [](Outcome was, Outcome is) {
    return change_after([=](Run&, Run& after) { first_with(after, was).outcome = is; });
  };
  CHECK(outcome(Outcome::pass, Outcome::fail) == Change::regressed);
  CHECK(outcome(Outcome::pass, Outcome::diverges) == Change::regressed);
  CHECK(outcome(Outcome::pass, Outcome::skip) == Change::regressed);
  CHECK(outcome(Outcome::pass, Outcome::notrun) == Change::regressed);
  CHECK(outcome(Outcome::diverges, Outcome::hang) == Change::regressed);
  CHECK(outcome(Outcome::skip, Outcome::pass) == Change::fixed);
  CHECK(outcome(Outcome::fail, Outcome::pass) == Change::fixed);
  CHECK(outcome(Outcome::fail, Outcome::crash) == Change::reason_changed);
  CHECK(change_after([](Run&, Run& after) {
          first_with(after, Outcome::diverges).variant = "another";
        }) == Change::reason_changed);
  CHECK(change_after([](Run&, Run& after) { after.cells.pop_back(); }) == Change::vanished);
  CHECK(change_after([](Run& before, Run&) { before.cells.pop_back(); }) == Change::appeared);
}

TEST_CASE("diff: another outcome of another promise is no regression") {
  CHECK(change_after([](Run&, Run& after) {
          Cell& cell = first_with(after, Outcome::pass);
          cell.outcome = Outcome::fail;
          rule_of(after, cell.scenario).promise = "More than before.";
        }) == Change::rule_changed);
}

TEST_CASE("diff: repeats that begin to differ are flaky, not regressed") {
  CHECK(change_after([](Run& before, Run& after) {
          Cell again = first_with(before, Outcome::pass);
          again.repeat = 1;
          before.cells.push_back(again);
          again.outcome = Outcome::fail;
          after.cells.push_back(again);
        }) == Change::flaky);
}

TEST_CASE("diff: what was observed may be a time, and is no change by itself") {
  Run before = golden(), after = golden();
  for (Cell& cell : after.cells) cell.observed = "3.2 ms", cell.took_ns += 1;
  CHECK(diff(before, after).cells.empty());
}

TEST_CASE("diff: legs of one platform each are compared whatever it is") {
  Report before = report_of(golden()), after = report_of(golden());
  after.legs.front().platform = "elsewhere";
  // Two shards of one run.
  after.legs.push_back(after.legs.front());
  std::vector<Cell>& cells = after.legs.front().cells;
  after.legs.back().cells.assign(cells.begin() + 10, cells.end());
  cells.resize(10);
  const RunDiff found = diff(before, after);
  CHECK(found.cells.empty());
  CHECK(found.host.empty());
  CHECK(found.same == before.legs.front().cells.size());
}

TEST_CASE("diff: facts come first, measured times are left out") {
  Run before = golden(), after = golden();
  after.header.host.emplace_back("place", Scalar(std::string("docker")));
  std::size_t changed = 0;
  for (Fact& fact : after.facts) {
    if (fact.samples) {
      fact.samples->p50 *= 2;
    } else if (changed == 0) {
      fact.value = Scalar(std::string("something else"));
      ++changed;
    }
  }
  REQUIRE(changed == 1);
  const RunDiff found = diff(before, after);
  REQUIRE(found.host.size() == 2);
  CHECK(after.fact(found.host.front().what) != nullptr);
  CHECK(found.host.back().what == "place");
  CHECK(found.host.back().was.empty());
  CHECK(found.host.back().is == "docker");
}

TEST_CASE("diff: every format names every change, and obeys no text in it") {
  Run before = golden(), after = stored_run("hostile.ndjson");
  Cell lost = first_with(before, Outcome::pass);
  lost.scenario = "x.only_in_the_older";
  before.cells.push_back(lost);
  const RunDiff found = diff(before, after);
  REQUIRE(found.of(Change::vanished) >= 1);
  for (const DiffFormat& format : diff_formats()) {
    CAPTURE(format.name);
    const std::string page = format.render(before, after, found);
    const bool cut = page.find(" more.\n") != std::string::npos;  // a job's page is kept short
    CHECK(cut == (format.name == "markdown"));
    CHECK((cut || page.find("x.only_in_the_older") != std::string::npos));
    CHECK(page.find('\033') == std::string::npos);
    if (format.name == "html") CHECK(page.find("<script") == std::string::npos);
    if (format.name == "markdown") {
      for (std::size_t at = 0; (at = page.find('<', at)) != std::string::npos; ++at) {
        CHECK(page.substr(at - 1, 1) == "\\");
      }
    }
    for (const Change change : {Change::vanished, Change::appeared}) {
      if (found.of(change) > 0 && !cut) CHECK(page.find(name(change)) != std::string::npos);
    }
  }
  const auto json = nlohmann::json::parse(diff_formats()[1].render(before, after, found));
  CHECK(json["cells"].size() == found.cells.size());
  CHECK(json["unchanged"] == found.same);
}
