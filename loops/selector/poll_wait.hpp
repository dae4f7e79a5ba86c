// The wait of the poll loop: ppoll(2), or poll(2) with whole milliseconds where there is none.
#pragma once

#include <poll.h>

#include <optional>
#include <string_view>

#include "loops/base/clock.hpp"

namespace loopscope {

/// As poll(2): how many are ready, or -1 with errno. It never ends before the timeout does.
int poll_for(pollfd* slots, nfds_t count, std::optional<Duration> timeout);
/// What it calls: "ppoll" or "poll".
inline constexpr std::string_view kPollCall = LOOPSCOPE_POLL_CALL;

}  // namespace loopscope
