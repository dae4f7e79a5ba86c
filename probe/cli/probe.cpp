// loopscope probe: what this machine can do, measured by doing it.

#include <fmt/format.h>

#include <algorithm>

#include "harness/host.hpp"
#include "harness/patterns.hpp"
#include "probe/checks.hpp"
#include "probe/cli/about_fact.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"
#include "probe/cli/documents.hpp"
#include "probe/environment.hpp"
#include "probe/format.hpp"
#include "probe/measure.hpp"

namespace loopscope::commands::probe {
namespace {

struct Options {
  std::vector<std::string> facts;
  std::string format = "text", out = "-", explain;
  int deadline_ms = 0;
  bool thorough = false, intrusive = false;
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

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const ProbeFormat* format : all_probe_formats()) names.emplace_back(format->name);
  return names;
}

/// Many samples take longer.
std::chrono::milliseconds deadline_of(const Options& options) {
  constexpr std::chrono::milliseconds kThorough{10'000};
  if (options.deadline_ms > 0) return std::chrono::milliseconds(options.deadline_ms);
  return options.thorough ? kThorough : ProbeOptions{}.deadline;
}

/// Says on standard error which answers cannot both be right.
bool answers_fit(std::span<const MeasuredFact> facts) {
  const ImplicationChecks checks = check_implications(facts);
  for (const Violation& one : checks.violations) {
    Message message("LS018", "two answers cannot both be right");
    message.fact(one.if_fact, one.if_says)
        .fact(one.then_fact, one.then_says)
        .fact("because", one.why)
        .next(fmt::format("{} probe --fact {},{}", cli::invoked_as(), one.if_fact, one.then_fact));
    cli::print_error(message.text());
  }
  return checks.violations.empty();
}

int explain(const std::string& id, const ProbeOptions& asking) {
  const std::vector<std::string> known = cli::fact_ids();
  if (std::find(known.begin(), known.end(), id) == known.end()) cli::unknown_id("fact", id, known);
  cli::print(cli::about_fact(id, asking));
  return value(ExitCode::green);
}

int run(const Options& options) {
  const ProbeOptions asking{.deadline = deadline_of(options),
                            .thorough = options.thorough,
                            .intrusive = options.intrusive};
  if (!options.explain.empty()) return explain(options.explain, asking);
  const std::vector<std::string> patterns = split_patterns(options.facts);
  check_selection(patterns);
  const TimePoint began = now();
  std::vector<MeasuredFact> facts;
  if (patterns.empty()) facts = measure_facts({}, asking);
  for (const std::string& pattern : patterns) {
    for (MeasuredFact& fact : measure_facts(pattern, asking)) {
      if (find_fact(facts, fact.id) == nullptr) facts.push_back(std::move(fact));
    }
  }
  const HostBlock host = host_environment();
  const Duration took = now() - began;
  constexpr int kStandardOutput = 1;
  const bool terminal = options.out == "-" && host::is_terminal(kStandardOutput);
  const ProbeTextOptions text{.width = terminal ? host::terminal_width(kStandardOutput) : 100,
                              .colour = terminal && cli::colour_on(kStandardOutput)};
  for (const ProbeFormat* format : all_probe_formats()) {
    if (format->name != options.format) continue;
    cli::write_document(options.out,
                        format->render({.facts = facts, .host = host, .took = took}, text));
  }
  return value(facts.empty()        ? ExitCode::nothing_ran
               : answers_fit(facts) ? ExitCode::green
                                    : ExitCode::unknown);
}

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  takes.add({.names = "-F,--fact",
             .target = &options->facts,
             .help = "Ids, globs, prefixes (default: all)"});
  takes.add({.names = "-f,--format",
             .target = &options->format,
             .help = "How the facts are written",
             .shows_default = true,
             .one_of = format_names()});
  takes.add({.names = "-o,--out",
             .target = &options->out,
             .help = "File to write; - is standard output",
             .shows_default = true});
  takes.add({.names = "--explain",
             .target = &options->explain,
             .help = "All about one fact: what, why, how, what no answer means, and its answer"});
  takes.add({.names = "--thorough",
             .target = &options->thorough,
             .help = "More samples, and the facts that take long: up to a minute"});
  takes.add({.names = "--intrusive",
             .target = &options->intrusive,
             .help = "Also the facts that leave traces for a while"});
  takes.add({.names = "--deadline-ms",
             .target = &options->deadline_ms,
             .help = "How long a fact may take (default: 500, and 10000 if thorough)",
             .within = {{10, 600'000}}});
  return [options] { return run(*options); };
}

}  // namespace

extern const Command command{
    .name = "probe", .summary = "Measure the facts of this machine and print them", .setup = setup};

}  // namespace loopscope::commands::probe
