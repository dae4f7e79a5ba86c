// Parsing what a command described, with CLI11.
#include "probe/cli/options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "harness/exit_code.hpp"
#include "harness/patterns.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"

namespace loopscope::cli {
namespace {

CLI::Option* add_target(CLI::App& app, const Option& option) {
  return std::visit(
      [&](auto* target) {
        if constexpr (std::is_same_v<decltype(target), bool*>) {
          return app.add_flag(option.names, *target, option.help);
        } else {
          return app.add_option(option.names, *target, option.help);
        }
      },
      option.target);
}

/// In the type of the target, which --help names: "INT in [1 - 60000]".
CLI::Range range_for(const Option& option) {
  const auto [least, most] = *option.within;
  if (std::holds_alternative<double*>(option.target)) return {least, most};
  if (std::holds_alternative<unsigned*>(option.target)) {
    return {static_cast<unsigned>(least), static_cast<unsigned>(most)};
  }
  return {static_cast<int>(least), static_cast<int>(most)};
}

void add(CLI::App& app, const Option& option) {
  CLI::Option* added = add_target(app, option);
  if (const std::string variable = variable_of(option); !variable.empty()) {
    added->envname(variable);
  }
  if (option.required) added->required();
  if (option.shows_default) added->capture_default_str();
  if (option.within) added->check(range_for(option));
  if (!option.one_of.empty()) added->check(CLI::IsMember(option.one_of));
  if (option.hidden) added->group("");
}

/// The first word is no option and no command: says so, instead of CLI11's general complaint.
void check_command(const std::vector<std::string>& words) {
  if (words.empty() || words.front().substr(0, 1) == "-") return;
  std::vector<std::string> known;
  for (const Command* command : all_commands()) known.emplace_back(command->name);
  const std::string& word = words.front();
  if (std::find(known.begin(), known.end(), word) != known.end()) return;
  Message message("LS001", fmt::format("no command is called \"{}\"", word));
  message.fact("near", fmt::format("{}", fmt::join(near_matches(word, known), ", ")));
  stop(message.next("loopscope --help"));
}

int wrong_usage(const std::string& command, const CLI::ParseError& error) {
  print_error(Message("LS001", error.what()).next(command + " --help").text());
  return value(ExitCode::usage);
}

}  // namespace

std::string variable_of(const Option& option) {
  const std::size_t at = option.names.find("--");
  if (!option.has_variable || option.hidden || at == std::string::npos) return {};
  std::string variable = "LOOPSCOPE_" + option.names.substr(at + 2);
  for (char& c : variable) {
    c = c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return variable;
}

int run_words(const std::vector<std::string>& words) {
  check_command(words);
  CLI::App app{
      "loopscope: what event loops do on this machine, and whether they keep their promises",
      "loopscope"};
  app.footer(kExitCodeTable);
  app.require_subcommand(1);
  Action action;
  std::string wanted = "loopscope";
  for (const Command* command : all_commands()) {
    CLI::App* sub = app.add_subcommand(std::string(command->name), std::string(command->summary));
    if (command->hidden) sub->group("");
    if (words.empty() || words.front() != command->name) continue;
    wanted += " " + words.front();
    sub->footer(
        std::string("Each option can be given as a variable: --jobs as LOOPSCOPE_JOBS.\n\n") +
        kExitCodeTable);
    Options options;
    action = command->setup(options);
    for (const Option& option : options.all()) add(*sub, option);
  }
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return wrong_usage(wanted, error);
    return app.exit(error);  // --help
  }
  return action();
}

}  // namespace loopscope::cli
