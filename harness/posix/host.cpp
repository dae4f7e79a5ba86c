// The harness's own process on POSIX: limits, descriptors, CPU time, directories.
#include "harness/host.hpp"

#include <cxxabi.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "harness/posix/parent_ties.hpp"
#include "harness/posix/proc.hpp"
#include "harness/posix/symbols.hpp"
#include "loops/os/temp_folder.hpp"

namespace loopscope::host {
namespace {

Duration cpu_time(clockid_t clock) {
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) return Duration::zero();
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// The file name of this program, as frames give it.
const std::string& own_name() {
  static const std::string name =
      std::filesystem::path(proc::link_target("/proc/self/exe")).filename();
  return name;
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

}  // namespace

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlimit wanted{limit.rlim_max, limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &wanted) == 0) limit.rlim_cur = limit.rlim_max;
  return static_cast<std::size_t>(limit.rlim_cur);
}

Result<void> lower_descriptor_limit(std::size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return errno_error("getrlimit(RLIMIT_NOFILE)");
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return errno_error("setrlimit(RLIMIT_NOFILE)");
  return {};
}

std::vector<os::NativeSocket> open_descriptors() {
  std::vector<os::NativeSocket> result;
  const std::unique_ptr<DIR, CloseDir> dir(::opendir("/proc/self/fd"));
  if (dir == nullptr) {  // No /proc, or no descriptor left to read it with: ask one by one.
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return result;
    const int end = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 65'536));
    for (int fd = 0; fd < end; ++fd) {
      if (::fcntl(fd, F_GETFD) >= 0) result.push_back(fd);
    }
    return result;
  }
  while (const dirent* entry = ::readdir(dir.get())) {
    char* end = nullptr;
    const long fd = std::strtol(entry->d_name, &end, 10);
    if (*end != '\0' || end == entry->d_name || fd == ::dirfd(dir.get())) continue;
    result.push_back(static_cast<int>(fd));
  }
  std::sort(result.begin(), result.end());
  return result;
}

Duration thread_cpu_time() { return cpu_time(CLOCK_THREAD_CPUTIME_ID); }
Duration process_cpu_time() { return cpu_time(CLOCK_PROCESS_CPUTIME_ID); }

std::size_t max_resident_bytes() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

Result<std::string> make_temp_dir(std::string_view prefix) { return os::make_temp_folder(prefix); }

void remove_tree(const std::string& path) {
  std::error_code ignored;  // E7: cleaning up does not fail; what stays is in a temporary folder
  std::filesystem::remove_all(path, ignored);
}

std::string describe_descriptor(os::NativeSocket fd) {
  char target[512];
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  return length < 0 ? std::string() : std::string(target, static_cast<std::size_t>(length));
}

std::string demangled_frame(const std::string& frame) {
  const std::size_t plus = frame.find("+0x"), blank = frame.find(' ');
  std::string mangled = blank == std::string::npos ? "" : frame.substr(blank + 1);
  // A program that is linked statically has frames without a file: bare addresses.
  const bool bare = frame.starts_with("0x");
  if (bare || (plus != std::string::npos && frame.substr(0, plus) == own_name())) {
    // The frame's own name is that of the nearest exported function; the symbol table knows more.
    // An unsigned long is as wide as an address on every Unix.
    const std::uintptr_t address =
        std::strtoul(frame.c_str() + (bare ? 0 : plus + 1), nullptr, 16) +
        (bare ? 0 : symbols::linked_at());
    // A call that does not return may be the last instruction: it returns behind its function.
    std::string better = symbols::name_at(address);
    if (better.empty() && address > 0) better = symbols::name_at(address - 1);
    if (!better.empty()) mangled = std::move(better);
  }
  if (mangled.empty()) return frame;
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), std::free);
  return frame.substr(0, blank) + " " + (status == 0 ? name.get() : mangled);
}

std::string describe_signal(int number) {
  const char* text = ::strsignal(number);
  return "signal " + std::to_string(number) +
         (text == nullptr ? "" : std::string(" (") + text + ")");
}

std::string describe_wait_queue(os::NativeSocket fd) {
  const std::string info = proc::contents("/proc/self/fdinfo/" + std::to_string(fd));
  std::size_t watched = 0;
  for (std::size_t at = info.find("tfd:"); at != std::string::npos;
       at = info.find("tfd:", at + 1)) {
    ++watched;
  }
  if (watched != 0) return "watches " + std::to_string(watched) + " descriptors";
  const std::size_t mask = info.find("SqMask:");
  if (mask == std::string::npos) return "";
  const unsigned long last = std::strtoul(info.c_str() + mask + 7, nullptr, 16);
  return "an io_uring of " + std::to_string(last + 1) + " entries";
}

void ensure_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is fd. Where nothing has made devices yet, a folder keeps it.
    if (::open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) < 0) {
      (void)::open("/", O_RDONLY | O_DIRECTORY);
    }
  }
}

bool die_with_parent(long parent_pid) {
  end_with_parent();
  return parent_pid <= 0 || ::getppid() == parent_pid;
}

long process_id() { return ::getpid(); }

void leave_now(int code) { ::_exit(code); }

void set_environment(const std::string& name, const std::string& value) {
  (void)::setenv(name.c_str(), value.c_str(), 1);  // fails on a malformed name only
}

void forbid_core_files() {
  const rlimit none{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &none);
}

}  // namespace loopscope::host
