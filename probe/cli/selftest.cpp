// loopscope selftest: the faulty loops against the scenarios that have to catch them.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <tuple>

#include "harness/host.hpp"
#include "harness/kills.hpp"
#include "harness/patterns.hpp"
#include "harness/plan.hpp"
#include "harness/runner.hpp"
#include "harness/testing/faulty.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"
#include "probe/cli/documents.hpp"
#include "probe/cli/plan_facts.hpp"

namespace loopscope::commands::selftest {
namespace {

using namespace std::chrono_literals;
using testing::FaultyLoop;

struct Options {
  std::vector<std::string> only;
  std::string out;
  unsigned jobs = 0;
  bool registry_only = false, bug = false, no_redact = false;
  cli::LoopChoices loop_choices;
};

/// What is wrong, one line each. Empty is the aim.
using Problems = std::vector<std::string>;

std::vector<const FaultyLoop*> faulty_loops(const std::vector<std::string>& patterns) {
  std::vector<const FaultyLoop*> loops;
  for (const testing::FaultyFile* file : testing::all_faulty_files()) {
    for (const FaultyLoop& faulty : file->loops) {
      if (patterns.empty() || selected(patterns, faulty.loop.name)) loops.push_back(&faulty);
    }
  }
  return loops;
}

/// The lists alone: no id is wrong, no scenario is without a loop that it catches.
Problems check_lists(const std::vector<const FaultyLoop*>& loops, bool all) {
  Problems problems;
  const std::vector<std::string> ids = cli::scenario_ids();
  std::set<std::string_view> names;
  for (const FaultyLoop* faulty : loops) {
    if (!names.insert(faulty->loop.name).second) {
      problems.push_back(fmt::format("{}: the name is taken twice", faulty->loop.name));
    }
    if (faulty->must_fail.empty() || faulty->must_pass.empty()) {
      problems.push_back(fmt::format("{}: must_fail or must_pass is empty", faulty->loop.name));
    }
    for (const Names list : {faulty->must_fail, faulty->must_pass}) {
      for (const std::string_view pattern : list) {
        const bool known = std::any_of(ids.begin(), ids.end(),
                                       [&](const std::string& id) { return matches(pattern, id); });
        if (!known) {
          problems.push_back(
              fmt::format("{}: no scenario is called {}", faulty->loop.name, pattern));
        }
      }
    }
  }
  if (!all) return problems;
  const KillTable kills = kill_table();
  for (const ScenarioFile* file : all_scenario_files()) {
    for (const Scenario& scenario : file->scenarios) {
      if (scenario.level == Level::info || kills.find(scenario.id) != kills.end()) continue;
      problems.push_back(fmt::format("{}: no faulty loop has to fail it", scenario.id));
    }
  }
  return problems;
}

/// A scenario as the self-test runs it: with a limit of its own.
struct Trial {
  PlannedCell cell;
  bool must_fail = false;
};

bool in_list(Names patterns, std::string_view id) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](std::string_view pattern) { return matches(pattern, id); });
}

std::vector<Trial> trials_of(const std::vector<const FaultyLoop*>& loops,
                             const FactAnswers& facts) {
  std::vector<Trial> trials;
  const std::vector<const Scenario*> scenarios = cli::select_scenarios({});
  for (const FaultyLoop* faulty : loops) {
    const LoopDescriptor* loop = &faulty->loop;
    for (PlannedCell& cell : make_plan(std::span(&loop, 1), scenarios, facts, {})) {
      const bool must_fail = in_list(faulty->must_fail, cell.scenario->id);
      if (!must_fail && !in_list(faulty->must_pass, cell.scenario->id)) continue;
      trials.push_back({std::move(cell), must_fail});
    }
  }
  return trials;
}

/// The loop that every faulty one is otherwise like.
const LoopDescriptor& healthy_loop() { return *cli::find_loop("poll"); }

/// How long each scenario takes on the healthy loop. A scenario that does not pass there proves
/// nothing about a faulty one.
std::map<std::string, Duration, std::less<>> measure_healthy(const std::vector<Trial>& trials,
                                                             const RunnerOptions& runner,
                                                             Problems& problems) {
  std::set<const Scenario*> seen;
  std::vector<PlannedCell> cells;
  for (const Trial& trial : trials) {
    if (trial.cell.decision != Decision::run || !seen.insert(trial.cell.scenario).second) continue;
    cells.push_back({.loop = &healthy_loop(), .scenario = trial.cell.scenario});
  }
  std::map<std::string, Duration, std::less<>> took;
  run_cells(cells, runner, [&](CellResult result) {
    const std::string id(result.cell.scenario->id);
    took[id] = result.child.took;
    const Outcome outcome = result.verdict.outcome;
    if (outcome != Outcome::pass && outcome != Outcome::skip && outcome != Outcome::diverges) {
      problems.push_back(fmt::format("{}: {} on the healthy loop {}: {}", id, name(outcome),
                                     healthy_loop().name, result.verdict.reason));
    }
    return true;
  });
  return took;
}

/// Only what the loop did counts: neither a skip nor the harness's own trouble catches anything.
bool caught(const CellResult& result) {
  const Outcome outcome = result.verdict.outcome;
  if (outcome == Outcome::broken) return result.verdict.reason.rfind("fallback:", 0) == 0;
  return is_red(outcome) || outcome == Outcome::diverges;
}

