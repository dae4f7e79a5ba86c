// Loops whose selector misreports, in one way each: what is ready, how often, and of how many.
#include <cerrno>
#include <set>

#include "harness/testing/condition.hpp"
#include "harness/testing/wrapped_selector.hpp"

namespace loopscope::testing::waiting_faults {
namespace {

/// Switches descriptors off in the selector below, and on again.
class Disarming : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  Result<void> add(os::NativeSocket fd, Interest interest) override {
    off_.erase(fd);
    return WrappedSelector::add(fd, interest);
  }
  Result<void> modify(os::NativeSocket fd, Interest interest) override {
    off_.erase(fd);
    return WrappedSelector::modify(fd, interest);
  }
  Result<void> remove(os::NativeSocket fd) override {
    off_.erase(fd);
    return WrappedSelector::remove(fd);
  }

 protected:
  void disarm(os::NativeSocket fd) {
    off_.insert(fd);
    (void)inner_->remove(fd);
  }
  /// Switches those on again that are not ready any more.
  void rearm_quiet_ones() {
    std::erase_if(off_, [this](os::NativeSocket fd) {
      const Condition now = condition_of(fd);
      const Interest want = interests_[fd];
      const bool quiet = !(want.read && (now.readable || now.hangup)) &&
                         !(want.write && now.writable) && !now.error;
      return quiet && inner_->add(fd, want).ok();
    });
  }
  std::set<os::NativeSocket> off_;
};

class EdgeTriggered final : public Disarming {
 public:
  using Disarming::Disarming;
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    rearm_quiet_ones();
    return Disarming::wait(timeout, ready);
  }
  void distort(std::vector<Ready>& ready) override {
    for (const Ready& each : ready) {
      if (!is_waker(each)) disarm(each.socket);
    }
  }
};

class OneShot final : public Disarming {
 public:
  using Disarming::Disarming;
  void distort(std::vector<Ready>& ready) override {
    for (const Ready& each : ready) {
      if (!is_waker(each)) disarm(each.socket);
    }
  }
};

class LosesWhatEndsTheWait final : public Disarming {
 public:
  using Disarming::Disarming;
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    rearm_quiet_ones();
    blocking_ = timeout != Duration::zero();
    return Disarming::wait(timeout, ready);
  }
  void distort(std::vector<Ready>& ready) override {
    if (!blocking_) return;
    for (Ready& each : ready) {
      if (is_waker(each)) continue;
      each.what = {};
      disarm(each.socket);
    }
  }

 private:
  bool blocking_ = false;
};

class HangupIgnored final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  void distort(std::vector<Ready>& ready) override {
    for (Ready& each : ready) {
      const Condition now = condition_of(each.socket);
      if (now.hangup) each.what = {now.readable && each.what.read, now.writable && each.what.write};
    }
  }
};

class ErrorIgnored final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  void distort(std::vector<Ready>& ready) override {
    for (Ready& each : ready) {
      const Condition now = condition_of(each.socket);
      if (now.error) each.what = {now.readable && each.what.read, now.writable && each.what.write};
    }
  }
};

class ErrorUnregisters final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  void distort(std::vector<Ready>& ready) override {
    for (const Ready& each : ready) {
      if (condition_of(each.socket).error) (void)inner_->remove(each.socket);
    }
  }
};

class AlwaysWritable final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    const bool any = std::ranges::any_of(interests_, [](const auto& e) { return e.second.write; });
    return WrappedSelector::wait(any ? Duration::zero() : timeout, ready);
  }
  void distort(std::vector<Ready>& ready) override {
    for (const auto& [fd, interest] : interests_) {
      const auto same = [fd = fd](const Ready& each) { return each.socket == fd; };
      if (interest.write && std::ranges::none_of(ready, same)) ready.push_back({fd, {false, true}});
    }
  }
};

class UrgentSpins final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    for (const auto& [fd, interest] : interests_) {
      if (interest.read && condition_of(fd).urgent) timeout = Duration::zero();
    }
    return WrappedSelector::wait(timeout, ready);
  }
};

class IdleOnesReported final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  void distort(std::vector<Ready>& ready) override {
    ready.clear();
    for (const auto& [fd, interest] : interests_) ready.push_back({fd, interest});
  }
};

class ClosedOneIsFatal final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    if (Result<void> waited = WrappedSelector::wait(timeout, ready); !waited.ok()) return waited;
    const bool gone = std::ranges::any_of(ready, [](const Ready& each) { return each.gone; });
    return gone ? Result<void>(errno_error_of(EBADF, "ppoll")) : Result<void>();
  }
};

class ClosedOneSpins final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  Result<void> remove(os::NativeSocket fd) override {
    closed_.erase(fd);
    return WrappedSelector::remove(fd);
  }
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    return WrappedSelector::wait(closed_.empty() ? timeout : Duration::zero(), ready);
  }
  void distort(std::vector<Ready>& ready) override {
    for (const Ready& each : ready) {
      if (each.gone) closed_.insert(each.socket);
    }
  }

 private:
  std::set<os::NativeSocket> closed_;
};

