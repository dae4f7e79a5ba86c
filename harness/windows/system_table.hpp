// The tables of the running system: handles and threads of this process, and its children.
//
// Wine answers GetProcessHandleCount with 0, so handles are taken from the system's whole table.
// Source: SYSTEM_HANDLE_INFORMATION_EX, class 64 of NtQuerySystemInformation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace loopscope::windows {

struct Handle {
  std::uintptr_t value = 0;
  std::string type;  // "File", "IoCompletion", "Process" ...
};
/// Of this process, by value. Without those that the C runtime and Winsock keep for themselves:
/// events, semaphores, keys, threads, sections.
std::vector<Handle> handles();

struct Thread {
  unsigned long id = 0;
};
/// Of this process, without the workers of the system's own thread pool.
std::vector<Thread> threads();

struct Process {
  unsigned long id = 0, parent = 0;
  std::string name;
};
std::vector<Process> processes();

}  // namespace loopscope::windows
