// ask_in_child with fork(2): answers come back over a pipe, one frame for each fact.
#include "probe/isolate.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>

#include "loops/base/clock.hpp"
#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"
#include "probe/temp_folder.hpp"

namespace loopscope {

namespace {

struct ChannelPair {
  os::UniqueFd read, write;
};

/// Both ends above the standard descriptors: those may be closed, and facts ask about them.
std::optional<ChannelPair> open_channel() {
  constexpr int kLowest = 3;
  int ends[2];
  if (::pipe(ends) != 0) return std::nullopt;
  const os::UniqueFd low[] = {os::UniqueFd(ends[0]), os::UniqueFd(ends[1])};
  ChannelPair channel{os::UniqueFd(::fcntl(ends[0], F_DUPFD_CLOEXEC, kLowest)),
                      os::UniqueFd(::fcntl(ends[1], F_DUPFD_CLOEXEC, kLowest))};
  if (!channel.read || !channel.write) return std::nullopt;
  return channel;
}

bool write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

/// A refusal under a seccomp filter may be the filter's and not the kernel's.
void mention_seccomp(FactResult& result, bool filtered) {
  if (!filtered || result.note.find("seccomp") != std::string::npos) return;
  if (result.reason != Reason::not_implemented && result.reason != Reason::denied) return;
  if (!result.note.empty()) result.note += "; ";
  result.note += "a seccomp filter is active and may be what answered";
}

/// Crashes are this process's own here: no handler of the program reports them, and no core file
/// is written.
void crash_quietly() {
  for (const int signum : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGINT, SIGTERM}) {
    (void)::signal(signum, SIG_DFL);  // Valid numbers: cannot fail.
  }
  const rlimit none{};
  (void)::setrlimit(RLIMIT_CORE, &none);  // Lowering is always allowed.
}

/// The child's life: ask, answer, next. Never returns to the caller's stack.
[[noreturn]] void live(std::span<const Fact* const> facts, const std::string& folder,
                       const ProbeOptions& options, int out) {
  constexpr unsigned kLongestLife = 120;  // seconds; only matters when the parent was killed
  (void)::alarm(kLongestLife);
  crash_quietly();
  const bool filtered = status_field("Seccomp") == "2";
  int number = 0;
  for (const Fact* fact : facts) {
    ProbeContext cx(folder.empty() ? folder : folder + "/" + std::to_string(++number),
                    options.thorough, options.deadline);
    TimedResult answer;
    const TimePoint start = now();
    try {
      answer.result = fact->ask(cx);
    } catch (const std::exception& problem) {
      answer.result = null(Reason::failed, std::string("exception: ") + problem.what());
    }
    answer.took_ns = (now() - start).count();
    if (answer.result.evidence.empty()) answer.result.evidence = cx.take_evidence();
    answer.result.conflicts = cx.take_conflicts();
    answer.result.effect = cx.effect();
    mention_seccomp(answer.result, filtered);
    if (!write_all(out, encode_frame(answer))) ::_exit(1);
  }
  ::_exit(0);
}

enum class Heard { answer, nothing_in_time, end };

/// Reads until the next whole frame.
Heard hear(int in, std::string& buffer, TimePoint deadline, std::vector<TimedResult>& answers) {
  while (true) {
    bool broken = false;
    if (std::optional<TimedResult> answer = take_frame(buffer, broken)) {
      answers.push_back(std::move(*answer));
      return Heard::answer;
    }
    if (broken) return Heard::end;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now()).count();
    if (left <= 0) return Heard::nothing_in_time;
    pollfd slot{.fd = in, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&slot, 1, static_cast<int>(left));
    if (ready <= 0) continue;  // Time is up, or a signal came: the clock decides above.
    char chunk[4096];
    const ssize_t n = ::read(in, chunk, sizeof chunk);
    if (n == 0) return Heard::end;
    if (n > 0) buffer.append(chunk, static_cast<std::size_t>(n));
  }
}

constexpr std::chrono::milliseconds kNoPatience{0};

