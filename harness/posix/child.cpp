// Running one child on POSIX: spawn, read, limit, kill the group, account for what is left.
#include "harness/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string_view>

#include "harness/cell_channel.hpp"
#include "harness/posix/dossier.hpp"
#include "harness/posix/proc.hpp"
#include "loops/os/pipe.hpp"

extern char** environ;

namespace loopscope {
namespace {

using namespace std::chrono_literals;

constexpr Duration kHeldPipeGrace = 100ms;  // for a grandchild that is about to end anyway
constexpr Duration kStackGrace = 400ms;     // for the threads of a hanging child to answer
constexpr Duration kCancelTick = 50ms;
constexpr Duration kBlindTick = 2ms;  // between looks at a child without a pidfd
constexpr std::size_t kReportBound = std::size_t{8} * 1024 * 1024;

/// The read end of a pipe, what came out of it, and how much was thrown away.
struct Stream {
  os::UniqueFd fd;
  std::string text{};
  std::size_t bound = kOutputBound;
  std::size_t dropped = 0;
};

struct SpawnActions {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  SpawnActions() {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnActions() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
};

/// The inherited environment without options of ours, which are for the parent alone.
std::vector<std::string> environment_of(const ChildCommand& command) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string key(text.substr(0, text.find('=')));
    if (text.substr(0, 10) == "LOOPSCOPE_" || command.environment.count(key) != 0) continue;
    result.emplace_back(text);
  }
  for (const auto& [key, value] : command.environment) result.push_back(key + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// A cell begins like a fresh login: default dispositions, nothing blocked, its own session.
void set_attributes(SpawnActions& actions) {
  sigset_t set;
  ::sigfillset(&set);
  ::posix_spawnattr_setsigdefault(&actions.attributes, &set);
  ::sigemptyset(&set);
  ::posix_spawnattr_setsigmask(&actions.attributes, &set);
  ::posix_spawnattr_setflags(
      &actions.attributes,
      static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID));
}

class Child {
 public:
  explicit Child(const ChildCommand& command) : command_(command) {}

  Result<void> start();
  /// Reads until the child ended or was killed. False: cancelled.
  bool watch(const std::function<bool()>& cancel);
  ChildReport finish();

 private:
  enum Which : std::size_t { kOut, kErr, kReport };

  bool ended();
  bool extend_limit();
  void read_ready(const std::array<pollfd, 4>& slots);
  bool read_some(Stream& stream);
  void drain(Duration patience);
  void on_limit();
  void kill_group() const { ::kill(-pid_, SIGKILL); }
  void reap();
  void account_for_leftovers();