class UnchangedInterestSkipped final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  Result<void> modify(os::NativeSocket fd, Interest interest) override {
    return interests_[fd] == interest ? Result<void>() : WrappedSelector::modify(fd, interest);
  }
};

class RemovalLeftToClose final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  Result<void> remove(os::NativeSocket fd) override {
    interests_.erase(fd);
    return {};
  }
};

class OnlyTheFirst final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  void distort(std::vector<Ready>& ready) override {
    bool served = false;
    for (Ready& each : ready) {
      if (!is_waker(each) && std::exchange(served, true)) each.what = {};
    }
  }
};

class SixtyFourEvents final : public Disarming {
 public:
  using Disarming::Disarming;
  void distort(std::vector<Ready>& ready) override {
    for (std::size_t i = 64; i < ready.size(); ++i) {
      ready[i].what = {};
      disarm(ready[i].socket);
    }
  }
};

class HundredChanges final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  Result<void> add(os::NativeSocket fd, Interest interest) override {
    return may_change() ? WrappedSelector::add(fd, interest) : Result<void>();
  }
  Result<void> modify(os::NativeSocket fd, Interest interest) override {
    return may_change() ? WrappedSelector::modify(fd, interest) : Result<void>();
  }
  Result<void> remove(os::NativeSocket fd) override {
    return may_change() ? WrappedSelector::remove(fd) : Result<void>();
  }
  void distort(std::vector<Ready>&) override { changes_ = 0; }

 private:
  bool may_change() { return ++changes_ <= 100; }
  int changes_ = 0;
};

class ThirtyDescriptors final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  Result<void> add(os::NativeSocket fd, Interest interest) override {
    if (interests_.size() == 30) return errno_error_of(ENOSPC, "epoll_ctl(ADD)");
    return WrappedSelector::add(fd, interest);
  }
};

class NumbersBelow1000 final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  Result<void> add(os::NativeSocket fd, Interest interest) override {
    if (fd >= 1000) return make_error(Errc::invalid_argument, "add");
    return WrappedSelector::add(fd, interest);
  }
};

class BeyondTheSetForgotten final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  Result<void> add(os::NativeSocket fd, Interest interest) override {
    return fd >= 1024 ? Result<void>() : WrappedSelector::add(fd, interest);
  }
  Result<void> modify(os::NativeSocket fd, Interest interest) override { return add(fd, interest); }
};

using Names = std::string_view;
constexpr Names kEdge[] = {"rw.level_triggered", "rw.writer.immediate", "rw.error_unregisters_not",
                           "rw.nested_poller"};
constexpr Names kOneShot[] = {"rw.level_triggered", "rw.reader.wakes_blocked_loop",
                              "sock.sendall.large"};
constexpr Names kLost[] = {"rw.reader.wakes_blocked_loop", "sock.recv.wakes_blocked_loop"};
constexpr Names kHangup[] = {"rw.hup_delivered_as_read", "rw.unconnected_socket"};
constexpr Names kError[] = {"rw.hup_delivered_as_read", "rw.error_unregisters_not"};
constexpr Names kUnregisters[] = {"rw.error_unregisters_not"};
constexpr Names kWritable[] = {"rw.pipe.write_granularity", "rw.writer.immediate",
                               "sock.sendall.large"};
constexpr Names kUrgent[] = {"rw.oob"};
constexpr Names kIdle[] = {"limit.10k_idle_connections", "rw.level_triggered"};
constexpr Names kClosed[] = {"rw.closed_without_remove", "sock.close_while_pending"};
constexpr Names kUnchanged[] = {"rw.fd_reuse.unremoved"};
constexpr Names kLeft[] = {"rw.stale_dup.unremovable", "unix.epollhup_fresh"};
constexpr Names kFirst[] = {"rw.dup_both_registered", "fair.many_ready_fds",
                            "limit.select.count_512"};
constexpr Names kSixtyFour[] = {"limit.maxevents", "limit.select.count_512",
                                "limit.select.full_set"};
constexpr Names kChanges[] = {"rw.many_change_per_iteration"};
constexpr Names kThirty[] = {"limit.select.count_64", "limit.nofile.raise_soft",
                             "limit.watched_2000", "limit.watched_10000"};
constexpr Names kNumbers[] = {"limit.select.last_below_setsize", "limit.select.full_set",
                              "limit.select.fd_above_1024_others"};
constexpr Names kBeyond[] = {"limit.select.fd_setsize_value", "limit.select.fd_above_1024_others",
                             "limit.watched_2000"};

