// Readiness: what of a descriptor can be waited for, and whoever can wait for it.
#pragma once

#include <cstdint>
#include <functional>

#include "loops/base/result.hpp"
#include "loops/os/native.hpp"

namespace loopscope {

class EventLoop;

enum class Direction : std::uint8_t { read, write };

/// What to watch a descriptor for, and what it turned out to be ready for.
struct Interest {
  bool read = false;
  bool write = false;
  friend bool operator==(Interest, Interest) = default;
};

/// What is built on readiness needs this much of a loop.
class Readiness {
 public:
  virtual ~Readiness() = default;
  virtual EventLoop& event_loop() = 0;
  /// Calls ready() on every iteration in which the descriptor is ready, until unwatch.
  virtual Result<void> watch(os::NativeSocket fd, Direction direction,
                             std::function<void()> ready) = 0;
  virtual void unwatch(os::NativeSocket fd, Direction direction) = 0;
};

}  // namespace loopscope
