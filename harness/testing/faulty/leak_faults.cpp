// Loops that leave something behind, in one way each.
#include <latch>
#include <thread>

#include "harness/testing/between.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::testing::leak_faults {
namespace {

/// Every transport leaves a duplicate of its descriptor open.
class DescriptorLeft final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    Result<os::UniqueFd> second = os::duplicate(pipe.get());
    if (second.ok()) kept_.push_back(std::move(second).value());
    return SelectorLoop::connect_read_pipe(std::move(factory), std::move(pipe));
  }

 private:
  std::vector<os::UniqueFd> kept_;
};

/// A descriptor that was refused is forgotten, not closed.
class RefusedLeft final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    Result<os::UniqueFd> second = os::duplicate(pipe.get());
    Future<Link> made = SelectorLoop::connect_read_pipe(std::move(factory), std::move(pipe));
    if (made.done() && second.ok()) kept_.push_back(std::move(second).value());
    return made;
  }

 private:
  std::vector<os::UniqueFd> kept_;
};

class TimerKeepsCallback final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  TimerHandle call_later(Delay delay, Callback callback) override {
    kept_.push_back(std::make_shared<Callback>(std::move(callback)));
    return SelectorLoop::call_later(delay, [held = kept_.back()] { (*held)(); });
  }

 private:
  std::vector<std::shared_ptr<Callback>> kept_;
};

class ThreadLeft final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    static std::latch never(1);
    std::thread([] { never.wait(); }).detach();
    return SelectorLoop::connect_read_pipe(std::move(factory), std::move(pipe));
  }
};

/// close() closes the descriptor's number, also when the descriptor is gone.
class ClosesNumber final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void connection_made(BaseTransport& transport) override {
    StreamBetween::connection_made(transport);
    number_ = descriptor();
  }
  void connection_lost(const Error* why) override {
    StreamBetween::connection_lost(why);
    lost_ = true;
  }
  void close() override {
    below_->close();
    if (lost_) (void)os::close_fd(number_);
  }

 private:
  os::NativeSocket number_ = os::kInvalid;
  bool lost_ = false;
};

/// Keeps every transport and protocol for as long as the loop lives.
class KeepsThem final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    Future<Link> made = SelectorLoop::connect_read_pipe(std::move(factory), std::move(pipe));
    made.add_done_callback([this, made] { kept_.push_back(made.result().value()); });
    return made;
  }

 private:
  std::vector<Link> kept_;
};

using Names = std::string_view;
constexpr Names kDescriptors[] = {"leak.fds_10k_connections"};
constexpr Names kRefused[] = {"leak.failed_handshake_or_adopt"};
constexpr Names kTimers[] = {"leak.timer_closure"};
constexpr Names kThreads[] = {"leak.threads"};
constexpr Names kTwice[] = {"leak.double_close"};
constexpr Names kKept[] = {"leak.reference_cycles"};

constexpr Names kPass[] = {"leak.timer_closure", "leak.double_close", "flow.high_zero"};
constexpr Names kThreadsPass[] = {"leak.timer_closure", "flow.high_zero", "pipe.write.*"};
constexpr Names kTimersPass[] = {"leak.double_close", "leak.reference_cycles", "pipe.read.*"};
constexpr Names kTwicePass[] = {"leak.timer_closure", "leak.reference_cycles", "pipe.write.*"};

constexpr FaultyLoop kLoops[] = {
    {.loop = poll_based<DescriptorLeft>("faulty.descriptor_per_transport_leaked"),
     .defect = "Every read pipe transport leaves a descriptor open.",
     .must_fail = kDescriptors,
     .must_pass = kPass},
    {.loop = poll_based<RefusedLeft>("faulty.refused_descriptor_leaked"),
     .defect = "A descriptor that is refused is not closed.",
     .must_fail = kRefused,
     .must_pass = kPass},
    {.loop = poll_based<TimerKeepsCallback>("faulty.cancelled_timer_kept"),
     .defect = "Cancelled timers keep what their callbacks captured.",
     .must_fail = kTimers,
     .must_pass = kTimersPass},
    {.loop = poll_based<ThreadLeft>("faulty.thread_leaked"),
     .defect = "A helper thread outlives its loop.",
     .must_fail = kThreads,
     .must_pass = kThreadsPass},
    {.loop = poll_based<StreamsThrough<ClosesNumber>>("faulty.descriptor_closed_twice"),
     .defect = "close() after the end closes whatever has the descriptor's number by then.",
     .must_fail = kTwice,
     .must_pass = kTwicePass},
    {.loop = poll_based<KeepsThem>("faulty.transports_kept"),
     .defect = "Transports and protocols are kept until the loop is destroyed.",
     .must_fail = kKept,
     .must_pass = kPass},
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::leak_faults
