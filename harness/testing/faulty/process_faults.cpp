// Loops that start children wrongly, or pass on wrongly what comes from them, in one way each.
#include <mutex>
#include <set>

#include "harness/testing/own_turn.hpp"
#include "harness/testing/relay.hpp"
#include "harness/tools/forked.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::testing::process_faults {
namespace {

/// Stands between a process transport and the user's protocol, and passes everything on.
class ProcessBetween : public SubprocessProtocol {
 public:
  explicit ProcessBetween(std::shared_ptr<SubprocessProtocol> user) : user_(std::move(user)) {}
  void connection_made(BaseTransport& transport) override {
    transport_ = dynamic_cast<SubprocessTransport*>(&transport);
    user_->connection_made(transport);
  }
  void connection_lost(const Error* why) override { user_->connection_lost(why); }
  void pause_writing() override { user_->pause_writing(); }
  void resume_writing() override { user_->resume_writing(); }
  void pipe_data_received(int fd, ByteView data) override { user_->pipe_data_received(fd, data); }
  void pipe_connection_lost(int fd, const Error* why) override {
    user_->pipe_connection_lost(fd, why);
  }
  void process_exited() override { user_->process_exited(); }
  const std::shared_ptr<SubprocessProtocol>& user() const { return user_; }

 protected:
  Transport* pipe(int fd) const {
    return dynamic_cast<Transport*>(transport_->get_pipe_transport(fd).get());
  }
  std::shared_ptr<SubprocessProtocol> user_;
  SubprocessTransport* transport_ = nullptr;
};

/// A poll loop whose processes all have a B in front of their protocols.
template <class B>
class ProcessesThrough : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<ProcessLink> subprocess_exec(ProcessFactory factory, ProcessOptions options) override {
    const auto between = std::make_shared<std::shared_ptr<B>>();
    Future<ProcessLink> inner = SelectorLoop::subprocess_exec(
        [=] { return *between = std::make_shared<B>(factory()); }, std::move(options));
    if (inner.done()) return inner;  // a refusal
    return relay(*this, std::move(inner), [between](Result<ProcessLink> link) {
      if (link.ok()) link->protocol = (*between)->user();
      return link;
    });
  }
};

/// A poll loop that changes what it is told about a child by L::change.
template <class L>
class ChangedOptions : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<ProcessLink> subprocess_exec(ProcessFactory factory, ProcessOptions options) override {
    static_cast<L&>(*this).change(options);
    return SelectorLoop::subprocess_exec(std::move(factory), std::move(options));
  }
};

/// Puts a shell around the program, which runs `prelude` first.
void run_by_shell(ProcessOptions& options, const std::string& prelude) {
  std::vector<std::string> argv = {"/bin/sh", "-c", prelude + "exec \"$0\" \"$@\""};
  argv.insert(argv.end(), options.argv.begin(), options.argv.end());
  options.argv = std::move(argv);
}

// --- what comes from the child

struct LostAtExit : ProcessBetween {
  using ProcessBetween::ProcessBetween;
  void process_exited() override {
    user_->process_exited();
    user_->connection_lost(nullptr);
  }
  void connection_lost(const Error*) override {}
};
class LosesAtExit final : public ProcessesThrough<LostAtExit> {
 public:
  using ProcessesThrough::ProcessesThrough;
  static constexpr Names kCaughtBy[] = {"proc.output_before_exit"};
  static constexpr Names kKeeps[] = {"proc.fast_exit", "proc.spawn_error"};
};

struct ExitAtEnd : ProcessBetween {
  using ProcessBetween::ProcessBetween;
  void process_exited() override {}
  void connection_lost(const Error* why) override {
    user_->process_exited();
    user_->connection_lost(why);
  }
};
class WaitsForEnd final : public ProcessesThrough<ExitAtEnd> {
 public:
  using ProcessesThrough::ProcessesThrough;
  static constexpr Names kCaughtBy[] = {"proc.grandchild_holds_pipe"};
  static constexpr Names kKeeps[] = {"proc.fast_exit", "proc.output_before_exit"};
};

struct ExitUntold : ProcessBetween {
  using ProcessBetween::ProcessBetween;
  void process_exited() override {}
};
class ForgetsWaiters final : public ProcessesThrough<ExitUntold> {
 public:
  using ProcessesThrough::ProcessesThrough;
  static constexpr Names kCaughtBy[] = {"proc.wait_concurrent"};
  static constexpr Names kKeeps[] = {"proc.stdin.large", "proc.spawn_error"};
};

