// subprocess_exec and subprocess_shell: a child's end is one more descriptor.
#include "loops/common/native_loop.hpp"
#include "loops/common/process.hpp"

namespace loopscope {

Result<std::unique_ptr<ExitWatcher>> NativeLoop::exit_watcher(Readiness& readiness) {
  return make_exit_watcher(child_watcher_, readiness);
}

Future<ProcessLink> NativeLoop::subprocess_exec(ProcessFactory factory, ProcessOptions options) {
  if (const std::optional<Errc> why = refuses()) {
    return done_future<ProcessLink>(make_error(*why, "subprocess_exec"));
  }
  if (!processes_) {
    Result<std::unique_ptr<ExitWatcher>> watcher = exit_watcher(*this);
    if (!watcher.ok()) return done_future<ProcessLink>(watcher.error());
    processes_ = std::make_unique<Processes>(
        *this, std::make_unique<WatchedChildren>(std::move(watcher).value()));
  }
  return processes_->start(factory, options);
}

Future<ProcessLink> NativeLoop::subprocess_shell(ProcessFactory factory, std::string command,
                                                 ProcessOptions options) {
  return subprocess_exec(std::move(factory), shell_options(std::move(command), std::move(options)));
}

}  // namespace loopscope
