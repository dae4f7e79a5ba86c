// UringProactor: operations are kept in user space until the next wait or flush, so that the ring
// is bound to the thread that waits, and so that one system call gives and takes all of them.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "loops/os/process_id.hpp"
#include "loops/os/waker.hpp"
#include "loops/proactor/io_uring.hpp"
#include "loops/proactor/io_uring_table.hpp"

namespace loopscope::uring {

class UringProactor final : public Proactor {
 public:
  UringProactor(Abilities abilities, const Sizes& sizes)
      : abilities_(std::move(abilities)), sizes_(sizes) {
    memory_.own = std::make_shared<OwnBlocks>(sizes.buffer);
  }
  ~UringProactor() override;
  Result<void> open();

  Result<void> attach(os::NativeSocket) override { return {}; }
  Result<void> submit(Operation& operation) override;
  void request_cancel(Operation& operation) override;
  Result<void> flush() override;
  Result<void> wait(std::optional<Duration> timeout) override;
  void wake() noexcept override { waker_->wake(); }

  std::string_view mechanism() const override { return kWaitCall; }
  std::string version() const override { return abilities_.words; }
  os::NativeSocket descriptor() const override {
    return ring_ && generation_ == os::fork_generation() ? ring_->descriptor() : os::kInvalid;
  }
  std::vector<os::NativeSocket> internal_descriptors() const override;

 private:
  // io_uring_ownership.cpp: whose ring it is
  Result<void> open_ring();
  Result<void> own_ring();
  bool is_elsewhere() const;
  void leave_ring(bool forked);
  bool end_all();
  void forget_reaped();

  // io_uring_exchange.cpp: what is given to the kernel and taken from it
  io_uring_sqe* entry();
  bool fill();
  bool fill_wake();
  bool fill_cancels();
  bool arm_timeout(TimePoint deadline);
  Result<void> enter(bool block, std::optional<Duration> timeout);
  Result<void> enter_without_signal();
  Result<void> take_overflown();
  void reap();
  void reaped(const Entry& entry);
  void cancel_answered(const Entry& entry);
  Result<void> exchange(std::optional<Duration> timeout, bool& blocked);

  // io_uring.cpp: what becomes of operations
  bool dispatch();
  bool answer(const Entry& entry);
  bool tell_cancelled();
  void tell(Flight& flight, Next next, Completion completion);
  void move_to(Flight& flight, Flight::Where where);

  Abilities abilities_;
  Sizes sizes_;
  std::unique_ptr<os::Waker> waker_;
  Memory memory_;
  std::optional<Ring> ring_;
  unsigned generation_ = os::fork_generation();  // of the process whose ring it is
  std::uint64_t owner_ = 0;                      // the thread that it takes entries from; 0: none

  FlightTable flights_;
  FlightList waiting_, starving_, cancelled_;  // as Flight::Where names them
  std::vector<std::uint64_t> cancels_;         // tags of what the kernel shall end
  std::deque<Entry> reaped_;                   // of flights; what is for others is dealt with
  std::size_t in_kernel_ = 0;                  // entries before their last completion
  std::size_t ending_ = 0;                     // flights in the kernel whose end was asked for
  std::size_t taken_ = 0;                      // completions since this round of a wait began
  bool wake_armed_ = false, woken_ = false, interrupted_ = false, closing_ = false;
  bool writes_ = false;  // an entry that may raise SIGPIPE is filled and not submitted

  // The timeout of a wait where the wait call has none.
  __kernel_timespec limit_{};
  std::uint64_t timeout_ = 0;               // the number of the last one
  std::optional<TimePoint> timeout_due_{};  // while it is in the kernel
};

}  // namespace loopscope::uring
