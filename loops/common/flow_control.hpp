// FlowControl: when a transport asks its protocol to pause writing, and when to go on.
#pragma once

#include <cstddef>
#include <optional>

#include "loops/base/result.hpp"
#include "loops/transport.hpp"

namespace loopscope {

/// Pure: says what to do, does nothing. pause and resume alternate strictly.
class FlowControl {
 public:
  enum class Change : unsigned char { none, pause, resume };
  static constexpr std::size_t kDefaultHigh = 64 * 1024;

  /// source: asyncio.WriteTransport.set_write_buffer_limits
  Result<void> set_limits(std::optional<std::size_t> high, std::optional<std::size_t> low) {
    const std::size_t wanted_high = high ? *high : (low ? 4 * *low : kDefaultHigh);
    const std::size_t wanted_low = low ? *low : wanted_high / 4;
    if (wanted_high < wanted_low) {
      return make_error(Errc::invalid_argument, "set_write_buffer_limits",
                        "high must not be below low");
    }
    high_ = wanted_high;
    low_ = wanted_low;
    return {};
  }
  WriteBufferLimits limits() const { return {low_, high_}; }
  /// To be asked whenever the number of buffered bytes changed.
  Change update(std::size_t buffered) {
    if (!paused_ && buffered > high_) {
      paused_ = true;
      return Change::pause;
    }
    if (paused_ && buffered <= low_) {
      paused_ = false;
      return Change::resume;
    }
    return Change::none;
  }
  bool paused() const { return paused_; }

 private:
  std::size_t high_ = kDefaultHigh, low_ = kDefaultHigh / 4;
  bool paused_ = false;
};

}  // namespace loopscope
