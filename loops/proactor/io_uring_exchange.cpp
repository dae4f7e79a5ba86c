// Giving entries to the kernel and taking completions from it.
//
// A submission queue that is full is given to the kernel at once. EBUSY and EAGAIN of
// io_uring_enter mean: take what is over, and try again.
//
// Completions that do not fit wait in the kernel (IORING_FEAT_NODROP). They are taken before a wait
// ends, because another thread could not get at them.
//
// A write raises SIGPIPE where a send does not. It does so inside io_uring_enter, see Flight, and
// there the signal is held back.
//
// A cancellation may find nothing (ENOENT) though the kernel still has its target, which was on its
// way from one place to another just then. It is asked for again.
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "loops/os/posix/sigpipe_guard.hpp"
#include "loops/proactor/io_uring_proactor.hpp"

namespace loopscope::uring {
namespace {
using namespace std::chrono_literals;
}

// --- giving

/// A free entry, for which the kernel has to take others where the queue is full. Null when it
/// does not take any now.
io_uring_sqe* UringProactor::entry() {
  io_uring_sqe* free = ring_->next_entry();
  if (free != nullptr || !enter(false, std::nullopt).ok()) return free;
  return ring_->next_entry();
}

/// Writes entries for all that is asked for. false: not for all of it, for want of room.
bool UringProactor::fill() {
  if (!fill_wake() || !fill_cancels()) return false;
  while (!starving_.empty() && memory_.ring->available() > 0) {
    move_to(*starving_.pop(), Flight::Where::waiting);
  }
  while (!waiting_.empty()) {
    io_uring_sqe* free = entry();
    if (free == nullptr) return false;
    Flight& flight = *waiting_.pop();
    writes_ = writes_ || flight.raises_sigpipe();
    flight.fill(*free, abilities_, memory_);
    free->user_data = flights_.tag_of(flight);
    flight.where = Flight::Where::kernel;
    ++in_kernel_;
  }
  return true;
}

bool UringProactor::fill_wake() {
  if (wake_armed_ || closing_) return true;
  io_uring_sqe* free = entry();
  if (free == nullptr) return false;
  io_uring_prep_poll_add(free, waker_->descriptor(), POLLIN);
  if (abilities_.multishot) free->len |= IORING_POLL_ADD_MULTI;
  free->user_data = kWake;
  wake_armed_ = true;
  ++in_kernel_;
  return true;
}

bool UringProactor::fill_cancels() {
  while (!cancels_.empty()) {
    const std::uint64_t tag = cancels_.back();
    const Flight* flight = flights_.find(tag);
    if (flight != nullptr && flight->where == Flight::Where::kernel) {
      io_uring_sqe* free = entry();
      if (free == nullptr) return false;
      io_uring_prep_cancel64(free, tag, 0);
      free->user_data = kCancel | tag;
    }
    cancels_.pop_back();
  }
  return true;
}

/// The wait call has no timeout: an operation ends the wait. false: there is no room for it.
bool UringProactor::arm_timeout(TimePoint deadline) {
  if (timeout_due_) {
    if (*timeout_due_ <= deadline) return true;  // then there is another look
    io_uring_sqe* free = entry();
    if (free == nullptr) return false;
    io_uring_prep_timeout_remove(free, kTimeout | timeout_, 0);
    free->user_data = kCancel | kTimeout;
    timeout_due_.reset();
  }
  io_uring_sqe* free = entry();
  if (free == nullptr) return false;
  const timespec left = to_timespec(std::max(deadline - now(), Duration::zero()));
  limit_ = {left.tv_sec, left.tv_nsec};
  io_uring_prep_timeout(free, &limit_, 0, 0);
  free->user_data = kTimeout | ++timeout_;
  timeout_due_ = deadline;
  ++in_kernel_;
  return true;
}

// --- taking

/// One io_uring_enter: gives what is filled, and takes what is over into reaped_.
Result<void> UringProactor::enter(bool block, std::optional<Duration> timeout) {
  if (writes_) {
    const Result<void> given = enter_without_signal();
    if (!given.ok() || !block || taken_ > 0) return given;
  }
  // With nothing to wait for it has no effect; and not every kernel has it.
  if (!block || !abilities_.wait_timeout) timeout = std::nullopt;
  const int result = ring_->enter(block ? 1 : 0, timeout);
  reap();
  switch (-result) {
    case EINTR:
      interrupted_ = true;
      break;
    case ETIME:
    case EAGAIN:  // no memory for more now
    case EBUSY:   // completions that did not fit have to be taken first
      break;
    default:
      if (result < 0) return errno_error_of(-result, kWaitCall);
  }
  return {};
}

Result<void> UringProactor::enter_without_signal() {
  os::SigpipeGuard guard;
  writes_ = false;
  const std::size_t before = reaped_.size();
  const Result<void> entered = enter(false, std::nullopt);
  if (std::any_of(reaped_.begin() + static_cast<std::ptrdiff_t>(before), reaped_.end(),
                  [](const Entry& entry) { return entry.result == -EPIPE; })) {
    guard.raised();
  }
  // What the kernel did not take yet is given by the next call.
  writes_ = ring_->unsubmitted() > 0;
  return entered;
}

Result<void> UringProactor::take_overflown() {
  while (ring_->overflown()) {
    if (Result<void> entered = enter(false, std::nullopt); !entered.ok()) return entered;
  }
  return {};
}

void UringProactor::reap() {
  for (Entry entry; ring_->pop(entry); ++taken_) reaped(entry);
}

void UringProactor::reaped(const Entry& entry) {
  if ((entry.flags & IORING_CQE_F_BUFFER) != 0) {
    memory_.ring->taken(entry.flags >> IORING_CQE_BUFFER_SHIFT);
  }
  if ((entry.tag & kCancel) != 0) return cancel_answered(entry);
  const bool last = (entry.flags & IORING_CQE_F_MORE) == 0;
  if (last) --in_kernel_;
  if (entry.tag == kWake) {
    woken_ = true;
    if (last) wake_armed_ = false;
  } else if ((entry.tag & kTimeout) != 0) {
    if (entry.tag == (kTimeout | timeout_)) timeout_due_.reset();
  } else {
    Flight& flight = *flights_.find(entry.tag);
    if (last) {
      flight.where = Flight::Where::landed;
      if (flight.cancel_asked) --ending_;
    }
    reaped_.push_back(entry);
  }
}

/// 0: the target ends. EALREADY: a worker has it, and was interrupted. ENOENT: it is over, or it
/// was neither here nor there just then.
void UringProactor::cancel_answered(const Entry& entry) {
  if (entry.result != -ENOENT || (entry.tag & (kTimeout | kWake)) != 0) return;
  const Flight* flight = flights_.find(entry.tag);
  if (flight != nullptr && flight->where == Flight::Where::kernel) {
    cancels_.push_back(entry.tag & ~kCancel);
  }
}

// --- the calls

Result<void> UringProactor::flush() {
  if (generation_ != os::fork_generation()) return own_ring();
  if (!ring_ || owner_ == 0) return {};  // the kernel has nothing yet
  if (is_elsewhere()) {
    leave_ring(false);  // which ends everything
    return {};
  }
  constexpr int kPatience = 100;
  bool given = false;
  for (int rounds = 0; !given && rounds < kPatience; ++rounds) {
    const bool filled = fill();
    if (Result<void> entered = enter(false, std::nullopt); !entered.ok()) return entered;
    given = filled && ring_->unsubmitted() == 0 && cancels_.empty();
  }
  if (!given) return errno_error_of(EAGAIN, kWaitCall);
  // What a worker of the kernel does, or what another thread asked for, ends a little later.
  for (int rounds = 0; ending_ > 0 && rounds < kPatience; ++rounds) {
    if (!fill()) break;
    if (!abilities_.wait_timeout) std::this_thread::yield();
    const Result<void> entered = enter(abilities_.wait_timeout, Duration(1ms));
    if (!entered.ok()) return entered;
  }
  return take_overflown();
}

Result<void> UringProactor::wait(std::optional<Duration> timeout) {
  std::optional<TimePoint> deadline;
  if (timeout && *timeout > Duration::zero()) deadline = saturating_add(now(), *timeout);
  for (;;) {
    bool blocked = false;
    if (Result<void> done = exchange(timeout, blocked); !done.ok()) return done;
    const bool woken = std::exchange(woken_, false);
    if (woken) (void)waker_->drain();
    const bool told = dispatch();
    // What was taken may have been of use to nobody outside: then there is time left.
    if (told || woken || interrupted_ || taken_ == 0 || !blocked) return {};
    if (!deadline) continue;
    timeout = *deadline - now();
    if (*timeout <= Duration::zero()) return {};
  }
}

/// Gives all that is asked for and takes all that is over, and blocks when nothing is.
Result<void> UringProactor::exchange(std::optional<Duration> timeout, bool& blocked) {
  if (Result<void> own = own_ring(); !own.ok()) return own;
  interrupted_ = false;
  taken_ = 0;
  const bool filled = fill();
  bool block = filled && !woken_ && reaped_.empty() && cancelled_.empty() &&
               !ring_->has_completions() && (!timeout || *timeout > Duration::zero());
  if (block && timeout && !abilities_.wait_timeout) {
    block = arm_timeout(saturating_add(now(), *timeout));
  }
  if (block || !filled || ring_->unsubmitted() > 0 || ring_->must_enter()) {
    if (Result<void> entered = enter(block, timeout); !entered.ok()) return entered;
  } else {
    reap();  // without a system call
  }
  blocked = block;
  return take_overflown();
}

}  // namespace loopscope::uring
