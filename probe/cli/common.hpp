// What several commands share: ending with a message, options with variables, selecting by id.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/exit_code.hpp"
#include "harness/messages.hpp"
#include "harness/scenario.hpp"
#include "loops/descriptor.hpp"
#include "probe/cli/options.hpp"

namespace loopscope::cli {

/// Ends the command with a message on standard error and an exit code. Thrown
/// inside the command line only, and caught in main.
struct Stop {
  ExitCode code;
  std::string message;
};
[[noreturn]] void stop(const Message& message, ExitCode code = ExitCode::usage);

/// The LOOPSCOPE_ variables of options that are set, by name.
std::vector<std::pair<std::string, std::string>> variables_in_use();

/// What the loops of the cells are told. "automatic" leaves the choice to them.
struct LoopChoices {
  std::string child_watcher{
      "automatic"};                // --child-watcher: how they learn of their children's end
  std::string uring{"automatic"};  // --uring: what of the kernel io_uring loops may use

  /// As variables: {"LOOPSCOPE_URING", "plain"}.
  std::vector<std::pair<std::string, std::string>> variables() const;
  /// As options, {"--uring", "plain"}, without what is automatic.
  std::vector<std::string> options() const;
  /// Takes what variables() gave.
  void set(std::string_view variable, std::string value);
};
void add_loop_choices(Options& options, LoopChoices& choices);

/// --loop and --scenario, each a list of ids, globs and prefixes.
struct SelectionOptions {
  std::vector<std::string> loops, scenarios;
};
void add_selection(Options& options, SelectionOptions& selection);

/// In column order. Without patterns: all loops. Faulty loops only when a pattern begins with
/// "faulty". A pattern that matches nothing stops with its near matches.
std::vector<const LoopDescriptor*> select_loops(const std::vector<std::string>& patterns);
/// In catalogue order. Without patterns: all scenarios. "selftest." ones only when named.
std::vector<const Scenario*> select_scenarios(const std::vector<std::string>& patterns);
const LoopDescriptor* find_loop(std::string_view name);

std::vector<std::string> loop_names();    // faulty ones at the end
std::vector<std::string> scenario_ids();  // without the harness's own

std::vector<std::string> fact_ids();

/// Stops: nothing of that kind has this name; names what is near.
[[noreturn]] void unknown_id(std::string_view kind, std::string_view wanted,
                             const std::vector<std::string>& known);

/// The words after the program's name, and how the program was started ("build/loopscope").
void remember_arguments(int argc, const char* const* argv);
const std::vector<std::string>& arguments();
const std::string& invoked_as();
/// The loops of the catalogue: all, and the selected ones that are not among them (faulty ones).
std::vector<const LoopDescriptor*> catalogue_loops(
    const std::vector<const LoopDescriptor*>& selected);

/// Colours are wanted: a terminal, and no NO_COLOR.
bool colour_on(int fd);
/// Text to standard output, whole.
void print(std::string_view text);
void print_error(std::string_view text);

}  // namespace loopscope::cli
