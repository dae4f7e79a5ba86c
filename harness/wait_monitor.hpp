// Counts the wait calls of this process, by name: what a loop really sleeps in.
//
// The file for the platform defines select, poll, epoll_wait and their kin itself, and forwards
// them to the kernel. The dynamic linker prefers an executable's definitions, so that calls from
// shared libraries (libuv) are counted too; so does the linker of a static program. liburing's
// io_uring_enter2 is no function of libc: the linker leads calls of it to ours. Not seen: other
// system calls made without libc (libuv's own io_uring), and the waits that libc makes inside
// itself (getaddrinfo).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace loopscope::waits {

enum class Call : std::uint8_t {
  select,
  pselect,
  poll,
  ppoll,
  epoll_wait,
  epoll_pwait,
  epoll_pwait2,
  io_uring_enter,
  count_
};
inline constexpr std::size_t kCalls = static_cast<std::size_t>(Call::count_);
std::string_view name(Call call);

struct Tally {
  std::array<std::uint64_t, kCalls> calls{};
  std::uint64_t total() const;
};

/// False where this platform has no monitor: its numbers are then no evidence.
bool present() noexcept;
/// All waits of the calling thread since it began.
Tally of_this_thread() noexcept;
/// Waits of every thread while a loop of ours ran on it.
Tally inside_loops() noexcept;

/// Counts one call. For the interposed functions only; async-signal-safe.
void count(Call call) noexcept;

}  // namespace loopscope::waits
