// Loops that handle errors or debug mode wrongly, in one way each.
#include <cerrno>
#include <memory>
#include <utility>

#include "harness/testing/between.hpp"
#include "harness/testing/own_turn.hpp"

namespace loopscope::testing::error_faults {
namespace {

using namespace std::chrono_literals;

class Silent final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {
      "sched.soon.exception_isolated", "err.handler.custom",         "err.handler.default_restored",
      "err.handler.called_by_hand",    "err.future_never_retrieved", "err.task_never_retrieved",
      "err.protocol.made_lost_raise"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "timer.order.*", "life.stop.*"};
  void call_exception_handler(const ExceptionContext&) override {}
};

class ExceptionDropsTheRest final : public OwnTurn {
 public:
  using OwnTurn::OwnTurn;
  static constexpr Names kCaughtBy[] = {"sched.soon.exception_isolated", "err.handler.raises"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "err.handler.custom", "life.stop.*"};
  void call_exception_handler(const ExceptionContext& context) override {
    drop_ = true;
    OwnTurn::call_exception_handler(context);
  }

 protected:
  void run_batch() override {
    drop_ = false;
    for (const std::uint64_t end = ready_.tail(); ready_.head() < end;) {
      run_ready(ready_.head() + 1);
      if (drop_) return ready_.clear();
    }
  }

 private:
  bool drop_ = false;
};

class HandlerKept final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"err.handler.default_restored"};
  static constexpr Names kKeeps[] = {"err.handler.custom", "err.handler.raises", "sched.soon.*"};
  void set_exception_handler(ExceptionHandler handler) override {
    if (handler) SelectorLoop::set_exception_handler(std::move(handler));
  }
};

class HandlerUnguarded final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"err.handler.raises"};
  static constexpr Names kKeeps[] = {"err.handler.custom", "err.handler.default*", "sched.soon.*"};
  void call_exception_handler(const ExceptionContext& context) override {
    const ExceptionHandler handler = get_exception_handler();
    if (!handler) return SelectorLoop::call_exception_handler(context);
    handler(*this, context);
  }
};

class DefaultUnguarded final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"err.handler.default_raises"};
  static constexpr Names kKeeps[] = {"err.handler.custom", "err.handler.raises", "sched.soon.*"};
  void call_exception_handler(const ExceptionContext& context) override {
    if (get_exception_handler()) return SelectorLoop::call_exception_handler(context);
    default_exception_handler(context);
  }
};

class ExceptionWithheld final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"err.handler.custom", "err.future_never_retrieved",
                                        "err.task_never_retrieved"};
  static constexpr Names kKeeps[] = {"err.handler.raises", "sched.soon.*", "life.stop.*"};
  void call_exception_handler(const ExceptionContext& context) override {
    ExceptionContext poorer = context;
    poorer.exception = nullptr;
    SelectorLoop::call_exception_handler(poorer);
  }
};

class ReportsTwice final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"err.handler.custom", "err.protocol.data_received_raises",
                                        "sched.soon.exception_isolated"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "timer.order.*", "life.stop.*"};
  void call_exception_handler(const ExceptionContext& context) override {
    SelectorLoop::call_exception_handler(context);
    SelectorLoop::call_exception_handler(context);
  }
};

class ReportsLosses final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void connection_lost(const Error* why) override {
    ExceptionContext context;
    context.message = "connection lost";
    if (why != nullptr) context.error = *why;
    loop_.call_exception_handler(context);
    StreamBetween::connection_lost(why);
  }
};
class PeerErrorsAreBugs final : public StreamsThrough<ReportsLosses> {
 public:
  using StreamsThrough::StreamsThrough;
  static constexpr Names kCaughtBy[] = {"err.os_errors_quiet"};
  static constexpr Names kKeeps[] = {"err.handler.*", "sched.soon.*", "life.stop.*"};
};

/// Every error of a socket is an input/output error.
class OneErrorForAll final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"err.errno_mapping", "tcp.connect.refused",
                                        "tcp.connect.unreachable"};
  static constexpr Names kKeeps[] = {"err.handler.*", "sched.soon.*", "err.eintr_everywhere"};
  Future<void> sock_connect(Socket& socket, Endpoint peer) override {
    Future<void> inner = SelectorLoop::sock_connect(socket, peer);
    Future<void> outer = create_future<void>();
    inner.add_done_callback([inner, outer]() mutable {
      if (inner.result().ok()) {
        outer.set_result();
      } else {
        outer.set_error(errno_error_of(EIO, "connect"));
      }
    });
    return outer;
  }
};

