// The state of this process on POSIX, as /proc and the system calls tell it.
#include "harness/snapshot.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "harness/host.hpp"
#include "harness/posix/proc.hpp"
#include "harness/posix/signal_name.hpp"
#include "harness/posix/task_flags.hpp"
#include "loops/os/signals.hpp"

namespace loopscope {
namespace {

std::string signal_name(int number) {
  const char* name = signal_abbreviation(number);
  return name == nullptr ? "signal " + std::to_string(number) : "SIG" + std::string(name);
}

std::string hex(std::uintptr_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%zx", static_cast<std::size_t>(value));
  return text;
}

std::string terminal_modes(const termios& modes) {
  return "iflag " + hex(modes.c_iflag) + " oflag " + hex(modes.c_oflag) + " cflag " +
         hex(modes.c_cflag) + " lflag " + hex(modes.c_lflag);
}

void add_descriptors(Snapshot& items) {
  for (const os::NativeSocket fd : host::open_descriptors()) {
    const std::string number = std::to_string(fd);
    items.push_back({"descriptor", number + " -> " + host::describe_descriptor(fd), "present"});
    if (fd > STDERR_FILENO) continue;
    // The standard ones outlive every loop: their modes are part of the process's state.
    items.push_back({"descriptor-flags", number, hex(static_cast<unsigned>(::fcntl(fd, F_GETFL)))});
    termios modes{};
    if (::isatty(fd) != 0 && ::tcgetattr(fd, &modes) == 0) {
      items.push_back({"tty", number, terminal_modes(modes)});
    }
  }
}

void add_threads(Snapshot& items) {
  for (const proc::Thread& thread : proc::threads_of(::getpid())) {
    const std::string stat = "/proc/self/task/" + std::to_string(thread.tid) + "/stat";
    if (!proc::runs_code(proc::contents(stat))) continue;
    items.push_back({"thread", thread.name + ", id " + std::to_string(thread.tid), "running"});
  }
}

void add_children(Snapshot& items) {
  siginfo_t info{};
  // ECHILD is the usual answer and spares the walk through /proc.
  if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return;
  for (const proc::Process& process : proc::all_processes()) {
    if (process.parent != ::getpid()) continue;
    items.push_back({"child", process.name + ", pid " + std::to_string(process.pid),
                     process.state == 'Z' ? "zombie" : "running"});
  }
}

void add_signals(Snapshot& items) {
  for (int number = 1; number < os::kMaxSignal; ++number) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) != 0) continue;  // libc keeps two for itself
    std::string value = "default";
    if ((action.sa_flags & SA_SIGINFO) != 0) {
      value = "handler " + hex(reinterpret_cast<std::uintptr_t>(action.sa_sigaction));
    } else if (action.sa_handler == SIG_IGN) {
      value = "ignored";
    } else if (action.sa_handler != SIG_DFL) {
      value = "handler " + hex(reinterpret_cast<std::uintptr_t>(action.sa_handler));
    }
    items.push_back({"signal", signal_name(number), value});
  }
  sigset_t mask;
  if (::pthread_sigmask(SIG_SETMASK, nullptr, &mask) != 0) return;
  for (int number = 1; number < os::kMaxSignal; ++number) {
    if (sigismember(&mask, number) == 1) {
      items.push_back({"signal-mask", signal_name(number), "blocked"});
    }
  }
}

void add_rest(Snapshot& items) {
  std::error_code ignored;
  items.push_back({"directory", "working directory", std::filesystem::current_path(ignored)});
  items.push_back({"umask", "umask", proc::field("/proc/self/status", "Umask:")});
  itimerval timer{};
  if (::getitimer(ITIMER_REAL, &timer) == 0) {
    const bool armed = timer.it_value.tv_sec != 0 || timer.it_value.tv_usec != 0;
    items.push_back({"timer", "ITIMER_REAL", armed ? "armed" : "off"});
  }
}

}  // namespace

Snapshot take_snapshot() {
  Snapshot items;
  items.reserve(96);
  add_descriptors(items);
  add_threads(items);
  add_children(items);
  add_signals(items);
  add_rest(items);
  std::sort(items.begin(), items.end());
  return items;
}

}  // namespace loopscope
