// What the selectors of Windows share: what they cannot do, and how they tell a closed socket.
#pragma once

#include <algorithm>
#include <span>

#include "loops/common/tls_engine.hpp"
#include "loops/selector/selector_loop.hpp"

namespace loopscope {

/// Winsock's waits take sockets alone, so there is nothing for the rest to stand on.
/// source: seeds of the documentation, asyncio "Platform support", Windows
inline constexpr CapSet kWinsockSelectorCaps =
    kSelectorCaps.without({Cap::pipes, Cap::subprocess, Cap::unix_sockets});
/// Those of TLS included, where this build has none.
std::span<const Absence> winsock_absences();

/// Whole milliseconds that last at least so long; -1 for ever. Winsock's waits count no finer, and
/// a wait that is cut ends early.
inline int whole_milliseconds(std::optional<Duration> timeout) {
  using std::chrono::milliseconds;
  if (!timeout) return -1;
  constexpr Duration kLongest = std::chrono::hours(24);  // the loop just waits again
  return static_cast<int>(std::chrono::ceil<milliseconds>(std::min(*timeout, kLongest)).count());
}

}  // namespace loopscope
