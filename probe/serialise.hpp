// How a probe's child sends its answers: frames of bytes on a pipe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "probe/probe.hpp"

namespace loopscope {

/// An answer with the time that it took.
struct TimedResult {
  FactResult result;
  std::int64_t took_ns = 0;
};

/// One frame: four octets with the length of the rest, then the answer. Native byte order: both
/// ends are the same program on the same machine.
std::string encode_frame(const TimedResult& answer);

/// Takes the first complete frame off the front of `buffer`.
/// returns nullopt when the frame is incomplete; `broken` is set when it can never become whole.
std::optional<TimedResult> take_frame(std::string& buffer, bool& broken);

}  // namespace loopscope
