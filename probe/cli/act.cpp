// loopscope act: the child that scenarios start where no shell serves.
#include "harness/windows/act.hpp"

#include "probe/cli/command.hpp"

namespace loopscope::commands::act {
namespace {

Action setup(cli::Options& takes) {
  auto steps = std::make_shared<std::vector<std::string>>();
  takes.add({.names = "steps", .target = steps.get(), .help = "What to do, one after the other"});
  return [steps] { return windows::act(*steps); };
}

}  // namespace

extern const Command command{
    .name = "act", .summary = "Be a child of a scenario", .setup = setup, .hidden = true};

}  // namespace loopscope::commands::act
