// Loops over completions whose proactor is wrong in one way each.
#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <thread>

#include "harness/testing/proactor_based.hpp"

namespace loopscope::testing::proactor_faults {
namespace {

using namespace std::chrono_literals;
using Kind = Operation::Kind;
using Names = std::string_view;

bool is_cancelled(const Completion& completion) {
  return completion.error == std::errc::operation_canceled;
}

class ShortSendLost final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"tcp.write.order", "sock.sendall.large"};
  static constexpr Names kKeeps[] = {"sock.recv.basic", "udp.zero_length", "sched.soon.fifo"};

 protected:
  void prepare(Operation& given) override {
    if (given.kind != Kind::send) return;
    constexpr std::size_t kTaken = 50'000;
    std::size_t left = kTaken;
    for (ByteView& piece : given.pieces) {
      piece = piece.first(std::min(piece.size(), left));
      left -= piece.size();
    }
  }
};

/// Ends what repeats after its first completion, and says that it goes on.
class FirstOfMany : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;

 protected:
  void deliver(Operation& operation, Completion completion) override {
    if (ended_.count(&operation) != 0) return;
    if (operation.kind == kind() && operation.repeats && completion.ok() && completion.more) {
      ended_.insert(&operation);
      cancel_behind(operation);
    }
    tell(operation, std::move(completion));
  }
  virtual Kind kind() const = 0;

 private:
  std::set<const Operation*> ended_;
};

class ReceiveNotRearmed final : public FirstOfMany {
 public:
  using FirstOfMany::FirstOfMany;
  static constexpr Names kCaughtBy[] = {"unix.stream.echo", "tcp.protocol_switch",
                                        "uring.multishot_end"};
  static constexpr Names kKeeps[] = {"sock.recv.basic", "sock.accept.basic", "sched.soon.fifo"};

 protected:
  Kind kind() const override { return Kind::receive; }
};

class AcceptNotRearmed final : public FirstOfMany {
 public:
  using FirstOfMany::FirstOfMany;
  static constexpr Names kCaughtBy[] = {"srv.accept.backlog_loop", "uring.multishot_end"};
  static constexpr Names kKeeps[] = {"sock.accept.basic", "tcp.half_close.eof_then_write"};

 protected:
  Kind kind() const override { return Kind::accept; }
};

class CancelNotTold final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"sock.recv.cancel_then_retry", "tcp.abort"};
  static constexpr Names kKeeps[] = {"sock.recv.basic", "sock.accept.basic", "sched.soon.fifo"};

 protected:
  void deliver(Operation& operation, Completion completion) override {
    if (!is_cancelled(completion)) tell(operation, std::move(completion));
  }
};

/// Says at once that a receive or an accept has ended, and leaves it with the system, where it
/// takes what comes next.
class CancelToldEarly final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"sock.recv.cancel_then_retry", "uring.close_cancels",
                                        "uring.listener_close", "uring.cancel_results",
                                        "uring.cancel_results.accept"};
  static constexpr Names kKeeps[] = {"sock.recv.basic", "sock.accept.basic", "sched.soon.fifo"};
  void request_cancel(Operation& operation) override {
    const bool stays = operation.kind == Kind::receive || operation.kind == Kind::accept;
    if (!stays || operation.in_flight == nullptr) {
      return ProactorBetween::request_cancel(operation);
    }
    forget(operation);
    told_next_.push_back(&operation);
  }
  Result<void> wait(std::optional<Duration> timeout) override {
    const bool any = !told_next_.empty();
    for (Operation* operation : std::exchange(told_next_, {})) {
      operation->completed({.error = std::make_error_code(std::errc::operation_canceled)});
    }
    return ProactorBetween::wait(any ? Duration::zero() : timeout);
  }

 private:
  std::vector<Operation*> told_next_;
};

/// As if its queue of completions were small and what did not fit were gone.
class OverflowIgnored final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"limit.maxevents"};
  static constexpr Names kKeeps[] = {"sock.recv.basic", "tcp.write.order", "sched.soon.fifo"};
  Result<void> wait(std::optional<Duration> timeout) override {
    came_ = 0;
    return ProactorBetween::wait(timeout);
  }

 protected:
  void deliver(Operation& operation, Completion completion) override {
    if (++came_ <= kRoom) tell(operation, std::move(completion));
  }

 private:
  static constexpr int kRoom = 64;
  int came_ = 0;
};

