// epoll(7) selector: level-triggered, a cost per ready descriptor and not per watched one.
//
// Quirks handled here:
//   epoll.regular_file   EPOLL_CTL_ADD of a regular file or directory is refused with EPERM.
//   epoll.auto_remove    a descriptor leaves the set when its last copy is closed: a later modify
//                        finds ENOENT and adds, a later remove finds nothing to do.
//   wait.ns.epoll_pwait2 nanosecond waits exist since Linux 5.11 and may be forbidden by a filter;
//                        the fallback counts milliseconds and rounds up.
// A forked child has the same set, not a copy: what it takes out is gone for the parent. So it
// takes nothing out, and makes a set of its own when it goes on with the loop. Source: man 7 epoll;
// man 2 epoll_ctl, ERRORS; man 2 epoll_pwait2.
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <limits>

#include "loops/common/tls_engine.hpp"
#include "loops/os/fd.hpp"
#include "loops/os/process_id.hpp"
#include "loops/selector/selector_loop.hpp"

namespace loopscope {
namespace {

std::uint32_t mask_of(Interest interest) {
  return (interest.read ? std::uint32_t{EPOLLIN} : 0u) |
         (interest.write ? std::uint32_t{EPOLLOUT} : 0u);
}

Interest interest_of(std::uint32_t events) {
  const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;  // reported although never asked for
  return {(events & EPOLLIN) != 0 || broken, (events & EPOLLOUT) != 0 || broken};
}

int ceil_to_ms(std::optional<Duration> timeout) {
  if (!timeout) return -1;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(*timeout).count();
  return ms > std::numeric_limits<int>::max() ? std::numeric_limits<int>::max()
                                              : static_cast<int>(ms);
}

class EpollSelector final : public Selector {
 public:
  explicit EpollSelector(os::UniqueFd epoll) : epoll_(std::move(epoll)) {}

  Result<void> add(os::NativeSocket fd, Interest interest) override {
    if (Result<void> own = take_over(); !own.ok()) return own;
    if (control(EPOLL_CTL_ADD, fd, interest) == 0) return remember(fd, interest);
    // Still in the set through a copy of the description: the caller knows no more of it.
    if (errno == EEXIST && control(EPOLL_CTL_MOD, fd, interest) == 0) return remember(fd, interest);
    return errno_error("epoll_ctl(ADD)");
  }
  Result<void> modify(os::NativeSocket fd, Interest interest) override {
    if (Result<void> own = take_over(); !own.ok()) return own;
    if (control(EPOLL_CTL_MOD, fd, interest) == 0) return remember(fd, interest);
    if (errno == ENOENT && control(EPOLL_CTL_ADD, fd, interest) == 0) return remember(fd, interest);
    return errno_error("epoll_ctl(MOD)");
  }
  Result<void> remove(os::NativeSocket fd) override {
    (void)remember(fd, {});
    if (generation_ != os::fork_generation()) return {};  // the set is the parent's
    if (control(EPOLL_CTL_DEL, fd, {}) == 0) return {};
    // ENOENT, EBADF: closed meanwhile, and so dropped by the kernel. EPERM: the number belongs to
    // a regular file by now.
    if (errno == ENOENT || errno == EBADF || errno == EPERM) return {};
    return errno_error("epoll_ctl(DEL)");
  }
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    if (Result<void> own = take_over(); !own.ok()) return own;
    const int count = wait_events(timeout);
    if (count < 0) {
      if (errno == EINTR) return {};  // A signal is a spurious wake-up, not a failure.
      return errno_error(fine_ ? "epoll_pwait2" : "epoll_wait");
    }
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events_[static_cast<std::size_t>(i)];
      ready.push_back({event.data.fd, interest_of(event.events), false});
    }
    return {};
  }
  std::string_view mechanism() const override { return fine_ ? "epoll_pwait2" : "epoll_wait"; }
  os::NativeSocket descriptor() const override { return epoll_.get(); }

 private:
  Result<void> remember(os::NativeSocket fd, Interest interest) {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= watched_.size()) watched_.resize(index + 1);
    watched_[index] = interest;
    return {};
  }
  /// In a forked child: a set of its own with all that is watched.
  Result<void> take_over() {
    if (generation_ == os::fork_generation()) return {};
    os::UniqueFd fresh(::epoll_create1(EPOLL_CLOEXEC));
    if (!fresh) return errno_error("epoll_create1");
    epoll_ = std::move(fresh);
    generation_ = os::fork_generation();
    for (std::size_t fd = 0; fd < watched_.size(); ++fd) {
      if (watched_[fd] == Interest{}) continue;
      // One that was closed meanwhile is refused, as it would have left the old set by itself.
      (void)control(EPOLL_CTL_ADD, static_cast<int>(fd), watched_[fd]);
    }
    return {};
  }
  int control(int operation, int fd, Interest interest) {
    epoll_event event{};
    event.events = mask_of(interest);
    event.data.fd = fd;
    return ::epoll_ctl(epoll_.get(), operation, fd, &event);
  }
  int wait_events(std::optional<Duration> timeout) {
    const int capacity = static_cast<int>(events_.size());
    // Only a wait with a finite, non-zero timeout needs nanoseconds.
    if (fine_ && timeout && *timeout > Duration::zero()) {
      const timespec limit = to_timespec(*timeout);
      const int count = ::epoll_pwait2(epoll_.get(), events_.data(), capacity, &limit, nullptr);
      // ENOSYS: before Linux 5.11. EPERM: a filter that does not know the call.
      if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
      fine_ = false;
    }
    return ::epoll_wait(epoll_.get(), events_.data(), capacity, ceil_to_ms(timeout));
  }

  os::UniqueFd epoll_;
  unsigned generation_ = os::fork_generation();  // of the process whose set it is
  std::vector<Interest> watched_;                // by descriptor
  std::array<epoll_event, 256> events_;
  bool fine_ = true;
};

constexpr std::string_view kWaitCalls[] = {"epoll_pwait2", "epoll_wait"};

}  // namespace

SelectorResult make_epoll_selector() {
  os::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return errno_error("epoll_create1");
  return std::make_unique<EpollSelector>(std::move(epoll));
}

namespace loops {
extern const LoopDescriptor epoll_loop{.name = "epoll",
                                       .family = Family::selector,
                                       .mechanism = "epoll_pwait2",
                                       .native = kSelectorCaps | kTlsCaps,
                                       .absences = kTlsAbsences,
                                       .wait_calls = kWaitCalls,
                                       .wait_descriptor_kind = "anon_inode:[eventpoll]",
                                       .make = make_selector_loop<make_epoll_selector>};
}  // namespace loops
}  // namespace loopscope
