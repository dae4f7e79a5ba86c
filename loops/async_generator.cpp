// The parts of a generator that do not depend on its type, and closing all of a loop.
#include "loops/async_generator.hpp"

#include "loops/common/loop_core.hpp"
#include "loops/current.hpp"

namespace loopscope {
namespace detail {

Result<void> GeneratorBase::begin_step() {
  if (stepping_) {
    return make_error(Errc::invalid_state, "AsyncGenerator.next", "a step is under way");
  }
  stepping_ = true;
  EventLoop* loop = running_loop();
  if (std::exchange(begun_, true) || loop == nullptr) return {};
  link_ = loop->link();
  if (link_->generators_shut) {
    loop->log(LogLevel::warning, "an asynchronous generator was begun after shutdown_asyncgens()");
  }
  next_ = link_->generators;
  if (next_ != nullptr) next_->previous_ = this;
  link_->generators = this;
  return {};
}

void GeneratorBase::delist() {
  if (link_ == nullptr) return;
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : link_->generators) = next_;
  next_ = previous_ = nullptr;
  link_ = nullptr;
}

Result<void> GeneratorBase::close() {
  if (stepping_) {
    return make_error(Errc::invalid_state, "AsyncGenerator.aclose", "a step is under way");
  }
  delist();
  begun_ = true;  // One that is closed before it began never begins.
  destroy_frame();
  return {};
}

}  // namespace detail

Future<void> LoopCore::shutdown_asyncgens() {
  if (const std::optional<Errc> why = refuses()) {
    return done_future<void>(make_error(*why, "shutdown_asyncgens"));
  }
  link()->generators_shut = true;
  // A generator's destructors may close or destroy others: each time the list is asked anew.
  while (detail::GeneratorBase* generator = link()->generators) {
    generator->delist();
    const Result<void> closed = generator->close();
    if (closed.ok()) continue;
    ExceptionContext context;
    context.message = "an error occurred during closing of asynchronous generator";
    context.error = closed.error();
    context.source = "loop";
    call_exception_handler(context);
  }
  return done_future<void>({});
}

}  // namespace loopscope
