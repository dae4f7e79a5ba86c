// Starting a child on POSIX: everything is prepared by the parent, so that the child makes system
// calls only, whether it borrows the parent's memory or has a copy.
#include "loops/os/spawn.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string_view>

#include "loops/os/pipe.hpp"

extern char** environ;

namespace loopscope::os {
namespace {

constexpr int kStandard = 3;  // the first number that is no standard stream

/// What the child could not do, as it comes through the pipe.
struct ChildFailure {
  int step = 0;
  int number = 0;  // errno
};
enum Step : int { kDup, kSession, kGroup, kDirectory, kExec };
constexpr std::string_view kStepNames[] = {"dup2", "setsid", "setpgid", "chdir", "execve"};

/// All that the child needs, as it needs it.
struct Plan {
  std::vector<const char*> paths;  // to try, in order
  std::vector<char*> argv, environment;
  char** environment_pointer = nullptr;
  const char* directory = nullptr;
  std::array<int, 3> standard{};  // kAsItIs: leave it alone
  std::vector<int> keep;          // above 2, ascending: passed ones and the report
  int report = -1;
  bool new_session = false;
  int process_group = -1;
};
constexpr int kAsItIs = -1;

bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

// --- in the child: async-signal-safe calls only, and no memory but its stack's

// The three below run on the child's own stack, in the parent's memory. AddressSanitizer would take
// it for a broken stack of the parent's thread, and say so on the child's standard error.
[[noreturn, gnu::no_sanitize_address]] void give_up(const Plan& plan, Step step) {
  const ChildFailure failure{step, errno};
  // A pipe takes so few bytes whole. Nobody could be told of a failure here.
  (void)!::write(plan.report, &failure, sizeof failure);
  ::_exit(127);
}

/// Before any signal may arrive: a handler of the parent must not run here.
void reset_signals() {
  for (int signum = 1; signum < NSIG; ++signum) {
    struct sigaction action {};
    if (::sigaction(signum, nullptr, &action) != 0) continue;
    const bool keep =
        (action.sa_flags & SA_SIGINFO) == 0 &&
        (action.sa_handler == SIG_DFL || (action.sa_handler == SIG_IGN && signum != SIGPIPE));
    if (keep) continue;
    action = {};
    action.sa_handler = SIG_DFL;
    ::sigaction(signum, &action, nullptr);
  }
}

/// The sources may stand in each other's place: those among 0..2 go out of the way first.
void place_standard_streams(const Plan& plan) {
  std::array<int, 3> source = plan.standard;
  for (int i = 0; i < kStandard; ++i) {
    int& from = source[static_cast<std::size_t>(i)];
    if (from == kAsItIs || from >= kStandard || from == i) continue;
    from = ::fcntl(from, F_DUPFD_CLOEXEC, kStandard);
    if (from < 0) give_up(plan, kDup);
  }
  for (int i = 0; i < kStandard; ++i) {
    const int from = source[static_cast<std::size_t>(i)];
    if (from == kAsItIs) continue;
    const bool placed = from == i ? ::fcntl(i, F_SETFD, 0) == 0 : ::dup2(from, i) == i;
    if (!placed) give_up(plan, kDup);
  }
}

void close_others(const Plan& plan) {
  unsigned first = kStandard;
  for (const int fd : plan.keep) {
    const auto number = static_cast<unsigned>(fd);
    if (number > first) close_numbers(first, number - 1);
    first = number + 1;
    if (fd != plan.report) ::fcntl(fd, F_SETFD, 0);
  }
  close_numbers(first, std::numeric_limits<int>::max());
}

[[noreturn, gnu::no_sanitize_address]] void exec(const Plan& plan) {
  int refused = 0;  // a file was there, and may not be executed
  for (const char* path : plan.paths) {
    ::execve(path, plan.argv.data(), plan.environment_pointer);
    if (errno == EACCES) {
      refused = errno;
    } else if (errno != ENOENT && errno != ENOTDIR) {
      give_up(plan, kExec);
    }
  }
  if (refused != 0) errno = refused;
  give_up(plan, kExec);
}

[[gnu::no_sanitize_address]] int run_child(void* argument) {
  const Plan& plan = *static_cast<const Plan*>(argument);
  reset_signals();
  place_standard_streams(plan);
  if (plan.new_session && ::setsid() < 0) give_up(plan, kSession);
  if (plan.process_group >= 0 && ::setpgid(0, plan.process_group) != 0) give_up(plan, kGroup);
  if (plan.directory != nullptr && ::chdir(plan.directory) != 0) give_up(plan, kDirectory);
  close_others(plan);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  exec(plan);
}

// --- in the parent

/// No signal is handled by this thread while it lives.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  // execve's argument is of an older kind of const: it changes nothing.
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

Plan plan_for(const SpawnRequest& request, const std::vector<std::string>& paths, int report) {
  Plan plan;
  for (const std::string& path : paths) plan.paths.push_back(path.c_str());
  plan.argv = pointers(request.argv);
  if (request.environment) plan.environment = pointers(*request.environment);
  plan.environment_pointer = request.environment ? plan.environment.data() : environ;
  if (!request.directory.empty()) plan.directory = request.directory.c_str();
  for (std::size_t i = 0; i < plan.standard.size(); ++i) {
    plan.standard[i] = request.standard[i].value_or(kAsItIs);
  }
  plan.keep = request.pass;
  plan.keep.push_back(report);
  std::sort(plan.keep.begin(), plan.keep.end());
  plan.report = report;
  plan.new_session = request.new_session;
  plan.process_group = request.process_group.value_or(-1);
  return plan;
}

Error failure_of(const ChildFailure& failure, const SpawnRequest& request) {
  std::string detail;
  if (failure.step == kDirectory) detail = request.directory;
  if (failure.step == kExec) {
    detail = request.executable.empty() ? request.argv.front() : request.executable;
  }
  return errno_error_of(failure.number, kStepNames[failure.step], std::move(detail));
}

/// Reads what the child reports. Nothing: it has become the new program.
std::optional<ChildFailure> read_report(NativeSocket fd) {
  ChildFailure failure;
  const Result<Transfer> got = read(fd, std::as_writable_bytes(std::span(&failure, 1)));
  if (!got.ok() || *got != sizeof failure) return std::nullopt;
  return failure;
}

}  // namespace

Result<void> check(const SpawnRequest& request) {
  const auto refuse = [](std::string why) {
    return make_error(Errc::invalid_argument, "spawn", std::move(why));
  };
  if (request.argv.empty()) return refuse("argv is empty");
  if (has_nul(request.executable) || has_nul(request.directory)) return refuse("a NUL in a path");
  if (std::any_of(request.argv.begin(), request.argv.end(), has_nul)) {
    return refuse("a NUL in an argument");
  }
  for (const std::string& entry : request.environment.value_or(std::vector<std::string>())) {
    if (has_nul(entry)) return refuse("a NUL in the environment");
    const std::size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return refuse("an environment entry is no NAME=value: " + entry);
    }
  }
  if (request.process_group.value_or(0) < 0) return refuse("a negative process group");
  for (const std::optional<NativeSocket>& fd : request.standard) {
    if (fd && ::fcntl(*fd, F_GETFD) < 0) return errno_error("fcntl(F_GETFD)", std::to_string(*fd));
  }
  for (const NativeSocket fd : request.pass) {
    if (fd >= 0 && fd < kStandard) return refuse("the standard streams are not passed by number");
    if (::fcntl(fd, F_GETFD) < 0) return errno_error("fcntl(F_GETFD)", std::to_string(fd));
  }
  return {};
}