  const ChildCommand& command_;
  pid_t pid_ = 0;
  os::UniqueFd pidfd_;
  std::array<Stream, 3> streams_{};
  std::array<os::UniqueFd, 3> write_ends_{};
  TimePoint began_{}, limit_{};
  bool interrogated_ = false;
  ChildReport report_{};
};

Result<void> Child::start() {
  // posix_spawn returns after the exec. Until then the new process holds a copy of every pipe of
  // ours that is open, and a cell that another thread started would seem to leave its own behind.
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Result<os::Pipe> pipe = os::open_pipe();
    if (!pipe.ok()) return pipe.error();
    ::fcntl(pipe->read.get(), F_SETFL, O_NONBLOCK);
    streams_[i].fd = std::move(pipe->read);
    write_ends_[i] = std::move(pipe->write);
  }
  streams_[kReport].bound = kReportBound;
  SpawnActions actions;
  set_attributes(actions);
  ::posix_spawn_file_actions_addopen(&actions.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions.files, write_ends_[kOut].get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions.files, write_ends_[kErr].get(), STDERR_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions.files, write_ends_[kReport].get(), cell::kReportFd);
  // Whoever started us may have left descriptors open; a cell counts from a known number on.
  ::posix_spawn_file_actions_addclosefrom_np(&actions.files, cell::kReportFd + 1);
  if (!command_.directory.empty()) {
    ::posix_spawn_file_actions_addchdir_np(&actions.files, command_.directory.c_str());
  }
  std::vector<std::string> arguments{command_.executable};
  arguments.insert(arguments.end(), command_.arguments.begin(), command_.arguments.end());
  std::vector<std::string> environment = environment_of(command_);
  began_ = now();
  limit_ = saturating_add(began_, command_.limit);
  const int error =
      ::posix_spawn(&pid_, command_.executable.c_str(), &actions.files, &actions.attributes,
                    pointers(arguments).data(), pointers(environment).data());
  if (error != 0) return errno_error_of(error, "posix_spawn", command_.executable);
  for (os::UniqueFd& end : write_ends_) end.reset();
  report_.pid = pid_;
#ifdef SYS_pidfd_open
  pidfd_ = os::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
#endif
  return {};
}

bool Child::ended() {
  siginfo_t info{};
  // WNOWAIT: as a zombie it keeps its number, so that the kill of its group cannot hit others.
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid_;
}

/// False at the end of the stream and when nothing is there now.
bool Child::read_some(Stream& stream) {
  if (!stream.fd) return false;
  char buffer[16 * 1024];
  const ssize_t count = ::read(stream.fd.get(), buffer, sizeof buffer);
  if (count < 0) return errno == EINTR;
  if (count == 0) {
    stream.fd.reset();
    return false;
  }
  const auto size = static_cast<std::size_t>(count);
  const std::size_t kept = std::min(size, stream.bound - stream.text.size());
  stream.text.append(buffer, kept);
  stream.dropped += size - kept;
  return true;
}

bool Child::watch(const std::function<bool()>& cancel) {
  while (true) {
    if (cancel && cancel()) {
      kill_group();
      reap();
      return false;
    }
    if (now() >= limit_ && !extend_limit()) {
      on_limit();
      return true;
    }
    std::array<pollfd, 4> slots{};
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      slots[i] = {.fd = streams_[i].fd ? streams_[i].fd.get() : -1, .events = POLLIN, .revents = 0};
    }
    slots[3] = {.fd = pidfd_ ? pidfd_.get() : -1, .events = POLLIN, .revents = 0};
    const Duration tick = pidfd_ ? kCancelTick : kBlindTick;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::min(tick, limit_ - now()));
    (void)::poll(slots.data(), slots.size(),
                 static_cast<int>(std::max<std::int64_t>(wait.count(), 0)));
    for (Stream& stream : streams_) (void)read_some(stream);
    if ((!pidfd_ || slots[3].revents != 0) && ended()) return true;
  }
}

/// Reads what is still to come; gives up on a pipe that somebody else holds.
void Child::drain(Duration patience) {
  const TimePoint end = now() + patience;
  const auto open = [&] {
    return std::any_of(streams_.begin(), streams_.end(),
                       [](const Stream& s) { return bool(s.fd); });
  };
  while (true) {
    for (Stream& stream : streams_) {
      while (read_some(stream)) {
      }
    }
    if (!open() || now() >= end) break;
    std::array<pollfd, 3> slots{};
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      slots[i] = {.fd = streams_[i].fd ? streams_[i].fd.get() : -1, .events = POLLIN, .revents = 0};
    }
    (void)::poll(slots.data(), slots.size(), 5);
  }
  report_.pipes_held = open();
}

/// True when the host kept the child waiting, and there is time left that it should have had.
bool Child::extend_limit() {
  const auto kept_waiting = Duration(static_cast<std::int64_t>(proc::run_delay(pid_)));
  limit_ = std::max(limit_, fair_end(began_, command_.limit, kept_waiting));
  return now() < limit_;
}