struct Unpaused : ProcessBetween {
  using ProcessBetween::ProcessBetween;
  void connection_made(BaseTransport& transport) override {
    ProcessBetween::connection_made(transport);
    if (pipe(1) != nullptr) pipe(1)->resume_reading();
  }
};
class UndoesPause final : public ProcessesThrough<Unpaused> {
 public:
  using ProcessesThrough::ProcessesThrough;
  static constexpr Names kCaughtBy[] = {"proc.pause_reading_output"};
  static constexpr Names kKeeps[] = {"proc.stdin.large", "proc.output_before_exit"};
};

struct WriteThenRead : ProcessBetween {
  using ProcessBetween::ProcessBetween;
  void connection_made(BaseTransport& transport) override {
    ProcessBetween::connection_made(transport);
    if (pipe(0) != nullptr && pipe(1) != nullptr) pipe(1)->pause_reading();
  }
  void pipe_connection_lost(int fd, const Error* why) override {
    if (fd == 0 && pipe(1) != nullptr) pipe(1)->resume_reading();
    ProcessBetween::pipe_connection_lost(fd, why);
  }
};
class ReadsAfterWriting final : public ProcessesThrough<WriteThenRead> {
 public:
  using ProcessesThrough::ProcessesThrough;
  static constexpr Names kCaughtBy[] = {"proc.stdin.large"};
  static constexpr Names kKeeps[] = {"proc.fast_exit", "proc.stdin.eof"};
};

struct OneForAll : ProcessBetween {
  using ProcessBetween::ProcessBetween;
  void pipe_connection_lost(int fd, const Error* why) override {
    ProcessBetween::pipe_connection_lost(fd, why);
    if (fd == 0) transport_->close();
  }
};
class BrokenPipeEnds final : public ProcessesThrough<OneForAll> {
 public:
  using ProcessesThrough::ProcessesThrough;
  static constexpr Names kCaughtBy[] = {"proc.stdin.broken"};
  static constexpr Names kKeeps[] = {"proc.fast_exit", "proc.spawn_error"};
};

// --- what the child starts with

std::mutex g_mutex;
std::set<os::NativeSocket> g_inputs;  // pipes to the children of all loops

struct InputsNoted : ProcessBetween {
  using ProcessBetween::ProcessBetween;
  void connection_made(BaseTransport& transport) override {
    ProcessBetween::connection_made(transport);
    if (pipe(0) == nullptr) return;
    const ExtraInfo info = pipe(0)->get_extra_info("pipe");
    const std::lock_guard lock(g_mutex);
    if (const auto* fd = std::get_if<os::NativeSocket>(&info)) g_inputs.insert(*fd);
  }
};
class LeaksToSiblings final : public ProcessesThrough<InputsNoted> {
 public:
  using ProcessesThrough::ProcessesThrough;
  Future<ProcessLink> subprocess_exec(ProcessFactory factory, ProcessOptions options) override {
    {
      const std::lock_guard lock(g_mutex);
      for (const os::NativeSocket fd : g_inputs) {
        const auto kind = os::kind_of(fd);
        if (kind.ok() && *kind == os::FdKind::pipe) options.pass_fds.push_back(fd);
      }
    }
    return ProcessesThrough::subprocess_exec(std::move(factory), std::move(options));
  }
  static constexpr Names kCaughtBy[] = {"proc.stdin.eof", "proc.fd_inheritance"};
  static constexpr Names kKeeps[] = {"proc.stdin.large", "proc.fast_exit"};
};

class UnblocksPassed final : public ChangedOptions<UnblocksPassed> {
 public:
  using ChangedOptions::ChangedOptions;
  void change(ProcessOptions& options) {
    for (const os::NativeSocket fd : options.pass_fds) (void)os::set_blocking(fd, false);
  }
  static constexpr Names kCaughtBy[] = {"proc.pass_fds"};
  static constexpr Names kKeeps[] = {"proc.cwd_env", "proc.fd_inheritance"};
};

