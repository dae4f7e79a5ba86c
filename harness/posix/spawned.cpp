// Starting and ending processes under test on POSIX.
#include "harness/posix/spawned.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "harness/posix/proc.hpp"
#include "harness/posix/spawn_words.hpp"

namespace loopscope {
namespace {

/// Lowers our own soft limit for the moment of the start: a child inherits what it finds.
class LimitScope {
 public:
  explicit LimitScope(std::size_t limit) {
    ::getrlimit(RLIMIT_NOFILE, &old_);
    if (limit == 0) return;
    const rlimit lower{static_cast<rlim_t>(limit), old_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &lower);
  }
  ~LimitScope() { ::setrlimit(RLIMIT_NOFILE, &old_); }
  LimitScope(const LimitScope&) = delete;
  LimitScope& operator=(const LimitScope&) = delete;

 private:
  rlimit old_{};
};

}  // namespace

Result<Spawned> Spawned::start(const Options& options) {
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, options.output.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  std::vector<std::string> arguments = options.argv;
  std::vector<std::string> environment = environment_with(options.environment);
  pid_t pid = 0;
  const LimitScope limit(options.descriptor_limit);
  const int error = ::posix_spawn(&pid, arguments.front().c_str(), &files, nullptr,
                                  pointers(arguments).data(), pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&files);
  if (error != 0) return errno_error_of(error, "posix_spawn", arguments.front());
  return Spawned(pid);
}

Spawned::Spawned(Spawned&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), status_(other.status_) {}

Spawned::~Spawned() {
  if (pid_ == 0) return;
  send(SIGKILL);
  (void)wait();
}

void Spawned::send(int signal) const {
  if (pid_ != 0) (void)::kill(pid_, signal);
}

int Spawned::wait() {
  if (pid_ != 0) {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return status_;
}

bool Spawned::running() {
  siginfo_t info{};
  return pid_ != 0 &&
         ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

std::vector<long> processes_with(const std::string& environment_text) {
  std::vector<long> result;
  for (const proc::Process& process : proc::all_processes()) {
    if (process.state == 'Z' || process.pid == ::getpid()) continue;
    const std::string environment =
        proc::contents("/proc/" + std::to_string(process.pid) + "/environ");
    if (environment.find(environment_text) != std::string::npos) result.push_back(process.pid);
  }
  return result;
}

}  // namespace loopscope
