// The trace: kept for the checks, sent to the parent as it happens.
#include "harness/trace.hpp"

#include <algorithm>

#include "harness/cell_channel.hpp"

namespace loopscope {

void Trace::mark(std::string_view what) {
  std::size_t position = 0;
  std::int64_t t_ns = 0;
  {
    const std::lock_guard lock(mutex_);
    t_ns = cell::elapsed_ns();
    position = events_.size();
    events_.push_back({t_ns, std::string(what)});
  }
  if (position >= kSent || cell::channel_fd() < 0) return;
  cell::say("{\"mark\":" + cell::quoted(what) + ",\"t_ns\":" + std::to_string(t_ns) + "}");
}

std::vector<TraceEvent> Trace::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

std::vector<std::string> Trace::names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> result;
  result.reserve(events_.size());
  for (const TraceEvent& event : events_) result.push_back(event.what);
  return result;
}

std::size_t Trace::count(std::string_view what) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      events_.begin(), events_.end(), [&](const TraceEvent& event) { return event.what == what; }));
}

}  // namespace loopscope
