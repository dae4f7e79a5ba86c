// Exits by pidfd: each child is a descriptor that becomes readable.
#include <cerrno>
#include <map>

#include "loops/common/exit_watcher.hpp"
#include "loops/os/process_id.hpp"

namespace loopscope {
namespace {

class PidfdWatcher final : public ExitWatcher {
 public:
  explicit PidfdWatcher(Readiness& readiness) : readiness_(readiness) {}

  Result<void> watch(int pid, Ended ended) override {
    Result<os::UniqueFd> pidfd = os::open_pidfd(pid);
    if (!pidfd.ok() && pidfd.error().is_errno(ESRCH)) {
      // Nobody leaves zombies here, and this one was quick: all that can be said is that it ended.
      readiness_.event_loop().call_soon([ended = std::move(ended)] { ended({}); });
      return {};
    }
    if (!pidfd.ok()) return pidfd.error();
    const os::NativeSocket fd = pidfd->get();
    Result<void> watched = readiness_.watch(fd, Direction::read, [this, pid] { look_at(pid); });
    if (watched.ok()) children_[pid] = {std::move(pidfd).value(), std::move(ended)};
    return watched;
  }

  Result<void> signal(int pid, int signum) override {
    const auto found = children_.find(pid);
    if (found == children_.end()) return errno_error_of(ESRCH, "pidfd_send_signal");
    return os::signal_by_pidfd(found->second.pidfd.get(), signum);
  }

  bool forget(int pid) override {
    const auto found = children_.find(pid);
    if (found == children_.end()) return false;
    readiness_.unwatch(found->second.pidfd.get(), Direction::read);
    const Child gone = std::move(found->second);
    children_.erase(found);
    return true;
  }

 private:
  struct Child {
    os::UniqueFd pidfd;
    Ended ended;
  };
  void look_at(int pid) {
    const auto found = children_.find(pid);
    if (found == children_.end()) return;
    const std::optional<os::ChildEnd> end = os::collect_by_pidfd(found->second.pidfd.get());
    if (!end) return;
    const Ended ended = std::move(found->second.ended);
    (void)forget(pid);
    ended(*end);
  }

  Readiness& readiness_;
  std::map<int, Child> children_;  // by process id
};

}  // namespace

std::unique_ptr<ExitWatcher> make_pidfd_watcher(Readiness& readiness) {
  return std::make_unique<PidfdWatcher>(readiness);
}

Result<std::unique_ptr<ExitWatcher>> make_exit_watcher(ChildWatcher kind, Readiness& readiness) {
  if (kind == ChildWatcher::sigchld) return make_sigchld_watcher(readiness);
  // Not only old kernels refuse: filters of containers do as well. So it is tried.
  const Result<os::UniqueFd> own = os::open_pidfd(static_cast<int>(os::process_id()));
  if (own.ok()) return make_pidfd_watcher(readiness);
  if (kind == ChildWatcher::pidfd) return own.error();
  return make_sigchld_watcher(readiness);
}

}  // namespace loopscope
