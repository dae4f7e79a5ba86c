// loopscope cell: one scenario against one loop, in this process.
#include <fmt/format.h>

#include "harness/cell_channel.hpp"
#include "harness/cell_main.hpp"
#include "harness/crash.hpp"
#include "harness/exit_code.hpp"
#include "harness/host.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"

namespace loopscope::commands::cell {
namespace {

struct Options {
  std::string loop, scenario;
  std::uint64_t seed = 1;
  unsigned repeat = 0;
  std::int64_t slack_ms = 250;
  double limit_scale = 1.0;
  int report_fd = -1;
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
  loopscope::cell::open_channel(options.report_fd);
  host::forbid_core_files();
  crash::install();
  const CellStatement said = run_cell(request);
  loopscope::cell::say(encode(said));
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
                            .limit_scale = options.limit_scale,
                            .allow_fallback = options.allow_fallback};
  return options.report_fd >= 0 ? run_for_parent(options, request) : run_alone(options, request);
}

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  takes.add({.names = "-l,--loop",
             .target = &options->loop,
             .help = "Name of the loop",
             .required = true});
  takes.add({.names = "-s,--scenario",
             .target = &options->scenario,
             .help = "Id of the scenario",
             .required = true});
  takes.add({.names = "--repeat", .target = &options->repeat, .help = "Which repetition this is"});
  takes.add({.names = "--seed",
             .target = &options->seed,
             .help = "Seed of the scenario's random choices"});
  takes.add(
      {.names = "--slack-ms", .target = &options->slack_ms, .help = "How late a timer may be"});
  takes.add({.names = "--limit-scale",
             .target = &options->limit_scale,
             .help = "Multiplies the cell's limit, after half of which a body stops waiting",
             .within = {{0.001, 1000.0}}});
  takes.add({.names = "--report-fd",
             .target = &options->report_fd,
             .help = "Descriptor of the report channel",
             .hidden = true});
  takes.add({.names = "--allow-fallback",
             .target = &options->allow_fallback,
             .help = "Do not judge the effective backend"});
  cli::add_loop_choices(takes, options->loop_choices);
  return [options] { return run(*options); };
}

}  // namespace

extern const Command command{.name = "cell",
                             .summary = "Run one scenario against one loop, in this process",
                             .setup = setup};

}  // namespace loopscope::commands::cell
