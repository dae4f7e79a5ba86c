// Exits by SIGCHLD: a signal says that some child may have ended, and each of ours is asked.
// Signals of one kind coalesce, so one signal may stand for many children; and it may be a
// foreign child's, which is never touched.
#include <cerrno>
#include <map>
#include <utility>
#include <vector>

#include "loops/common/exit_watcher.hpp"

namespace loopscope {
namespace {

class SigchldWatcher final : public ExitWatcher {
 public:
  explicit SigchldWatcher(Readiness& readiness) : readiness_(readiness) {}
  ~SigchldWatcher() override { stop_listening(); }

  Result<void> watch(int pid, Ended ended) override {
    if (Result<void> listening = listen(); !listening.ok()) return listening;
    children_[pid] = std::move(ended);
    // It may have ended before anybody listened.
    if (!std::exchange(asking_soon_, true)) readiness_.event_loop().call_soon([this] { ask(); });
    return {};
  }

  Result<void> signal(int pid, int signum) override {
    if (!children_.contains(pid)) return errno_error_of(ESRCH, "kill");
    return os::signal_child(pid, signum);
  }

  bool forget(int pid) override {
    const bool known = children_.erase(pid) != 0;
    if (children_.empty()) stop_listening();
    return known;
  }

 private:
  Result<void> listen() {
    if (signal_) return {};
    Result<std::unique_ptr<os::ChildSignal>> signal = os::listen_to_children();
    if (!signal.ok()) return signal.error();
    const Result<void> watched =
        readiness_.watch((*signal)->descriptor(), Direction::read, [this] { ask(); });
    if (watched.ok()) signal_ = std::move(signal).value();
    return watched;
  }
  void stop_listening() {
    if (!signal_) return;
    readiness_.unwatch(signal_->descriptor(), Direction::read);
    signal_.reset();
  }
  void ask() {
    asking_soon_ = false;
    if (signal_) signal_->drain();  // Before looking: what ends from here on signals again.
    std::vector<std::pair<Ended, os::ChildEnd>> ended;
    for (auto child = children_.begin(); child != children_.end();) {
      const std::optional<os::ChildEnd> end = os::collect(child->first);
      if (end) ended.emplace_back(std::move(child->second), *end);
      child = end ? children_.erase(child) : std::next(child);
    }
    if (children_.empty()) stop_listening();
    for (auto& [call, end] : ended) {  // One each: an exception is no other child's business.
      readiness_.event_loop().call_soon([call = std::move(call), end = end] { call(end); });
    }
  }

  Readiness& readiness_;
  std::unique_ptr<os::ChildSignal> signal_;  // while there are children
  std::map<int, Ended> children_;            // by process id
  bool asking_soon_ = false;
};

}  // namespace

std::unique_ptr<ExitWatcher> make_sigchld_watcher(Readiness& readiness) {
  return std::make_unique<SigchldWatcher>(readiness);
}

}  // namespace loopscope
