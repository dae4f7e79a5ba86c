// Reading /proc with plain system calls: small, quick, and quiet when something is missing.
#include "harness/posix/proc.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "loops/os/fd.hpp"

namespace loopscope::proc {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1));
}

}  // namespace

std::string contents(const std::string& path) {
  const os::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string result;
  if (!file) return result;
  char buffer[4096];
  while (true) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return result;
    result.append(buffer, static_cast<std::size_t>(count));
  }
}

std::string field(const std::string& path, std::string_view key) {
  const std::string all = contents(path);
  std::string_view rest = all;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    if (line.substr(0, key.size()) == key) return trimmed(line.substr(key.size()));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

std::uint64_t run_delay(pid_t pid) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  std::uint64_t longest = 0;
  for (const int tid : numbers_in(tasks)) {
    // "time on the processor, time waiting for one, times it got one"
    const std::string line = contents(tasks + "/" + std::to_string(tid) + "/schedstat");
    const std::size_t blank = line.find(' ');
    if (blank == line.npos) continue;
    longest = std::max<std::uint64_t>(longest, std::strtoull(line.c_str() + blank, nullptr, 10));
  }
  return longest;
}

std::vector<int> numbers_in(const std::string& directory) {
  std::vector<int> result;
  const std::unique_ptr<DIR, CloseDir> dir(::opendir(directory.c_str()));
  if (dir == nullptr) return result;
  while (const dirent* entry = ::readdir(dir.get())) {
    char* end = nullptr;
    const long number = std::strtol(entry->d_name, &end, 10);
    if (*end == '\0' && end != entry->d_name) result.push_back(static_cast<int>(number));
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::vector<Thread> threads_of(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/task/";
  std::vector<Thread> result;
  for (const int tid : numbers_in(folder)) {
    result.push_back({tid, trimmed(contents(folder + std::to_string(tid) + "/comm"))});
  }
  return result;
}

std::vector<Process> all_processes() {
  std::vector<Process> result;
  for (const int pid : numbers_in("/proc")) {
    const std::string stat = contents("/proc/" + std::to_string(pid) + "/stat");
    // "pid (name) state ppid pgrp session ...": the name may hold blanks and parentheses.
    const std::size_t open = stat.find('('), close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos) continue;
    Process process{.pid = pid, .name = stat.substr(open + 1, close - open - 1)};
    int parent = 0, group = 0, session = 0;
    const char* rest = stat.c_str() + close + 1;
    if (std::sscanf(rest, " %c %d %d %d", &process.state, &parent, &group, &session) != 4) continue;
    process.parent = parent;
    process.session = session;
    result.push_back(std::move(process));
  }
  return result;
}

std::string link_target(const std::string& path) {
  char target[512];
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  return length < 0 ? std::string() : std::string(target, static_cast<std::size_t>(length));
}

}  // namespace loopscope::proc
