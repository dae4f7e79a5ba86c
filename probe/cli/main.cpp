// The command line: finds the command, parses its options, runs it.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>

#include "harness/exit_code.hpp"
#include "probe/cli/command.hpp"

namespace loopscope {
namespace {

int run(int argc, char** argv) {
  CLI::App app{
      "loopscope: what event loops do on this machine, and whether they keep their promises",
      "loopscope"};
  app.footer(kExitCodeTable);
  app.require_subcommand(1);
  std::map<const CLI::App*, Action> actions;
  for (const Command* command : all_commands()) {
    CLI::App* sub = app.add_subcommand(std::string(command->name), std::string(command->summary));
    sub->footer(kExitCodeTable);
    if (command->hidden) sub->group("");
    actions[sub] = command->setup(*sub);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? value(ExitCode::green) : value(ExitCode::usage);
  }
  return actions.at(app.get_subcommands().front())();
}

}  // namespace
}  // namespace loopscope

int main(int argc, char** argv) {
  try {
    return loopscope::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error LS070: a bug in loopscope: %s\n", error.what());
  } catch (...) {
    std::fputs("error LS070: a bug in loopscope: an exception of an unknown type\n", stderr);
  }
  return loopscope::value(loopscope::ExitCode::bug);
}
