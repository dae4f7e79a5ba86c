// Running what is planned, one journal line per result.
#include "probe/cli/run_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/host.hpp"
#include "harness/messages.hpp"
#include "harness/run_verdict.hpp"
#include "probe/cli/common.hpp"
#include "probe/cli/plan_facts.hpp"
#include "probe/cli/progress.hpp"

namespace loopscope::cli {
namespace {

std::vector<Expectation> parsed(std::string_view text, const std::string& where) {
  Result<std::vector<Expectation>> entries = parse_expectations(text);
  if (!entries.ok()) {
    stop(Message("LS042", fmt::format("{} cannot be used", where))
             .fact("because", entries.error().detail));
  }
  return std::move(entries).value();
}

std::string version_behind(std::string_view loop) {
  for (const LoopDescriptor* row : all_loops()) {
    if (row->name == loop) return library_version(*row);
  }
  return {};
}

void add(ExpectationSet& set, const std::string& loop, std::vector<Expectation> entries,
         const std::string& where) {
  for (const Expectation& stale : unmatched(entries, scenario_ids())) {
    ++set.stale_entries;
    print_error(Message("LS041", fmt::format("{}: \"{}\" names no scenario", where, stale.scenario),
                        Message::Kind::warning)
                    .text());
  }
  const std::string version = version_behind(loop);
  std::erase_if(entries, [&](const Expectation& entry) { return !applies_to(entry, version); });
  set.by_loop[loop] = std::move(entries);
}

void judge(CellResult& result, const Session& session) {
  const Expectation* expectation = nullptr;
  for (const std::string_view file : {result.cell.loop->name, kEveryLoop}) {
    const auto found = session.expectations.by_loop.find(file);
    if (expectation != nullptr || found == session.expectations.by_loop.end()) continue;
    expectation = find_expectation(found->second, result.cell.scenario->id, session.platform);
  }
  if (expectation != nullptr && !covers(*expectation, result.verdict.outcome, result.said.leaks)) {
    expectation = nullptr;
  }
  if (expectation != nullptr) result.expectation = *expectation;
  result.standing = compare(result.verdict, expectation);
}

bool same_cell(const JournalCell& state, const PlannedCell& cell) {
  return state.loop == cell.loop->name && state.scenario == cell.scenario->id &&
         state.repeat == cell.repeat;
}

void remember(Session& session, const CellResult& result) {
  for (JournalCell& state : session.states) {
    if (!same_cell(state, result.cell)) continue;
    state.outcome = result.verdict.outcome;
    state.standing = result.standing;
    state.level = std::string(name(result.cell.scenario->level));
  }
}

std::vector<PlannedCell> missing_cells(const Session& session) {
  std::vector<PlannedCell> missing;
  for (std::size_t i = 0; i < session.plan.size(); ++i) {
    const PlannedCell& cell = session.plan[i];
    if (cell.decision == Decision::run && !session.states[i].outcome) missing.push_back(cell);
  }
  return missing;
}

/// A child needs six descriptors of ours while it starts; the harness itself a dozen.
void fit_jobs_to_descriptors(RunnerOptions& runner) {
  const std::size_t limit = host::descriptor_limit();
  const std::size_t room = limit > 16 ? (limit - 16) / 8 : 0;
  if (limit == 0 || runner.jobs <= room) return;
  const auto jobs = static_cast<unsigned>(std::max<std::size_t>(room, 1));
  print_error(
      Message("LS033", fmt::format("a limit of {} descriptors", limit), Message::Kind::warning)
          .fact("jobs", fmt::format("{} instead of {}", jobs, runner.jobs))
          .next("ulimit -n 1024")
          .text());
  runner.jobs = jobs;
}

void report_orphans() {
  const std::vector<std::string> orphans = sweep_orphans();
  if (orphans.empty()) return;
  print_error(
      Message("LS050", "processes of cells were left over, and were killed", Message::Kind::warning)
          .fact("processes", fmt::format("{}", fmt::join(orphans, ", ")))
          .text());
}

void report_flaky(const Session& session) {
  for (const std::string& title : flaky_cells(session.states)) {
    print_error(Message("LS108", title, Message::Kind::warning).text());
  }
}

}  // namespace

void keep_those_of(ExpectationSet& set, const FactTexts& facts) {
  for (auto& [loop, entries] : set.by_loop) {
    std::erase_if(entries, [&](const Expectation& entry) { return !holds(entry, facts); });
  }
}

ExpectationSet load_expectations(const std::string& folder) {
  ExpectationSet set;
  if (folder.empty()) {
    for (const ExpectationFile& file : embedded_expectations()) {
      const std::string where = fmt::format("harness/expectations/{}.json", file.loop);
      add(set, std::string(file.loop), parsed(file.text, where), where);
    }
    return set;
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    const std::string where = entry.path().string();
    add(set, entry.path().stem().string(), parsed(text.str(), where), where);
  }
  if (error) {
    stop(Message("LS020", fmt::format("{} cannot be read", folder))
             .fact("because", error.message()));
  }
  return set;
}

std::vector<JournalCell> states_of(const std::vector<PlannedCell>& plan) {
  std::vector<JournalCell> states;
  states.reserve(plan.size());
  for (const PlannedCell& cell : plan) {
    states.push_back({.loop = std::string(cell.loop->name),
                      .scenario = std::string(cell.scenario->id),
                      .repeat = cell.repeat,
                      .seed = cell.seed,
                      .decision = cell.decision,
                      .reason = cell.reason,
                      .missing_cap = cell.missing_cap,
                      .missing_fact = cell.missing_fact,
                      .level = std::string(name(cell.scenario->level))});
  }
  return states;
}

void append(Session& session, std::string_view line) {
  const Result<void> written = session.journal->append(line);
  if (written.ok()) return;
  stop(Message("LS032", "the journal cannot be written")
           .fact("because", to_string(written.error()))
           .next(fmt::format("loopscope run --resume {}", session.journal_path)));
}

ExitCode run_session(Session& session) {
  const TimePoint began = now();
  const TempRoot temp;
  session.runner.temp_root = temp.path();
  session.runner.stop = [] { return host::interrupted_by() != 0; };
  fit_jobs_to_descriptors(session.runner);
  adopt_orphans();
  const std::vector<PlannedCell> cells = missing_cells(session);
  RunCircumstances circumstances{.flaky_fails = session.flaky_fails,
                                 .stale_entries = session.expectations.stale_entries};
  Error failure;
  {
    Progress progress(cells.size());
    run_cells(cells, session.runner, [&](CellResult result) {
      judge(result, session);
      const Result<void> written = session.journal->append(cell_line(result));
      if (!written.ok()) {
        failure = written.error();
        circumstances.cut_short = true;
        return false;
      }
      remember(session, result);
      progress.cell(result);
      return true;
    });
  }
  report_orphans();
  report_flaky(session);
  circumstances.interrupted_by = host::interrupted_by();
  JournalFooter footer = judge_run(session.states, circumstances);
  footer.ended_utc = host::utc_now();
  footer.took_ns = (now() - began).count();
  if (circumstances.cut_short) {
    stop(Message("LS032", "the journal cannot be written")
             .fact("because", to_string(failure))
             .fact("kept", fmt::format("{} of {} results", footer.reported, footer.planned))
             .next(fmt::format("loopscope run --resume {}", session.journal_path)));
  }
  append(session, footer_line(footer));
  return footer.exit_code;
}

}  // namespace loopscope::cli
