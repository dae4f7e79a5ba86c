// Steps that many bodies share: bounded turns, transfers that never block, crowds of descriptors.
#pragma once

#include <cerrno>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

#include "harness/context.hpp"

namespace loopscope::scenarios {

/// Up to `turns` iterations, none of which blocks, until `done`; whether it became true. For what
/// needs no other thread and no time: a loop that never gets there fails at once, not at a limit.
bool turn_until(Context& cx, const std::function<bool()>& done, int turns = 500);
/// Enough non-blocking iterations for whatever the system holds ready already. For showing that
/// something does NOT happen; what has to happen is awaited with Context::run_until.
void turn(Context& cx, int turns = 25);

/// The outcome of an operation that nothing but the loop itself can delay.
template <class T>
Result<T> outcome(Context& cx, const Future<T>& future, std::string_view what,
                  Here here = Here::now()) {
  if (!turn_until(cx, [&future] { return future.done(); })) {
    cx.failed(what, "done", "pending after 500 iterations", here);
  }
  return future.result();
}
/// The same, where it has to be a success.
template <class T>
T settle(Context& cx, const Future<T>& future, std::string_view what, Here here = Here::now()) {
  Result<T> result = outcome(cx, future, what, here);
  cx.ok(result, what, here);
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}
/// Turns the loop until `done`, where the kernel or another thread may take its time; whether it
/// became true. Patience is 1500 runs, each of which waits for a millisecond; where clocks are so
/// coarse that these take more than half of the cell's limit, that half, and 60 runs at least.
bool run_patiently(Context& cx, const std::function<bool()>& done);
/// The outcome of an operation that waits for the kernel or for another thread.
template <class T>
Result<T> await_outcome(Context& cx, const Future<T>& future,
                        std::string_view what = "the operation ends", Here here = Here::now()) {
  if (!run_patiently(cx, [&future] { return future.done(); })) {
    cx.failed(what, "done", "pending after many runs of the loop", here);
  }
  return future.result();
}

/// Wait calls that the loop makes while nothing happens for `idle`, on a timer of its own.
std::uint64_t waits_while_idle(Context& cx, Duration idle = std::chrono::milliseconds(30));
/// More than a timer and a few wake-ups can explain, far less than the thousands of a spin.
inline constexpr std::uint64_t kFewWaits = 60;

/// What is there, up to `max` bytes; never blocks on a non-blocking descriptor.
std::string take(os::NativeSocket fd, std::size_t max = 65536);
/// Makes a pipe end or socket non-blocking and writes until it would block; bytes written.
std::size_t fill(os::NativeSocket fd);
/// errno codes as the checks take them.
inline std::error_code system_code(int number) { return {number, errno_category()}; }

/// The value of a call that the scenario makes for itself: its trouble makes the cell broken, or a
/// skip where the system has nothing of the kind.
template <class T>
T ours(Result<T> result) {
  if (!result.ok()) harness_failed(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

/// Does the loop wait in select(2), which cannot name descriptors from FD_SETSIZE on?
bool bounded_by_fd_setsize(const Context& cx);
inline constexpr int kFdSetSize = 1024;  // of glibc and musl, fixed since ever

/// A duplicate of `of` with exactly this number; the numbers below stay as they were.
os::UniqueFd duplicate_at(Context& cx, os::NativeSocket of, os::NativeSocket number);
/// Raises the descriptor limit, or ends the body as a skip where it stays below `wanted`.
void require_descriptors(Context& cx, std::size_t wanted);
/// Sets the soft descriptor limit for a scope, and gives back as much as the hard one allows.
class DescriptorLimit {
 public:
  DescriptorLimit(Context& cx, std::size_t limit) : cx_(cx) { cx_.lower_descriptor_limit(limit); }
  ~DescriptorLimit() { cx_.raise_descriptor_limit(); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  Context& cx_;
};
/// Duplicates of `of` until the process has no number left. Only under a low limit.
std::vector<os::UniqueFd> exhaust_descriptors(os::NativeSocket of);
/// A listening socket for the subject, on a loopback port of the system's choice.
Socket listening_socket(int backlog = 16);
/// A blocking connection of the harness to a listening socket.
Peer connect_to(const Endpoint& address);
/// A loopback UDP address on which nobody receives.
Endpoint closed_udp_port();
bool family_available(AddressFamily family);

/// Receives all that comes to a peer, in a thread, until the subject's side closes.
class Receiver {
 public:
  Receiver(Context& cx, StreamPair& pair);
  ~Receiver() { (void)finish(); }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  /// Closes the subject's socket and waits for the rest.
  const Bytes& finish();

 private:
  Context& cx_;
  StreamPair& pair_;
  Bytes received_;
};

/// Sockets with one descriptor each, every one of which can be made readable by itself.
class Crowd {
 public:
  /// As many as asked for, or as the descriptor limit allows.
  Crowd(Context& cx, std::size_t count);
  std::size_t size() const { return members_.size(); }
  const Socket& operator[](std::size_t index) const { return members_[index]; }
  void make_readable(std::size_t index);
  std::string empty(std::size_t index) { return take(members_[index].native()); }

 private:
  std::string prefix_;
  AddressFamily family_ = AddressFamily::unix_domain;  // IPv4 where there are no Unix sockets
  std::vector<Socket> members_;
  std::vector<bool> named_;
};

}  // namespace loopscope::scenarios
