// Selections, variables and messages of the command line.
#include "probe/cli/common.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "harness/host.hpp"
#include "harness/patterns.hpp"
#include "harness/testing/faulty.hpp"
#include "harness/testing/self_scenarios.hpp"
#include "probe/cli/command.hpp"
#include "probe/probe.hpp"

namespace loopscope::cli {
namespace {

bool any_begins_with(const std::vector<std::string>& patterns, std::string_view word) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    const std::size_t skip = pattern.front() == '!' ? 1 : 0;
    return std::string_view(pattern).substr(skip, word.size()) == word;
  });
}

/// Every pattern has to mean something: a typing error must not run less than was meant.
void check_patterns(std::string_view kind, const std::vector<std::string>& patterns,
                    const std::vector<std::string>& known) {
  for (const std::string& pattern : patterns) {
    const std::string_view bare = std::string_view(pattern).substr(pattern.front() == '!' ? 1 : 0);
    const bool used = std::any_of(known.begin(), known.end(),
                                  [&](const std::string& id) { return matches(bare, id); });
    if (!used) unknown_id(kind, bare, known);
  }
}

template <class Row, class NameOf>
std::vector<const Row*> pick(const std::vector<const Row*>& rows,
                             const std::vector<std::string>& patterns, NameOf name_of) {
  std::vector<const Row*> result;
  for (const Row* row : rows) {
    if (patterns.empty() || selected(patterns, name_of(*row))) result.push_back(row);
  }
  return result;
}

}  // namespace

void stop(const Message& message, ExitCode code) { throw Stop{code, message.text()}; }

std::vector<std::pair<std::string, std::string>> variables_in_use() {
  std::map<std::string, std::string> found;
  for (const Command* command : all_commands()) {
    Options options;
    const Action described = command->setup(options);  // holds what the options write to
    for (const Option& option : options.all()) {
      const std::string name = variable_of(option);
      if (const char* value = std::getenv(name.c_str())) found[name] = value;
    }
  }
  return {found.begin(), found.end()};
}

namespace {
struct LoopChoice {
  const char *option, *variable;
  std::string LoopChoices::*value;
};
constexpr LoopChoice kLoopChoices[] = {
    {"--child-watcher", "LOOPSCOPE_CHILD_WATCHER", &LoopChoices::child_watcher},
    {"--uring", "LOOPSCOPE_URING", &LoopChoices::uring}};
}  // namespace

std::vector<std::pair<std::string, std::string>> LoopChoices::variables() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const LoopChoice& choice : kLoopChoices) {
    all.emplace_back(choice.variable, this->*choice.value);
  }
  return all;
}

std::vector<std::string> LoopChoices::options() const {
  std::vector<std::string> words;
  for (const LoopChoice& choice : kLoopChoices) {
    if (this->*choice.value == LoopChoices{}.*choice.value) continue;
    words.emplace_back(choice.option);
    words.push_back(this->*choice.value);
  }
  return words;
}

void LoopChoices::set(std::string_view variable, std::string value) {
  for (const LoopChoice& choice : kLoopChoices) {
    if (variable == choice.variable) this->*choice.value = std::move(value);
  }
}

void add_loop_choices(Options& options, LoopChoices& choices) {
  options.add({.names = "--child-watcher",
               .target = &choices.child_watcher,
               .help = "How loops learn that children ended",
               .shows_default = true,
               .one_of = {"automatic", "pidfd", "sigchld"}});
  options.add({.names = "--uring",
               .target = &choices.uring,
               .help = "What of the kernel io_uring loops may use",
               .shows_default = true,
               .one_of = {std::begin(kUringLevels), std::end(kUringLevels)}});
}

void add_selection(Options& options, SelectionOptions& selection) {
  options.add({.names = "-l,--loop",
               .target = &selection.loops,
               .help = "Loops: names, globs, lists; '!x' takes out (default: all)"});
  options.add({.names = "-s,--scenario",
               .target = &selection.scenarios,
               .help = "Scenarios: ids, globs, prefixes as 'sched.', lists (default: all)"});
}

