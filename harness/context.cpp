// Context: checks, the trace's judgement, running the subject, and the world of a cell.
#include "harness/context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "harness/cell_channel.hpp"
#include "harness/host.hpp"
#include "harness/scenario.hpp"
#include "harness/wait_monitor.hpp"

namespace loopscope {
namespace {

std::string place(Here here) {
  std::string_view file = here.file == nullptr ? "" : here.file;
  const std::size_t slash = file.find_last_of("/\\");
  if (slash != std::string_view::npos) file.remove_prefix(slash + 1);
  return std::string(file) + ":" + std::to_string(here.line);
}

std::vector<std::string> to_strings(std::initializer_list<std::string_view> marks) {
  return {marks.begin(), marks.end()};
}

/// For what the harness itself does: its trouble makes the cell broken.
template <class T>
T ours(Result<T> result) {
  if (!result.ok()) harness_failed(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

}  // namespace

std::string show(const std::string& value) { return show(std::string_view(value)); }
std::string show(std::string_view value) {
  constexpr std::size_t kShown = 400;
  if (value.size() <= kShown) return "\"" + std::string(value) + "\"";
  return fmt::format("\"{}\"... {} bytes in all", value.substr(0, kShown), value.size());
}
std::string show(bool value) { return value ? "true" : "false"; }
std::string show(const Bytes& value) { return show(text(value)); }
std::string show(const Endpoint& value) { return value.to_string(); }
std::string show(const Error& value) { return to_string(value); }
std::string show(Duration value) {
  const auto ns = value.count();
  const auto magnitude = ns < 0 ? -ns : ns;
  if (magnitude < 10'000) return fmt::format("{} ns", ns);
  if (magnitude < 10'000'000) return fmt::format("{:.1f} us", static_cast<double>(ns) / 1e3);
  return fmt::format("{:.2f} ms", static_cast<double>(ns) / 1e6);
}
std::string show(TimePoint value) {
  return fmt::format("t = {} ns", value.time_since_epoch().count());
}
std::string show(const std::vector<std::string>& values) {
  std::string result = "[";
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i == 60) return result + fmt::format(", ... {} in all]", values.size());
    result += (i == 0 ? "" : ", ") + values[i];
  }
  return result + "]";
}

// --- the host's own waits

struct HostControl::State {
  std::atomic<bool> ended{false};
  Seen seen;
  std::thread thread;
};

HostControl::HostControl(Duration period) : state_(std::make_unique<State>()) {
  State* state = state_.get();
  state->thread = std::thread([state, period] {
    while (!state->ended.load(std::memory_order_relaxed)) {
      const TimePoint due = now() + period;
      std::this_thread::sleep_for(period);  // the bare wait that loops are held against
      state->seen.worst = std::max(state->seen.worst, now() - due);
      ++state->seen.waits;
    }
  });
}

HostControl::~HostControl() { (void)stop(); }

HostControl::Seen HostControl::stop() {
  state_->ended.store(true, std::memory_order_relaxed);
  if (state_->thread.joinable()) state_->thread.join();
  return state_->seen;
}

// --- the subject

namespace {
std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

/// What the cell was told about its loops, as the command line passes it on.
LoopOptions loop_options() {
  LoopOptions options;
  const std::string_view watcher = variable("LOOPSCOPE_CHILD_WATCHER");
  if (watcher == "pidfd") options.child_watcher = ChildWatcher::pidfd;
  if (watcher == "sigchld") options.child_watcher = ChildWatcher::sigchld;
  const auto* level =
      std::find(std::begin(kUringLevels), std::end(kUringLevels), variable("LOOPSCOPE_URING"));
  if (level != std::end(kUringLevels)) {
    options.uring = static_cast<UringLevel>(level - std::begin(kUringLevels));
  }
  return options;
}
}  // namespace

Context::Context(const LoopDescriptor& descriptor, const Scenario& scenario, std::uint64_t seed,
                 Duration slack, Duration limit)
    : descriptor_(descriptor), scenario_(scenario), seed_(seed), slack_(slack), limit_(limit) {
  if (const char* dir = std::getenv("LOOPSCOPE_CELL_DIR"); dir != nullptr) temp_dir_ = dir;
  Result<std::unique_ptr<EventLoop>> made = descriptor_.make(loop_options());
  if (!made.ok()) throw Failure(made.error());
  loop_ = std::move(made).value();
}

Context::~Context() {
  join_threads();
  (void)close_subject();  // E7
}

EventLoop& Context::loop() {
  if (loop_ == nullptr) throw PeerFailure(make_error(Errc::closed, "Context::loop"));
  return *loop_;
}

std::unique_ptr<EventLoop> Context::new_loop() {
  Result<std::unique_ptr<EventLoop>> made = descriptor_.make(loop_options());
  if (!made.ok()) failed("another loop can be made", "a loop", to_string(made.error()));
  return std::move(made).value();
}

Result<void> Context::close_subject() {
  if (loop_ == nullptr) return {};
  // What the body installed refers to locals of the body, which have gone.
  loop_->set_exception_handler(nullptr);
  loop_->set_log_sink(nullptr);
  loop_->set_task_factory(nullptr);
  Result<void> closed = loop_->close();
  loop_.reset();
  return closed;
}

void Context::run(Coro<void> main) {
  try {
    ok(loop().run_until_complete(std::move(main)), "the scenario's coroutine runs to its end");
  } catch (const PeerFailure&) {
    throw;
  } catch (const Failure& failure) {
    failed("no operation inside the scenario's coroutine fails", "success",
           to_string(failure.error()));
  }
}

void Context::run_forever() { ok(loop().run_forever(), "run_forever returns after stop()"); }

void Context::run_until(const std::function<bool()>& done) {
  using namespace std::chrono_literals;
  while (!done()) {
    EventLoop* subject = &loop();
    TimerHandle bound = subject->call_later(1ms, [subject] { subject->stop(); });
    ok(bound, "call_later takes the callback that bounds a run");
    ok(subject->run_forever(), "run_forever returns after stop()");
    (void)bound.cancel();  // The body may have stopped the run before.
  }
}

void Context::run_once() {
  loop().stop();
  ok(loop().run_forever(), "run_forever after stop() makes one iteration");
}

// --- the trace

void Context::mark(std::string_view event) { trace_.mark(event); }

void Context::expect_trace(std::initializer_list<std::string_view> want, Here here) {
  const std::vector<std::string> wanted = to_strings(want);
  const std::vector<std::string> seen = trace_.names();
  if (seen != wanted) failed("the events and their order", show(wanted), show(seen), here);
}

void Context::expect_one_of(std::initializer_list<NamedTrace> legal, Here here) {
  const std::vector<std::string> seen = trace_.names();
  std::string wanted;
  for (const NamedTrace& candidate : legal) {
    const std::vector<std::string> marks = to_strings(candidate.marks);
    if (seen == marks) {
      if (&candidate == legal.begin()) return;
      diverges(candidate.name, show(to_strings(legal.begin()->marks)), show(seen), here);
    }
    wanted += fmt::format("{}{}: {}", wanted.empty() ? "" : " or ", candidate.name, show(marks));
  }
  failed("the events are in one of the legal orders", wanted, show(seen), here);
}

// --- checks

void Context::not_before(TimePoint seen, TimePoint bound, std::string_view what, Here here) {
  const Duration early = bound - descriptor_.clock_resolution - seen;
  if (early > Duration::zero()) {
    failed(what, "not before its time", show(bound - seen) + " early", here);
  }
}

void Context::soon_after(TimePoint seen, TimePoint bound, HostControl& control,
                         std::string_view what, Here here) {
  const HostControl::Seen host = control.stop();
  {
    const std::lock_guard lock(mutex_);
    if (!control_ || control_->worst < host.worst) control_ = host;
  }
  const Duration late = seen - bound;
  if (late <= slack_) return;
  if (host.waits == 0 || host.worst > slack_) {
    inconclusive(fmt::format("{}: {} late, but this host's own waits were up to {} late meanwhile",
                             what, show(late), show(host.worst)),
                 here);
  }
  failed(what, "at most " + show(slack_) + " late",
         fmt::format("{} late; the host's own waits at most {}", show(late), show(host.worst)),
         here);
}

// --- other ends of a body

void Context::conclude(Finding finding) {
  const std::lock_guard lock(mutex_);
  if (finding_) return;
  cell::say(fmt::format("{{\"said\":{},\"what\":{},\"expected\":{},\"observed\":{},\"where\":{}}}",
                        cell::quoted(name(finding.outcome)), cell::quoted(finding.what),
                        cell::quoted(finding.expected), cell::quoted(finding.observed),
                        cell::quoted(finding.where)));
  finding_ = std::move(finding);
}

void Context::end(Finding finding) {
  conclude(std::move(finding));
  throw CheckFailed();
}

void Context::failed(std::string_view what, std::string expected, std::string observed, Here here) {
  const bool red = can_fail(scenario_.level, scenario_.authority);
  end({.outcome = red ? Outcome::fail : Outcome::diverges,
       .what = std::string(what),
       .variant = red ? "" : std::string(name(scenario_.level)) + " not kept",
       .expected = std::move(expected),
       .observed = std::move(observed),
       .where = place(here)});
}

void Context::diverges(std::string_view variant, std::string expected, std::string observed,
                       Here here) {
  end({.outcome = Outcome::diverges,
       .what = scenario_.promise.empty() ? std::string(variant) : std::string(scenario_.promise),
       .variant = std::string(variant),
       .expected = std::move(expected),
       .observed = std::move(observed),
       .where = place(here)});
}

void Context::skip(std::string_view why, Here here) {
  end({.outcome = Outcome::skip, .what = std::string(why), .where = place(here)});
}

void Context::inconclusive(std::string_view why, Here here) {
  end({.outcome = Outcome::inconclusive, .what = std::string(why), .where = place(here)});
}

std::optional<Finding> Context::finding() const {
  const std::lock_guard lock(mutex_);
  return finding_;
}

// --- threads

void Context::thread(std::function<void()> work) {
  std::thread started([this, run = std::move(work)] {
    try {
      run();
    } catch (const CheckFailed&) {
      // The finding is recorded already; the thread ends here, as the body would.
    } catch (const HostLacks& lack) {
      conclude({.outcome = Outcome::skip, .what = lack.reason()});
    } catch (const PeerFailure& failure) {
      conclude({.outcome = Outcome::broken, .what = "harness: " + to_string(failure.error())});
    } catch (const std::exception& error) {
      conclude({.outcome = can_fail(scenario_.level, scenario_.authority) ? Outcome::fail
                                                                          : Outcome::diverges,
                .what = "no exception leaves a thread of the scenario",
                .expected = "no exception",
                .observed = error.what()});
    }
  });
  const std::lock_guard lock(mutex_);
  threads_.push_back(std::move(started));
}

void Context::join_threads() {
  while (true) {
    std::vector<std::thread> joining;
    {
      const std::lock_guard lock(mutex_);
      joining.swap(threads_);
    }
    if (joining.empty()) return;
    for (std::thread& thread : joining) thread.join();
  }
}

// --- measuring

std::size_t Context::raise_descriptor_limit() { return host::raise_descriptor_limit(); }
void Context::lower_descriptor_limit(std::size_t limit) {
  ours(host::lower_descriptor_limit(limit));
}
std::vector<os::NativeSocket> Context::open_descriptors() const { return host::open_descriptors(); }
std::uint64_t Context::waits() const { return waits::of_this_thread().total(); }
Duration Context::thread_cpu_time() const { return host::thread_cpu_time(); }

void Context::note(std::string_view key, double value, std::string_view unit) {
  const std::lock_guard lock(mutex_);
  notes_.push_back({std::string(key), value, std::string(unit)});
}
void Context::note(std::string_view key, std::string_view value) {
  const std::lock_guard lock(mutex_);
  notes_.push_back({std::string(key), std::string(value), ""});
}
std::vector<Note> Context::notes() const {
  const std::lock_guard lock(mutex_);
  return notes_;
}
std::optional<HostControl::Seen> Context::control() const {
  const std::lock_guard lock(mutex_);
  return control_;
}

}  // namespace loopscope
