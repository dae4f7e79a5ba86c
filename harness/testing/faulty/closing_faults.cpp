// Loops that close, or fail to be made, wrongly, in one way each.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "harness/testing/between.hpp"
#include "harness/testing/own_turn.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::testing::closing_faults {
namespace {

class ClosesTwice final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.close.idempotent"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.stop.*", "timer.order.*"};
  Result<void> close() override {
    if (is_running()) return SelectorLoop::close();
    if (!is_closed()) numbers_ = backend().internal_descriptors;
    for (const os::NativeSocket fd : numbers_) {
      if (is_closed()) (void)os::close_fd(fd);  // That is the defect: whose is it by now?
    }
    return SelectorLoop::close();
  }

 private:
  std::vector<os::NativeSocket> numbers_;
};

class SecondCloseRefused final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.close.idempotent"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.stop.*", "timer.order.*"};
  Result<void> close() override {
    if (is_closed()) return make_error(Errc::closed, "close");
    return SelectorLoop::close();
  }
};

class CloseWhileRunning final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.close.running_rejected"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.stop.*", "life.close.idempotent"};
  Result<void> close() override {
    if (!is_running()) return SelectorLoop::close();
    stop();
    return {};
  }
};

class ClosedTakesWork final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.closed.rejects_work"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.close.*", "timer.order.*"};
  Handle call_soon_threadsafe(Callback callback) override {
    if (is_closed()) return Handle(this, Handle::Kind::soon, 0);
    return SelectorLoop::call_soon_threadsafe(std::move(callback));
  }
};

class ClosedStillSends final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.closed.rejects_descriptors"};
  static constexpr Names kKeeps[] = {"life.closed.rejects_work", "life.close.*", "sched.soon.*"};
  Future<void> sock_sendall(Socket& socket, Bytes data) override {
    if (is_closed()) (void)os::send(socket.native(), data);  // Unlooked: that is the defect.
    return SelectorLoop::sock_sendall(socket, std::move(data));
  }
};

class CloseRunsTheRest final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.close.discards_callbacks", "shut.pending_everything"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "life.stop.*", "timer.order.*"};
  Result<void> close() override {
    if (!is_running() && !is_closed()) {
      inbox_.drain(ready_);
      run_ready();
    }
    return SelectorLoop::close();
  }
};

/// Discarded callbacks are kept until the loop goes.
class KeepsCaptures final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.close.discards_callbacks"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.close.idempotent", "life.stop.*"};
  Result<void> close() override {
    while (!is_running() && !ready_.empty()) kept_.push_back(ready_.pop());
    return SelectorLoop::close();
  }

 private:
  std::vector<Callback> kept_;
};

class HangsInClose final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"shut.pending_everything"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.close.idempotent", "life.stop.*"};
  Result<void> close() override {
    while (!is_closed() && !is_running() && timers_.waiting() > 0) std::this_thread::yield();
    return SelectorLoop::close();
  }
};

class CrashesInTeardown final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.run.pre_stopped"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "life.close.idempotent", "life.stop.*"};
  Result<void> close() override {
    if (!is_running() && !is_closed() && timers_.waiting() > 0) std::abort();
    return SelectorLoop::close();
  }
};

class CrashesOnLateCancel final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"shut.destructors_after_close"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.close.*", "timer.cancel.*"};

 protected:
  bool cancel_handle(const Handle& handle) override {
    if (is_closed()) std::abort();
    return SelectorLoop::cancel_handle(handle);
  }
};

class CrashesAtExit final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"shut.at_exit"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.close.*", "timer.order.*"};
  Result<void> run_forever() override {
    static const int registered = std::atexit([] {
      if (running > 0) std::abort();
    });
    (void)registered;  // Zero: there is always room for one more.
    ++running;
    Result<void> ran = SelectorLoop::run_forever();
    --running;
    return ran;
  }

 private:
  static inline std::atomic<int> running{0};
};

/// Keeps a copy of the descriptor, and writes what comes after the end of the loop through it.
class WritesAfterTheEnd final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void connection_made(BaseTransport& transport) override {
    StreamBetween::connection_made(transport);
    if (Result<os::UniqueFd> copy = os::duplicate(descriptor()); copy.ok()) {
      copy_ = std::move(copy).value();
    }
  }
  void write(ByteView data) override {
    if (!below_->is_closing()) return StreamBetween::write(data);
    (void)os::write(copy_.get(), data);  // That is the defect.
    copy_.reset();
  }

 private:
  os::UniqueFd copy_;
};
class TransportsWriteOn final : public StreamsThrough<WritesAfterTheEnd> {
 public:
  using StreamsThrough::StreamsThrough;
  static constexpr Names kCaughtBy[] = {"shut.destructors_after_close.transports"};
  static constexpr Names kKeeps[] = {"shut.destructors_after_close", "life.close.*"};
};

