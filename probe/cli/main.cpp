// The command line: finds the command, parses its options, runs it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <map>

#include "harness/exit_code.hpp"
#include "harness/host.hpp"
#include "harness/patterns.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"

namespace loopscope {
namespace {

/// The first word is no option and no command: says so, instead of CLI11's general complaint.
void check_command(const CLI::App& app) {
  if (cli::arguments().empty() || cli::arguments().front().substr(0, 1) == "-") return;
  std::vector<std::string> known;
  for (const CLI::App* sub : app.get_subcommands({})) known.push_back(sub->get_name());
  const std::string& word = cli::arguments().front();
  if (std::find(known.begin(), known.end(), word) != known.end()) return;
  Message message("LS001", fmt::format("no command is called \"{}\"", word));
  message.fact("near", fmt::format("{}", fmt::join(near_matches(word, known), ", ")));
  cli::stop(message.next("loopscope --help"));
}

int wrong_usage(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<const CLI::App*> chosen = app.get_subcommands({});
  std::string command = "loopscope";
  for (const CLI::App* sub : chosen) {
    if (sub->parsed()) command += " " + sub->get_name();
  }
  cli::print_error(Message("LS001", error.what()).next(command + " --help").text());
  return value(ExitCode::usage);
}

int run(int argc, char** argv) {
  host::ensure_standard_descriptors();
  cli::remember_arguments(argc, argv);
  CLI::App app{
      "loopscope: what event loops do on this machine, and whether they keep their promises",
      "loopscope"};
  app.footer(kExitCodeTable);
  app.require_subcommand(1);
  std::map<const CLI::App*, Action> actions;
  for (const Command* command : all_commands()) {
    CLI::App* sub = app.add_subcommand(std::string(command->name), std::string(command->summary));
    sub->footer(
        std::string("Each option can be given as a variable: --jobs as LOOPSCOPE_JOBS.\n\n") +
        kExitCodeTable);
    if (command->hidden) sub->group("");
    actions[sub] = command->setup(*sub);
  }
  check_command(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return wrong_usage(app, error);
    return app.exit(error);  // --help
  }
  return actions.at(app.get_subcommands().front())();
}

}  // namespace
}  // namespace loopscope

int main(int argc, char** argv) {
  using namespace loopscope;
  std::string what = "an exception of an unknown type";
  try {
    return run(argc, argv);
  } catch (const cli::Stop& stop) {
    cli::print_error(stop.message);
    return value(stop.code);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
  }
  cli::print_error(Message("LS070", "a bug in loopscope").fact("what", what).text());
  return value(ExitCode::bug);
}
