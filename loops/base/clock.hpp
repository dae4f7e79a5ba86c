// Time as the loops see it: monotonic, nanoseconds; and a delay that cannot overflow.
#pragma once

#include <chrono>
#include <ctime>
#include <limits>
#include <optional>

namespace loopscope {

using Clock = std::chrono::steady_clock;
using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<Clock, Duration>;

inline TimePoint now() { return std::chrono::time_point_cast<Duration>(Clock::now()); }

/// A delay as a caller gives it: any std::chrono duration, integral or floating.
///
/// Values outside the range of Duration saturate: 10^18 s and +inf mean "never". A NaN is kept
/// as such, and the loop refuses it at the call (Errc::invalid_argument). Negative: a deadline that
/// has passed already, earlier than one of zero.
class Delay {
 public:
  template <class Rep, class Period>
  constexpr Delay(std::chrono::duration<Rep, Period> delay) : value_(convert(delay)) {}  // NOLINT
  constexpr bool is_nan() const { return nan_; }
  /// The delay, negative as it was given. Undefined for a NaN.
  constexpr Duration value() const { return value_; }

 private:
  template <class Rep, class Period>
  constexpr Duration convert(std::chrono::duration<Rep, Period> delay) {
    const auto seconds = std::chrono::duration<long double>(delay).count();
    if (seconds != seconds) {
      nan_ = true;
      return Duration::max();
    }
    constexpr long double kLimit = 9.2e9L;  // seconds that fit in 63 bits of nanoseconds
    if (seconds >= kLimit) return Duration::max();
    if (seconds <= -kLimit) return Duration::min();
    if constexpr (std::is_integral_v<Rep>) {
      return std::chrono::duration_cast<Duration>(delay);
    } else {
      return std::chrono::ceil<Duration>(delay);  // A delay is a minimum: never round it down.
    }
  }

  bool nan_ = false;
  Duration value_;
};

inline timespec to_timespec(Duration duration) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  return {static_cast<std::time_t>(seconds.count()),
          static_cast<long>((duration - seconds).count())};
}

inline Duration scaled(Duration duration, double by) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::nano>(duration) *
                                              by);
}

/// when + delay, or the latest TimePoint when that does not fit.
inline TimePoint saturating_add(TimePoint when, Duration delay) {
  if (delay > TimePoint::max() - when) return TimePoint::max();
  return when + delay;
}

}  // namespace loopscope
