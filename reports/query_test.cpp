// Queries: the vectors that the page's script is held to as well, and a run that is restricted.
#include "reports/query.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "reports/format.hpp"
#include "reports/tally.hpp"
#include "reports/test_journals.hpp"

using namespace loopscope;
using namespace loopscope::reports;
using Json = nlohmann::json;

namespace {

struct Board {
  std::vector<ScenarioRow> scenarios;
  std::vector<Run> legs;
  QueryWords words;

  std::vector<std::string> matching(const Query& query) const {
    std::vector<std::string> ids;
    for (const ScenarioRow& row : scenarios) {
      std::vector<PlacedCell> placed;
      for (const PlacedCell& cell : cells_of(Legs(std::span(legs)))) {
        if (cell->scenario == row.id) placed.push_back(cell);
      }
      if (query.matches(row, placed)) ids.push_back(row.id);
    }
    return ids;
  }
};

Board board_of(const Json& file) {
  Board board;
  for (const Json& row : file["scenarios"]) {
    ScenarioRow& scenario = board.scenarios.emplace_back();
    scenario.id = row["id"];
    scenario.group = row["group"];
    scenario.topic = row["topic"];
    scenario.level = row["level"];
    scenario.severity = row["severity"];
    scenario.authority = row["authority"];
    scenario.needs = row["needs"].get<std::vector<std::string>>();
    scenario.api = row["api"].get<std::vector<std::string>>();
    scenario.facts = row["facts"].get<std::vector<std::string>>();
  }
  for (const Json& platform : file["platforms"]) {
    Run& leg = board.legs.emplace_back();
    leg.platform = platform;
    LoopRow& reference = leg.catalogue.loops.emplace_back();
    reference.name = file["reference"];
    reference.family = "reference";
  }
  for (const Json& row : file["cells"]) {
    const auto leg = std::find_if(board.legs.begin(), board.legs.end(), [&](const Run& run) {
      return run.platform == row["platform"].get<std::string>();
    });
    Cell& cell = leg->cells.emplace_back();
    cell.loop = row["loop"];
    cell.scenario = row["scenario"];
    cell.repeat = row["repeat"];
    cell.ran = true;
    cell.outcome = outcome_by_name(row["outcome"].get<std::string>()).value();
    cell.variant = row.value("variant", "");
    cell.standing = row.value("standing", "");
    if (row.contains("expectation")) cell.expectation.emplace();
  }
  board.words = query_words(board.scenarios);
  board.words.loops = file["loops"].get<std::vector<std::string>>();
  board.words.platforms = file["platforms"].get<std::vector<std::string>>();
  board.words.has_cells = true;
  return board;
}

}  // namespace

TEST_CASE("query: the shared vectors") {
  const Json file = Json::parse(stored("query_cases.json"));
  const Board board = board_of(file);
  for (const Json& row : file["queries"]) {
    const std::string text = row["query"];
    CAPTURE(text);
    const auto parsed = Query::parse(text, board.words);
    if (row.contains("matches")) {
      const QueryError* error = std::get_if<QueryError>(&parsed);
      REQUIRE_MESSAGE(error == nullptr, error->text());
      CHECK(Json(board.matching(std::get<Query>(parsed))) == row["matches"]);
      continue;
    }
    REQUIRE(std::holds_alternative<QueryError>(parsed));
    const QueryError& error = std::get<QueryError>(parsed);
    CHECK(
        Json(
            {{"at", error.at}, {"word", error.word}, {"what", error.what}, {"near", error.near}}) ==
        row["error"]);
  }
}

TEST_CASE("query: without a report, a query for outcomes is refused and others are not") {
  const Json file = Json::parse(stored("query_cases.json"));
  const QueryWords words = query_words(board_of(file).scenarios);
  CHECK(std::holds_alternative<Query>(Query::parse("area(udp) -level(must)", words)));
  for (const char* text : {"epoll:fail", "differs", "only(epoll)", "attention", "shared"}) {
    CAPTURE(text);
    const auto parsed = Query::parse(text, words);
    REQUIRE(std::holds_alternative<QueryError>(parsed));
    CHECK(std::get<QueryError>(parsed).what == "outcomes need a report");
  }
}

TEST_CASE("query: an error says what, where and what may be meant") {
  const QueryWords words = query_words(stored_run("golden.ndjson"));
  const auto text = [&](const char* query) {
    return std::get<QueryError>(Query::parse(query, words)).text();
  };
  CHECK(text("epoll:fial") == "unknown outcome \"fial\" at character 7; near: fail");
  CHECK(text("epoll:") == "expected an outcome, and the query ends");
  CHECK(text("(x") == "( is not closed at character 1");
}

// Goal: what a query leaves is consistent with itself. Method: by outcome, over all formats.
TEST_CASE("query: a restricted run counts what is left, and every format says so") {
  const Report report = stored_report("golden.ndjson");
  const Run& whole = report.legs.front();
  const Query query = std::get<Query>(Query::parse("area(sched)", query_words(whole)));
  const std::vector<std::string> ids = matching(query, whole);
  REQUIRE_FALSE(ids.empty());
  REQUIRE(ids.size() < whole.catalogue.scenarios.size());
  const Report restricted_report = restricted(report, query.text(), {ids.begin(), ids.end()});
  const Run& part = restricted_report.legs.front();
  CHECK(restricted_report.restriction->scenarios == ids.size());
  CHECK(restricted_report.restriction->of == whole.catalogue.scenarios.size());
  CHECK(part.catalogue.scenarios.size() == ids.size());
  CHECK(part.cells.size() < whole.cells.size());
  CHECK(contradictions(part).empty());
  CHECK(static_cast<std::size_t>(part.footer->planned) == part.cells.size());
  const bool red = std::any_of(part.cells.begin(), part.cells.end(), needs_attention);
  CHECK((verdict(part) == "green") == !red);
  for (const Format* format : all_formats()) {
    CAPTURE(format->name);
    const std::string page = format->render(restricted_report, {}).value();
    CHECK(page.find("area(sched)") != std::string::npos);
    CHECK(page.find("timer.never_early") == std::string::npos);
  }
}
