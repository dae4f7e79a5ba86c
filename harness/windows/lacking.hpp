// What Windows does not have.
#pragma once

#include "harness/lacking.hpp"

namespace loopscope::windows {

[[noreturn]] inline void lacks(const std::string& what) { system_lacks("Windows", what); }

}  // namespace loopscope::windows
