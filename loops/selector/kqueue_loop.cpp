// Signals by EVFILT_SIGNAL and children by EVFILT_PROC, each with what to do where there is none.
//
// A handler of the loop does nothing while the queue reports its signal: kevent(2) is not among the
// calls that a signal handler may make, so it could not trigger the wake-up event. Where the queue
// refuses a signal, its handler writes to a channel, as for the other selectors.
#include "loops/selector/kqueue_loop.hpp"

#include <cerrno>

#include "loops/common/exit_watcher.hpp"

namespace loopscope {
namespace {

using namespace std::chrono_literals;

class QueueWatcher final : public ExitWatcher {
 public:
  QueueWatcher(KqueueSelector& queue, EventLoop& loop) : queue_(queue), loop_(loop) {}

  Result<void> watch(int pid, Ended ended) override {
    const Result<void> watched = queue_.watch_exit(pid, [this, pid] { look_soon(pid, 0ms); });
    // ESRCH: it ended before anybody watched, and waits to be collected.
    const bool over = !watched.ok() && watched.error().is_errno(ESRCH);
    if (!watched.ok() && !over) return watched;
    children_[pid] = {std::move(ended), {}};
    if (over) look_soon(pid, 0ms);
    return {};
  }

  Result<void> signal(int pid, int signum) override {
    if (!children_.contains(pid)) return errno_error_of(ESRCH, "kill");
    return os::signal_child(pid, signum);
  }

  bool forget(int pid) override {
    const auto found = children_.find(pid);
    if (found == children_.end()) return false;
    queue_.unwatch_exit(pid);
    found->second.look.cancel();
    children_.erase(found);
    return true;
  }

 private:
  struct Child {
    Ended ended;
    TimerHandle look;
  };
  void look_soon(int pid, Duration delay) {
    const auto found = children_.find(pid);
    if (found == children_.end()) return;
    found->second.look = loop_.call_later(delay, [this, pid] { look_at(pid); });
  }
  /// Darwin may tell of an exit a moment before the child can be collected.
  void look_at(int pid) {
    const auto found = children_.find(pid);
    if (found == children_.end()) return;
    const std::optional<os::ChildEnd> end = os::collect(pid);
    if (!end) return look_soon(pid, 1ms);
    const Ended ended = std::move(found->second.ended);
    children_.erase(found);
    ended(*end);
  }

  KqueueSelector& queue_;
  EventLoop& loop_;
  std::map<int, Child> children_;  // by process id
};

}  // namespace

KqueueLoop::KqueueLoop(const LoopOptions& options, std::unique_ptr<KqueueSelector> selector,
                       std::unique_ptr<os::Waker> waker)
    : SelectorLoop(options, std::move(selector), std::move(waker)),
      queue_(static_cast<KqueueSelector*>(&this->selector())),
      child_watcher_(options.child_watcher) {
  queue_->on_signal([this](int signum) { mark_signal(signum); });
}

Result<std::unique_ptr<KqueueLoop>> KqueueLoop::make(const LoopOptions& options,
                                                     std::unique_ptr<KernelQueue> queue) {
  auto selector = std::make_unique<KqueueSelector>(std::move(queue));
  auto waker = selector->make_waker();
  if (!waker.ok()) return waker.error();
  auto loop = std::make_unique<KqueueLoop>(options, std::move(selector), std::move(waker).value());
  if (const Result<void> opened = loop->open(); !opened.ok()) return opened.error();
  return loop;
}

// --- signals

Result<void> KqueueLoop::open_channel() {
  if (channel_) return {};
  auto channel = os::make_socketpair_waker();  // every queue takes a socket
  if (!channel.ok()) return channel.error();
  os::Waker& opened = **channel;
  Result<void> watched =
      watch(opened.descriptor(), Direction::read, [&opened] { (void)opened.drain(); });
  if (watched.ok()) channel_ = std::move(channel).value();
  return watched;
}

Result<void> KqueueLoop::add_signal_handler(int signum, std::function<void()> callback) {
  if (signum <= 0 || signum >= os::kMaxSignal || is_closed()) {
    return SelectorLoop::add_signal_handler(signum, std::move(callback));  // which refuses
  }
  // The queue first: from the moment on in which there is a handler, one of the two reports.
  std::atomic<bool>& by_queue = by_queue_[static_cast<std::size_t>(signum)];
  const bool watched_before = by_queue;
  if (!watched_before) {
    by_queue = queue_->watch_signal(signum).ok();
    if (!by_queue) {
      if (Result<void> opened = open_channel(); !opened.ok()) return opened;
    }
  }
  Result<void> added = SelectorLoop::add_signal_handler(signum, std::move(callback));
  if (!added.ok() && !watched_before && by_queue.exchange(false)) queue_->unwatch_signal(signum);
  return added;
}

Result<bool> KqueueLoop::remove_signal_handler(int signum) {
  Result<bool> removed = SelectorLoop::remove_signal_handler(signum);
  if (!removed.ok() || !*removed) return removed;
  if (by_queue_[static_cast<std::size_t>(signum)].exchange(false)) queue_->unwatch_signal(signum);
  return removed;
}

void KqueueLoop::signal_arrived(int signum) noexcept {
  if (by_queue_[static_cast<std::size_t>(signum)]) return;
  mark_signal(signum);
  channel_->wake();
}

// --- children

Result<std::unique_ptr<ExitWatcher>> KqueueLoop::exit_watcher(Readiness& readiness) {
  if (child_watcher_ != ChildWatcher::automatic) return SelectorLoop::exit_watcher(readiness);
  // Not every queue has processes, so it is tried: with this one.
  const int self = static_cast<int>(os::process_id());
  if (!queue_->watch_exit(self, [] {}).ok()) return make_sigchld_watcher(readiness);
  queue_->unwatch_exit(self);
  return std::unique_ptr<ExitWatcher>(std::make_unique<QueueWatcher>(*queue_, *this));
}

void KqueueLoop::close_backend() {
  SelectorLoop::close_backend();
  channel_.reset();  // after the handlers that write to it
}

}  // namespace loopscope
