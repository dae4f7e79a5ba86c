// Exits by notice: the system tells another thread, which posts to the loop.
#include <cerrno>
#include <map>

#include "loops/common/exit_watcher.hpp"

namespace loopscope {
namespace {

class NoticeWatcher final : public ExitWatcher {
 public:
  explicit NoticeWatcher(Readiness& readiness) : readiness_(readiness) {}

  Result<void> watch(int pid, Ended ended) override {
    EventLoop& loop = readiness_.event_loop();
    auto notice = os::notice_exit(pid, [this, &loop, pid] {
      // Refused by a loop that has closed, which has forgotten the child.
      (void)loop.call_soon_threadsafe([this, pid] { look_at(pid); });
    });
    if (!notice.ok()) return notice.error();
    children_[pid] = {std::move(ended), std::move(notice).value()};
    return {};
  }

  Result<void> signal(int pid, int signum) override {
    if (!children_.contains(pid)) return errno_error_of(ESRCH, "TerminateProcess");
    return os::signal_child(pid, signum);
  }

  bool forget(int pid) override { return children_.erase(pid) != 0; }

 private:
  struct Child {
    Ended ended;
    std::unique_ptr<os::ExitNotice> notice;
  };
  void look_at(int pid) {
    const auto found = children_.find(pid);
    if (found == children_.end()) return;
    const std::optional<os::ChildEnd> end = os::collect(pid);
    if (!end) return;  // Of a child before it that had the same number.
    const Ended ended = std::move(found->second.ended);
    children_.erase(found);
    ended(*end);
  }

  Readiness& readiness_;
  std::map<int, Child> children_;  // by process id
};

}  // namespace

Result<std::unique_ptr<ExitWatcher>> make_exit_watcher(ChildWatcher kind, Readiness& readiness) {
  if (kind != ChildWatcher::automatic) {
    return make_error(Errc::not_supported, "child_watcher", "Windows has neither of the two");
  }
  return std::unique_ptr<ExitWatcher>(std::make_unique<NoticeWatcher>(readiness));
}

}  // namespace loopscope
