// Processes of a loop: SubprocessTransport and its protocol's order, over whatever starts a child
// and over the loop's own pipe transports.
#pragma once

#include <array>
#include <memory>
#include <set>
#include <string>

#include "loops/common/exit_watcher.hpp"
#include "loops/event_loop.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/spawn.hpp"

namespace loopscope {

/// How a loop starts children, signals them and learns of their end.
class Children {
 public:
  virtual ~Children() = default;
  /// value: the process id. ended(): once, in a later iteration, when it ended and was collected.
  /// errors  those of os::spawn; not_supported for what the mechanism cannot do. No child is left.
  virtual Result<int> start(const os::SpawnRequest& request, ExitWatcher::Ended ended) = 0;
  /// errors  ESRCH once the child was collected.
  virtual Result<void> signal(int pid, int signum) = 0;
  /// The loop closes: kills and collects the child, calls nobody. One that may not be killed
  /// (it changed its user) runs on and is init's later.
  virtual void end(int pid) = 0;
  /// Watches it no more, calls nobody, and leaves it alone: in a forked child it is the parent's.
  virtual void forget(int pid) = 0;
  /// What a child's standard input comes through: `read` is the child's end.
  virtual Result<os::Pipe> open_input() { return os::open_pipe(); }
  /// Makes a transport of the parent's end, one that notices when the child has gone.
  virtual Future<Link> connect_input(EventLoop& loop, ProtocolFactory factory, PipeEnd end) {
    return loop.connect_write_pipe(std::move(factory), std::move(end));
  }
};

/// Children of os::spawn, watched by an ExitWatcher.
class WatchedChildren final : public Children {
 public:
  explicit WatchedChildren(std::unique_ptr<ExitWatcher> watcher) : watcher_(std::move(watcher)) {}
  Result<int> start(const os::SpawnRequest& request, ExitWatcher::Ended ended) override;
  Result<void> signal(int pid, int signum) override { return watcher_->signal(pid, signum); }
  void end(int pid) override;
  void forget(int pid) override { (void)watcher_->forget(pid); }

 private:
  std::unique_ptr<ExitWatcher> watcher_;
};

class ProcessTransport;

/// Behind subprocess_exec and subprocess_shell of a loop that has pipe transports.
///
/// A child whose loop closes is killed and collected, silently: there is nobody left to tell. Where
/// a forked child closes the loop that it inherited, the processes are its parent's and live on.
class Processes {
 public:
  Processes(EventLoop& loop, std::unique_ptr<Children> children);
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  Future<ProcessLink> start(const ProcessFactory& factory, const ProcessOptions& options);
  /// For the loop's close().
  void close();

 private:
  friend class ProcessTransport;

  EventLoop& loop_;
  std::unique_ptr<Children> children_;
  std::set<std::shared_ptr<ProcessTransport>> transports_;  // until connection_lost
};

/// What subprocess_shell runs: /bin/sh, or options.executable, with `command`.
ProcessOptions shell_options(std::string command, ProcessOptions options);

}  // namespace loopscope
