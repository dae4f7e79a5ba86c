// What a descriptor is on this platform. The only header with a platform #if.
#pragma once

#include <cstddef>
#include <cstdint>

namespace loopscope::os {

#if defined(_WIN32)
using NativeSocket = std::uintptr_t;
inline constexpr NativeSocket kInvalid = ~NativeSocket{0};
/// May some open descriptor have this value? Handles are multiples of four, below 2^26.
constexpr bool may_exist(NativeSocket fd) { return fd < (NativeSocket{1} << 26); }
/// Its row in a table by descriptor.
constexpr std::size_t index_of(NativeSocket fd) { return fd / 4; }
#else
using NativeSocket = int;
inline constexpr NativeSocket kInvalid = -1;
constexpr bool may_exist(NativeSocket fd) { return fd >= 0; }
constexpr std::size_t index_of(NativeSocket fd) { return static_cast<std::size_t>(fd); }
#endif

}  // namespace loopscope::os
