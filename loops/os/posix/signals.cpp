// Signals on POSIX: one process-wide handler that passes each signal to the sink that took it, to
// the listeners, and, while there are only listeners, to the handler that was there before.
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
  std::atomic<SignalListener*> listeners{nullptr};
  struct sigaction previous {};  // constant while ours is installed
  bool installed = false;        // by us, whatever the program did with the disposition since
};
std::array<Owner, kMaxSignal> g_owners;
std::atomic<int> g_in_handler{0};
std::atomic<pid_t> g_pid{0};  // a forked child has the handlers, but its signals are not ours
std::mutex g_mutex;           // for all that changes the table; never taken in the handler

void call_previous(const struct sigaction& previous, int signum, siginfo_t* info, void* context) {
  const bool only_ends = signum == SIGCHLD && (previous.sa_flags & SA_NOCLDSTOP) != 0;
  if (only_ends && (info->si_code == CLD_STOPPED || info->si_code == CLD_CONTINUED)) return;
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signum, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signum);
  }
}

extern "C" void loopscope_on_signal(int signum, siginfo_t* info, void* context) {
  const int saved = errno;
  g_in_handler.fetch_add(1, std::memory_order_acquire);
  const Owner& owner = g_owners[static_cast<std::size_t>(signum)];
  SignalSink* sink = owner.sink.load(std::memory_order_acquire);
  SignalListener* listener = owner.listeners.load(std::memory_order_acquire);
  if (g_pid.load(std::memory_order_relaxed) == ::getpid()) {
    if (sink != nullptr) sink->signal_arrived(signum);
    for (; listener != nullptr; listener = listener->next_listener.load()) {
      listener->signal_arrived(signum);
    }
  }
  if (sink == nullptr) call_previous(owner.previous, signum, info, context);
  g_in_handler.fetch_sub(1, std::memory_order_release);
  errno = saved;
}

/// A forked child takes over: its parent's listeners stay its parent's.
void belong_to_this_process() {
  const pid_t self = ::getpid();
  if (g_pid.exchange(self) == self) return;
  for (Owner& owner : g_owners) owner.listeners.store(nullptr);
}

/// Takes the disposition when nobody needed it until now. One that the program has put in place of
/// ours is left alone: it may well pass the signal on to us.
Result<void> install(int signum, Owner& owner) {
  if (owner.installed) return {};
  struct sigaction present {};
  if (::sigaction(signum, nullptr, &present) != 0) return errno_error("sigaction");
  owner.previous = present;
  struct sigaction action {};
  action.sa_sigaction = loopscope_on_signal;
  action.sa_flags = SA_RESTART | SA_SIGINFO | (present.sa_flags & SA_ONSTACK);
  // Of a background job: the call that was interrupted would raise the signal again, for ever.
  if (signum == SIGTTIN || signum == SIGTTOU) action.sa_flags &= ~SA_RESTART;
  // Who ignores SIGCHLD, or says so by the flag, collects no children: none may become a zombie.
  const bool ignored = (present.sa_flags & SA_SIGINFO) == 0 && present.sa_handler == SIG_IGN;
  const bool no_zombies = ignored || (present.sa_flags & SA_NOCLDWAIT) != 0;
  if (signum == SIGCHLD && no_zombies) action.sa_flags |= SA_NOCLDWAIT;
  sigfillset(&action.sa_mask);
  // EINVAL: SIGKILL, SIGSTOP and the numbers that the C library keeps.
  if (::sigaction(signum, &action, nullptr) != 0) return errno_error("sigaction");
  owner.installed = true;
  return {};
}

/// Gives the disposition back after the last listener, unless it is another's by now.
void uninstall_if_unused(int signum, Owner& owner) {
  if (owner.sink.load() != nullptr || owner.listeners.load() != nullptr) return;
  owner.installed = false;
  struct sigaction present {};
  if (::sigaction(signum, nullptr, &present) != 0) return;
  const bool ours =
      (present.sa_flags & SA_SIGINFO) != 0 && present.sa_sigaction == loopscope_on_signal;
  if (ours) (void)::sigaction(signum, &owner.previous, nullptr);
}

/// A handler on another thread may still hold what was removed; it takes a few instructions.
void wait_for_handlers() {
  while (g_in_handler.load(std::memory_order_acquire) != 0) std::this_thread::yield();
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
  belong_to_this_process();
  owner.sink.store(&sink, std::memory_order_release);
  Result<void> installed = install(signum, owner);
  if (!installed.ok()) owner.sink.store(nullptr, std::memory_order_release);
  return installed;
}

Result<bool> unwatch_signal(int signum, SignalSink& sink) {
  if (signum <= 0 || signum >= kMaxSignal) return errno_error_of(EINVAL, "sigaction");
  const std::lock_guard lock(g_mutex);
  Owner& owner = g_owners[static_cast<std::size_t>(signum)];
  if (owner.sink.load(std::memory_order_acquire) != &sink) return false;
  if (owner.listeners.load() == nullptr) {
    if (::sigaction(signum, &owner.previous, nullptr) != 0) return errno_error("sigaction");
    owner.installed = false;
  }
  owner.sink.store(nullptr, std::memory_order_release);
  wait_for_handlers();
  return true;
}

Result<void> listen_signal(int signum, SignalListener& listener) {
  if (signum <= 0 || signum >= kMaxSignal) return errno_error_of(EINVAL, "sigaction");
  const std::lock_guard lock(g_mutex);
  Owner& owner = g_owners[static_cast<std::size_t>(signum)];
  belong_to_this_process();
  listener.next_listener.store(owner.listeners.load());
  owner.listeners.store(&listener, std::memory_order_release);
  Result<void> installed = install(signum, owner);
  if (!installed.ok()) owner.listeners.store(listener.next_listener.load());
  return installed;
}

void unlisten_signal(int signum, SignalListener& listener) {
  if (signum <= 0 || signum >= kMaxSignal) return;
  const std::lock_guard lock(g_mutex);
  Owner& owner = g_owners[static_cast<std::size_t>(signum)];
  std::atomic<SignalListener*>* place = &owner.listeners;
  while (place->load() != nullptr && place->load() != &listener) {
    place = &place->load()->next_listener;
  }
  if (place->load() == nullptr) return;
  place->store(listener.next_listener.load());
  uninstall_if_unused(signum, owner);
  wait_for_handlers();
}

}  // namespace loopscope::os
