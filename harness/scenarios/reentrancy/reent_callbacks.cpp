// Reentrancy of callbacks: destructors, exception handlers and timers that call back into the loop.
#include <stdexcept>

#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::reent_callbacks {
namespace {

// Held by a callback: acts when the loop destroys that callback.
std::shared_ptr<void> on_destruction(std::function<void()> act) {
  return std::shared_ptr<void>(nullptr, [act = std::move(act)](void*) { act(); });
}

void destructor_reenters(Context& cx) {
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  pair.peer.send("x");
  const Duration far = std::chrono::hours(1);

  Handle sibling = loop.call_soon([&] { cx.mark("cancelled by a destructor"); });
  TimerHandle later = loop.call_later(far, [&] { cx.mark("an hour later"); });
  Handle soon = loop.call_soon([token = on_destruction([&] {
                                  cx.mark("call_soon's destructor");
                                  sibling.cancel();
                                  loop.call_soon([&] { cx.mark("added by the first destructor"); });
                                })] {});
  TimerHandle timer = loop.call_later(
      far, [token = on_destruction([&] {
              cx.mark("call_later's destructor");
              later.cancel();
              loop.call_later(Duration(0), [&] { cx.mark("added by the second destructor"); });
            })] {});
  cx.ok(loop.add_reader(pair.subject, [token = on_destruction([&] {
                                         cx.mark("add_reader's destructor");
                                         (void)loop.add_reader(pair.subject, [&] {
                                           cx.mark("reader added by the third destructor");
                                           (void)loop.remove_reader(pair.subject);
                                         });
                                       })] {}),
        "add_reader");
  cx.equal(soon.cancel(), true, "the callback was cancelled");
  cx.equal(timer.cancel(), true, "the timer was cancelled");
  cx.equal(loop.remove_reader(pair.subject).value(), true, "the reader was removed");
  for (const char* expected : {"call_soon's destructor", "added by the first destructor",
                               "call_later's destructor", "added by the second destructor",
                               "add_reader's destructor", "reader added by the third destructor"}) {
    turn_until(cx, [&] { return cx.trace().count(expected) > 0; });
    cx.equal(cx.trace().count(expected), 1, expected);
  }
  cx.equal(cx.trace().count("cancelled by a destructor"), 0, "runs of the cancelled callback");
  cx.equal(later.cancel(), false, "the other timer was cancelled by the destructor");
}

void exception_handler_stops(Context& cx) {
  EventLoop& loop = cx.loop();
  os::Pipe pipe = cx.pipe();
  const auto protocol = std::make_shared<Protocol>();
  const Link link =
      settle(cx, loop.connect_read_pipe([&] { return protocol; }, std::move(pipe.read)), "connect");
  loop.set_exception_handler([&](EventLoop& at, const ExceptionContext&) {
    cx.mark("handler");
    link.transport->close();
    at.call_soon([&] { cx.mark("queued by the handler"); });
    at.stop();
  });
  loop.call_soon([] { throw std::runtime_error("on purpose"); });
  loop.call_soon([&] { cx.mark("sibling"); });
  cx.run_forever();
  cx.equal(cx.trace().count("handler"), 1, "calls of the handler");
  cx.equal(cx.trace().count("sibling"), 1, "runs of the callback queued behind the one that threw");
  cx.equal(cx.trace().count("queued by the handler"), 0, "runs of what belongs to the next run");
  loop.set_exception_handler(nullptr);
  turn(cx, 5);
  cx.equal(cx.trace().count("queued by the handler"), 1, "runs in the next run");
  cx.is_true(link.transport->is_closing(), "the transport that the handler closed");
}

// A model of what has to run is kept beside the loop and compared at the end.
class TimerModel {
 public:
  explicit TimerModel(Context& cx) : cx_(cx), random_(cx.seed() * 2 + 1) {}
  void add() {
    const std::size_t index = timers_.size();
    const Duration delay = std::chrono::microseconds(next() % 3000);
    timers_.push_back({});
    timers_[index].handle = cx_.loop().call_later(delay, [this, index] { fired(index); });
  }
  bool over() const { return live_left() == 0; }
  std::size_t wrong() const {
    std::size_t count = 0;
    for (const Each& each : timers_) count += each.runs != (each.cancelled ? 0 : 1);
    return count;
  }
  std::size_t out_of_order() const { return out_of_order_; }
  std::size_t size() const { return timers_.size(); }

