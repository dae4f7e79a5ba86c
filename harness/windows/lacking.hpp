// What Windows does not have: the scenario that asks for it is skipped, and says so.
#pragma once

#include <string>

#include "harness/peer.hpp"

namespace loopscope::windows {

[[noreturn]] inline void lacks(const std::string& what) {
  throw HostLacks(make_error(Errc::not_supported, "Windows", "it has no " + what));
}

}  // namespace loopscope::windows
