// OwnTurn: the poll loop with its iteration taken apart, so that a faulty loop can get one step of
// it wrong; and the row of a faulty loop that says itself who catches it.
#pragma once

#include "harness/testing/poll_based.hpp"

namespace loopscope::testing {

using Names = std::string_view;

/// L has kCaughtBy, the scenarios that must catch it, and kKeeps, what it does right.
template <class L>
constexpr FaultyLoop wrong(std::string_view name, std::string_view defect) {
  return FaultyLoop{.loop = poll_based<L>(name),
                    .defect = defect,
                    .must_fail = L::kCaughtBy,
                    .must_pass = L::kKeeps};
}

/// The same with a function of its own that makes the loop.
template <class L>
constexpr FaultyLoop wrong(std::string_view name, std::string_view defect,
                           Result<std::unique_ptr<EventLoop>> (*make)(const LoopOptions&)) {
  FaultyLoop row = wrong<L>(name, defect);
  row.loop.make = make;
  return row;
}

class OwnTurn : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;

 protected:
  Result<void> run_once() override {
    std::optional<Duration> limit = wait_limit();
    if (limit != Duration::zero() && !inbox_.may_sleep()) limit = Duration::zero();
    if (Result<void> waited = poll(limit); !waited.ok()) return waited;
    take_posted();
    expire_timers();
    run_batch();
    return {};
  }
  virtual void take_posted() { inbox_.drain(ready_); }
  virtual void run_batch() { run_ready(); }
};

}  // namespace loopscope::testing
