// Signals on POSIX: one process-wide handler that passes each signal to the sink that took it.
// A disposition belongs to the process, so the table of owners does as well.
#include "loops/os/signals.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <thread>

namespace loopscope::os {
namespace {

struct Owner {
  std::atomic<SignalSink*> sink{nullptr};
  struct sigaction previous {};
};
std::array<Owner, kMaxSignal> g_owners;
std::atomic<int> g_in_handler{0};
std::atomic<pid_t> g_pid{0};  // a forked child has the handlers, but its signals are not ours
std::mutex g_mutex;           // for watch and unwatch; never taken in the handler

extern "C" void loopscope_on_signal(int signum) {
  const int saved = errno;
  g_in_handler.fetch_add(1, std::memory_order_acquire);
  SignalSink* sink =
      g_owners[static_cast<std::size_t>(signum)].sink.load(std::memory_order_acquire);
  if (sink != nullptr && g_pid.load(std::memory_order_relaxed) == ::getpid()) {
    sink->signal_arrived(signum);
  }
  g_in_handler.fetch_sub(1, std::memory_order_release);
  errno = saved;
}

}  // namespace

Result<void> watch_signal(int signum, SignalSink& sink) {
  if (signum <= 0 || signum >= kMaxSignal) return errno_error_of(EINVAL, "sigaction");
  const std::lock_guard lock(g_mutex);
  Owner& owner = g_owners[static_cast<std::size_t>(signum)];
  SignalSink* current = owner.sink.load(std::memory_order_acquire);
  if (current == &sink) return {};
  if (current != nullptr) {
    return make_error(Errc::invalid_state, "watch_signal", "another loop handles this signal");
  }
  g_pid.store(::getpid(), std::memory_order_relaxed);
  struct sigaction action {};
  action.sa_handler = loopscope_on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  owner.sink.store(&sink, std::memory_order_release);
  if (::sigaction(signum, &action, &owner.previous) != 0) {
    const int number = errno;  // EINVAL: SIGKILL, SIGSTOP and the numbers that the C library keeps
    owner.sink.store(nullptr, std::memory_order_release);
    return errno_error_of(number, "sigaction");
  }
  return {};
}

Result<bool> unwatch_signal(int signum, SignalSink& sink) {
  if (signum <= 0 || signum >= kMaxSignal) return errno_error_of(EINVAL, "sigaction");
  const std::lock_guard lock(g_mutex);
  Owner& owner = g_owners[static_cast<std::size_t>(signum)];
  if (owner.sink.load(std::memory_order_acquire) != &sink) return false;
  if (::sigaction(signum, &owner.previous, nullptr) != 0) return errno_error("sigaction");
  owner.sink.store(nullptr, std::memory_order_release);
  // A handler on another thread may still hold the sink; it takes a few instructions.
  while (g_in_handler.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  return true;
}

}  // namespace loopscope::os
