// What the processor says of itself and of a hypervisor above it.
#pragma once

#include <string>

namespace loopscope {

/// "GenuineIntel", "VirtualApple"; empty where processors have no such words.
std::string cpu_vendor();
/// "KVMKVMKVM", "TCGTCGTCGTCG", padded with NUL; empty where no hypervisor says that it is there.
std::string cpu_hypervisor();

}  // namespace loopscope
