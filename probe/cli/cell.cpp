// loopscope cell: one scenario against one loop, in this process.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "harness/cell_channel.hpp"
#include "harness/cell_main.hpp"
#include "harness/crash.hpp"
#include "harness/exit_code.hpp"
#include "harness/host.hpp"
#include "harness/testing/faulty.hpp"
#include "probe/cli/command.hpp"

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
};

const LoopDescriptor* find_loop(std::string_view name) {
  for (const LoopDescriptor* loop : all_loops()) {
    if (loop->name == name) return loop;
  }
  const testing::FaultyLoop* faulty = testing::find_faulty(name);
  return faulty == nullptr ? nullptr : &faulty->loop;
}

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
    fmt::print(stderr, "error LS030: no temporary directory: {}\n", to_string(dir.error()));
    return value(ExitCode::usage);
  }
  host::set_environment("LOOPSCOPE_CELL_DIR", dir.value());
  const CellStatement said = run_cell(request);
  host::remove_tree(dir.value());
  fmt::print("{}", describe(options, said));
  std::fflush(stdout);
  const ExitCode code = is_red(said.outcome)       ? ExitCode::red
                        : is_unknown(said.outcome) ? ExitCode::unknown
                                                   : ExitCode::green;
  if (said.sibling_hangs) host::leave_now(value(code));
  return value(code);
}

int run(const Options& options) {
  const LoopDescriptor* loop = find_loop(options.loop);
  const Scenario* scenario = find_scenario(options.scenario);
  if (loop == nullptr || scenario == nullptr) {
    fmt::print(stderr, "error LS010: no such {}: {}\n", loop == nullptr ? "loop" : "scenario",
               loop == nullptr ? options.loop : options.scenario);
    return value(ExitCode::usage);
  }
  if (loop->make == nullptr) {
    fmt::print(stderr, "error LS011: the loop {} is absent here: {}\n", loop->name,
               loop->absent_because);
    return value(ExitCode::usage);
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
  app.add_option("--loop", options->loop, "Name of the loop")->required();
  app.add_option("--scenario", options->scenario, "Id of the scenario")->required();
  app.add_option("--repeat", options->repeat, "Which repetition this is");
  app.add_option("--seed", options->seed, "Seed of the scenario's random choices");
  app.add_option("--slack-ms", options->slack_ms, "How late a timer may be");
  app.add_option("--report-fd", options->report_fd, "Descriptor of the report channel")->group("");
  app.add_option("--parent-pid", options->parent_pid, "Whose death ends this process")->group("");
  app.add_flag("--allow-fallback", options->allow_fallback, "Do not judge the effective backend");
  return [options] { return run(*options); };
}

}  // namespace

extern const Command cell_command{.name = "cell",
                                  .summary = "Run one scenario against one loop, in this process",
                                  .setup = setup};

}  // namespace loopscope::commands