 private:
  struct Each {
    TimerHandle handle;
    bool cancelled = false;
    int runs = 0;
  };
  std::size_t next() {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>(random_ >> 33);
  }
  std::size_t live_left() const {
    std::size_t count = 0;
    for (const Each& each : timers_) count += !each.cancelled && each.runs == 0;
    return count;
  }
  void fired(std::size_t index) {
    ++timers_[index].runs;
    // Those added at the same time come in the order of their deadlines, as finely as the loop
    // tells them apart.
    const TimePoint rounded_up = timers_[index].handle.when() + cx_.descriptor().clock_resolution;
    if (rounded_up < last_ && index < kFirst) ++out_of_order_;
    if (index < kFirst) last_ = timers_[index].handle.when();
    for (int i = 0; i < 2 && timers_.size() < kAll; ++i) add();
    Each& other = timers_[next() % timers_.size()];
    const bool cancelled = other.handle.cancel();
    if (cancelled) other.cancelled = true;
  }

 public:
  static constexpr std::size_t kFirst = 100, kAll = 300;

 private:
  Context& cx_;
  std::uint64_t random_;
  std::vector<Each> timers_;
  TimePoint last_{};
  std::size_t out_of_order_ = 0;
};

void timer_modifies_heap(Context& cx) {
  TimerModel model(cx);
  for (std::size_t i = 0; i < TimerModel::kFirst; ++i) model.add();
  cx.run_until([&] { return model.over(); });
  turn(cx, 5);
  cx.note("timers", static_cast<double>(model.size()), "count");
  cx.equal(model.wrong(), 0, "timers that did not run once, or ran although they were cancelled");
  cx.equal(model.out_of_order(), 0, "timers that ran before one with an earlier deadline");
}

constexpr std::string_view kDestructors[] = {"Handle.cancel", "call_soon", "call_later",
                                             "add_reader", "remove_reader"};
constexpr std::string_view kHandler[] = {"set_exception_handler", "stop"};
constexpr std::string_view kTimers[] = {"call_later", "Handle.cancel", "TimerHandle.when"};

constexpr Scenario kScenarios[] = {
    {.id = "reent.destructor_reenters",
     .promise = "Destroying a callback that calls back into the loop while the loop cancels or "
                "removes it keeps both changes.",
     .source = "loops/base/callback.hpp, reset(); github.com/python/cpython/issues/125969",
     .needs = {Cap::call_soon, Cap::call_later, Cap::add_reader, Cap::native_socket},
     .body = destructor_reenters,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::edge,
     .api = kDestructors},
    {.id = "reent.exception_handler_stops",
     .promise = "An exception handler may stop the loop and close transports: the iteration ends "
                "as after any other stop(), and the loop can run again.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.stop; #asyncio.loop."
               "set_exception_handler",
     .needs = {Cap::call_soon, Cap::exception_handler, Cap::pipes, Cap::native_socket},
     .body = exception_handler_stops,
     .severity = Severity::edge,
     .api = kHandler},
    {.id = "reent.timer_modifies_heap",
     .promise = "Timer callbacks may add and cancel any timers: each one runs once or, when "
                "cancelled, never, in the order of deadlines.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_at",
     .needs = {Cap::call_later},
     .body = timer_modifies_heap,
     .api = kTimers}};

}  // namespace

extern const ScenarioFile file{"A26", "Reentrancy", kScenarios};
}  // namespace loopscope::scenarios::reent_callbacks