/// Asks the hanging process where it is, then ends it.
void Child::on_limit() {
  if (ended()) return;  // It made it while we looked.
  report_.end.killed_at_limit = true;
  report_.dossier = interrogate(pid_);
  const TimePoint end = now() + kStackGrace;
  const std::size_t asked = report_.dossier.threads.size();
  const auto answers = [&] {
    std::size_t count = 0;
    const std::string& text = streams_[kReport].text;
    for (std::size_t at = 0; (at = text.find("{\"stack\"", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  while (now() < end && answers() < asked && !ended()) {
    pollfd slot{.fd = streams_[kReport].fd ? streams_[kReport].fd.get() : -1,
                .events = POLLIN,
                .revents = 0};
    (void)::poll(&slot, 1, 10);
    for (Stream& stream : streams_) (void)read_some(stream);
  }
  kill_group();
}

void Child::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) report_.end.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) report_.end.signal = WTERMSIG(status);
}

/// Processes that the child left: in its group, in its session, or with its mark in their
/// environment. All of them are killed.
void Child::account_for_leftovers() {
  const bool group_lives = ::kill(-pid_, 0) == 0;  // not the child: it was reaped
  if (!group_lives && !report_.pipes_held) return;
  const auto mark = command_.environment.find("LOOPSCOPE_CELL_ID");
  for (const proc::Process& process : proc::all_processes()) {
    const std::string environment =
        mark == command_.environment.end()
            ? std::string()
            : proc::contents("/proc/" + std::to_string(process.pid) + "/environ");
    const bool marked = !environment.empty() && environment.find(mark->first + "=" + mark->second +
                                                                 '\0') != std::string::npos;
    if ((process.session != pid_ && !marked) || process.pid == ::getpid()) continue;
    if (process.state != 'Z') {
      report_.leftovers.push_back("pid " + std::to_string(process.pid) + " (" + process.name + ")");
    }
    (void)::kill(process.pid, SIGKILL);
    (void)::waitpid(process.pid, nullptr, 0);  // ours by adoption; ECHILD elsewhere
  }
  if (group_lives) kill_group();
}

ChildReport Child::finish() {
  // A killed child leaves at once; what keeps its pipes open then is something else.
  if (report_.end.killed_at_limit) {
    while (!ended()) {
      pollfd slot{.fd = pidfd_ ? pidfd_.get() : -1, .events = POLLIN, .revents = 0};
      (void)::poll(&slot, 1, pidfd_ ? 1000 : 2);
    }
  }
  report_.took = now() - began_;
  drain(kHeldPipeGrace);
  reap();
  account_for_leftovers();
  const auto text_of = [](Stream& stream) {
    if (stream.dropped != 0) {
      stream.text += "\n[" + std::to_string(stream.dropped) + " further bytes were dropped]\n";
    }
    return std::move(stream.text);
  };
  report_.out = text_of(streams_[kOut]);
  report_.err = text_of(streams_[kErr]);
  std::string_view rest = streams_[kReport].text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;  // cut off by its end
    report_.lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  add_stacks(report_.lines, report_.dossier);
  return std::move(report_);
}

}  // namespace

void adopt_orphans() {
#ifdef PR_SET_CHILD_SUBREAPER
  (void)::prctl(PR_SET_CHILD_SUBREAPER, 1);
#endif
}

std::vector<std::string> sweep_orphans() {
  std::vector<std::string> found;
  siginfo_t info{};
  if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return found;  // ECHILD: none
  for (const proc::Process& process : proc::all_processes()) {
    if (process.parent != ::getpid()) continue;
    if (process.state != 'Z') {
      found.push_back("pid " + std::to_string(process.pid) + " (" + process.name + ")");
      (void)::kill(process.pid, SIGKILL);
    }
    (void)::waitpid(process.pid, nullptr, 0);
  }
  return found;
}

Result<ChildReport> run_child(const ChildCommand& command, const std::function<bool()>& cancel) {
  Child child(command);
  if (const Result<void> started = child.start(); !started.ok()) return started.error();
  if (!child.watch(cancel)) return make_error(Errc::cancelled, "run_child");
  return child.finish();
}

Result<std::string> own_executable() {
  std::string path = proc::link_target("/proc/self/exe");
  if (path.empty()) return errno_error_of(ENOENT, "readlink", "/proc/self/exe");
  return path;
}

}  // namespace loopscope
