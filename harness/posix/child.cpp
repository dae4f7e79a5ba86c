// Watching one child on POSIX: read, limit, kill the group, account for what is left.
#include "harness/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <shared_mutex>
#include <string_view>

#include "harness/posix/dossier.hpp"
#include "harness/posix/fork_server.hpp"
#include "harness/posix/parent_ties.hpp"
#include "harness/posix/proc.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope {
namespace {

using namespace std::chrono_literals;

constexpr Duration kHeldPipeGrace = 100ms;  // for a grandchild that is about to end anyway
constexpr Duration kStackGrace = 400ms;     // for the threads of a hanging child to answer
constexpr Duration kCancelTick = 50ms;
constexpr std::size_t kReportBound = std::size_t{8} * 1024 * 1024;

/// The read end of a pipe, what came out of it, and how much was thrown away.
struct Stream {
  os::UniqueFd fd;
  std::string text{};
  std::size_t bound = kOutputBound;
  std::size_t dropped = 0;
};

class Child {
 public:
  Child(ForkServer& server, const ChildCommand& command) : server_(server), command_(command) {}

  Result<void> start();
  /// Reads until the child ended or was killed. False: cancelled.
  bool watch(const std::function<bool()>& cancel);
  ChildReport finish();

 private:
  enum Which : std::size_t { kOut, kErr, kReport };

  bool extend_limit();
  void read_ready(const std::array<pollfd, 4>& slots);
  bool read_some(Stream& stream);
  void drain(Duration patience);
  void on_limit();
  void kill_group() const { ::kill(-pid_, SIGKILL); }
  void reap();
  void account_for_leftovers();

  ForkServer& server_;
  const ChildCommand& command_;
  pid_t pid_ = 0;
  std::array<Stream, 3> streams_{};
  TimePoint began_{}, limit_{};
  bool interrogated_ = false;
  ChildReport report_{};
};

Result<void> Child::start() {
  const std::shared_lock lock(copied_descriptors());
  std::array<os::UniqueFd, 3> write_ends;  // closed before the lock is given back
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Result<os::Pipe> pipe = os::open_pipe();
    if (!pipe.ok()) return pipe.error();
    ::fcntl(pipe->read.get(), F_SETFL, O_NONBLOCK);
    streams_[i].fd = std::move(pipe->read);
    write_ends[i] = std::move(pipe->write);
  }
  streams_[kReport].bound = kReportBound;
  began_ = now();
  limit_ = saturating_add(began_, command_.limit);
  const Result<long> pid = server_.begin(command_, write_ends[kOut].get(), write_ends[kErr].get(),
                                         write_ends[kReport].get());
  if (!pid.ok()) return pid.error();
  report_.pid = *pid;
  pid_ = static_cast<pid_t>(*pid);
  return {};
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
    slots[3] = {.fd = server_.fd(), .events = POLLIN, .revents = 0};
    const auto wait =
        std::chrono::ceil<std::chrono::milliseconds>(std::min(kCancelTick, limit_ - now()));
    (void)::poll(slots.data(), slots.size(),
                 static_cast<int>(std::max<std::int64_t>(wait.count(), 0)));
    for (Stream& stream : streams_) (void)read_some(stream);
    if (slots[3].revents != 0 && server_.ended()) return true;
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
  if (server_.ended()) return;  // It made it while we looked.
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
  while (now() < end && answers() < asked && !server_.ended()) {
    pollfd slot{.fd = streams_[kReport].fd ? streams_[kReport].fd.get() : -1,
                .events = POLLIN,
                .revents = 0};
    (void)::poll(&slot, 1, 10);
    for (Stream& stream : streams_) (void)read_some(stream);
  }
  kill_group();
}

void Child::reap() {
  const int status = server_.reap();
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
    while (!server_.ended()) {
      pollfd slot{.fd = server_.fd(), .events = POLLIN, .revents = 0};
      (void)::poll(&slot, 1, 1000);
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

void adopt_orphans() { adopt_orphans_of_children(); }

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

Result<ChildReport> ForkServer::run(const ChildCommand& command,
                                    const std::function<bool()>& cancel) {
  Child child(*this, command);
  if (const Result<void> started = child.start(); !started.ok()) return started.error();
  if (!child.watch(cancel)) return make_error(Errc::cancelled, "run");
  return child.finish();
}

}  // namespace loopscope
