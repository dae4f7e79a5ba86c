// BusyPool: a thread pool, all of whose threads are kept until they are let go.
#pragma once

#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "harness/context.hpp"

namespace loopscope::scenarios {

/// Makes a pool of `threads` the subject's default executor, and keeps every thread of it busy with
/// a job of its own until release() or the end of the scope.
class BusyPool {
 public:
  BusyPool(Context& cx, unsigned threads) {
    cx.ok(cx.loop().set_default_executor(make_thread_pool(threads)), "set_default_executor");
    for (unsigned i = 0; i < threads; ++i) {
      jobs.push_back(cx.loop().run_in_executor([state = state_] { state->work(); }));
    }
    while (state_->begun < threads) std::this_thread::yield();
  }
  ~BusyPool() { release(); }
  BusyPool(const BusyPool&) = delete;
  BusyPool& operator=(const BusyPool&) = delete;
  void release() {
    if (!std::exchange(released_, true)) state_->go.count_down();
  }

  std::vector<Future<void>> jobs;

 private:
  struct State {  // the jobs may still be on their way out when the scope has ended
    void work() { ++begun, go.wait(); }
    std::atomic<unsigned> begun{0};
    std::latch go{1};
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
  bool released_ = false;
};

}  // namespace loopscope::scenarios
