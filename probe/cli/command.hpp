// Command: one word after `loopscope`, in one file.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "probe/cli/options.hpp"

namespace loopscope {

/// Runs the command after its options were parsed; the process's exit code.
using Action = std::function<int()>;

struct Command {
  std::string_view name;
  std::string_view summary;        // one line of --help
  Action (*setup)(cli::Options&);  // adds the options
  bool hidden = false;
};

std::span<const Command* const> all_commands();  // generated

namespace cli {
/// Finds the command, parses its options, runs it. Stops on wrong usage.
int run_words(const std::vector<std::string>& words);
}  // namespace cli

}  // namespace loopscope
