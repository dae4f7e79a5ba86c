// Child processes over uv_spawn: uv_process starts, signals and collects them; uv_pipes over
// descriptors of ours carry their streams, and the order of the protocol's calls is ours as well.
//
// libuv's own behaviour that scenarios meet, and that is left as it is:
//   descriptors    a child keeps every descriptor that is not close-on-exec.
//   dispositions   a child finds every signal at its default, those that were ignored too.
//   SIGCHLD        1.44 collects after this signal; a child that somebody else has collected is
//                  never reported, and the handler of the program is replaced for good.
//   execvp         a file that is no program is run by the shell.
// Source: docs.libuv.org, uv_process_t; src/unix/process.c of 1.44.2.
#include <csignal>
#include <unordered_map>

#include "loops/os/child.hpp"
#include "loops/reference/libuv_stream_end.hpp"
#include "loops/reference/libuv_system.hpp"

namespace loopscope::libuv {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  // uv_process_options_t is of an older kind of const: nothing is changed.
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

class UvChildren final : public Children {
 public:
  explicit UvChildren(LibuvLoop& loop) : loop_(loop) {}

  Result<int> start(const os::SpawnRequest& request, ExitWatcher::Ended ended) override {
    if (request.process_group) {
      return make_error(Errc::not_supported, "uv_spawn", "libuv knows no process groups");
    }
    if (Result<void> may = ChildStreams::check(request); !may.ok()) return may.error();
    std::vector<std::string> words = request.argv;
    const unsigned flags = fit_words(words);
    std::vector<char*> argv = pointers(words), environment;
    ChildStreams streams(request);
    uv_process_options_t options{};
    options.file = (request.executable.empty() ? request.argv.front() : request.executable).c_str();
    options.args = argv.data();
    if (request.environment) {
      environment = pointers(*request.environment);
      options.env = environment.data();
    }
    if (!request.directory.empty()) options.cwd = request.directory.c_str();
    options.flags = flags | (request.new_session ? unsigned{UV_PROCESS_DETACHED} : 0U);
    options.stdio = streams.all().data();
    options.stdio_count = static_cast<int>(streams.all().size());
    options.exit_cb = [](uv_process_t* handle, std::int64_t code, int signum) {
      Child& child = *static_cast<Child*>(handle->data);
      child.owner->on_exit(child, signum != 0 ? -signum : static_cast<int>(code));
    };
    auto child = std::make_unique<Child>();
    child->owner = this;
    child->ended = std::move(ended);
    child->handle.data = child.get();
    if (const int rc = uv_spawn(loop_.uv(), &child->handle, &options); rc != 0) {
      // A refused handle was initialised all the same.
      close_handle(std::move(child));
      return uv_error(rc, "uv_spawn");
    }
    const int pid = child->handle.pid;
    children_.emplace(pid, std::move(child));
    return pid;
  }

  Result<void> signal(int pid, int signum) override {
    const auto found = children_.find(pid);
    if (found == children_.end()) return errno_error_of(ESRCH, "uv_process_kill");
    const int rc = uv_process_kill(&found->second->handle, signum);
    if (rc != 0) return uv_error(rc, "uv_process_kill");
    return {};
  }

  Result<os::Pipe> open_input() override { return open_child_input(); }
  Future<Link> connect_input(EventLoop&, ProtocolFactory factory, PipeEnd end) override {
    const Sides sides{.read = kChildInputIsReadable, .write = true};
    const auto open = [&](StreamEnd& input) { return input.open_pipe(std::move(end), sides); };
    return link_up<Link, StreamEnd>(loop_, factory, "subprocess_exec", open);
  }

  void end(int pid) override {
    auto gone = children_.extract(pid);
    if (gone.empty()) return;
    const bool killed = uv_process_kill(&gone.mapped()->handle, SIGKILL) == 0;
    close_handle(std::move(gone.mapped()));
    if (killed) {
      (void)os::collect_waiting(pid);  // libuv forgets a child whose handle is closed.
    } else {
      (void)os::collect(pid);
    }
  }

  void forget(int pid) override {
    if (auto gone = children_.extract(pid); !gone.empty()) close_handle(std::move(gone.mapped()));
  }

 private:
  struct Child {
    uv_process_t handle{};
    UvChildren* owner = nullptr;
    ExitWatcher::Ended ended;
  };
  static void close_handle(std::unique_ptr<Child> child) {
    auto* handle = reinterpret_cast<uv_handle_t*>(&child->handle);
    handle->data = child.release();
    uv_close(handle, [](uv_handle_t* closed) {
      std::unique_ptr<Child>(static_cast<Child*>(closed->data)).reset();
    });
  }
  void on_exit(Child& child, int code) {
    auto gone = children_.extract(child.handle.pid);
    const ExitWatcher::Ended ended = std::move(child.ended);
    close_handle(std::move(gone.mapped()));
    loop_.enter([&] { loop_.call_soon([ended, code] { ended({code}); }); });
  }

  LibuvLoop& loop_;
  std::unordered_map<int, std::unique_ptr<Child>> children_;  // by process id
};

}  // namespace

Future<ProcessLink> LibuvLoop::subprocess_exec(ProcessFactory factory, ProcessOptions options) {
  if (const std::optional<Errc> why = refuses()) {
    return done_future<ProcessLink>(make_error(*why, "subprocess_exec"));
  }
  if (!processes_)
    processes_ = std::make_unique<Processes>(*this, std::make_unique<UvChildren>(*this));
  return processes_->start(factory, options);
}

Future<ProcessLink> LibuvLoop::subprocess_shell(ProcessFactory factory, std::string command,
                                                ProcessOptions options) {
  return subprocess_exec(std::move(factory), shell_options(std::move(command), std::move(options)));
}

}  // namespace loopscope::libuv