std::vector<std::string> search_path(const SpawnRequest& request) {
  const std::string& name = request.executable.empty() ? request.argv.front() : request.executable;
  if (name.empty() || name.find('/') != std::string::npos) return {name};
  std::string_view path = "/bin:/usr/bin";
  const auto take = [&](std::string_view entry) {
    if (entry.substr(0, 5) == "PATH=") path = entry.substr(5);
  };
  if (request.environment) {
    for (const std::string& entry : *request.environment) take(entry);
  } else {
    for (char** entry = environ; *entry != nullptr; ++entry) take(*entry);
  }
  std::vector<std::string> found;
  for (;;) {
    const std::size_t end = path.find(':');
    std::string folder(path.substr(0, end));
    if (!folder.empty() && folder.back() != '/') folder += '/';
    found.push_back(folder + name);  // An empty entry is the working directory.
    if (end == std::string_view::npos) return found;
    path.remove_prefix(end + 1);
  }
}

Result<UniqueFd> above_standard(UniqueFd fd) {
  if (fd.get() >= kStandard) return fd;
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kStandard));
  if (!moved) return errno_error("fcntl(F_DUPFD_CLOEXEC)");
  return moved;
}

NativeSocket standard_stream(unsigned index) { return static_cast<int>(index); }

Result<UniqueFd> open_null() { return open_path("/dev/null", true); }

std::vector<std::string> shell_words(std::string command) {
  return {"/bin/sh", "-c", std::move(command)};
}

Result<int> spawn(const SpawnRequest& request) {
  if (const Result<void> fit = check(request); !fit.ok()) return fit.error();
  Result<Pipe> made = open_pipe();
  if (!made.ok()) return made.error();
  Result<UniqueFd> report = above_standard(std::move(made->write));
  if (!report.ok()) return report.error();
  const std::vector<std::string> paths = search_path(request);
  Plan plan = plan_for(request, paths, report->get());
  int pid = -1;
  {
    const AllSignalsBlocked blocked;
    pid = start_child(run_child, &plan);
  }
  if (pid < 0) return errno_error("clone");
  report->reset();
  const std::optional<ChildFailure> failure = read_report(made->read.get());
  if (!failure) return pid;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return failure_of(*failure, request);
}

}  // namespace loopscope::os
