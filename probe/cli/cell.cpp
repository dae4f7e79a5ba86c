// loopscope cell: one scenario against one loop, in this process.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "harness/cell_channel.hpp"
#include "harness/cell_main.hpp"
#include "harness/crash.hpp"
#include "harness/exit_code.hpp"
#include "harness/host.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"

namespace loopscope::commands {
namespace {

struct Options {
  std::string loop, scenario;
  std::uint64_t seed = 1;
  unsigned repeat = 0;
  std::int64_t slack_ms = 250;
  int report_fd = -1;
  long parent_pid = 0;
  bool allow_fallback = false;
  cli::LoopChoices loop_choices;
};

std::string describe(const Options& options, const CellStatement& said) {
  std::string text =
      fmt::format("{} on {}: {}", options.scenario, options.loop, name(said.outcome));
  if (!said.reason.empty()) text += fmt::format(" ({})", said.reason);
  text += '\n';
  if (said.finding) {
    const Finding& finding = *said.finding;
    if (!finding.variant.empty()) text += fmt::format("  variant   {}\n", finding.variant);
    if (!finding.expected.empty()) text += fmt::format("  expected  {}\n", finding.expected);
    if (!finding.observed.empty()) text += fmt::format("  observed  {}\n", finding.observed);
    if (!finding.where.empty()) text += fmt::format("  where     {}\n", finding.where);
  }
  for (const Leak& leak : said.leaks) {
    text +=
        fmt::format("  leak      {} {}: {} -> {}\n", leak.kind, leak.what, leak.before, leak.after);
  }
  for (const Proof& proof : said.backend.proof) {
    text += fmt::format("  backend   {}: {}\n", proof.how, proof.value);
  }
  for (const TraceEvent& event : said.trace) {
    text += fmt::format("  {:>12} ns  {}\n", event.t_ns, event.what);
  }
  return text;
}

/// As the child of a run: the verdict is the parent's, who gets a statement on the channel.
int run_for_parent(const Options& options, const CellRequest& request) {
  cell::open_channel(options.report_fd);
  if (!host::die_with_parent(options.parent_pid)) return value(ExitCode::terminated);
  host::forbid_core_files();
  crash::install();
  const CellStatement said = run_cell(request);
  cell::say(encode(said));
  if (said.sibling_hangs) host::leave_now(0);
  return value(ExitCode::green);
}

/// For a person with a debugger: no limit, no other process, the verdict on standard output.
int run_alone(const Options& options, const CellRequest& request) {
  const Result<std::string> dir = host::make_temp_dir("loopscope-cell");
  if (!dir.ok()) {
    cli::stop(Message("LS030", "no temporary directory").fact("because", to_string(dir.error())));
  }
  host::set_environment("LOOPSCOPE_CELL_DIR", dir.value());
  const CellStatement said = run_cell(request);
  host::remove_tree(dir.value());
  cli::print(describe(options, said));
  const ExitCode code = is_red(said.outcome)       ? ExitCode::red
                        : is_unknown(said.outcome) ? ExitCode::unknown
                                                   : ExitCode::green;
  if (said.sibling_hangs) host::leave_now(value(code));
  return value(code);
}

int run(const Options& options) {
  // Where the loops of this process find it, as they find the cell's folder.
  for (const auto& [name, value] : options.loop_choices.variables()) {
    host::set_environment(name, value);
  }
  const LoopDescriptor* loop = cli::find_loop(options.loop);
  if (loop == nullptr) cli::unknown_id("loop", options.loop, cli::loop_names());
  const Scenario* scenario = find_scenario(options.scenario);
  if (scenario == nullptr) cli::unknown_id("scenario", options.scenario, cli::scenario_ids());
  if (loop->make == nullptr) {
    cli::stop(Message("LS011", fmt::format("the loop {} is absent here", loop->name))
                  .fact("because", std::string(loop->absent_because)));
  }
  const CellRequest request{.loop = loop,
                            .scenario = scenario,
                            .seed = options.seed,
                            .slack = std::chrono::milliseconds(options.slack_ms),
                            .allow_fallback = options.allow_fallback};
  return options.report_fd >= 0 ? run_for_parent(options, request) : run_alone(options, request);
}

Action setup(CLI::App& app) {
  auto options = std::make_shared<Options>();
  using cli::with_variable;
  with_variable(app.add_option("-l,--loop", options->loop, "Name of the loop"))->required();
  with_variable(app.add_option("-s,--scenario", options->scenario, "Id of the scenario"))
      ->required();
  with_variable(app.add_option("--repeat", options->repeat, "Which repetition this is"));
  with_variable(app.add_option("--seed", options->seed, "Seed of the scenario's random choices"));
  with_variable(app.add_option("--slack-ms", options->slack_ms, "How late a timer may be"));
  app.add_option("--report-fd", options->report_fd, "Descriptor of the report channel")->group("");
  app.add_option("--parent-pid", options->parent_pid, "Whose death ends this process")->group("");
  with_variable(app.add_flag("--allow-fallback", options->allow_fallback,
                             "Do not judge the effective backend"));
  cli::add_loop_choices(app, options->loop_choices);
  return [options] { return run(*options); };
}

}  // namespace

extern const Command cell_command{.name = "cell",
                                  .summary = "Run one scenario against one loop, in this process",
                                  .setup = setup};

}  // namespace loopscope::commands
