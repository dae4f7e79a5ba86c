// Wake-up: the channel itself, its descriptors, its end, and signals that another thread takes.
#include <algorithm>
#include <csignal>
#include <iterator>
#include <memory>
#include <vector>

#include "harness/scenario.hpp"
#include "harness/scenarios/moments.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::wake_channel {
namespace {

using namespace std::chrono_literals;

/// The descriptors that a new loop brings along.
std::vector<os::NativeSocket> descriptors_of(Context& cx, std::unique_ptr<EventLoop>& made) {
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  made = cx.new_loop();
  const std::vector<os::NativeSocket> after = cx.open_descriptors();
  std::vector<os::NativeSocket> own;
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                      std::back_inserter(own));
  return own;
}

void channel_at_its_end(Context& cx) {
  std::unique_ptr<EventLoop> subject;
  unsigned ended = 0;
  for (const os::NativeSocket fd : descriptors_of(cx, subject)) {
    if (os::kind_of(fd).value() == os::FdKind::socket) ended += os::shutdown_write(fd).ok();
  }
  if (ended == 0) cx.skip("the wake-up channel of this loop is no socket: it has no end");
  subject->call_later(40ms, [&] { cx.mark("timer"), subject->stop(); });
  const std::uint64_t before = cx.waits();
  cx.ok(subject->run_forever(), "run_forever with a wake-up channel at its end");
  cx.at_most(cx.waits() - before, 20u, "waits for one timer of 40 ms");
  cx.expect_trace({"timer"});
}

void descriptors_hidden(Context& cx) {
  std::unique_ptr<EventLoop> subject;
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  const std::vector<os::NativeSocket> own = descriptors_of(cx, subject);
  for (const os::NativeSocket fd : own) {
    cx.is_true(!os::is_inheritable(fd).value(), "a descriptor of the loop is close-on-exec");
  }
  for (const os::NativeSocket fd : subject->backend().internal_descriptors) {
    cx.is_true(std::ranges::count(own, fd) == 1, "a descriptor that the loop lists is its own");
  }
  cx.note("descriptors_per_loop", static_cast<double>(own.size()), "count");
  cx.ok(subject->close(), "close");
  cx.equal(cx.open_descriptors(), before, "open descriptors after close()");
  cx.is_true(subject->backend().internal_descriptors.empty(), "a closed loop lists none");
}

void signal_to_a_worker(Context& cx) {
  EventLoop& loop = cx.loop();
  cx.ok(loop.add_signal_handler(tools::kOtherSignal, [&] { cx.mark("signal"), loop.stop(); }),
        "add_signal_handler");
  when_parked(cx, [] {
    tools::raise_here(tools::kOtherSignal);
  });  // Taken by that thread; this one waits on.
  cx.run_forever();
  cx.expect_trace({"signal"});
}

constexpr std::string_view kWake[] = {"call_soon_threadsafe", "run_forever"};
constexpr std::string_view kMake[] = {"new_event_loop", "close"};
constexpr std::string_view kSignals[] = {"add_signal_handler"};
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "wake.channel_eof",
     .promise = "The end of the wake-up channel does not make the loop spin.",
     .source = "github.com/python/cpython/issues/156333",
     .needs = {Cap::call_later, Cap::native_socket},
     .body = channel_at_its_end,
     .authority = Authority::de_facto,
     .api = kWake,
     .limit = kLimit},
    {.id = "wake.internal_fds_hidden",
     .promise = "The loop's own descriptors are close-on-exec, and gone after close().",
     .source = "peps.python.org/pep-0446 (new descriptors are not inheritable)",
     .needs = {Cap::call_soon, Cap::native_socket},
     .body = descriptors_hidden,
     .severity = Severity::common,
     .api = kMake,
     .limit = kLimit},
    {.id = "wake.thread_signal",
     .promise = "A signal that another thread takes wakes a loop that waits.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_signal_handler",
     .needs = {Cap::signals},
     .body = signal_to_a_worker,
     .api = kSignals,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A4", "Threads and wake-up", kScenarios};

}  // namespace loopscope::scenarios::wake_channel
