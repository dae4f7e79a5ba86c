// Arguments and environment for posix_spawn(3).
#pragma once

#include <map>
#include <string>
#include <vector>

namespace loopscope {

/// Ours without options of ours, which are for this process alone, and with these in place of or
/// beside what is there.
std::vector<std::string> environment_with(const std::map<std::string, std::string>& variables);

/// As the call wants them, with a null at the end. They point into the texts.
std::vector<char*> pointers(std::vector<std::string>& texts);

}  // namespace loopscope
