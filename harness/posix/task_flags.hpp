// The flags of a thread, as /proc/<pid>/task/<tid>/stat tells them.
#pragma once

#include <cstdlib>
#include <string>

namespace loopscope::proc {

// Of the kernel's include/linux/sched.h.
inline constexpr unsigned long kExiting = 0x4;
/// A worker of an io_uring: listed among the threads of the process, it runs the kernel's code
/// alone, and the kernel ends it, some seconds after its last work.
inline constexpr unsigned long kIoWorker = 0x10;

/// The ninth field; 0 where the text has none.
inline unsigned long task_flags(const std::string& stat) {
  // The name, in parentheses, may hold anything; state, ppid, pgrp, session, tty_nr and tpgid
  // follow it, each after a blank.
  std::size_t at = stat.rfind(')');
  for (int field = 0; field < 7 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::strtoul(stat.c_str() + at, nullptr, 10);
}

/// Whether the text tells of a thread that runs code of the process; one that is gone has no text.
/// The kernel wakes who joins a thread before it takes the thread off the list.
inline bool runs_code(const std::string& stat) {
  return !stat.empty() && (task_flags(stat) & (kExiting | kIoWorker)) == 0;
}

}  // namespace loopscope::proc
