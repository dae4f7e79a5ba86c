// What a system does not have: the scenario that asks for it is skipped, and says so.
#pragma once

#include <string>
#include <string_view>

#include "harness/peer.hpp"

namespace loopscope {

[[noreturn]] inline void system_lacks(std::string_view system, const std::string& what) {
  throw HostLacks(make_error(Errc::not_supported, system, "it has no " + what));
}

}  // namespace loopscope
