// The child that scenarios start on Windows: see programs.cpp beside it.
#pragma once

#include <string>
#include <vector>

namespace loopscope::windows {

/// Does the steps, one after the other. The exit code; 2 after a step that it does not know.
int act(const std::vector<std::string>& steps);

}  // namespace loopscope::windows
