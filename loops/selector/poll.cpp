// poll(2) selector: level-triggered, no ceiling on descriptor numbers, O(n) per wait.
//
// Quirks handled here:
//   poll.hup_unasked   POLLHUP and POLLERR arrive although only POLLIN was requested.
//   poll.nval          a closed descriptor stays in the set and reports POLLNVAL for ever.
// ppoll(2) takes nanoseconds, so nothing is rounded; where there is none, see poll_wait.hpp.
// Source: POSIX.1-2017, poll(), sections DESCRIPTION and ERRORS; man 2 ppoll.
#include <fcntl.h>

#include <cerrno>

#include "loops/common/tls_engine.hpp"
#include "loops/selector/poll_wait.hpp"
#include "loops/selector/selector_loop.hpp"

namespace loopscope {
namespace {

constexpr int kNoSlot = -1;

short mask_of(Interest interest) {
  return static_cast<short>((interest.read ? POLLIN : 0) | (interest.write ? POLLOUT : 0));
}

Interest interest_of(short events) {
  const bool broken = (events & (POLLHUP | POLLERR)) != 0;  // unasked, see the quirk list
  return {(events & POLLIN) != 0 || broken, (events & POLLOUT) != 0 || broken};
}

class PollSelector final : public Selector {
 public:
  Result<void> add(os::NativeSocket fd, Interest interest) override {
    if (::fcntl(fd, F_GETFD) < 0) return errno_error("poll(add)");  // poll itself would not say
    if (static_cast<std::size_t>(fd) >= slot_of_.size()) {
      slot_of_.resize(static_cast<std::size_t>(fd) + 1, kNoSlot);
    }
    int& slot = slot_of_[static_cast<std::size_t>(fd)];
    if (slot == kNoSlot) {
      slot = static_cast<int>(slots_.size());
      slots_.push_back({fd, 0, 0});
    }
    slots_[static_cast<std::size_t>(slot)].events = mask_of(interest);
    return {};
  }
  Result<void> modify(os::NativeSocket fd, Interest interest) override { return add(fd, interest); }
  Result<void> remove(os::NativeSocket fd) override {
    if (fd < 0 || static_cast<std::size_t>(fd) >= slot_of_.size()) return {};
    const int slot = std::exchange(slot_of_[static_cast<std::size_t>(fd)], kNoSlot);
    if (slot == kNoSlot) return {};
    const pollfd last = slots_.back();
    slots_.pop_back();
    if (last.fd != fd) {
      slots_[static_cast<std::size_t>(slot)] = last;
      slot_of_[static_cast<std::size_t>(last.fd)] = slot;
    }
    return {};
  }
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    const int count = poll_for(slots_.data(), static_cast<nfds_t>(slots_.size()), timeout);
    if (count < 0) {
      if (errno == EINTR) return {};  // A signal is a spurious wake-up, not a failure.
      return errno_error(kPollCall);
    }
    int left = count;
    for (std::size_t i = 0; i < slots_.size() && left > 0; ++i) {
      const pollfd slot = slots_[i];
      if (slot.revents == 0) continue;
      --left;
      ready.push_back({slot.fd, interest_of(slot.revents), (slot.revents & POLLNVAL) != 0});
    }
    for (const Ready& entry : ready) {
      if (entry.gone) (void)remove(entry.socket);  // Never fails for a descriptor we know.
    }
    return {};
  }
  std::string_view mechanism() const override { return kPollCall; }

 private:
  std::vector<pollfd> slots_;
  std::vector<int> slot_of_;  // by descriptor
};

constexpr std::string_view kWaitCalls[] = {kPollCall};

}  // namespace

SelectorResult make_poll_selector() { return std::make_unique<PollSelector>(); }

namespace loops {
extern const LoopDescriptor poll_loop{.name = "poll",
                                      .family = Family::selector,
                                      .mechanism = kPollCall,
                                      .native = kSelectorCaps | kTlsCaps,
                                      .absences = kTlsAbsences,
                                      .wait_calls = kWaitCalls,
                                      .make = make_selector_loop<make_poll_selector>};
}  // namespace loops
}  // namespace loopscope
