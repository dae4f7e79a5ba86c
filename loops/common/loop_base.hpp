// LoopBase: the iteration of our own loops, over one function that waits.
#pragma once

#include "loops/base/timer_wheel.hpp"
#include "loops/common/loop_core.hpp"

namespace loopscope {
class TlsTransport;
}

namespace loopscope {

/// One iteration: wait, take over what became ready, what other threads posted and which timers
/// are due, then run all that was ready at this point. The order is asyncio's.
class LoopBase : public LoopCore {
 public:
  explicit LoopBase(const LoopOptions& options) : LoopCore(options), timers_(now()) {}

  Result<void> run_forever() override;
  void stop() override { stopping_ = true; }
  Result<void> close() override;

  TimerHandle call_later(Delay delay, Callback callback) override;
  TimerHandle call_at(TimePoint when, Callback callback) override;

  Future<Link> start_tls(Link plain, TlsOptions options) override;
  /// What every TLS connection of this loop is made by; the errors are those of TlsEngine::make.
  virtual Result<std::shared_ptr<TlsTransport>> make_tls(std::shared_ptr<BaseProtocol> user,
                                                         const TlsOptions& options,
                                                         bool server_side);

 protected:
  /// Waits at most `timeout` (nullopt: for ever; zero: only looks) and pushes what became ready to
  /// ready_. An error ends the run and leaves it to the caller.
  virtual Result<void> poll(std::optional<Duration> timeout) = 0;
  /// For close(): gives back everything of the system's. Called once.
  virtual void close_backend() = 0;

  bool cancel_timer(std::uint64_t id) override;
  /// How long the next wait may take.
  virtual std::optional<Duration> wait_limit();
  /// One iteration.
  virtual Result<void> run_once();
  /// Moves due timers to the ready queue, where they can still be cancelled.
  virtual void expire_timers();

  TimerWheel timers_;
  bool stopping_ = false;

 private:
  /// Callbacks that may run between two looks at the system while more are waiting. An iteration
  /// of many callbacks does not look either, so this starves nobody, and it spares a chain of
  /// short callbacks a system call each.
  static constexpr std::uint64_t kCallbacksPerPoll = 32;
  std::uint64_t polled_at_ = 0;  // ready_.head() at the last look
  bool must_poll_ = true;
};

}  // namespace loopscope