/// What was not attempted is not wrong.
bool is_right(const Trial& trial, const CellResult& result) {
  const Outcome outcome = result.verdict.outcome;
  if (outcome == Outcome::skip || outcome == Outcome::unsupported) return true;
  return trial.must_fail ? caught(result) : outcome == Outcome::pass;
}

void judge(const Trial& trial, const CellResult& result, Problems& problems) {
  const Outcome outcome = result.verdict.outcome;
  if (is_right(trial, result)) return;
  problems.push_back(fmt::format("{} must {} {}, but: {} ({})\n    {}", trial.cell.loop->name,
                                 trial.must_fail ? "fail" : "pass", trial.cell.scenario->id,
                                 name(outcome), result.verdict.reason, result.rerun));
}

RunnerOptions runner_options(const Options& options, const std::string& temp_root) {
  RunnerOptions runner = cli::base_runner_options(options.jobs);
  runner.temp_root = temp_root;
  runner.loop_choices = options.loop_choices.options();
  runner.stop = [] { return host::interrupted_by() != 0; };
  return runner;
}

reports::KillTrial row_of(const Trial& trial, const CellResult& result) {
  return {.faulty = std::string(trial.cell.loop->name),
          .scenario = std::string(trial.cell.scenario->id),
          .must_fail = trial.must_fail,
          .right = is_right(trial, result),
          .outcome = std::string(name(result.verdict.outcome)),
          .reason = result.verdict.reason};
}

void run_trials(const std::vector<Trial>& trials, const RunnerOptions& runner, Problems& problems,
                reports::Kills& kills) {
  const auto healthy = measure_healthy(trials, runner, problems);
  std::vector<PlannedCell> cells;
  std::map<std::pair<const LoopDescriptor*, const Scenario*>, const Trial*> by_cell;
  for (const Trial& trial : trials) {
    cells.push_back(trial.cell);
    by_cell[{trial.cell.loop, trial.cell.scenario}] = &trial;
  }
  RunnerOptions patient = runner;
  // Ten times what the healthy loop took: whoever is not done then hangs, and need not use up the
  // limit that a slow host is granted.
  patient.limit_for = [&](const PlannedCell& cell) -> Duration {
    const auto found = healthy.find(cell.scenario->id);
    const Duration full = std::chrono::nanoseconds(cell.scenario->limit);
    return found == healthy.end() ? full
                                  : std::min(full, std::max<Duration>(2s, found->second * 10));
  };
  std::size_t done = 0;
  run_cells(cells, patient, [&](CellResult result) {
    const Trial& trial = *by_cell.at({result.cell.loop, result.cell.scenario});
    judge(trial, result, problems);
    kills.trials.push_back(row_of(trial, result));
    if (++done % 100 == 0) cli::print_error(fmt::format("[{}/{}]\n", done, cells.size()));
    return true;
  });
}

int run(const Options& options) {
  if (options.bug) throw std::logic_error("asked for");
  host::note_interruptions();
  const std::vector<std::string> patterns = split_patterns(options.only);
  const std::vector<const FaultyLoop*> loops = faulty_loops(patterns);
  Problems problems = check_lists(loops, patterns.empty());
  reports::Kills kills;
  for (const FaultyLoop* faulty : loops) {
    kills.loops.push_back({std::string(faulty->loop.name), std::string(faulty->defect)});
  }
  std::size_t trials_run = 0;
  if (!options.registry_only) {
    const cli::TempRoot temp;
    const std::vector<Trial> trials = trials_of(loops, cli::measured_answers());
    trials_run = trials.size();
    adopt_orphans();
    run_trials(trials, runner_options(options, temp.path()), problems, kills);
    (void)sweep_orphans();
  }
  if (!options.out.empty()) {
    std::sort(kills.trials.begin(), kills.trials.end(), [](const auto& a, const auto& b) {
      return std::tie(a.faulty, a.scenario) < std::tie(b.faulty, b.scenario);
    });
    if (!options.no_redact) redact(kills, {}, cli::local_names());
    cli::write_document(options.out, reports::to_json(kills));
  }
  for (const std::string& problem : problems) cli::print(problem + "\n");
  cli::print(fmt::format("{} faulty loops, {} trials, {} problems\n", loops.size(), trials_run,
                         problems.size()));
  if (host::interrupted_by() != 0) return value(ExitCode::interrupted);
  if (loops.empty()) return value(ExitCode::nothing_ran);
  return value(problems.empty() ? ExitCode::green : ExitCode::red);
}

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  takes.add({.names = "only",
             .target = &options->only,
             .help = "Faulty loops: names, globs (default: all)"});
  takes.add({.names = "-o,--out",
             .target = &options->out,
             .help = "Write the kill matrix as JSON, for report --kills; - is standard output"});
  cli::add_redaction(takes, options->no_redact);
  takes.add({.names = "-j,--jobs", .target = &options->jobs, .help = "Cells at a time"});
  cli::add_loop_choices(takes, options->loop_choices);
  takes.add({.names = "--registry",
             .target = &options->registry_only,
             .help = "Check the lists alone, run nothing",
             .has_variable = false});
  takes.add({.names = "--bug",
             .target = &options->bug,
             .help = "Behave like a program with a bug",
             .has_variable = false});
  return [options] { return run(*options); };
}

}  // namespace

extern const Command command{
    .name = "selftest",
    .summary = "Prove that every scenario can fail: faulty loops against what has to catch them",
    .setup = setup,
    .hidden = true};

}  // namespace loopscope::commands::selftest
