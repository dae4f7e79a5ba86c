// Reading /proc: processes, threads, descriptors. Empty answers where there is no such thing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace loopscope::proc {

struct Thread {
  pid_t tid = 0;
  std::string name;
};
struct Process {
  pid_t pid = 0, parent = 0, session = 0;
  char state = '?';
  std::string name;
};

/// The whole of a small file; empty when it cannot be read.
std::string contents(const std::string& path);
/// The rest of the first line that begins with `key`, trimmed; empty when there is none.
std::string field(const std::string& path, std::string_view key);
std::vector<Thread> threads_of(pid_t pid);
/// How long a process's threads were ready to run while others ran, the greatest of them, in
/// nanoseconds; 0 where the system does not count it. source: proc(5), /proc/pid/schedstat
std::uint64_t run_delay(pid_t pid);
std::vector<Process> all_processes();
/// Names in a directory that are numbers, ascending.
std::vector<int> numbers_in(const std::string& directory);
std::string link_target(const std::string& path);

}  // namespace loopscope::proc
