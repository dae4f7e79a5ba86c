// Ring: one io_uring with its two queues. Knows nothing of operations.
#pragma once

#include <cstdint>
#include <optional>

#include "loops/base/clock.hpp"
#include "loops/base/result.hpp"
#include "loops/os/fd.hpp"
#include "loops/os/process_id.hpp"
#include "loops/proactor/io_uring_abi.hpp"

namespace loopscope::uring {

/// One completion as the kernel tells it.
struct Entry {
  std::uint64_t tag = 0;  // user_data of what was asked for
  int result = 0;         // minus an errno, or what the call would return
  unsigned flags = 0;     // IORING_CQE_F_...
};

/// A forked child does not get it: the descriptor is closed and the memory unmapped there, so that
/// the parent can end it. What is left in the child is good for being destroyed.
/// thread  One at a time. A ring with IORING_SETUP_SINGLE_ISSUER belongs to the thread that
///         enables it: enter() of another one is refused with EEXIST.
class Ring {
 public:
  /// flags  IORING_SETUP_...; with R_DISABLED the ring takes nothing before enable().
  static Result<Ring> open(unsigned flags, unsigned submissions, unsigned completions);
  Ring(Ring&& other) noexcept { swap(other); }
  Ring& operator=(Ring&& other) noexcept {
    Ring(std::move(other)).swap(*this);
    return *this;
  }
  /// Unmaps and closes, and does not wait: what is in flight ends some time later.
  ~Ring();

  int descriptor() const { return fd_.get(); }
  unsigned features() const { return params_.features; }
  unsigned flags() const { return params_.flags; }

  /// io_uring_register(2): the number it returns, or minus an errno.
  int call_register(unsigned opcode, const void* argument, unsigned count) const;
  int enable() const { return call_register(IORING_REGISTER_ENABLE_RINGS, nullptr, 0); }

  /// A zeroed entry, which counts as filled from now on; null when the submission queue is full.
  io_uring_sqe* next_entry();
  /// Entries that are filled and that the kernel has not taken.
  unsigned unsubmitted() const;
  /// Gives what is filled and waits for `least` completions; with 0 it does not wait.
  ///
  /// timeout  Needs IORING_FEAT_EXT_ARG unless it is nullopt.
  /// returns  what was taken, or minus an errno: ETIME, EINTR, EAGAIN, EBUSY, EEXIST...
  int enter(unsigned least, std::optional<Duration> timeout);

  /// The oldest completion, which is over with then.
  bool pop(Entry& completion);
  bool has_completions() const;
  /// The kernel keeps completions that did not fit, or work that makes some: enter() gets them.
  bool must_enter() const;
  bool overflown() const;

  /// Lets wait_for_end() work, at the price of a descriptor. One call, before anything else.
  Result<void> watch_end();
  os::NativeSocket end_descriptor() const { return end_.get(); }
  /// Destroys the ring and waits until the kernel has let go of all that was in flight, which it
  /// cancels without moving data where IORING_SETUP_DEFER_TASKRUN is set. Any thread.
  /// returns false when that took too long: another process still has the ring.
  bool end();

 private:
  Ring() = default;
  void swap(Ring& other) noexcept;
  void close();

  os::UniqueFd fd_{};
  unsigned generation_ = os::fork_generation();
  bool kept_ = false;  // from children
  io_uring ring_{};    // its queues; mapped while there is a descriptor
  io_uring_params params_{};
  unsigned filled_ = 0;  // tail of the submission queue, as far as it is filled
  os::UniqueFd end_{};   // at its end when the ring is gone
};

}  // namespace loopscope::uring
