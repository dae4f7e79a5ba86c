// What faulty completion loops are made from: the io_uring proactor, with something in front of it
// that a faulty one gets wrong.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/testing/faulty.hpp"
#include "loops/proactor/io_uring.hpp"
#include "loops/proactor/proactor_loop.hpp"

namespace loopscope::testing {

/// Gives every operation to the proactor behind it by a stand-in, and passes on what becomes of it.
class ProactorBetween : public Proactor {
 public:
  explicit ProactorBetween(std::unique_ptr<Proactor> behind) : behind_(std::move(behind)) {}

  Result<void> attach(os::NativeSocket fd) override { return behind_->attach(fd); }
  Result<void> submit(Operation& operation) override;
  void request_cancel(Operation& operation) override;
  Result<void> flush() override { return behind_->flush(); }
  Result<void> wait(std::optional<Duration> timeout) override { return behind_->wait(timeout); }
  void wake() noexcept override { behind_->wake(); }
  std::string_view mechanism() const override { return behind_->mechanism(); }
  std::string version() const override { return behind_->version(); }
  os::NativeSocket descriptor() const override { return behind_->descriptor(); }
  std::vector<os::NativeSocket> internal_descriptors() const override {
    return behind_->internal_descriptors();
  }

 protected:
  /// What the system is given for an operation. Its `into` is memory of its own.
  virtual void prepare(Operation& stand_in) { (void)stand_in; }
  /// What became of an operation.
  virtual void deliver(Operation& operation, Completion completion) {
    tell(operation, std::move(completion));
  }

  void tell(Operation& operation, Completion completion);
  /// Cancels what the system was given, whatever request_cancel() has been made of.
  void cancel_behind(Operation& operation);
  /// The operation is over for whoever asked for it, and the system goes on with it.
  void forget(Operation& operation);

 private:
  class StandIn;

  std::vector<std::unique_ptr<Operation::InFlight>> forgotten_;  // outlives the proactor
  std::unique_ptr<Proactor> behind_;
};

/// Makes a ProactorLoop over a P that stands in front of io_uring.
template <class P>
Result<std::unique_ptr<EventLoop>> make_over_uring(const LoopOptions& options) {
  Result<std::unique_ptr<Proactor>> behind = make_io_uring_proactor(options);
  if (!behind.ok()) return behind.error();
  return std::unique_ptr<EventLoop>(
      std::make_unique<ProactorLoop>(options, std::make_unique<P>(std::move(behind).value())));
}

inline constexpr std::string_view kUringBasedWaits[] = {uring::kWaitCall};

/// The row of such a loop. P has kCaughtBy, the scenarios that must catch it, and kKeeps.
template <class P>
constexpr FaultyLoop wrong_proactor(std::string_view name, std::string_view defect) {
  return FaultyLoop{.loop = LoopDescriptor{.name = name,
                                           .family = Family::proactor,
                                           .mechanism = "io_uring_enter, wrong on purpose",
                                           .native = kProactorCaps,
                                           .wait_calls = kUringBasedWaits,
                                           .make = make_over_uring<P>},
                    .defect = defect,
                    .must_fail = P::kCaughtBy,
                    .must_pass = P::kKeeps};
}

}  // namespace loopscope::testing
