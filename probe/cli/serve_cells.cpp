// loopscope serve-cells: the process that the cells of a run are forked from.
#include "harness/exit_code.hpp"
#include "harness/posix/fork_server.hpp"
#include "probe/cli/command.hpp"

namespace loopscope::commands::serve_cells {
namespace {

struct Options {
  int socket = -1;
  std::int64_t parent_pid = 0;
};

int run(const Options& options) {
  const auto words = loopscope::serve_cells(options.socket, static_cast<long>(options.parent_pid));
  return words ? cli::run_words(*words) : value(ExitCode::green);
}

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  takes.add({.names = "--socket",
             .target = &options->socket,
             .help = "Where the runner asks for cells",
             .required = true,
             .hidden = true});
  takes.add({.names = "--parent-pid",
             .target = &options->parent_pid,
             .help = "Whose death ends this process",
             .hidden = true});
  return [options] { return run(*options); };
}

}  // namespace

extern const Command command{.name = "serve-cells",
                             .summary = "Fork a cell whenever a run asks for one",
                             .setup = setup,
                             .hidden = true};

}  // namespace loopscope::commands::serve_cells
