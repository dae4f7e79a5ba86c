// loopscope list: what this build knows.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/kills.hpp"
#include "harness/patterns.hpp"
#include "harness/testing/faulty.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"
#include "probe/cli/documents.hpp"
#include "probe/probe.hpp"

namespace loopscope::commands::list {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string what, format = "text", query;
  std::vector<std::string> only;
  bool kills = false;
};

/// A row of a list: columns for people, an object for programs.
struct Row {
  std::string id;
  std::vector<std::string> columns;
  Json object;
};

Json names_json(Names names) {
  Json list = Json::array();
  for (const std::string_view name : names) list.push_back(name);
  return list;
}

std::vector<Row> loop_rows() {
  std::vector<Row> rows;
  for (const LoopDescriptor* loop : all_loops()) {
    const bool present = loop->make != nullptr;
    const std::string state =
        present ? std::string(loop->mechanism) : fmt::format("absent: {}", loop->absent_because);
    rows.push_back({std::string(loop->name),
                    {std::string(name(loop->family)), state},
                    {{"name", loop->name},
                     {"family", name(loop->family)},
                     {"mechanism", loop->mechanism},
                     {"present", present},
                     {"absent_because", loop->absent_because}}});
  }
  return rows;
}

Row scenario_row(const ScenarioFile& file, const Scenario& scenario,
                 const std::vector<std::string>& kills) {
  Json needs = Json::array();
  for (const CapInfo& capability : all_caps()) {
    if (scenario.needs.has(capability.cap)) needs.push_back(capability.id);
  }
  return {std::string(scenario.id),
          {std::string(file.group), std::string(name(scenario.level)),
           std::string(name(scenario.severity)), std::string(scenario.promise)},
          {{"id", scenario.id},
           {"group", file.group},
           {"topic", file.topic},
           {"promise", scenario.promise},
           {"source", scenario.source},
           {"level", name(scenario.level)},
           {"authority", name(scenario.authority)},
           {"severity", name(scenario.severity)},
           {"needs", std::move(needs)},
           {"facts", names_json(scenario.facts)},
           {"api", names_json(scenario.api)},
           {"timing", scenario.timing},
           {"exclusive", scenario.exclusive != Resource::none},
           {"limit_ms", scenario.limit.count()},
           {"kills", kills}}};
}

