// The parts of a future that do not depend on its type.
#include "loops/future.hpp"

#include <algorithm>

#include "loops/event_loop.hpp"

namespace loopscope::detail {

FutureStateBase::~FutureStateBase() {
  if (!done_ || retrieved_ || cancelled_ || !failed()) return;
  EventLoop* target = loop();
  if (target == nullptr || target->is_closed()) return;
  ExceptionContext context;
  context.message = std::string(kind_) + " exception was never retrieved";
  context.exception = exception_;
  context.error = error_;
  context.source = kind_;
  try {
    target->call_exception_handler(context);
  } catch (...) {
    // A destructor cannot let it out; what a check recorded is kept by whoever recorded it.
  }
}

bool FutureStateBase::cancel() {
  if (done_) return false;
  Callback hook = std::move(cancel_hook_);
  error_ = make_error(Errc::cancelled, "Future.cancel");
  cancelled_ = true;
  // What the hook would take back went with its loop.
  const bool loop_gone = link_ != nullptr && link_->loop == nullptr;
  if (hook && !loop_gone) hook();
  finish();
  return true;
}

bool FutureStateBase::fail(Error error) {
  if (done_) return false;
  cancelled_ = error.is(Errc::cancelled);
  error_ = std::move(error);
  finish();
  return true;
}

bool FutureStateBase::fail(std::exception_ptr exception) {
  if (done_) return false;
  exception_ = std::move(exception);
  finish();
  return true;
}

std::uint64_t FutureStateBase::add_done_callback(Callback callback) {
  const std::uint64_t id = next_id_++;
  if (!done_) {
    callbacks_.push_back({id, std::move(callback)});
  } else if (EventLoop* target = loop()) {
    (void)target->call_soon(std::move(callback));  // A closed loop runs nothing more.
  }
  return id;
}

bool FutureStateBase::remove_done_callback(std::uint64_t id) {
  const auto found = std::find_if(callbacks_.begin(), callbacks_.end(),
                                  [id](const DoneCallback& entry) { return entry.id == id; });
  if (found == callbacks_.end()) return false;
  callbacks_.erase(found);
  return true;
}

void FutureStateBase::finish() {
  done_ = true;
  cancel_hook_.reset();
  std::vector<DoneCallback> callbacks = std::exchange(callbacks_, {});
  EventLoop* target = loop();
  if (target == nullptr) return;
  for (DoneCallback& entry : callbacks) (void)target->call_soon(std::move(entry.callback));
}

}  // namespace loopscope::detail