/// Each loop of a process but the first leaves a descriptor behind.
class LeaksDescriptor final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.reopen.thousand"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.close.*", "timer.order.*"};
  Result<void> close() override {
    static int closed = 0;
    if (!is_running() && !is_closed() && ++closed > 1) leak(backend().internal_descriptors);
    return SelectorLoop::close();
  }
  static void leak(const std::vector<os::NativeSocket>& internal) {
    for (const os::NativeSocket fd : internal) {
      if (Result<os::UniqueFd> copy = os::duplicate(fd); copy.ok()) (void)copy->release();
    }
  }
};

class LeaksWhenDropped final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.finalise.without_close"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.close.*", "life.reopen.thousand"};
  ~LeaksWhenDropped() override {
    if (!is_closed()) LeaksDescriptor::leak(backend().internal_descriptors);
  }
};

/// Needs a second descriptor, and forgets the first when there is none.
class LeaksWhenRefused final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.init.partial_failure"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.close.*", "life.reopen.thousand"};
  static Result<std::unique_ptr<EventLoop>> make(const LoopOptions& options) {
    Result<std::unique_ptr<os::Waker>> first = os::make_waker();
    if (!first.ok()) return first.error();
    Result<std::unique_ptr<EventLoop>> loop = make_poll_based<LeaksWhenRefused>(options);
    if (!loop.ok()) forgotten().push_back(std::move(first).value());
    return loop;
  }

 private:
  static std::vector<std::unique_ptr<os::Waker>>& forgotten() {
    static std::vector<std::unique_ptr<os::Waker>> all;
    return all;
  }
};

/// A helper thread, started for the first call from outside, that nobody ever ends.
class LeaksThread final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"wake.threadsafe.same_thread"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "life.close.idempotent", "timer.order.*"};
  Handle call_soon_threadsafe(Callback callback) override {
    if (!std::exchange(started_, true)) {
      std::thread([] {
        std::atomic<bool> never{false};
        never.wait(false);
      }).detach();
    }
    return SelectorLoop::call_soon_threadsafe(std::move(callback));
  }

 private:
  bool started_ = false;
};

constexpr FaultyLoop kLoops[] = {
    wrong<ClosesTwice>("faulty.closes_twice",
                       "A second close() closes the same descriptor numbers again."),
    wrong<SecondCloseRefused>("faulty.second_close_refused", "A second close() is an error."),
    wrong<CloseWhileRunning>("faulty.close_while_running",
                             "close() inside a callback is taken for stop()."),
    wrong<ClosedTakesWork>("faulty.closed_takes_work",
                           "A closed loop accepts callbacks from other threads."),
    wrong<ClosedStillSends>("faulty.closed_still_sends", "sock_sendall() sends on a closed loop."),
    wrong<CloseRunsTheRest>("faulty.close_runs_the_rest", "close() runs pending callbacks."),
    wrong<KeepsCaptures>("faulty.close_keeps_captures",
                         "What discarded callbacks hold is released only with the loop."),
    wrong<HangsInClose>("faulty.hangs_in_close", "close() waits until no timer is pending."),
    wrong<CrashesInTeardown>("faulty.crashes_in_teardown",
                             "close() crashes when a timer is pending."),
    wrong<CrashesOnLateCancel>("faulty.crashes_on_late_cancel",
                               "Cancelling a handle after close() crashes."),
    wrong<CrashesAtExit>("faulty.crashes_at_exit",
                         "The end of the process crashes when a loop still runs."),
    wrong<TransportsWriteOn>("faulty.transports_write_on",
                             "Transports still write after their loop was closed."),
    wrong<LeaksDescriptor>("faulty.leaks_descriptor",
                           "Each loop but the first leaves a descriptor open."),
    wrong<LeaksWhenDropped>("faulty.leaks_when_dropped",
                            "A loop that is dropped unclosed leaves a descriptor open."),
    wrong<LeaksWhenRefused>("faulty.leaks_when_refused",
                            "A construction that fails leaves a descriptor open.",
                            LeaksWhenRefused::make),
    wrong<LeaksThread>("faulty.leaks_thread", "A helper thread outlives the loop."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::closing_faults
