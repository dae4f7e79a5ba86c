// Runs ported programs on one of our loops and prints their traces.
//
// Usage: loopscope_ported --list | --loops | LOOP [PROGRAM...]
// A line "== NAME" begins each trace. --loops: those that can be had in this build, on this system.
#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "ci/ported/topics.hpp"

namespace loopscope::ported {
namespace {

const LoopDescriptor* find_loop(std::string_view name) {
  for (const LoopDescriptor* row : all_loops()) {
    if (row->name == name && row->make != nullptr) return row;
  }
  return nullptr;
}

void perform(const LoopDescriptor& row, const Program& program, std::optional<Cap> needs) {
  std::fputs(("== " + std::string(program.name) + "\n").c_str(), stdout);
  std::fflush(stdout);
  if (needs && row.support(*needs) == Support::absent) {
    std::fputs(("needs " + std::string(info(*needs).id) + "\n").c_str(), stdout);
    return;
  }
  Stage stage(row);
  try {
    program.body(stage);
  } catch (const ExitException&) {
    stage.say("raised Exit");
  } catch (...) {
    stage.say("raised", std::current_exception());
  }
}

int list_loops() {
  for (const LoopDescriptor* row : all_loops()) {
    if (row->make == nullptr || !row->make(LoopOptions{}).ok()) continue;
    std::fputs((std::string(row->name) + "\n").c_str(), stdout);
  }
  return 0;
}

int run(std::span<const std::string_view> arguments) {
  if (arguments.empty()) {
    std::fputs("usage: loopscope_ported --list | LOOP [PROGRAM...]\n", stderr);
    return 64;
  }
  if (arguments[0] == "--loops") return list_loops();
  const bool list = arguments[0] == "--list";
  const LoopDescriptor* row = list ? nullptr : find_loop(arguments[0]);
  if (!list && row == nullptr) {
    std::fputs("no such loop in this build\n", stderr);
    return 64;
  }
  const auto wanted = arguments.subspan(1);
  for (const Topic& topic : kTopics) {
    for (const Program& program : topic.programs) {
      if (list) {
        std::fputs((std::string(program.name) + "\n").c_str(), stdout);
      } else if (wanted.empty() || std::ranges::count(wanted, program.name) > 0) {
        perform(*row, program, topic.needs);
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace loopscope::ported

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  return loopscope::ported::run(arguments);
}