/// A selector that gives up when a watched descriptor turns out to be closed.
class FragileSelector final : public Selector {
 public:
  explicit FragileSelector(std::unique_ptr<Selector> inner) : inner_(std::move(inner)) {}
  Result<void> add(os::NativeSocket fd, Interest interest) override {
    return inner_->add(fd, interest);
  }
  Result<void> modify(os::NativeSocket fd, Interest interest) override {
    return inner_->modify(fd, interest);
  }
  Result<void> remove(os::NativeSocket fd) override { return inner_->remove(fd); }
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    Result<void> waited = inner_->wait(timeout, ready);
    for (const Ready& one : ready) {
      if (one.gone) return errno_error_of(EBADF, "ppoll");
    }
    return waited;
  }

 private:
  std::unique_ptr<Selector> inner_;
};
class DiesOfClosedDescriptor final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"err.selector_failure"};
  static constexpr Names kKeeps[] = {"err.handler.*", "sched.soon.*", "timer.order.*"};
  static Result<std::unique_ptr<EventLoop>> make(const LoopOptions& options) {
    SelectorResult inner = make_poll_selector();
    if (!inner.ok()) return inner.error();
    Result<std::unique_ptr<os::Waker>> waker = os::make_waker();
    if (!waker.ok()) return waker.error();
    auto loop = std::make_unique<DiesOfClosedDescriptor>(
        options, std::make_unique<FragileSelector>(std::move(inner).value()),
        std::move(waker).value());
    if (const Result<void> opened = loop->open(); !opened.ok()) return opened.error();
    return std::unique_ptr<EventLoop>(std::move(loop));
  }
};

class NoThreadCheck final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dbg.thread_check"};
  static constexpr Names kKeeps[] = {"dbg.switch", "dbg.slow_callback", "sched.soon.*"};
  Handle call_soon(Callback callback) override {
    if (get_debug() && !on_loop_thread()) return call_soon_threadsafe(std::move(callback));
    return SelectorLoop::call_soon(std::move(callback));
  }
};

class SlowUnreported final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dbg.slow_callback"};
  static constexpr Names kKeeps[] = {"dbg.switch", "dbg.thread_check", "sched.soon.*"};
  void set_slow_callback_duration(Duration) override {
    SelectorLoop::set_slow_callback_duration(1h);
  }
};

class SlowUnnamed final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dbg.slow_callback.named"};
  static constexpr Names kKeeps[] = {"dbg.slow_callback", "dbg.thread_check", "sched.soon.*"};
  void log(LogLevel level, std::string_view text) override {
    SelectorLoop::log(level, text.starts_with("Executing ") ? "A callback was slow" : text);
  }
};

class DebugDenied final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dbg.switch"};
  static constexpr Names kKeeps[] = {"dbg.slow_callback", "dbg.thread_check", "sched.soon.*"};
  bool get_debug() const override { return false; }
};

class DroppedQuietly final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dbg.resource_warnings"};
  static constexpr Names kKeeps[] = {"dbg.slow_callback", "dbg.thread_check", "sched.soon.*"};
  ~DroppedQuietly() override { set_debug(false); }
};

/// In debug mode callbacks take a detour, and run an iteration later.
class DebugDetour final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dbg.no_behaviour_change"};
  static constexpr Names kKeeps[] = {"dbg.switch", "sched.soon.*", "life.stop.*"};
  Handle call_soon(Callback callback) override {
    if (!get_debug()) return SelectorLoop::call_soon(std::move(callback));
    return SelectorLoop::call_soon([this, later = std::make_shared<Callback>(std::move(callback))] {
      (void)SelectorLoop::call_soon([later] { (*later)(); });
    });
  }
};

constexpr FaultyLoop kLoops[] = {
    wrong<Silent>("faulty.swallows_exceptions", "The exception handler is never called."),
    wrong<ExceptionDropsTheRest>("faulty.exception_drops_rest",
                                 "An exception drops the callbacks behind it."),
    wrong<HandlerKept>("faulty.handler_kept", "An exception handler cannot be unset."),
    wrong<HandlerUnguarded>("faulty.handler_unguarded",
                            "An exception of the handler leaves run_forever()."),
    wrong<DefaultUnguarded>("faulty.default_handler_unguarded",
                            "An exception of the default handler leaves run_forever()."),
    wrong<ExceptionWithheld>("faulty.exception_withheld",
                             "The handler is not told which exception it was."),
    wrong<ReportsTwice>("faulty.reports_twice", "Each exception is reported twice."),
    wrong<PeerErrorsAreBugs>("faulty.peer_errors_are_bugs",
                             "A lost connection is reported to the exception handler."),
    wrong<OneErrorForAll>("faulty.one_error_for_all", "A refused connection is reported as EIO."),
    wrong<DiesOfClosedDescriptor>("faulty.dies_of_closed_descriptor",
                                  "A watched descriptor that was closed ends the run.",
                                  DiesOfClosedDescriptor::make),
    wrong<NoThreadCheck>("faulty.no_thread_check",
                         "Debug mode lets foreign threads call call_soon()."),
    wrong<SlowUnreported>("faulty.slow_unreported", "The threshold for slow callbacks is fixed."),
    wrong<SlowUnnamed>("faulty.slow_unnamed", "A slow callback is reported, and not which one."),
    wrong<DebugDenied>("faulty.debug_denied", "get_debug() is always false."),
    wrong<DroppedQuietly>("faulty.dropped_quietly", "An unclosed loop goes without a warning."),
    wrong<DebugDetour>("faulty.debug_detour", "Debug mode delays callbacks by an iteration."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::error_faults
