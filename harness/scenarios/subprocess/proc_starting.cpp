// What a child starts out with, and what happens when it cannot be started.
#include <csignal>
#include <filesystem>

#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/scenarios/subprocess/process_recorder.hpp"
#include "harness/tools/descriptor_tools.hpp"
#include "harness/tools/forked.hpp"
#include "harness/tools/process_tools.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::proc_starting {
namespace {

Result<ProcessLink> attempt(Context& cx, ProcessOptions options) {
  const auto seen = std::make_shared<ProcessRecorder>(cx);
  auto made = cx.loop().subprocess_exec([&] { return seen; }, std::move(options));
  return cx.loop().run_until_complete(made);
}

void descriptors_of_a_child(Context& cx) {
  const Child other = start(cx, tools::copying());
  const StreamPair pair = cx.stream_pair();
  cx.ok(cx.loop().add_reader(pair.subject, [] {}), "add_reader");
  ProcessOptions options;
  options.argv = tools::printing_descriptors();
  // 3 is the folder itself, open in the program that lists it.
  cx.equal(output_of(cx, options), "0\n1\n2\n3\n", "descriptors of the child");
  cx.ok(cx.loop().remove_reader(pair.subject), "remove_reader");
  other->close();
  (void)finish(cx, other);

  const os::Pipe careless = cx.pipe();
  tools::make_inheritable(careless.write.get());
  const std::string listed = output_of(cx, options);
  if (listed != "0\n1\n2\n3\n") {
    cx.diverges("inherits what is inheritable", "0\n1\n2\n3\n", listed);
  }
}

void passed_descriptors(Context& cx) {
  for (const bool blocking : {true, false}) {
    const os::Pipe pipe = cx.pipe();
    const os::NativeSocket fd = pipe.read.get();
    ours(os::set_blocking(fd, blocking));
    ProcessOptions options;
    options.argv = tools::printing_descriptor(fd);
    options.pass_fds = {fd};
    cx.equal(output_of(cx, options), tools::link_of(fd) + "\n", "the same file, the same number");
    cx.equal(ours(os::is_blocking(fd)), blocking, "its blocking mode");
  }
  os::Pipe closed = cx.pipe();
  ProcessOptions bad;
  bad.argv = tools::ending();
  bad.pass_fds = {closed.read.get()};
  closed.read.reset();
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  cx.refused(attempt(cx, bad), system_code(EBADF), "a closed descriptor is refused");
  cx.equal(cx.open_descriptors(), before, "descriptors after the refusal");
}

/// In a process of its own: a child's 1 and 2 are what 2 and 1 are here.
int with_swapped_streams(Context& cx, os::NativeSocket first, os::NativeSocket second) {
  tools::replace_descriptor(1, first);
  tools::replace_descriptor(2, second);
  const std::unique_ptr<EventLoop> loop = cx.new_loop();
  ProcessOptions options = quiet();
  options.argv = tools::program({tools::step::write("out"), tools::step::write_error("err")});
  options.std_out = Stdio::descriptor(2);
  options.std_err = Stdio::descriptor(1);
  const auto seen = std::make_shared<ProcessRecorder>(cx);
  seen->on_lost = [&] { loop->stop(); };
  auto made = loop->subprocess_exec([&] { return seen; }, options);
  (void)loop->run_forever();
  return made.result()->transport->get_returncode().value_or(999);
}

void passed_and_swapped(Context& cx) {
  passed_descriptors(cx);
  os::Pipe first = cx.pipe(), second = cx.pipe();
  const os::NativeSocket one = first.write.get(), two = second.write.get();
  cx.equal(tools::in_forked_child([&] { return with_swapped_streams(cx, one, two); }), 0,
           "the exit code of a child with swapped streams");
  first.write.reset();
  second.write.reset();
  cx.equal(text(Peer(std::move(first.read)).recv_until_eof()), "err\n", "what 1 of the parent got");
  cx.equal(text(Peer(std::move(second.read)).recv_until_eof()), "out\n", "what 2 got");
}

void cannot_be_started(Context& cx) {
  const std::string plain = cx.temp_path("plain");
  (void)tools::create_file(plain, "no program");
  std::filesystem::permissions(plain, std::filesystem::perms::owner_read);
  struct Row {
    std::string_view what;
    int number;
    ProcessOptions options;
  };
  // A PATH of our own: in a folder that this user may not read, the answer would be EACCES.
  const std::vector<std::string> path{"PATH=" + cx.temp_dir()};
  std::vector<Row> rows = {
      {"a missing program", ENOENT, {.argv = {cx.temp_path("missing")}}},
      {"a name that is in no PATH", ENOENT, {.argv = {"no-such-program"}, .env = path}},
      {"a file that may not be executed", tools::kStartErrors.no_program, {.argv = {plain}}},
      {"a folder", tools::kStartErrors.folder, {.argv = {cx.temp_dir()}}},
      {"a missing directory", tools::kStartErrors.no_directory, {.argv = tools::ending()}},
      {"a directory that is none",
       tools::kStartErrors.file_for_directory,
       {.argv = tools::ending()}},
      {"an argument of 4 MiB", tools::kStartErrors.too_long, {.argv = tools::ending()}}};
  rows[4].options.cwd = cx.temp_path("missing");
  rows[5].options.cwd = plain;
  rows[6].options.argv.push_back(std::string(std::size_t{4} << 20, 'x'));
  turn(cx);
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  for (int round = 0; round < 8; ++round) {
    for (const Row& row : rows) {
      cx.refused(attempt(cx, row.options), system_code(row.number), row.what);
    }
  }
  turn(cx);
  cx.equal(cx.open_descriptors(), before, "descriptors after 56 failures");
  cx.equal(tools::child_count(), 0u, "children after 56 failures");
}

/// The set of signals that a line of /proc/self/status names, "SigIgn:".
std::uint64_t signals_in(const std::string& status, std::string_view name) {
  const std::size_t at = status.find(name);
  return at == std::string::npos ? ~std::uint64_t{0}
                                 : std::stoull(status.substr(at + name.size()), nullptr, 16);
}
bool has(std::uint64_t set, int signum) { return (set >> (signum - 1) & 1) != 0; }

void signals_of_a_child(Context& cx) {
  if (tools::kBrokenPipeSignal == 0) cx.skip("a child inherits no signals");
  auto* const pipe_before = std::signal(tools::kBrokenPipeSignal, SIG_IGN);
  auto* const hangup_before = std::signal(tools::kHangupSignal, SIG_IGN);
  ProcessOptions options;
  options.argv = {"/bin/cat", "/proc/self/status"};
  std::string status;
  {
    const tools::Disposition handled(tools::kUserSignal, tools::Disposition::Kind::counting);
    const tools::Blocked blocked(tools::kOtherSignal);
    status = output_of(cx, options);
  }
  std::signal(tools::kBrokenPipeSignal, pipe_before);
  std::signal(tools::kHangupSignal, hangup_before);
  const std::uint64_t ignored = signals_in(status, "SigIgn:");
  cx.is_true(!has(ignored, tools::kBrokenPipeSignal), "SIGPIPE is not ignored");
  cx.is_true(!has(signals_in(status, "SigCgt:"), tools::kUserSignal), "no handler stays");
  cx.is_true(!has(signals_in(status, "SigBlk:"), tools::kOtherSignal), "no signal is blocked");
  if (!has(ignored, tools::kHangupSignal)) {
    cx.diverges("resets ignored signals", "SIGHUP stays ignored", "its default");
  }
}

void directory_and_environment(Context& cx) {
  ProcessOptions options;
  options.argv = tools::printing_environment();
  const std::string inherited = output_of(cx, options);
  cx.is_true(
      inherited.find("PATH=") != std::string::npos || inherited.find("Path=") != std::string::npos,
      "the parent's environment");
  options.env = std::vector<std::string>{"ONLY=this one"};
  cx.equal(output_of(cx, options), "ONLY=this one\n", "an environment of its own");
  options.env = std::vector<std::string>{};
  cx.equal(output_of(cx, options), "", "an empty environment");

  ProcessOptions placed;
  placed.argv = tools::printing_directory();
  placed.cwd = cx.temp_dir();
  const std::string there = std::filesystem::canonical(cx.temp_dir()).string();
  cx.equal(output_of(cx, placed), there + "\n", "the child's directory");

  ProcessOptions searched;
  searched.argv = tools::install_program(cx.temp_dir(), "loopscope-tool");
  searched.env = std::vector<std::string>{"PATH=" + cx.temp_dir()};
  searched.std_in = Stdio::devnull();
  const Result<ProcessLink> link = attempt(cx, searched);
  cx.note("PATH that is searched", link.ok() ? "the child's" : "the parent's");
  if (!link.ok()) {
    cx.refused(link, system_code(ENOENT), "not found in the parent's PATH");
    return;
  }
  cx.run_until([&] { return link->transport->get_returncode().has_value(); });
  cx.equal(*link->transport->get_returncode(), 0, "the return code of what was found");
}

void texts_with_nul(Context& cx) {
  const std::string nul("/bin/true\0rest", 14);
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  ProcessOptions options;
  options.argv = {nul};
  cx.refused(attempt(cx, options), "a NUL in the program");
  options.argv = {"program", nul};
  cx.refused(attempt(cx, options), "a NUL in an argument");
  options.argv = {"program"};
  options.executable = nul;
  cx.refused(attempt(cx, options), "a NUL in the executable");
  options.executable.clear();
  options.cwd = std::string("/\0x", 3);
  cx.refused(attempt(cx, options), "a NUL in the directory");
  options.cwd.clear();
  options.env = std::vector<std::string>{"A=" + nul};
  cx.refused(attempt(cx, options), "a NUL in the environment");
  auto shell = cx.loop().subprocess_shell([&] { return std::make_shared<ProcessRecorder>(cx); },
                                          std::string("true\0false", 10));
  cx.refused(cx.loop().run_until_complete(shell), "a NUL in a command");
  cx.equal(cx.open_descriptors(), before, "descriptors afterwards");
  cx.equal(tools::child_count(), 0u, "children afterwards");
}

void killed_at_once(Context& cx) {
  const tools::Disposition handled(SIGTERM, tools::Disposition::Kind::counting);
  for (int i = 0; i < 20; ++i) {
    const auto seen = std::make_shared<ProcessRecorder>(cx);
    seen->on_made = [&] {
      cx.ok(dynamic_cast<SubprocessTransport*>(seen->transport)->terminate(), "terminate");
    };
    ProcessOptions options = quiet();
    options.argv = tools::sleeping();
    const Child child = start(cx, cx.loop(), options, seen);
    ended_by(cx, finish(cx, child), SIGTERM, "the return code");
  }
  cx.equal(tools::Disposition::count(), 0, "runs of the parent's own handler");
}

void memory_is_not_copied(Context& cx) {
  tools::TouchedMemory memory(std::size_t{48} << 20);
  const std::size_t control = memory.touch();
  if (control > memory.pages() / 4) cx.inconclusive("the host takes the memory away by itself");
  std::size_t faults = 0;
  for (int i = 0; i < 3; ++i) {
    const Child child = start_shell(cx, "exit 0", quiet());
    faults += memory.touch();
    cx.equal(finish(cx, child), 0, "the return code");
  }
  cx.note("faults", static_cast<double>(faults), "count");
  cx.at_most(faults, memory.pages() / 2, "pages faulted in again after three children");
}

constexpr std::string_view kApi[] = {"subprocess_exec"};
constexpr std::string_view kNulApi[] = {"subprocess_exec", "subprocess_shell"};
constexpr std::string_view kKillApi[] = {"subprocess_exec", "SubprocessTransport.terminate",
                                         "SubprocessTransport.get_returncode"};
constexpr std::string_view kPopen = "docs.python.org/3/library/subprocess.html#subprocess.Popen";

constexpr Scenario kScenarios[] = {
    {.id = "proc.fd_inheritance",
     .promise = "A child has its three standard streams and no descriptor of the loop.",
     .source = kPopen,
     .needs = kProcessNeeds | CapSet{Cap::add_reader},
     .body = descriptors_of_a_child,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.pass_fds",
     .promise = "Passed descriptors keep number and mode; closed ones are refused; 1 and 2 swap.",
     .source = kPopen,
     .needs = kProcessNeeds,
     .body = passed_and_swapped,
     .severity = Severity::common,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.spawn_error",
     .promise =
         "A program that cannot be started fails the call with its errno and leaves nothing.",
     .source = "docs.python.org/3/library/subprocess.html#exceptions; man 2 execve, ERRORS",
     .needs = kProcessNeeds,
     .body = cannot_be_started,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.sigpipe_default",
     .promise =
         "A child starts with SIGPIPE at its default and without handlers or blocked signals.",
     .source = "docs.python.org/3/library/subprocess.html#subprocess.Popen, restore_signals",
     .needs = kProcessNeeds,
     .body = signals_of_a_child,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.cwd_env",
     .promise = "A child gets the directory and the environment it was given, an empty one too.",
     .source = kPopen,
     .needs = kProcessNeeds,
     .body = directory_and_environment,
     .severity = Severity::common,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.strings_with_nul",
     .promise = "A NUL inside a text that a child is to get is refused, not taken for its end.",
     .source = "github.com/Kludex/zuvloop/issues/59",
     .needs = kProcessNeeds,
     .body = texts_with_nul,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kNulApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.exec_race_kill",
     .promise = "A signal that is sent at once reaches the new program, no handler of the parent.",
     .source = "github.com/libuv/libuv/blob/v1.x/src/unix/process.c",
     .needs = kProcessNeeds,
     .body = killed_at_once,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kKillApi,
     .facts = kShell,
     .limit = kProcessLimit},
    {.id = "proc.vfork_speed_rss",
     .promise = "Starting a child copies none of the parent's page tables.",
     .source = "man 2 vfork, DESCRIPTION",
     .needs = kProcessNeeds,
     .body = memory_is_not_copied,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::edge,
     .api = kApi,
     .facts = kShell,
     .limit = kProcessLimit},
};

}  // namespace

extern const ScenarioFile file{"A15", "Subprocesses", kScenarios};
}  // namespace loopscope::scenarios::proc_starting
