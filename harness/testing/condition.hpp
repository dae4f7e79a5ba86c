// What poll(2) says of one descriptor now, told apart: hang-up and error are not readiness here.
#pragma once

#include "loops/os/native.hpp"

namespace loopscope::testing {

struct Condition {
  bool readable = false, writable = false, hangup = false, error = false, urgent = false;
};
/// Never blocks. Nothing is true of a descriptor that cannot be asked.
Condition condition_of(os::NativeSocket fd);

}  // namespace loopscope::testing
