// Handles forward to their loop, which knows where the callback is.
#include "loops/handle.hpp"

#include "loops/event_loop.hpp"

namespace loopscope {

bool Handle::cancel() { return loop_ != nullptr && loop_->cancel_handle(*this); }

Result<void> Handle::accepted() const {
  if (kind_ != Kind::none) return {};
  return make_error(refusal_, "call_soon");
}

}  // namespace loopscope