class WakeIgnored final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"wake.threadsafe.parked", "uring.eventfd_wakeup"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "timer.order.*", "sock.recv.basic"};
  void wake() noexcept override {}
};

class NeverBlocks final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"life.empty.blocks_not_spins"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "timer.order.*", "sock.recv.basic"};
  Result<void> wait(std::optional<Duration>) override {
    return ProactorBetween::wait(Duration::zero());
  }
};

class EndNotSeen final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"tcp.half_close.eof_then_write"};
  static constexpr Names kKeeps[] = {"sock.recv.basic", "tcp.reset.reading", "sched.soon.fifo"};

 protected:
  void deliver(Operation& operation, Completion completion) override {
    const bool end = operation.kind == Kind::receive && operation.repeats && completion.ok() &&
                     completion.count == 0;
    if (!end) tell(operation, std::move(completion));
  }
};

class ResetIsTheEnd final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"tcp.reset.reading"};
  static constexpr Names kKeeps[] = {"tcp.half_close.eof_then_write", "sock.recv.basic"};

 protected:
  void deliver(Operation& operation, Completion completion) override {
    if (completion.error == std::errc::connection_reset) completion.error = {};
    tell(operation, std::move(completion));
  }
};

class SenderNotTold final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"udp.order_and_sender", "sock.sendto_recvfrom"};
  static constexpr Names kKeeps[] = {"sock.recv.basic", "tcp.write.order"};

 protected:
  void deliver(Operation& operation, Completion completion) override {
    if (operation.kind == Kind::receive_from) operation.address = {};
    tell(operation, std::move(completion));
  }
};

class RefusalNotTold final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"sock.connect.refused", "tcp.connect.refused"};
  static constexpr Names kKeeps[] = {"sock.connect.basic", "tcp.write.order"};

 protected:
  void deliver(Operation& operation, Completion completion) override {
    if (operation.kind == Kind::connect && !is_cancelled(completion)) completion.error = {};
    tell(operation, std::move(completion));
  }
};

/// What was received lies in memory that is used again before anybody has read it.
class MemoryReused final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"tcp.made_before_data", "unix.stream.echo"};
  static constexpr Names kKeeps[] = {"sock.accept.basic", "sched.soon.fifo"};
  Result<void> wait(std::optional<Duration> timeout) override {
    Result<void> waited = ProactorBetween::wait(timeout);
    room_.fill(std::byte{'#'});
    return waited;
  }

 protected:
  void deliver(Operation& operation, Completion completion) override {
    if (completion.data) {
      const std::span<std::byte> bytes = completion.data.bytes();
      const std::size_t count = std::min({bytes.size(), completion.count, room_.size()});
      std::copy_n(bytes.begin(), count, room_.begin());
      completion.data = LentBytes(pool_, 0, std::span(room_).first(count));
      completion.count = count;
    }
    tell(operation, std::move(completion));
  }

 private:
  struct Pool final : LentBytes::Pool {
    void give_back(std::uint32_t) noexcept override {}
  };

  std::array<std::byte, 65'536> room_{};
  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>();
};

/// As if a full queue of submissions took no more until the next wait, and said nothing.
class SubmissionsDropped final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"uring.sq_full"};
  static constexpr Names kKeeps[] = {"sock.recv.basic", "sock.accept.basic", "tcp.write.order"};
  Result<void> submit(Operation& operation) override {
    if (++asked_ > kRoom) return {};
    return ProactorBetween::submit(operation);
  }
  Result<void> wait(std::optional<Duration> timeout) override {
    asked_ = 0;
    return ProactorBetween::wait(timeout);
  }

 private:
  static constexpr int kRoom = 256;
  int asked_ = 0;
};

