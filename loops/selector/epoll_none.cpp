// No epoll: what is made from it says so when it is asked for.
#include "loops/selector/selector.hpp"

namespace loopscope {
SelectorResult make_epoll_selector() {
  return make_error(Errc::not_supported, "epoll_create1", "needs Linux");
}
}  // namespace loopscope
