// What this program was built from.
#pragma once

#include <string_view>

namespace loopscope {

struct BuildInfo {
  std::string_view version, commit, compiler, build_type, sanitizers;
};
BuildInfo build_info();

}  // namespace loopscope