/// As if the system ignored what a thread asks for that was not the last one to wait.
class OtherThreadsIgnored final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"uring.thread_affinity"};
  static constexpr Names kKeeps[] = {"sock.recv.basic", "sock.accept.basic", "tcp.write.order"};
  Result<void> submit(Operation& operation) override {
    if (owner_ != std::thread::id{} && owner_ != std::this_thread::get_id()) return {};
    return ProactorBetween::submit(operation);
  }
  Result<void> wait(std::optional<Duration> timeout) override {
    owner_ = std::this_thread::get_id();
    return ProactorBetween::wait(timeout);
  }

 private:
  std::thread::id owner_{};
};

/// Polls are asked for again at a later look only when something new has come.
class PollsAreEdges final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"uring.poll_semantics"};
  static constexpr Names kKeeps[] = {"sock.recv.basic", "tcp.write.order", "sched.soon.fifo"};

 protected:
  void deliver(Operation& operation, Completion completion) override {
    if (operation.kind == Kind::poll && completion.ok() && operation.readable &&
        !told_.insert(operation.fd).second) {
      return;
    }
    tell(operation, std::move(completion));
  }

 private:
  std::set<os::NativeSocket> told_;
};

class CauseNotTold final : public ProactorBetween {
 public:
  using ProactorBetween::ProactorBetween;
  static constexpr Names kCaughtBy[] = {"uring.unavailable_fallback"};
  static constexpr Names kKeeps[] = {"sock.recv.basic", "sched.soon.fifo"};
};
Result<std::unique_ptr<EventLoop>> make_without_cause(const LoopOptions& options) {
  Result<std::unique_ptr<EventLoop>> made = make_over_uring<CauseNotTold>(options);
  if (!made.ok()) return make_error(Errc::not_supported, "make");
  return made;
}
constexpr FaultyLoop without_cause() {
  FaultyLoop row = wrong_proactor<CauseNotTold>("faulty.proactor_cause_not_told",
                                                "Where io_uring is refused nobody learns why.");
  row.loop.make = make_without_cause;
  return row;
}

constexpr FaultyLoop kLoops[] = {
    wrong_proactor<ShortSendLost>("faulty.proactor_short_send_lost",
                                  "A send that the system cut short counts as whole."),
    wrong_proactor<ReceiveNotRearmed>("faulty.proactor_receive_not_rearmed",
                                      "A receive that repeats ends unsaid after its first data."),
    wrong_proactor<AcceptNotRearmed>("faulty.proactor_accept_not_rearmed",
                                     "An accept that repeats ends unsaid after its first socket."),
    wrong_proactor<CancelNotTold>("faulty.proactor_cancel_not_told",
                                  "An operation that was cancelled never completes."),
    wrong_proactor<CancelToldEarly>(
        "faulty.proactor_cancel_told_early",
        "What is cancelled stays with the system and takes what comes."),
    wrong_proactor<OverflowIgnored>("faulty.proactor_overflow_ignored",
                                    "Of many completions at once the last are lost."),
    wrong_proactor<WakeIgnored>("faulty.proactor_wake_ignored",
                                "A wake-up does not end a wait for completions."),
    wrong_proactor<NeverBlocks>("faulty.proactor_never_blocks",
                                "The wait for completions only looks."),
    wrong_proactor<EndNotSeen>("faulty.proactor_end_not_seen",
                               "A receive of nothing is not taken for the end of the stream."),
    wrong_proactor<ResetIsTheEnd>("faulty.proactor_reset_is_the_end",
                                  "A reset counts as the end of the stream."),
    wrong_proactor<SenderNotTold>("faulty.proactor_sender_not_told",
                                  "A datagram comes without its sender."),
    wrong_proactor<RefusalNotTold>("faulty.proactor_refusal_not_told",
                                   "A connect that failed counts as done."),
    wrong_proactor<MemoryReused>("faulty.proactor_memory_reused",
                                 "Received bytes are overwritten before they are read."),
    wrong_proactor<SubmissionsDropped>("faulty.proactor_submissions_dropped",
                                       "Of many operations asked for at once the last are lost."),
    wrong_proactor<OtherThreadsIgnored>("faulty.proactor_other_threads_ignored",
                                        "What another thread asks for is never done."),
    wrong_proactor<PollsAreEdges>("faulty.proactor_polls_are_edges",
                                  "A descriptor that stays ready is reported once."),
    without_cause(),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::proactor_faults