/// True when the child has ended; it stays to be reaped, so its number stays taken.
bool has_ended(pid_t child) {
  siginfo_t info{};
  const int rc = ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT);
  // ECHILD: our own parent left SIGCHLD ignored, and the kernel reaped it.
  return (rc == 0 && info.si_pid == child) || (rc != 0 && errno == ECHILD);
}

/// Gives the child `patience` to end by itself, then ends its group and reaps it.
/// returns its status when it had ended by itself.
std::optional<int> end_group(pid_t child, std::chrono::milliseconds patience) {
  const TimePoint limit = now() + patience;
  bool by_itself = has_ended(child);
  while (!by_itself && now() < limit) {
    (void)::poll(nullptr, 0, 1);
    by_itself = has_ended(child);
  }
  if (::kill(-child, SIGKILL) != 0) (void)::kill(child, SIGKILL);
  int status = 0;
  pid_t reaped = 0;
  do {
    reaped = ::waitpid(child, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  if (!by_itself || reaped != child) return std::nullopt;
  return status;
}

std::string describe_status(std::optional<int> status) {
  if (!status) return "ended without an answer";
  if (WIFSIGNALED(*status)) return "killed by signal " + std::to_string(WTERMSIG(*status));
  return "exit code " + std::to_string(WEXITSTATUS(*status));
}

Isolated not_started(std::string_view call, int error) {
  return {ProbeEnd::not_started,
          std::string(call) + ": " + error_name(std::error_code(error, std::system_category()))};
}

}  // namespace

Isolated ask_in_child(std::span<const Fact* const> facts, const ProbeOptions& options,
                      std::vector<TimedResult>& answers) {
  const std::chrono::milliseconds deadline = options.deadline;
  const TempFolder folder;
  std::optional<ChannelPair> channel = open_channel();
  if (!channel) return not_started("pipe", errno);
  const pid_t child = ::fork();
  if (child < 0) return not_started("fork", errno);
  if (child == 0) {
    (void)::setpgid(0, 0);
    channel->read.reset();
    live(facts, folder.path(), options, channel->write.get());
  }
  (void)::setpgid(child, child);  // Whoever comes first; the other one fails harmlessly.
  channel->write.reset();
  std::string buffer;
  const std::size_t wanted = answers.size() + facts.size();
  while (answers.size() < wanted) {
    switch (hear(channel->read.get(), buffer, now() + deadline, answers)) {
      case Heard::answer:
        break;
      case Heard::nothing_in_time: {
        // A grandchild can hold the pipe open behind a child that died.
        const std::optional<int> status = end_group(child, kNoPatience);
        if (status) return {ProbeEnd::crashed, describe_status(status)};
        return {ProbeEnd::timeout, "no answer in " + std::to_string(deadline.count()) + " ms"};
      }
      case Heard::end:
        return {ProbeEnd::crashed, describe_status(end_group(child, deadline))};
    }
  }
  (void)end_group(child, kNoPatience);  // All answers are here; how it leaves does not matter.
  return {};
}

const std::string& ProbeContext::temp_dir() {
  if (!temp_dir_.empty() || folder_.empty()) return temp_dir_;
  if (call("mkdir(temporary folder)", ::mkdir(folder_.c_str(), 0700)) == 0) temp_dir_ = folder_;
  folder_.clear();
  return temp_dir_;
}

os::UniqueFd ProbeContext::temp_file(std::string_view contents) {
  if (temp_dir().empty()) {
    errno = ENOENT;
    call("mkdtemp (no temporary folder could be made)", -1);
    return {};
  }
  const std::string path = temp_path("file-" + std::to_string(++files_));
  os::UniqueFd file(call("open(temporary file, O_RDWR|O_CREAT)",
                         ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)));
  if (!file) return file;
  if (!write_all(file.get(), contents) || ::lseek(file.get(), 0, SEEK_SET) != 0) {
    call("write(temporary file)", -1);
    file.reset();
  }
  return file;
}

}  // namespace loopscope
