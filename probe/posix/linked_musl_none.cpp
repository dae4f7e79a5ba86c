// Systems on which there is no musl.
#include "probe/posix/linked_musl.hpp"

namespace loopscope {

std::string linked_musl() { return {}; }

}  // namespace loopscope
