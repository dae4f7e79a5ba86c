// The shell's line: cmd.exe does not read it as the C runtime of other programs does.
#pragma once

#include <string>
#include <vector>

namespace loopscope::os {

/// Did shell_words() make these? Then the last of them, the command, goes to the shell as it stands
/// between two quotes, which the shell takes away.
bool is_for_shell(const std::vector<std::string>& argv);

}  // namespace loopscope::os
