// Loops whose iteration is unfair or cannot bear to be called back, in one way each.
#include <algorithm>
#include <map>

#include "harness/testing/between.hpp"
#include "harness/testing/condition.hpp"

namespace loopscope::testing::turn_faults {
namespace {

/// Runs what is ready, and what that adds and posts, until nothing is left. Then looks at I/O.
class DrainsEverything final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;

 protected:
  Result<void> run_once() override {
    do {
      run_ready();
      inbox_.drain(ready_);
    } while (!ready_.empty());
    return SelectorLoop::run_once();
  }
};

class SignalsCrowdOut final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, std::function<void()> callback) override {
    return SelectorLoop::add_signal_handler(signum, [this, callback = std::move(callback)] {
      signal_ran_ = true;
      callback();
    });
  }

 protected:
  Result<void> poll(std::optional<Duration> timeout) override {
    Result<void> polled = SelectorLoop::poll(timeout);
    signal_ran_ = false;
    return polled;
  }
  void dispatch(os::NativeSocket fd, Direction direction) override {
    if (!signal_ran_) SelectorLoop::dispatch(fd, direction);
  }

 private:
  bool signal_ran_ = false;
};

/// Serves a transport for as long as it has data.
class ReadsUntilEmpty final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> watch(os::NativeSocket fd, Direction direction,
                     std::function<void()> ready) override {
    if (direction == Direction::write) return SelectorLoop::watch(fd, direction, std::move(ready));
    const std::uint64_t serial = watched_[fd] = ++serial_;
    return SelectorLoop::watch(fd, direction, [this, fd, serial, ready = std::move(ready)] {
      do {
        ready();
      } while (watched_[fd] == serial && condition_of(fd).readable);
    });
  }
  void unwatch(os::NativeSocket fd, Direction direction) override {
    if (direction == Direction::read) watched_[fd] = 0;
    SelectorLoop::unwatch(fd, direction);
  }
  Result<bool> remove_reader(FileObj file) override {
    watched_[file.native()] = 0;
    return SelectorLoop::remove_reader(file);
  }

 private:
  std::map<os::NativeSocket, std::uint64_t> watched_;
  std::uint64_t serial_ = 0;
};

/// Goes on writing for as long as there is room.
class WritesUntilFull final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> watch(os::NativeSocket fd, Direction direction,
                     std::function<void()> ready) override {
    if (direction == Direction::read) return SelectorLoop::watch(fd, direction, std::move(ready));
    watched_[fd] = true;
    return SelectorLoop::watch(fd, direction, [this, fd, ready = std::move(ready)] {
      do {
        ready();
      } while (watched_[fd] && condition_of(fd).writable);
    });
  }
  void unwatch(os::NativeSocket fd, Direction direction) override {
    if (direction == Direction::write) watched_[fd] = false;
    SelectorLoop::unwatch(fd, direction);
  }
  Result<bool> remove_writer(FileObj file) override {
    watched_[file.native()] = false;
    return SelectorLoop::remove_writer(file);
  }

 private:
  std::map<os::NativeSocket, bool> watched_;
};

class LostTwice final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void connection_lost(const Error* why) override {
    user_->connection_lost(why);
    user_->connection_lost(why);
  }
};

class ExceptionEndsBatch final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  void call_exception_handler(const ExceptionContext& context) noexcept override {
    SelectorLoop::call_exception_handler(context);
    if (!stopping_) return;
    while (!ready_.empty()) (void)ready_.pop();
  }
};

class CancelLostInside final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;

 protected:
  bool cancel_timer(std::uint64_t id) override {
    return is_running() || SelectorLoop::cancel_timer(id);
  }
};

using Names = std::string_view;
constexpr Names kDrains[] = {"fair.ready_vs_io", "fair.threadsafe_storm", "fair.accept_storm"};
constexpr Names kSignals[] = {"fair.signal_storm"};
constexpr Names kReads[] = {"fair.fast_reader"};
constexpr Names kWrites[] = {"fair.fast_writer"};
constexpr Names kTwice[] = {"reent.close_in_callbacks", "reent.use_in_connection_lost",
                            "reent.remove_other_transport", "reent.buffer_provider"};
constexpr Names kBatch[] = {"reent.exception_handler_stops"};
constexpr Names kCancel[] = {"reent.timer_modifies_heap"};

constexpr Names kKeeps[] = {"rw.level_triggered", "sock.recv.basic", "rw.remove.returns"};
constexpr Names kKeepsReading[] = {"rw.level_triggered", "sock.recv.basic"};
constexpr Names kKeepsMore[] = {"rw.writer.immediate", "sock.recv.basic", "flow.high_zero"};

constexpr FaultyLoop kLoops[] = {
    {.loop = poll_based<DrainsEverything>("faulty.queue_drained_before_io"),
     .defect = "Callbacks run until none is left, those they add included, before any I/O.",
     .must_fail = kDrains,
     .must_pass = kKeeps},
    {.loop = poll_based<SignalsCrowdOut>("faulty.signals_crowd_out_events"),
     .defect = "Events that are found in the iteration after a signal are dropped.",
     .must_fail = kSignals,
     .must_pass = kKeeps},
    {.loop = poll_based<ReadsUntilEmpty>("faulty.reads_until_empty"),
     .defect = "A descriptor is read until it is empty before the next one gets its turn.",
     .must_fail = kReads,
     .must_pass = kKeepsMore},
    {.loop = poll_based<WritesUntilFull>("faulty.writes_until_full"),
     .defect = "A descriptor is written to until it is full before the next one gets its turn.",
     .must_fail = kWrites,
     .must_pass = kKeepsReading},
    {.loop = poll_based<StreamsThrough<LostTwice>>("faulty.connection_lost_repeated"),
     .defect = "connection_lost is called twice.",
     .must_fail = kTwice,
     .must_pass = kKeeps},
    {.loop = poll_based<ExceptionEndsBatch>("faulty.stopping_handler_drops_batch"),
     .defect = "What is queued is dropped when an exception handler stops the loop.",
     .must_fail = kBatch,
     .must_pass = kKeeps},
    {.loop = poll_based<CancelLostInside>("faulty.timer_cancel_lost_inside"),
     .defect = "Cancelling a timer from a callback has no effect.",
     .must_fail = kCancel,
     .must_pass = kKeeps},
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::turn_faults
