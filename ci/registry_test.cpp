// The registries, held against each other: ids, sources, kills, capabilities, README tables.
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ci/tidy/rules.hpp"
#include "ci/tidy/tables.hpp"
#include "harness/expectation.hpp"
#include "harness/scenario.hpp"
#include "harness/testing/faulty.hpp"
#include "loops/api_index.hpp"
#include "probe/probe.hpp"
#include "reports/format.hpp"

namespace loopscope::tidy {
namespace {

namespace fs = std::filesystem;

/// topic.clause: lower case, digits, underscores, at least one dot.
bool is_id(std::string_view id) {
  const bool letters = std::ranges::all_of(id, [](char c) {
    return std::islower(static_cast<unsigned char>(c)) != 0 ||
           std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_';
  });
  return letters && id.find('.') != id.npos && !id.starts_with('.') && !id.ends_with('.');
}

/// Facts are named after calls, and some calls have capitals: timer.win.timeBeginPeriod_effect.
bool is_fact_id(std::string_view id) {
  return std::ranges::all_of(id, [](char c) { return is_word(c) || c == '.'; }) && !id.empty() &&
         !id.starts_with('.') && !id.ends_with('.');
}

/// Where a promise is written down: a link, a manual page or a named text.
bool is_source(std::string_view source) {
  return source.size() >= 8 && source.find_first_of(" /(") != source.npos;
}

std::vector<const Scenario*> scenarios() {
  std::vector<const Scenario*> all;
  for (const ScenarioFile* file : all_scenario_files()) {
    for (const Scenario& scenario : file->scenarios) all.push_back(&scenario);
  }
  return all;
}

std::vector<const testing::FaultyLoop*> faulty_loops() {
  std::vector<const testing::FaultyLoop*> all;
  for (const testing::FaultyFile* file : testing::all_faulty_files()) {
    for (const testing::FaultyLoop& loop : file->loops) all.push_back(&loop);
  }
  return all;
}

std::set<std::string_view> fact_ids() {
  std::set<std::string_view> ids;
  for (const ProbeFile* file : all_probe_files()) {
    for (const Fact& fact : file->facts) ids.insert(fact.id);
  }
  return ids;
}

bool matches(std::string_view pattern, std::string_view id) {
  return pattern.ends_with('*') ? id.starts_with(pattern.substr(0, pattern.size() - 1))
                                : id == pattern;
}

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

TEST_CASE("every scenario has an id of its own, a promise in one sentence and a source") {
  std::set<std::string_view> seen;
  for (const Scenario* scenario : scenarios()) {
    CAPTURE(std::string(scenario->id));
    CHECK(is_id(scenario->id));
    CHECK(seen.insert(scenario->id).second);
    CHECK(scenario->promise.ends_with('.'));
    CHECK(scenario->promise.size() >= 20);
    CHECK(is_source(scenario->source));
    CHECK(bool(scenario->body));
    for (const std::string_view entry : scenario->api) {
      CAPTURE(std::string(entry));
      CHECK(is_api_entry(entry));
    }
  }
}

TEST_CASE("a scenario needs only facts that a probe measures") {
  const std::set<std::string_view> facts = fact_ids();
  for (const Scenario* scenario : scenarios()) {
    for (const std::string_view fact : scenario->facts) {
      CAPTURE(std::string(scenario->id));
      CAPTURE(std::string(fact));
      CHECK(facts.contains(fact));
    }
  }
}

TEST_CASE("a condition of an expectation is a fact that a probe measures") {
  const std::set<std::string_view> facts = fact_ids();
  for (const ExpectationFile& file : embedded_expectations()) {
    const Result<std::vector<Expectation>> entries = parse_expectations(file.text);
    REQUIRE(entries.ok());
    for (const Expectation& entry : *entries) {
      for (const auto& condition : entry.when) {
        CAPTURE(condition.first);
        CHECK(facts.contains(condition.first));
      }
    }
  }
}

// Goal: a scenario that no faulty loop can fail measures nothing. Only `info` ones judge nothing.
TEST_CASE("every scenario that judges is named by a faulty loop's must_fail") {
  std::set<std::string_view> caught;
  for (const testing::FaultyLoop* loop : faulty_loops()) {
    caught.insert(loop->must_fail.begin(), loop->must_fail.end());
  }
  for (const Scenario* scenario : scenarios()) {
    if (scenario->level == Level::info) continue;
    CAPTURE(std::string(scenario->id));
    CHECK(caught.contains(scenario->id));
  }
}

TEST_CASE("a faulty loop names what it is, what catches it and what it keeps") {
  std::set<std::string_view> seen;
  for (const testing::FaultyLoop* faulty : faulty_loops()) {
    CAPTURE(std::string(faulty->loop.name));
    CHECK(faulty->loop.name.starts_with("faulty."));
    CHECK(seen.insert(faulty->loop.name).second);
    CHECK(faulty->defect.ends_with('.'));
    CHECK(!faulty->must_fail.empty());
    CHECK(!faulty->must_pass.empty());
    for (const std::string_view id : faulty->must_fail) {
      CAPTURE(std::string(id));
      CHECK(find_scenario(id) != nullptr);
      CHECK(std::ranges::none_of(faulty->must_pass,
                                 [&](std::string_view pattern) { return pattern == id; }));
    }
    for (const std::string_view pattern : faulty->must_pass) {
      CAPTURE(std::string(pattern));
      CHECK(std::ranges::any_of(scenarios(),
                                [&](const Scenario* s) { return matches(pattern, s->id); }));
    }
  }
}

TEST_CASE("every fact has an id of its own, a question and a source") {
  std::set<std::string_view> seen;
  for (const ProbeFile* file : all_probe_files()) {
    for (const Fact& fact : file->facts) {
      CAPTURE(std::string(fact.id));
      CHECK(is_fact_id(fact.id));
      CHECK(seen.insert(fact.id).second);
      CHECK(fact.question.find('?') != std::string_view::npos);
      CHECK(is_source(fact.source));
      CHECK(bool(fact.ask) == file->absent_because.empty());
    }
  }
}

TEST_CASE("a loop is present with a maker, or absent with a reason, and claims nothing twice") {
  std::set<std::string_view> seen;
  for (const LoopDescriptor* loop : all_loops()) {
    CAPTURE(std::string(loop->name));
    CHECK(seen.insert(loop->name).second);
    CHECK((loop->make == nullptr) == !loop->absent_because.empty());
    CHECK((loop->native & loop->emulated).empty());
  }
}

TEST_CASE("the quirks that a backend's opening comment lists are facts of the probe") {
  const std::set<std::string_view> facts = fact_ids();
  const fs::path root = LOOPSCOPE_SOURCE_DIR;
  std::size_t files = 0;
  for (const char* folder : {"loops/selector", "loops/proactor", "loops/reference"}) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::directory_iterator(root / folder)) {
      if (entry.path().extension() != ".cpp") continue;
      ++files;
      for (const std::string& id : quirk_ids({entry.path().string(), read(entry.path())})) {
        CAPTURE(entry.path().filename().string());
        CAPTURE(id);
        CHECK(facts.contains(id));
      }
    }
  }
  CHECK(files >= 3);
}

// Method: set LOOPSCOPE_WRITE_TABLES=1 to write the tables instead, and commit what changed.
TEST_CASE("the tables of the READMEs list exactly the registered rows") {
  const fs::path root = LOOPSCOPE_SOURCE_DIR;
  const bool write = std::getenv("LOOPSCOPE_WRITE_TABLES") != nullptr;
  for (const Table& table : registry_tables(read(root / "harness/CMakeLists.txt"),
                                            read(root / "probe/CMakeLists.txt"))) {
    CAPTURE(table.file);
    CAPTURE(table.name);
    std::string text = read(root / table.file);
    if (write && replace_table(text, table)) {
      std::ofstream(root / table.file, std::ios::binary) << text;
    }
    std::vector<std::string> want;
    for (const std::vector<std::string>& row : table.rows) want.push_back(row.front());
    CHECK(table_rows(text, table.name) == want);
  }
}

}  // namespace loopscope::tidy
