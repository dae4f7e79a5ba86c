// Backoff: how long to leave alone what fails although the system says that it can be done.
#pragma once

#include <algorithm>

#include "loops/base/clock.hpp"

namespace loopscope {

/// Each pause is as long as all before it together: at most doubles what was waited in vain.
class Backoff {
 public:
  Duration next() { return pause_ = std::clamp(2 * pause_, kShortest, kLongest); }
  void reset() { pause_ = Duration::zero(); }

 private:
  static constexpr Duration kShortest = std::chrono::milliseconds(1);
  static constexpr Duration kLongest = std::chrono::milliseconds(64);
  Duration pause_{0};
};

}  // namespace loopscope
