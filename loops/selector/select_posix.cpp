// select(2) selector for POSIX: at most FD_SETSIZE descriptors, by number, and O(n) per wait.
//
// Quirks handled here:
//   select.fd_setsize   a descriptor at or above FD_SETSIZE would be written past the set: refused.
//   select.ebadf        one closed descriptor fails the whole call, and does not say which one.
// pselect(2) takes nanoseconds, so nothing is rounded.
// Source: POSIX.1-2017, select(); man 2 select, BUGS.
#include <fcntl.h>
#include <sys/select.h>

#include <algorithm>
#include <cerrno>

#include "loops/common/tls_engine.hpp"
#include "loops/selector/selector_loop.hpp"

namespace loopscope {
namespace {

class SelectSelector final : public Selector {
 public:
  SelectSelector() {
    FD_ZERO(&read_);
    FD_ZERO(&write_);
  }
  Result<void> add(os::NativeSocket fd, Interest interest) override {
    if (fd < 0 || ::fcntl(fd, F_GETFD) < 0) return errno_error_of(EBADF, "select(add)");
    if (fd >= FD_SETSIZE) {
      return make_error(Errc::invalid_argument, "select(add)",
                        "descriptor " + std::to_string(fd) + " is not below FD_SETSIZE, " +
                            std::to_string(FD_SETSIZE));
    }
    put(read_, fd, interest.read);
    put(write_, fd, interest.write);
    highest_ = std::max(highest_, fd);
    return {};
  }
  Result<void> modify(os::NativeSocket fd, Interest interest) override { return add(fd, interest); }
  Result<void> remove(os::NativeSocket fd) override {
    if (fd < 0 || fd >= FD_SETSIZE) return {};
    FD_CLR(fd, &read_);
    FD_CLR(fd, &write_);
    while (highest_ >= 0 && !watched(highest_)) --highest_;
    return {};
  }
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    fd_set readable = read_, writable = write_;
    const timespec limit = to_timespec(timeout.value_or(Duration::zero()));
    const int count =
        ::pselect(highest_ + 1, &readable, &writable, nullptr, timeout ? &limit : nullptr, nullptr);
    if (count < 0) {
      if (errno == EINTR) return {};  // A signal is a spurious wake-up, not a failure.
      if (errno == EBADF) return drop_closed(ready);
      return errno_error("pselect");
    }
    for (int fd = 0; fd <= highest_ && count > 0; ++fd) {
      const Interest what{FD_ISSET(fd, &readable) != 0, FD_ISSET(fd, &writable) != 0};
      if (what.read || what.write) ready.push_back({fd, what, false});
    }
    return {};
  }
  std::string_view mechanism() const override { return "pselect"; }

 private:
  static void put(fd_set& set, int fd, bool on) {
    if (on) {
      FD_SET(fd, &set);
    } else {
      FD_CLR(fd, &set);
    }
  }
  bool watched(int fd) const { return FD_ISSET(fd, &read_) || FD_ISSET(fd, &write_); }
  /// Some descriptor was closed behind our back: finds each such one and reports it once.
  Result<void> drop_closed(std::vector<Ready>& ready) {
    const std::size_t before = ready.size();
    for (int fd = highest_; fd >= 0; --fd) {
      if (!watched(fd) || ::fcntl(fd, F_GETFD) >= 0) continue;
      ready.push_back({fd, {true, true}, true});
      (void)remove(fd);  // Never fails for a descriptor in range.
    }
    if (ready.size() == before) return errno_error_of(EBADF, "pselect", "no closed descriptor");
    return {};
  }

  fd_set read_, write_;
  int highest_ = -1;
};

constexpr std::string_view kWaitCalls[] = {"pselect"};

}  // namespace

SelectorResult make_select_selector() { return std::make_unique<SelectSelector>(); }

namespace loops {
extern const LoopDescriptor select_loop{.name = "select",
                                        .family = Family::selector,
                                        .mechanism = "pselect",
                                        .native = kSelectorCaps | kTlsCaps,
                                        .absences = kTlsAbsences,
                                        .wait_calls = kWaitCalls,
                                        .make = make_selector_loop<make_select_selector>};
}  // namespace loops
}  // namespace loopscope
