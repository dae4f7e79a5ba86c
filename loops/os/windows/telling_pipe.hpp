// A pipe whose writing end can be read from: reading tells when the reader has gone.
#pragma once

#include "loops/os/pipe.hpp"

namespace loopscope::os {

/// As open_pipe(), but that a read of the writing end waits until nobody has the other one.
Result<Pipe> open_telling_pipe();

}  // namespace loopscope::os