std::vector<std::string> loop_names() {
  std::vector<std::string> names;
  for (const LoopDescriptor* loop : all_loops()) names.emplace_back(loop->name);
  for (const testing::FaultyFile* file : testing::all_faulty_files()) {
    for (const testing::FaultyLoop& faulty : file->loops) names.emplace_back(faulty.loop.name);
  }
  return names;
}

std::vector<std::string> scenario_ids() {
  std::vector<std::string> ids;
  for (const ScenarioFile* file : all_scenario_files()) {
    for (const Scenario& scenario : file->scenarios) ids.emplace_back(scenario.id);
  }
  return ids;
}

std::vector<std::string> fact_ids() {
  std::vector<std::string> ids;
  for (const ProbeFile* file : all_probe_files()) {
    for (const Fact& fact : file->facts) ids.emplace_back(fact.id);
  }
  return ids;
}

const LoopDescriptor* find_loop(std::string_view name) {
  for (const LoopDescriptor* loop : all_loops()) {
    if (loop->name == name) return loop;
  }
  const testing::FaultyLoop* faulty = testing::find_faulty(name);
  return faulty == nullptr ? nullptr : &faulty->loop;
}

std::vector<const LoopDescriptor*> select_loops(const std::vector<std::string>& arguments) {
  const std::vector<std::string> patterns = split_patterns(arguments);
  check_patterns("loop", patterns, loop_names());
  std::vector<const LoopDescriptor*> rows(all_loops().begin(), all_loops().end());
  if (any_begins_with(patterns, "faulty")) {
    for (const testing::FaultyFile* file : testing::all_faulty_files()) {
      for (const testing::FaultyLoop& faulty : file->loops) rows.push_back(&faulty.loop);
    }
  }
  return pick(rows, patterns, [](const LoopDescriptor& loop) { return loop.name; });
}

std::vector<const Scenario*> select_scenarios(const std::vector<std::string>& arguments) {
  const std::vector<std::string> patterns = split_patterns(arguments);
  std::vector<const Scenario*> rows;
  for (const ScenarioFile* file : all_scenario_files()) {
    for (const Scenario& scenario : file->scenarios) rows.push_back(&scenario);
  }
  std::vector<std::string> known = scenario_ids();
  if (any_begins_with(patterns, "selftest.")) {
    for (const Scenario& scenario : testing::self_scenarios()) {
      rows.push_back(&scenario);
      known.emplace_back(scenario.id);
    }
  }
  check_patterns("scenario", patterns, known);
  return pick(rows, patterns, [](const Scenario& scenario) { return scenario.id; });
}

void unknown_id(std::string_view kind, std::string_view wanted,
                const std::vector<std::string>& known) {
  const std::vector<std::string> near = near_matches(wanted, known);
  Message message("LS010", fmt::format("no {} matches \"{}\"", kind, wanted));
  message.fact("near", fmt::format("{}", fmt::join(near, ", ")));
  stop(message.next(kind == "id" ? "loopscope list scenarios"
                                 : fmt::format("loopscope list {}s", kind)));
}

namespace {
struct Invocation {
  std::string program = "loopscope";
  std::vector<std::string> arguments;
};
Invocation& invocation() {
  static Invocation kept;
  return kept;
}
}  // namespace

void remember_arguments(int argc, const char* const* argv) {
  if (argc > 0) invocation().program = argv[0];
  for (int i = 1; i < argc; ++i) invocation().arguments.emplace_back(argv[i]);
}
const std::vector<std::string>& arguments() { return invocation().arguments; }
const std::string& invoked_as() { return invocation().program; }

std::vector<const LoopDescriptor*> catalogue_loops(
    const std::vector<const LoopDescriptor*>& selected) {
  std::vector<const LoopDescriptor*> loops(all_loops().begin(), all_loops().end());
  for (const LoopDescriptor* loop : selected) {
    if (std::find(loops.begin(), loops.end(), loop) == loops.end()) loops.push_back(loop);
  }
  return loops;
}

bool colour_on(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  return host::is_terminal(fd) && (no_color == nullptr || *no_color == '\0');
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_error(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace loopscope::cli
