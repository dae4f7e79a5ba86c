// All answers of this platform in one table.
#include "probe/windows/answers.hpp"

#include <vector>

namespace loopscope {

std::span<const PlatformAnswer> platform_answers() {
  static const std::vector<PlatformAnswer> all = [] {
    std::vector<PlatformAnswer> joined;
    for (const auto part :
         {windows::completion_answers(), windows::file_answers(), windows::host_answers(),
          windows::process_answers(), windows::readiness_answers(), windows::shell_answers(),
          windows::socket_answers(), windows::timer_answers()}) {
      joined.insert(joined.end(), part.begin(), part.end());
    }
    return joined;
  }();
  return all;
}

}  // namespace loopscope
