// Processors without cpuid, or whose instruction of that kind is for the kernel alone.
#include "probe/posix/cpuid.hpp"

namespace loopscope {

std::string cpu_vendor() { return {}; }
std::string cpu_hypervisor() { return {}; }

}  // namespace loopscope
