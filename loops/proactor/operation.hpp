// LoopOperation: an operation that its loop keeps alive while the system works on it.
#pragma once

#include <memory>

#include "loops/proactor/proactor.hpp"

namespace loopscope {

class ProactorLoop;

/// Its memory is there until the system is done with it, whatever becomes of the transport or the
/// future that asked for it. ProactorLoop::start begins it.
class LoopOperation : public Operation {
 public:
  using Operation::Operation;
  bool in_flight() const { return slot_ != kNoSlot; }

 protected:
  /// Inside the wait: queues what users are to be told. May start the operation again when it is
  /// over. Not called any more when the loop has closed.
  virtual void done(Completion completion) = 0;
  /// The loop has closed and the system is done with it: lets go of whom it would have told.
  virtual void released() = 0;

 private:
  friend class ProactorLoop;
  static constexpr std::size_t kNoSlot = ~std::size_t{0};
  void completed(Completion completion) final;

  ProactorLoop* loop_ = nullptr;
  std::size_t slot_ = kNoSlot;  // in the loop's list of operations
};

}  // namespace loopscope
