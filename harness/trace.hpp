// The trace of a cell: what happened, in order, with times; sent to the parent as it happens.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "loops/base/clock.hpp"

namespace loopscope {

struct TraceEvent {
  std::int64_t t_ns;  // since the cell began
  std::string what;
};

/// Any thread may append. At most kKept events are sent to the parent; all are kept for checks.
class Trace {
 public:
  static constexpr std::size_t kSent = 2000;
  void mark(std::string_view what);
  std::vector<TraceEvent> events() const;
  std::vector<std::string> names() const;
  std::size_t count(std::string_view what) const;

 private:
  mutable std::mutex mutex_;
  std::vector<TraceEvent> events_;
};

}  // namespace loopscope
