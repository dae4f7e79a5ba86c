// The loop `kqueue` on Linux: over libkqueue, which makes a queue of epoll, timerfd and eventfd. It
// shows that our code over a queue works, and nothing of what a BSD does.
//
// What libkqueue 2.3.1 does otherwise, measured, and what is done about it here:
//   READ and WRITE of one descriptor  the second is refused (EFAULT): WRITE watches a duplicate.
//   close(2)                          takes nothing out: what is added again is removed before.
//   EVFILT_SIGNAL                     blocks the signal and reads it from a signalfd, so that it is
//                                     lost to every other thread: not used.
//   what is neither file, pipe nor socket  EFAULT: refused with EPERM. select(2) cannot help here,
//                                     for the queue's own descriptor is a pipe that says nothing.
//   EVFILT_PROC                       ENOSYS: SIGCHLD tells of children.
#include <cerrno>
#include <map>

#include "loops/common/tls_engine.hpp"
#include "loops/os/pipe.hpp"
#include "loops/selector/kqueue_loop.hpp"

namespace loopscope {
namespace {

using Action = QueueChange::Action;

class LibraryQueue final : public KernelQueue {
 public:
  explicit LibraryQueue(std::unique_ptr<KernelQueue> queue) : queue_(std::move(queue)) {}
  os::NativeSocket descriptor() const override { return queue_->descriptor(); }

  Result<void> change(const QueueChange& change) override {
    if (change.filter == Filter::signal) return errno_error_of(ENOSYS, "kevent(EVFILT_SIGNAL)");
    if (change.filter == Filter::write) return change_twin(change);
    if (change.filter == Filter::read && change.action == Action::add) {
      const auto fd = static_cast<int>(change.ident);
      if (const Result<os::FdKind> kind = os::kind_of(fd); !kind.ok()) return kind.error();
      (void)queue_->change({change.filter, change.ident, Action::remove});  // If it is there.
    }
    return as_a_kernel(queue_->change(change));
  }

  Result<std::size_t> wait(const std::optional<QueueChange>& change,
                           std::optional<Duration> timeout, std::span<QueueEvent> events) override {
    Result<std::size_t> waited = queue_->wait(change, timeout, events);
    if (!waited.ok()) return waited;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < *waited; ++i) {
      QueueEvent event = events[i];
      if (event.filter == Filter::write) {
        const auto original = original_of_.find(event.ident);
        if (original == original_of_.end()) continue;
        event.ident = original->second;
      }
      events[kept++] = event;
    }
    return kept;
  }

  bool defers_timeouts() const override { return queue_->defers_timeouts(); }
  Result<void> reopen() override {
    twins_.clear();
    original_of_.clear();
    return queue_->reopen();
  }

 private:
  /// A kind of descriptor that it does not know is a bad address to it.
  static Result<void> as_a_kernel(Result<void> changed) {
    if (changed.ok() || !changed.error().is_errno(EFAULT)) return changed;
    return errno_error_of(EPERM, "kevent of libkqueue");
  }
  Result<void> change_twin(const QueueChange& change) {
    drop_twin(change.ident);
    if (change.action == Action::remove) return {};
    Result<os::UniqueFd> twin = os::duplicate(static_cast<int>(change.ident));
    if (!twin.ok()) return twin.error();
    const auto number = static_cast<std::uintptr_t>(twin->get());
    Result<void> added = as_a_kernel(queue_->change({Filter::write, number, Action::add}));
    if (!added.ok()) return added;
    original_of_[number] = change.ident;
    twins_[change.ident] = std::move(twin).value();
    return added;
  }
  void drop_twin(std::uintptr_t original) {
    const auto found = twins_.find(original);
    if (found == twins_.end()) return;
    const auto number = static_cast<std::uintptr_t>(found->second.get());
    (void)queue_->change({Filter::write, number, Action::remove});  // It is there.
    original_of_.erase(number);
    twins_.erase(found);
  }

  std::unique_ptr<KernelQueue> queue_;
  std::map<std::uintptr_t, os::UniqueFd> twins_;          // by the descriptor
  std::map<std::uintptr_t, std::uintptr_t> original_of_;  // by the twin
};

KernelQueueResult open_library_queue() {
  KernelQueueResult queue = open_kernel_queue();
  if (!queue.ok()) return queue.error();
  return std::make_unique<LibraryQueue>(std::move(queue).value());
}

// What libkqueue waits with, and we for devices.
constexpr std::string_view kWaitCalls[] = {"epoll_wait", "ppoll", "pselect"};

}  // namespace

namespace loops {
extern const LoopDescriptor kqueue_loop{.name = "kqueue",
                                        .family = Family::selector,
                                        .mechanism = "kevent of libkqueue 2.3.1 on Linux",
                                        .native = kSelectorCaps | kTlsCaps,
                                        .absences = kTlsAbsences,
                                        .wait_calls = kWaitCalls,
                                        .make = make_selector_loop<open_library_queue, KqueueLoop>};
}  // namespace loops
}  // namespace loopscope