constexpr Names kKeepsReading[] = {"sock.recv.basic", "rw.remove.in_batch", "flow.high_zero"};
constexpr Names kKeepsLevel[] = {"rw.level_triggered", "sock.recv.basic", "rw.remove.returns"};
constexpr Names kKeepsOperations[] = {"sock.recv.basic", "sock.connect.*", "sock.accept.basic"};

constexpr FaultyLoop kLoops[] = {
    {.loop = poll_wrapped<EdgeTriggered>("faulty.edge_triggered"),
     .defect = "Readiness is reported when it begins, not while it lasts.",
     .must_fail = kEdge,
     .must_pass = kKeepsReading},
    {.loop = poll_wrapped<OneShot>("faulty.one_shot"),
     .defect = "A descriptor is reported once and not armed again.",
     .must_fail = kOneShot,
     .must_pass = kKeepsReading},
    {.loop = poll_wrapped<LosesWhatEndsTheWait>("faulty.event_lost_in_wait"),
     .defect = "The event that ends a blocking wait is lost.",
     .must_fail = kLost,
     .must_pass = kKeepsLevel},
    {.loop = poll_wrapped<HangupIgnored>("faulty.hangup_ignored"),
     .defect = "A hang-up without data is not reported.",
     .must_fail = kHangup,
     .must_pass = kKeepsLevel},
    {.loop = poll_wrapped<ErrorIgnored>("faulty.error_ignored"),
     .defect = "An error of a descriptor is not reported.",
     .must_fail = kError,
     .must_pass = kKeepsLevel},
    {.loop = poll_wrapped<ErrorUnregisters>("faulty.error_unregisters"),
     .defect = "A descriptor with an error is unregistered without a word.",
     .must_fail = kUnregisters,
     .must_pass = kKeepsLevel},
    {.loop = poll_wrapped<AlwaysWritable>("faulty.always_writable"),
     .defect = "Every descriptor that is watched for writing counts as writable.",
     .must_fail = kWritable,
     .must_pass = kKeepsLevel},
    {.loop = poll_wrapped<UrgentSpins>("faulty.urgent_data_spins"),
     .defect = "Urgent data ends every wait at once, and nobody is told of it.",
     .must_fail = kUrgent,
     .must_pass = kKeepsLevel},
    {.loop = poll_wrapped<IdleOnesReported>("faulty.idle_descriptors_reported"),
     .defect = "Every watched descriptor is reported in every wait.",
     .must_fail = kIdle,
     .must_pass = kKeepsOperations},
    {.loop = poll_wrapped<ClosedOneIsFatal>("faulty.closed_descriptor_fatal"),
     .defect = "A watched descriptor that was closed ends the run with EBADF.",
     .must_fail = kClosed,
     .must_pass = kKeepsLevel},
    {.loop = poll_wrapped<ClosedOneSpins>("faulty.closed_descriptor_spins"),
     .defect = "A watched descriptor that was closed makes every wait return at once.",
     .must_fail = kClosed,
     .must_pass = kKeepsLevel},
    {.loop = epoll_wrapped<UnchangedInterestSkipped>("faulty.unchanged_interest_skipped"),
     .defect = "Registering a number again with the same interest does not reach the system.",
     .must_fail = kUnchanged,
     .must_pass = kKeepsLevel},
    {.loop = epoll_wrapped<RemovalLeftToClose>("faulty.removal_left_to_close"),
     .defect = "Descriptors are not taken out of the epoll set, because close() will do that.",
     .must_fail = kLeft,
     .must_pass = kKeepsLevel},
    {.loop = poll_wrapped<OnlyTheFirst>("faulty.first_descriptor_only"),
     .defect = "Each wait reports the first ready descriptor alone.",
     .must_fail = kFirst,
     .must_pass = kKeepsLevel},
    {.loop = poll_wrapped<SixtyFourEvents>("faulty.sixty_four_events"),
     .defect = "Events beyond the first 64 of a wait are lost.",
     .must_fail = kSixtyFour,
     .must_pass = kKeepsLevel},
    {.loop = poll_wrapped<HundredChanges>("faulty.change_list_full"),
     .defect = "After 100 changes between two waits further ones are dropped.",
     .must_fail = kChanges,
     .must_pass = kKeepsLevel},
    {.loop = epoll_wrapped<ThirtyDescriptors>("faulty.thirty_descriptors"),
     .defect = "The loop watches 30 descriptors and no more.",
     .must_fail = kThirty,
     .must_pass = kKeepsLevel},
    {.loop = poll_wrapped<NumbersBelow1000>("faulty.numbers_below_1000"),
     .defect = "Descriptors from 1000 on are refused.",
     .must_fail = kNumbers,
     .must_pass = kKeepsLevel},
    {.loop = poll_wrapped<BeyondTheSetForgotten>("faulty.beyond_setsize_forgotten"),
     .defect = "Descriptors from FD_SETSIZE on are accepted and never served.",
     .must_fail = kBeyond,
     .must_pass = kKeepsLevel},
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::waiting_faults
