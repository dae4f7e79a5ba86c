// The wake channel of the BSDs, where the selector has none of its own: the portable one.
#include "loops/os/waker.hpp"

namespace loopscope::os {
Result<std::unique_ptr<Waker>> make_waker() { return make_socketpair_waker(); }
}  // namespace loopscope::os
