// Stand-ins for operations, between a loop and its proactor.
#include "harness/testing/proactor_based.hpp"

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
      into = original.into;
      pieces = original.pieces;
      address = original.address;
    }
    void completed(Completion completion) override { owner_.completed(std::move(completion)); }

   private:
    StandIn& owner_;
  };

  Given given;
  std::vector<std::byte> memory{};

 private:
  void completed(Completion completion) {
    if (operation_ == nullptr) return;
    operation_->address = given.address;
    operation_->readable = given.readable;
    operation_->writable = given.writable;
    proactor_.deliver(*operation_, std::move(completion));  // may be the end of this
  }

  ProactorBetween& proactor_;
  Operation* operation_;  // null: forgotten
};

Result<void> ProactorBetween::submit(Operation& operation) {
  auto stand_in = std::make_unique<StandIn>(*this, operation);
  prepare(stand_in->given, stand_in->memory);
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

void ProactorBetween::prepare(Operation&, std::vector<std::byte>&) {}

void ProactorBetween::tell(Operation& operation, Completion completion) {
  std::unique_ptr<Operation::InFlight> over;
  if (!completion.more) over = std::move(operation.in_flight);
  operation.completed(std::move(completion));
}

}  // namespace loopscope::testing
