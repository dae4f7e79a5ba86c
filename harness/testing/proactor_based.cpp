// Stand-ins for operations, between a loop and its proactor.
#include "harness/testing/proactor_based.hpp"

#include <algorithm>

namespace loopscope::testing {

/// In flight as long as the operation is, for which it stands.
class ProactorBetween::StandIn final : public Operation::InFlight {
 public:
  StandIn(ProactorBetween& proactor, Operation& operation)
      : given(*this, operation), proactor_(proactor), operation_(&operation) {}
  void forget() { operation_ = nullptr; }

  class Given final : public Operation {
   public:
    Given(StandIn& owner, const Operation& original)
        : Operation(original.kind, original.fd), owner_(owner) {
      is_socket = original.is_socket;
      repeats = original.repeats;
      readable = original.readable;
      writable = original.writable;
      to = original.to;
      offset = original.offset;
      count = original.count;
      memory_.resize(original.into.size());  // Whoever asked may let go of theirs before the end.
      into = memory_;
      pieces = original.pieces;
      address = original.address;
    }
    void completed(Completion completion) override { owner_.completed(std::move(completion)); }

   private:
    StandIn& owner_;
    std::vector<std::byte> memory_{};
  };

  Given given;

 private:
  void completed(Completion completion) {
    if (operation_ == nullptr) return;
    operation_->address = given.address;
    operation_->readable = given.readable;
    operation_->writable = given.writable;
    const std::size_t arrived = std::min(completion.count, given.into.size());
    std::copy_n(given.into.begin(), arrived, operation_->into.begin());
    proactor_.deliver(*operation_, std::move(completion));  // may be the end of this
  }

  ProactorBetween& proactor_;
  Operation* operation_;  // null: forgotten
};

Result<void> ProactorBetween::submit(Operation& operation) {
  auto stand_in = std::make_unique<StandIn>(*this, operation);
  prepare(stand_in->given);
  Result<void> submitted = behind_->submit(stand_in->given);
  if (submitted.ok()) operation.in_flight = std::move(stand_in);
  return submitted;
}

void ProactorBetween::request_cancel(Operation& operation) { cancel_behind(operation); }

void ProactorBetween::cancel_behind(Operation& operation) {
  if (operation.in_flight == nullptr) return;
  behind_->request_cancel(static_cast<StandIn&>(*operation.in_flight).given);
}

void ProactorBetween::forget(Operation& operation) {
  static_cast<StandIn&>(*operation.in_flight).forget();
  forgotten_.push_back(std::move(operation.in_flight));
}

void ProactorBetween::tell(Operation& operation, Completion completion) {
  std::unique_ptr<Operation::InFlight> over;
  if (!completion.more) over = std::move(operation.in_flight);
  operation.completed(std::move(completion));
}

}  // namespace loopscope::testing
