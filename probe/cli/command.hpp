// Command: one word after `loopscope`, in one file.
#pragma once

#include <functional>
#include <span>
#include <string_view>

namespace CLI {
class App;
}

namespace loopscope {

/// Runs the command after its options were parsed; the process's exit code.
using Action = std::function<int()>;

struct Command {
  std::string_view name;
  std::string_view summary;    // one line of --help
  Action (*setup)(CLI::App&);  // adds the options
  bool hidden = false;
};

std::span<const Command* const> all_commands();  // generated

}  // namespace loopscope
