// The wait calls of libc and liburing, defined here: counted, then made as raw system calls.
//
// Raw, because a sanitizer's runtime interposes the same names. Cancellation points get lost on
// the way; nothing here cancels threads.
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "harness/wait_monitor.hpp"

namespace {

using loopscope::waits::Call;
using loopscope::waits::count;

// Two calls exist twice where a long has 32 bits: for times of that width and for those of 64.
#ifdef SYS_ppoll_time64
constexpr bool kWideTime = sizeof(time_t) > sizeof(long);
constexpr long kPselect = kWideTime ? SYS_pselect6_time64 : SYS_pselect6;
constexpr long kPpoll = kWideTime ? SYS_ppoll_time64 : SYS_ppoll;
#else
constexpr long kPselect = SYS_pselect6;
constexpr long kPpoll = SYS_ppoll;
#endif

/// What epoll_pwait2 takes, which knows 64 bits alone, whatever libc's timespec has.
struct WideTime {
  std::int64_t seconds, nanoseconds;
};

constexpr std::size_t kKernelMaskBytes = 8;  // 64 signals; sigset_t of libc is larger

int pselect_call(int limit, fd_set* read, fd_set* write, fd_set* except, timespec* timeout,
                 const sigset_t* mask) {
  const struct {
    const sigset_t* mask;
    std::size_t bytes;
  } sixth{mask, kKernelMaskBytes};
  return static_cast<int>(::syscall(kPselect, limit, read, write, except, timeout, &sixth));
}

int ppoll_call(pollfd* slots, nfds_t size, const timespec* timeout, const sigset_t* mask) {
  timespec copy{};  // The kernel writes the rest of the time; libc's caller must not see that.
  if (timeout != nullptr) copy = *timeout;
  return static_cast<int>(
      ::syscall(kPpoll, slots, size, timeout == nullptr ? nullptr : &copy, mask, kKernelMaskBytes));
}

int poll_call(pollfd* slots, nfds_t size, int timeout_ms) {
#ifdef SYS_poll
  return static_cast<int>(::syscall(SYS_poll, slots, size, timeout_ms));
#else  // newer architectures have ppoll alone
  const timespec timeout{timeout_ms / 1000, (timeout_ms % 1000) * 1'000'000L};
  return ppoll_call(slots, size, timeout_ms < 0 ? nullptr : &timeout, nullptr);
#endif
}

}  // namespace

namespace loopscope::waits {
bool present() noexcept { return true; }
}  // namespace loopscope::waits

extern "C" {

int select(int limit, fd_set* __restrict read, fd_set* __restrict write, fd_set* __restrict except,
           timeval* __restrict timeout) {
  count(Call::select);
  if (timeout == nullptr) return pselect_call(limit, read, write, except, nullptr, nullptr);
  if (timeout->tv_sec < 0 || timeout->tv_usec < 0) {
    errno = EINVAL;
    return -1;
  }
  timespec rest{timeout->tv_sec + timeout->tv_usec / 1'000'000,
                (timeout->tv_usec % 1'000'000) * 1000};
  const int result = pselect_call(limit, read, write, except, &rest, nullptr);
  *timeout = {rest.tv_sec, rest.tv_nsec / 1000};  // as Linux's select does
  return result;
}

int pselect(int limit, fd_set* __restrict read, fd_set* __restrict write, fd_set* __restrict except,
            const timespec* __restrict timeout, const sigset_t* __restrict mask) {
  count(Call::pselect);
  timespec copy{};
  if (timeout != nullptr) copy = *timeout;
  return pselect_call(limit, read, write, except, timeout == nullptr ? nullptr : &copy, mask);
}

int poll(pollfd* slots, nfds_t size, int timeout_ms) {
  count(Call::poll);
  return poll_call(slots, size, timeout_ms);
}

int ppoll(pollfd* slots, nfds_t size, const timespec* timeout, const sigset_t* mask) {
  count(Call::ppoll);
  return ppoll_call(slots, size, timeout, mask);
}

// What the two above are called in code that was compiled with _FORTIFY_SOURCE.
int __poll_chk(pollfd* slots, nfds_t size, int timeout_ms, std::size_t room) {
  if (room / sizeof(pollfd) < size) __builtin_trap();
  count(Call::poll);
  return poll_call(slots, size, timeout_ms);
}

int __ppoll_chk(pollfd* slots, nfds_t size, const timespec* timeout, const sigset_t* mask,
                std::size_t room) {
  if (room / sizeof(pollfd) < size) __builtin_trap();
  count(Call::ppoll);
  return ppoll_call(slots, size, timeout, mask);
}

int epoll_wait(int epoll, epoll_event* events, int room, int timeout_ms) {
  count(Call::epoll_wait);
  return static_cast<int>(
      ::syscall(SYS_epoll_pwait, epoll, events, room, timeout_ms, nullptr, kKernelMaskBytes));
}

int epoll_pwait(int epoll, epoll_event* events, int room, int timeout_ms, const sigset_t* mask) {
  count(Call::epoll_pwait);
  return static_cast<int>(
      ::syscall(SYS_epoll_pwait, epoll, events, room, timeout_ms, mask, kKernelMaskBytes));
}

int epoll_pwait2(int epoll, epoll_event* events, int room, const timespec* timeout,
                 const sigset_t* mask) {
  count(Call::epoll_pwait2);
#ifdef SYS_epoll_pwait2
  WideTime wide{};
  if (timeout != nullptr) wide = {timeout->tv_sec, timeout->tv_nsec};
  return static_cast<int>(::syscall(SYS_epoll_pwait2, epoll, events, room,
                                    timeout == nullptr ? nullptr : &wide, mask, kKernelMaskBytes));
#else
  (void)epoll, (void)events, (void)room, (void)timeout, (void)mask;
  errno = ENOSYS;
  return -1;
#endif
}

#ifdef SYS_io_uring_enter
// What the linker makes of io_uring_enter2 (--wrap). As in liburing, an error is the result. Our
// rings call no other of its functions that enters.
int __wrap_io_uring_enter2(unsigned ring, unsigned submit, unsigned least, unsigned flags,
                           void* argument, std::size_t size);
int __wrap_io_uring_enter2(unsigned ring, unsigned submit, unsigned least, unsigned flags,
                           void* argument, std::size_t size) {
  count(Call::io_uring_enter);
  const long result = ::syscall(SYS_io_uring_enter, ring, submit, least, flags, argument, size);
  return result < 0 ? -errno : static_cast<int>(result);
}
#endif

}  // extern "C"