std::vector<Row> scenario_rows(bool with_kills) {
  const KillTable table = kill_table();
  std::vector<Row> rows;
  for (const ScenarioFile* file : all_scenario_files()) {
    for (const Scenario& scenario : file->scenarios) {
      const auto found = table.find(scenario.id);
      const std::vector<std::string> kills =
          found == table.end() ? std::vector<std::string>{} : found->second;
      Row row = scenario_row(*file, scenario, kills);
      if (with_kills) {
        row.columns = {kills.empty() ? "(none)" : fmt::format("{}", fmt::join(kills, ", "))};
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::vector<Row> fact_rows() {
  std::vector<Row> rows;
  for (const ProbeFile* file : all_probe_files()) {
    for (const Fact& fact : file->facts) {
      rows.push_back({std::string(fact.id),
                      {std::string(file->group), std::string(fact.question)},
                      {{"id", fact.id},
                       {"mechanism", file->mechanism},
                       {"group", file->group},
                       {"question", fact.question},
                       {"source", fact.source},
                       {"why", fact.why}}});
    }
  }
  return rows;
}

std::vector<Row> faulty_rows() {
  std::vector<Row> rows;
  for (const testing::FaultyFile* file : testing::all_faulty_files()) {
    for (const testing::FaultyLoop& faulty : file->loops) {
      rows.push_back(
          {std::string(faulty.loop.name),
           {fmt::format("{:>3} must fail", faulty.must_fail.size()), std::string(faulty.defect)},
           {{"name", faulty.loop.name},
            {"defect", faulty.defect},
            {"must_fail", names_json(faulty.must_fail)},
            {"must_pass", names_json(faulty.must_pass)}}});
    }
  }
  return rows;
}

reports::ScenarioRow queried_row(const ScenarioFile& file, const Scenario& scenario) {
  reports::ScenarioRow row;
  row.id = scenario.id;
  row.group = file.group;
  row.topic = file.topic;
  row.level = name(scenario.level);
  row.severity = name(scenario.severity);
  row.authority = name(scenario.authority);
  for (const CapInfo& capability : all_caps()) {
    if (scenario.needs.has(capability.cap)) row.needs.emplace_back(capability.id);
  }
  row.api.assign(scenario.api.begin(), scenario.api.end());
  row.facts.assign(scenario.facts.begin(), scenario.facts.end());
  return row;
}

/// Keeps the scenarios that the query matches.
void apply_query(const Options& options, std::vector<Row>& rows) {
  if (options.what != "scenarios") {
    cli::stop(Message("LS001", fmt::format("--query selects scenarios, not {}", options.what))
                  .next("loopscope list scenarios --query " + options.query));
  }
  std::vector<reports::ScenarioRow> known;
  for (const ScenarioFile* file : all_scenario_files()) {
    for (const Scenario& scenario : file->scenarios) known.push_back(queried_row(*file, scenario));
  }
  const reports::Query query = cli::parse_query(options.query, reports::query_words(known));
  std::set<std::string, std::less<>> ids;
  for (const reports::ScenarioRow& row : known) {
    if (query.matches(row, {})) ids.insert(row.id);
  }
  std::erase_if(rows, [&](const Row& row) { return ids.count(row.id) == 0; });
}

std::string as_table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.columns.size() + 1));
    widths[0] = std::max(widths[0], row.id.size());
    for (std::size_t i = 0; i < row.columns.size(); ++i) {
      widths[i + 1] = std::max(widths[i + 1], row.columns[i].size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line = fmt::format("{:<{}}", row.id, widths[0]);
    for (std::size_t i = 0; i < row.columns.size(); ++i) {
      const bool last = i + 1 == row.columns.size();
      line += fmt::format("  {:<{}}", row.columns[i], last ? 0 : widths[i + 1]);
    }
    text += line + "\n";
  }
  return text;
}

std::vector<Row> rows_of(const Options& options) {
  if (options.what == "loops") return loop_rows();
  if (options.what == "scenarios") return scenario_rows(options.kills);
  return options.what == "facts" ? fact_rows() : faulty_rows();
}

int run(const Options& options) {
  std::vector<Row> rows = rows_of(options);
  const std::vector<std::string> patterns = split_patterns(options.only);
  if (!patterns.empty()) {
    rows.erase(std::remove_if(rows.begin(), rows.end(),
                              [&](const Row& row) { return !selected(patterns, row.id); }),
               rows.end());
  }
  if (!options.query.empty()) apply_query(options, rows);
  if (options.format == "json") {
    Json list = Json::array();
    for (Row& row : rows) list.push_back(std::move(row.object));
    cli::print(list.dump(2) + "\n");
  } else {
    cli::print(as_table(rows));
  }
  return value(rows.empty() ? ExitCode::nothing_ran : ExitCode::green);
}

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  takes.add({.names = "what",
             .target = &options->what,
             .help = "loops, scenarios, facts or faulty",
             .required = true,
             .one_of = {"loops", "scenarios", "facts", "faulty"}});
  takes.add(
      {.names = "only", .target = &options->only, .help = "Ids, globs, prefixes (default: all)"});
  takes.add({.names = "-q,--query",
             .target = &options->query,
             .help = "Of scenarios: those that match; loopscope explain query has the language"});
  takes.add({.names = "--kills",
             .target = &options->kills,
             .help = "Of scenarios: which faulty loops each of them catches"});
  takes.add({.names = "-f,--format",
             .target = &options->format,
             .help = "text or json",
             .shows_default = true,
             .one_of = {"text", "json"}});
  return [options] { return run(*options); };
}

}  // namespace

extern const Command command{
    .name = "list", .summary = "List loops, scenarios, facts or faulty loops", .setup = setup};

}  // namespace loopscope::commands::list
