// loopscope probe: what this machine can do, measured by doing it.

#include "harness/host.hpp"
#include "harness/patterns.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"
#include "probe/environment.hpp"
#include "probe/measure.hpp"
#include "probe/render.hpp"

namespace loopscope::commands::probe {
namespace {

struct Options {
  std::vector<std::string> facts;
  std::string format = "text";
  int deadline_ms = static_cast<int>(kFactDeadline.count());
};

void check_selection(const std::vector<std::string>& patterns) {
  const std::vector<std::string> known = cli::fact_ids();
  for (const std::string& pattern : patterns) {
    if (std::none_of(known.begin(), known.end(),
                     [&](const std::string& id) { return selects(pattern, id); })) {
      cli::unknown_id("fact", pattern, known);
    }
  }
}

int run(const Options& options) {
  const std::vector<std::string> patterns = split_patterns(options.facts);
  check_selection(patterns);
  const TimePoint began = now();
  const std::chrono::milliseconds deadline(options.deadline_ms);
  std::vector<MeasuredFact> facts;
  if (patterns.empty()) facts = measure_facts({}, deadline);
  for (const std::string& pattern : patterns) {
    for (MeasuredFact& fact : measure_facts(pattern, deadline)) {
      if (find_fact(facts, fact.id) == nullptr) facts.push_back(std::move(fact));
    }
  }
  const HostBlock host = host_environment();
  const Duration took = now() - began;
  if (options.format == "json") {
    cli::print(probe_json(facts, host, took));
  } else {
    constexpr int kStandardOutput = 1;
    const bool terminal = host::is_terminal(kStandardOutput);
    cli::print(probe_text(facts, host, took,
                          {.width = terminal ? host::terminal_width(kStandardOutput) : 100,
                           .colour = cli::colour_on(kStandardOutput)}));
  }
  return value(facts.empty() ? ExitCode::nothing_ran : ExitCode::green);
}

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  takes.add({.names = "-F,--fact",
             .target = &options->facts,
             .help = "Ids, globs, prefixes (default: all)"});
  takes.add({.names = "-f,--format",
             .target = &options->format,
             .help = "text or json",
             .shows_default = true,
             .one_of = {"text", "json"}});
  takes.add({.names = "--deadline-ms",
             .target = &options->deadline_ms,
             .help = "How long a fact may take",
             .shows_default = true,
             .within = {{10, 600'000}}});
  return [options] { return run(*options); };
}

}  // namespace

extern const Command command{
    .name = "probe", .summary = "Measure the facts of this machine and print them", .setup = setup};

}  // namespace loopscope::commands::probe
