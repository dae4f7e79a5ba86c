// Whose ring it is: a thread's and a process's. Measured on Linux 6.18, and so handled here:
//
// With SINGLE_ISSUER and DEFER_TASKRUN a ring belongs to the thread that enabled it, and others are
// refused with EEXIST. Nothing moves unless that thread enters the kernel. So another one that
// waits takes what is in the completion queue, ends the ring, which cancels the rest without moving
// a byte, and asks for all of it again on a ring of its own.
//
// The end of a thread cancels what it had asked for, on any ring. Flight asks for it again.
//
// A forked child would have the parent's ring, and what it asks there the parent is told. So it
// does not get that, see Ring, and asks for everything on a ring of its own.
#include <atomic>
#include <cerrno>
#include <utility>

#include "loops/proactor/io_uring_proactor.hpp"

namespace loopscope::uring {
namespace {

/// A number of the calling thread that no other one ever had.
std::uint64_t this_thread() {
  static std::atomic<std::uint64_t> last{0};
  thread_local const std::uint64_t own = ++last;
  return own;
}

}  // namespace

Result<void> UringProactor::open() {
  Result<std::unique_ptr<os::Waker>> waker = os::make_waker();
  if (!waker.ok()) return waker.error();
  waker_ = std::move(waker).value();
  if (abilities_.buffer_ring) {
    Result<std::shared_ptr<BufferRing>> buffers = BufferRing::make(sizes_.buffers, sizes_.buffer);
    if (!buffers.ok()) return buffers.error();
    memory_.ring = std::move(buffers).value();
  }
  if (Result<void> opened = open_ring(); !opened.ok()) return opened;
  // What works is learnt once, and a filter may have come since. EBADFD: not enabled yet.
  const int looked = ring_->enter(0, std::nullopt);
  if (looked < 0 && looked != -EBADFD) return errno_error_of(-looked, kWaitCall);
  return {};
}

Result<void> UringProactor::open_ring() {
  Result<Ring> ring = Ring::open(abilities_.setup_flags, sizes_.submissions, sizes_.completions);
  if (!ring.ok()) return ring.error();
  if (abilities_.single_issuer) {
    if (Result<void> watched = ring->watch_end(); !watched.ok()) return watched;
  }
  if (memory_.ring) {
    if (Result<void> attached = memory_.ring->attach(*ring); !attached.ok()) return attached;
  }
  ring_.emplace(std::move(ring).value());
  return {};
}

/// Afterwards the ring takes entries from this thread.
Result<void> UringProactor::own_ring() {
  if (generation_ != os::fork_generation()) {
    leave_ring(true);
    Result<std::unique_ptr<os::Waker>> waker = os::make_waker();
    if (!waker.ok()) return waker.error();
    waker_.swap(*waker);  // the other one is the parent's too
    generation_ = os::fork_generation();
  } else if (is_elsewhere()) {
    leave_ring(false);
  }
  if (!ring_) {
    if (Result<void> opened = open_ring(); !opened.ok()) return opened;
  }
  if (owner_ != 0) return {};
  if ((abilities_.setup_flags & IORING_SETUP_R_DISABLED) != 0) {
    if (const int failed = ring_->enable(); failed < 0) {
      return errno_error_of(-failed, "io_uring_register(ENABLE_RINGS)");
    }
  }
  owner_ = this_thread();
  return {};
}

/// Does the ring belong to another thread?
bool UringProactor::is_elsewhere() const {
  return abilities_.single_issuer && ring_ && owner_ != 0 && owner_ != this_thread();
}

/// Takes what the ring has completed, gives it up, and has everything else asked for again.
void UringProactor::leave_ring(bool forked) {
  if (!ring_) return;
  if (!forked) reap();  // in a child they are the parent's
  if (memory_.ring) memory_.ring->detach();
  if (!forked) (void)ring_->end();
  ring_.reset();
  owner_ = 0;
  in_kernel_ = ending_ = 0;
  cancels_.clear();
  timeout_due_.reset();
  wake_armed_ = writes_ = false;
  flights_.for_each([&](Flight& flight) {
    if (flight.where != Flight::Where::kernel) return;
    const std::optional<std::size_t> moved = forked ? std::nullopt : flight.forsaken();
    if (moved) {
      flight.where = Flight::Where::landed;
      reaped_.push_back({flights_.tag_of(flight), static_cast<int>(*moved), 0});
    } else {
      move_to(flight, flight.cancel_asked ? Flight::Where::cancelled : Flight::Where::waiting);
    }
  });
}

std::vector<os::NativeSocket> UringProactor::internal_descriptors() const {
  std::vector<os::NativeSocket> all{waker_->descriptor()};
  if (descriptor() == os::kInvalid) return all;
  all.push_back(descriptor());
  if (ring_->end_descriptor() != os::kInvalid) all.push_back(ring_->end_descriptor());
  return all;
}

// --- the end

UringProactor::~UringProactor() {
  waiting_ = starving_ = cancelled_ = {};
  closing_ = true;
  const bool forked = generation_ != os::fork_generation();
  if (ring_ && (forked || is_elsewhere() || !end_all())) leave_ring(forked);
  forget_reaped();
  flights_.for_each([&](Flight& flight) {
    flight.end(memory_);
    flight.operation().in_flight.reset();
  });
  if (memory_.ring) memory_.ring->detach();
}

/// Cancels all that the kernel has, and waits for it. false: the kernel does not take it.
bool UringProactor::end_all() {
  cancels_.clear();
  flights_.for_each([&](Flight& flight) {
    if (flight.where == Flight::Where::kernel) cancels_.push_back(flights_.tag_of(flight));
  });
  const std::uint64_t others[] = {wake_armed_ ? kWake : 0, timeout_due_ ? kTimeout | timeout_ : 0};
  for (const std::uint64_t tag : others) {
    io_uring_sqe* free = tag == 0 ? nullptr : entry();
    if (free == nullptr) continue;
    io_uring_prep_cancel64(free, tag, 0);
    free->user_data = kCancel | tag;
  }
  while (in_kernel_ > 0) {
    const bool filled = fill();
    if (!enter(filled, std::nullopt).ok()) return false;
    forget_reaped();
  }
  return true;
}

/// Closes what was accepted and gives back what was received, and tells nobody.
void UringProactor::forget_reaped() {
  for (const Entry& entry : std::exchange(reaped_, {})) {
    Completion untold;
    (void)flights_.find(entry.tag)->answered(entry, memory_, untold);
  }
}

}  // namespace loopscope::uring
