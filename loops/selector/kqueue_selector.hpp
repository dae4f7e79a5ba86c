// KqueueSelector: readiness, wake-ups, signals and exits of children from one kernel queue.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <set>

#include "loops/os/process_id.hpp"
#include "loops/selector/kernel_queue.hpp"
#include "loops/selector/selector.hpp"

namespace loopscope {

class KqueueSelector final : public Selector {
 public:
  explicit KqueueSelector(std::unique_ptr<KernelQueue> queue) : queue_(std::move(queue)) {}

  Result<void> add(os::NativeSocket fd, Interest interest) override;
  Result<void> modify(os::NativeSocket fd, Interest interest) override;
  Result<void> remove(os::NativeSocket fd) override;
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override;
  /// A user event of the queue: it has no descriptor but the queue's own.
  Result<std::unique_ptr<os::Waker>> make_waker() override;
  std::string_view mechanism() const override { return "kevent"; }
  os::NativeSocket descriptor() const override { return queue_->descriptor(); }

  /// Reports each arrival of a signal to `raised`, from wait(), whatever else happens to it and
  /// whether it is blocked or not.
  /// errors  the system's, where the queue has no signals.
  Result<void> watch_signal(int signum);
  void unwatch_signal(int signum);
  void on_signal(std::function<void(int)> raised) { raised_ = std::move(raised); }

  /// Calls ended(), once and from wait(), when the process has ended; it may take a moment until
  /// it can be collected.
  /// errors  ESRCH when it has ended already; the system's, where the queue has no processes.
  Result<void> watch_exit(int pid, std::function<void()> ended);
  void unwatch_exit(int pid);

 private:
  static constexpr std::size_t kNowhere = ~std::size_t{0};
  struct Watched {
    Interest interest;
    bool device = false;        // watched by devices_, which the queue refused
    bool no_reader = false;     // a pipe that is writable because writing to it fails
    std::size_t at = kNowhere;  // its entry of the present wait
  };

  Result<void> take_over();
  Result<void> change(Filter filter, std::uintptr_t ident, QueueChange::Action action);
  Result<void> watch_for(os::NativeSocket fd, Interest before, Interest after);
  Result<void> start(os::NativeSocket fd, Filter filter);
  Result<void> stop(os::NativeSocket fd, Filter filter);
  Result<void> watch_device(os::NativeSocket fd, Interest interest, Error refused);
  Result<bool> wait_for_devices(std::optional<Duration> timeout, std::vector<Ready>& ready);
  void take(const QueueEvent& event, std::vector<Ready>& ready);
  void report(os::NativeSocket fd, Interest what, bool gone, std::vector<Ready>& ready);
  Watched& of(os::NativeSocket fd);

  std::shared_ptr<KernelQueue> queue_;  // also of the waker
  unsigned generation_ = os::fork_generation();
  std::vector<Watched> watched_;  // by descriptor
  std::set<os::NativeSocket> no_reader_;
  std::unique_ptr<Selector> devices_;  // null while the queue takes everything
  std::size_t device_count_ = 0;
  bool wakes_ = false;
  std::set<int> signals_;
  std::function<void(int)> raised_;
  std::map<int, std::function<void()>> exits_;
  std::array<QueueEvent, 256> events_;
  std::vector<Ready> found_;  // of devices_
};

}  // namespace loopscope
