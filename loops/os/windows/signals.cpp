// Signals on Windows: those of the C runtime that something can send from outside.
//
// The runtime makes Ctrl-C into SIGINT and Ctrl-Break into SIGBREAK, on a thread of its own, and
// raise() calls the same handlers. Each delivery takes the handler out again: it is put back first
// thing. SIGTERM comes from raise() alone.
// Source: signal, "Microsoft C runtime library reference".
#include "loops/os/signals.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <thread>

namespace loopscope::os {
namespace {

using Handler = void (*)(int);

struct Owner {
  std::atomic<SignalSink*> sink{nullptr};
  std::atomic<SignalListener*> listeners{nullptr};
  Handler previous = SIG_DFL;  // constant while ours is installed
  bool installed = false;
};
std::array<Owner, kMaxSignal> g_owners;
std::atomic<int> g_in_handler{0};
std::mutex g_mutex;  // for all that changes the table; never taken in the handler

constexpr bool is_known(int signum) {
  return signum == SIGINT || signum == SIGBREAK || signum == SIGTERM;
}

extern "C" void loopscope_on_signal(int signum) {
  (void)std::signal(signum, loopscope_on_signal);
  g_in_handler.fetch_add(1, std::memory_order_acquire);
  const Owner& owner = g_owners[static_cast<std::size_t>(signum)];
  SignalSink* sink = owner.sink.load(std::memory_order_acquire);
  SignalListener* listener = owner.listeners.load(std::memory_order_acquire);
  if (sink != nullptr) sink->signal_arrived(signum);
  for (; listener != nullptr; listener = listener->next_listener.load()) {
    listener->signal_arrived(signum);
  }
  if (sink == nullptr && owner.previous != SIG_DFL && owner.previous != SIG_IGN) {
    owner.previous(signum);
  }
  g_in_handler.fetch_sub(1, std::memory_order_release);
}

Result<void> install(int signum, Owner& owner) {
  if (owner.installed) return {};
  const Handler previous = std::signal(signum, loopscope_on_signal);
  if (previous == SIG_ERR) return errno_error("signal");
  owner.previous = previous;
  owner.installed = true;
  return {};
}

void uninstall_if_unused(int signum, Owner& owner) {
  if (owner.sink.load() != nullptr || owner.listeners.load() != nullptr) return;
  if (!std::exchange(owner.installed, false)) return;
  const Handler present = std::signal(signum, owner.previous);
  if (present != loopscope_on_signal) (void)std::signal(signum, present);  // another's by now
}

void wait_for_handlers() {
  while (g_in_handler.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

Error refused(int signum) {
  return errno_error_of(EINVAL, "signal", "signal " + std::to_string(signum));
}

}  // namespace

Result<void> watch_signal(int signum, SignalSink& sink) {
  if (!is_known(signum)) return refused(signum);
  const std::lock_guard lock(g_mutex);
  Owner& owner = g_owners[static_cast<std::size_t>(signum)];
  SignalSink* current = owner.sink.load(std::memory_order_acquire);
  if (current == &sink) return {};
  if (current != nullptr) {
    return make_error(Errc::invalid_state, "watch_signal", "another loop handles this signal");
  }
  owner.sink.store(&sink, std::memory_order_release);
  Result<void> installed = install(signum, owner);
  if (!installed.ok()) owner.sink.store(nullptr, std::memory_order_release);
  return installed;
}

Result<bool> unwatch_signal(int signum, SignalSink& sink) {
  if (!is_known(signum)) return refused(signum);
  const std::lock_guard lock(g_mutex);
  Owner& owner = g_owners[static_cast<std::size_t>(signum)];
  if (owner.sink.load(std::memory_order_acquire) != &sink) return false;
  owner.sink.store(nullptr, std::memory_order_release);
  uninstall_if_unused(signum, owner);
  wait_for_handlers();
  return true;
}

Result<void> listen_signal(int signum, SignalListener& listener) {
  if (!is_known(signum)) return refused(signum);
  const std::lock_guard lock(g_mutex);
  Owner& owner = g_owners[static_cast<std::size_t>(signum)];
  listener.next_listener.store(owner.listeners.load());
  owner.listeners.store(&listener, std::memory_order_release);
  Result<void> installed = install(signum, owner);
  if (!installed.ok()) owner.listeners.store(listener.next_listener.load());
  return installed;
}

void unlisten_signal(int signum, SignalListener& listener) {
  if (!is_known(signum)) return;
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