class ErrorsAs127 final : public ChangedOptions<ErrorsAs127> {
 public:
  using ChangedOptions::ChangedOptions;
  void change(ProcessOptions& options) { run_by_shell(options, ""); }
  static constexpr Names kCaughtBy[] = {"proc.spawn_error"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.stdin.large"};
};

class IgnoresSigpipe final : public ChangedOptions<IgnoresSigpipe> {
 public:
  using ChangedOptions::ChangedOptions;
  void change(ProcessOptions& options) { run_by_shell(options, "trap '' PIPE; "); }
  static constexpr Names kCaughtBy[] = {"proc.sigpipe_default"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.stdin.large"};
};

class EmptyIsInherited final : public ChangedOptions<EmptyIsInherited> {
 public:
  using ChangedOptions::ChangedOptions;
  void change(ProcessOptions& options) {
    if (options.env && options.env->empty()) options.env.reset();
  }
  static constexpr Names kCaughtBy[] = {"proc.cwd_env"};
  static constexpr Names kKeeps[] = {"proc.spawn_error", "proc.strings_with_nul"};
};

class CutsAtNul final : public ChangedOptions<CutsAtNul> {
 public:
  using ChangedOptions::ChangedOptions;
  void change(ProcessOptions& options) {
    for (std::string& text : options.argv) text = text.c_str();
    options.executable = options.executable.c_str();
    options.cwd = options.cwd.c_str();
  }
  static constexpr Names kCaughtBy[] = {"proc.strings_with_nul"};
  static constexpr Names kKeeps[] = {"proc.spawn_error", "proc.cwd_env"};
};

class DropsMerged final : public ChangedOptions<DropsMerged> {
 public:
  using ChangedOptions::ChangedOptions;
  void change(ProcessOptions& options) {
    if (options.std_err.kind == Stdio::Kind::std_out) options.std_err = Stdio::devnull();
  }
  static constexpr Names kCaughtBy[] = {"proc.devnull_inherit_merge"};
  static constexpr Names kKeeps[] = {"proc.pass_fds", "proc.output_before_exit"};
};

class CopiesMemory final : public ChangedOptions<CopiesMemory> {
 public:
  using ChangedOptions::ChangedOptions;
  void change(ProcessOptions&) {
    (void)tools::in_forked_child([] { return 0; });
  }
  static constexpr Names kCaughtBy[] = {"proc.vfork_speed_rss"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.spawn_error"};
};

/// A cancelled start leaves the child to itself.
class CancelForgets final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<ProcessLink> subprocess_exec(ProcessFactory factory, ProcessOptions options) override {
    Future<ProcessLink> outer =
        relay(*this, SelectorLoop::subprocess_exec(std::move(factory), std::move(options)));
    outer.set_cancel_hook([] {});
    return outer;
  }
  static constexpr Names kCaughtBy[] = {"proc.cancel_spawn"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.close_kills_running"};
};

constexpr FaultyLoop kLoops[] = {
    wrong<LosesAtExit>("faulty.exit_is_loss", "connection_lost() does not wait for the pipes."),
    wrong<WaitsForEnd>("faulty.exit_after_pipes", "process_exited() waits for the pipes' ends."),
    wrong<ForgetsWaiters>("faulty.exit_untold", "process_exited() is never called."),
    wrong<UndoesPause>("faulty.pause_undone", "Output that connection_made() paused is read."),
    wrong<ReadsAfterWriting>("faulty.reads_after_writing",
                             "Output is read only when the input has been written."),
    wrong<BrokenPipeEnds>("faulty.broken_stdin_ends", "A child that closes its input is killed."),
    wrong<LeaksToSiblings>("faulty.leaks_to_siblings",
                           "A child inherits the pipes to the children before it."),
    wrong<UnblocksPassed>("faulty.unblocks_passed", "Passed descriptors become non-blocking."),
    wrong<ErrorsAs127>("faulty.exec_error_is_exit", "A failed exec is an exit with code 127."),
    wrong<IgnoresSigpipe>("faulty.sigpipe_ignored", "Children start with SIGPIPE ignored."),
    wrong<EmptyIsInherited>("faulty.empty_is_inherited",
                            "An empty environment is taken for the parent's."),
    wrong<CutsAtNul>("faulty.cuts_at_nul", "Arguments and paths are cut at a NUL."),
    wrong<DropsMerged>("faulty.drops_merged",
                       "Standard error is dropped where it should go to standard output."),
    wrong<CopiesMemory>("faulty.copies_memory", "Children are started by fork()."),
    wrong<CancelForgets>("faulty.cancelled_child_runs",
                         "A cancelled start leaves its child alone."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::process_faults
