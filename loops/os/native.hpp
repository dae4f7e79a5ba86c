// What a descriptor is on this platform. The only header with a platform #if.
#pragma once

#include <cstdint>

namespace loopscope::os {

#if defined(_WIN32)
using NativeSocket = std::uintptr_t;
inline constexpr NativeSocket kInvalid = ~NativeSocket{0};
#else
using NativeSocket = int;
inline constexpr NativeSocket kInvalid = -1;
#endif

}  // namespace loopscope::os
