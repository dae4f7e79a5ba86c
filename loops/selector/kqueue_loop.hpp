// KqueueLoop: a SelectorLoop whose queue also tells of signals and of children.
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "loops/selector/kqueue_selector.hpp"
#include "loops/selector/selector_loop.hpp"

namespace loopscope {

class KqueueLoop final : public SelectorLoop {
 public:
  KqueueLoop(const LoopOptions& options, std::unique_ptr<KqueueSelector> selector,
             std::unique_ptr<os::Waker> waker);
  ~KqueueLoop() override { close_unclosed(); }
  static Result<std::unique_ptr<KqueueLoop>> make(const LoopOptions& options,
                                                  std::unique_ptr<KernelQueue> queue);

  Result<void> add_signal_handler(int signum, std::function<void()> callback) override;
  Result<bool> remove_signal_handler(int signum) override;

 protected:
  Result<std::unique_ptr<ExitWatcher>> exit_watcher(Readiness& readiness) override;
  void close_backend() override;

 private:
  void signal_arrived(int signum) noexcept override;
  Result<void> open_channel();

  KqueueSelector* queue_;  // the selector of the base
  ChildWatcher child_watcher_;
  std::array<std::atomic<bool>, os::kMaxSignal> by_queue_{};  // the queue reports the signal
  std::unique_ptr<os::Waker> channel_;  // for the handlers of signals that the queue lacks
};

}  // namespace loopscope
