// Policies: the loop that is set for a thread, and who decides about it.
#include <memory>
#include <thread>

#include "harness/scenario.hpp"
#include "harness/tools/forked.hpp"
#include "loops/current.hpp"
#include "loops/policy.hpp"

namespace loopscope::scenarios::policies {
namespace {

/// Leaves the process with the default policy, whatever happens.
class PolicyRestored {
 public:
  PolicyRestored() = default;
  ~PolicyRestored() { set_event_loop_policy(nullptr); }
  PolicyRestored(const PolicyRestored&) = delete;
  PolicyRestored& operator=(const PolicyRestored&) = delete;
};

LoopFactory subjects(Context& cx) {
  return [&cx] { return cx.descriptor().make(LoopOptions{}); };
}

/// One run of a loop; what get_event_loop() says inside.
Result<EventLoop*> asked_inside(Context& cx, EventLoop& loop) {
  Result<EventLoop*> inside = make_error(Errc::invalid_state, "no callback ran");
  loop.call_soon([&] { inside = get_event_loop(), loop.stop(); });
  cx.ok(loop.run_forever(), "run_forever");
  return inside;
}

void none_is_an_error(Context& cx) {
  const PolicyRestored restored;
  set_event_loop_policy(nullptr);
  cx.refused(get_event_loop(), "get_event_loop() where no loop runs or is set");
  cx.ok(set_event_loop(&cx.loop()), "set_event_loop");
  (void)asked_inside(cx, cx.loop());
  cx.ok(set_event_loop(nullptr), "set_event_loop to none");
  cx.refused(get_event_loop(), "get_event_loop() after the run, with none set");
}

void running_wins(Context& cx) {
  const PolicyRestored restored;
  const std::unique_ptr<EventLoop> other = cx.new_loop();
  cx.ok(set_event_loop(other.get()), "set_event_loop");
  const Result<EventLoop*> inside = asked_inside(cx, cx.loop());
  cx.is_true(inside.value() == &cx.loop(), "inside a callback it is the loop that runs");
  cx.is_true(get_event_loop().value() == other.get(), "outside it is the loop that is set");
  cx.ok(other->close(), "close");
}

void set_per_thread(Context& cx) {
  const PolicyRestored restored;
  cx.ok(set_event_loop(&cx.loop()), "set_event_loop");
  cx.thread([&] {
    cx.refused(get_event_loop(), "get_event_loop() in another thread");
    const std::unique_ptr<EventLoop> mine = cx.new_loop();
    cx.ok(set_event_loop(mine.get()), "set_event_loop in another thread");
    cx.is_true(asked_inside(cx, *mine).value() == mine.get(), "its own loop runs there");
    cx.is_true(get_event_loop().value() == mine.get(), "and is the one that is set there");
    cx.ok(mine->close(), "close");
  });
  cx.join_threads();
  cx.is_true(get_event_loop().value() == &cx.loop(), "the first thread keeps its loop");
}

void gone_is_none(Context& cx) {
  const PolicyRestored restored;
  std::unique_ptr<EventLoop> loop = cx.new_loop();
  cx.ok(set_event_loop(loop.get()), "set_event_loop");
  (void)asked_inside(cx, *loop);
  cx.is_true(get_event_loop().value() == loop.get(), "get_event_loop() while it is there");
  cx.ok(loop->close(), "close");
  loop.reset();
  cx.refused(get_event_loop(), "get_event_loop() when the loop that was set has gone");
}

/// Counts, and makes the subject's loops.
class Counting final : public DefaultEventLoopPolicy {
 public:
  explicit Counting(Context& cx) : DefaultEventLoopPolicy(subjects(cx)), cx_(cx) {}
  Result<EventLoop*> get_event_loop() override {
    cx_.mark("get");
    return DefaultEventLoopPolicy::get_event_loop();
  }
  Result<void> set_event_loop(EventLoop* loop) override {
    cx_.mark("set");
    return DefaultEventLoopPolicy::set_event_loop(loop);
  }
  Result<std::unique_ptr<EventLoop>> new_event_loop() override {
    cx_.mark("new");
    return DefaultEventLoopPolicy::new_event_loop();
  }

 private:
  Context& cx_;
};

void custom_policy(Context& cx) {
  const PolicyRestored restored;
  const auto mine = std::make_shared<Counting>(cx);
  set_event_loop_policy(mine);
  cx.is_true(get_event_loop_policy() == mine, "get_event_loop_policy()");
  const Result<std::unique_ptr<EventLoop>> made = new_event_loop();
  cx.ok(made, "new_event_loop");
  cx.ok(set_event_loop(made->get()), "set_event_loop");
  cx.is_true(get_event_loop().value() == made->get(), "the loop that was set");
  cx.is_true(asked_inside(cx, **made).value() == made->get(), "the loop that runs");
  cx.ok(set_event_loop(nullptr), "set_event_loop to none");
  cx.refused(get_event_loop(), "get_event_loop() after none was set");
  cx.ok((*made)->close(), "close");
  // While a loop runs nobody asks the policy.
  cx.expect_trace({"new", "set", "get", "set", "get"});
}

/// Gives nothing, and calls that a success.
class GivesNull final : public EventLoopPolicy {
 public:
  Result<EventLoop*> get_event_loop() override { return static_cast<EventLoop*>(nullptr); }
  Result<void> set_event_loop(EventLoop*) override { return {}; }
  Result<std::unique_ptr<EventLoop>> new_event_loop() override {
    return std::unique_ptr<EventLoop>();
  }
};

void never_null(Context& cx) {
  const PolicyRestored restored;
  set_event_loop_policy(std::make_shared<GivesNull>());
  cx.refused(get_event_loop(), "get_event_loop() of a policy that gives null");
  cx.refused(new_event_loop(), "new_event_loop() of a policy that gives null");
  cx.is_true(asked_inside(cx, cx.loop()).value() == &cx.loop(), "the loop that runs all the same");
  cx.refused(get_event_loop(), "get_event_loop() after the run");
}

void null_restores_default(Context& cx) {
  const PolicyRestored restored;
  set_event_loop_policy(std::make_shared<Counting>(cx));
  cx.ok(set_event_loop(&cx.loop()), "set_event_loop");
  (void)asked_inside(cx, cx.loop());
  set_event_loop_policy(nullptr);
  const std::shared_ptr<EventLoopPolicy> now_in_force = get_event_loop_policy();
  cx.is_true(now_in_force != nullptr, "there is always a policy");
  cx.is_true(dynamic_cast<DefaultEventLoopPolicy*>(now_in_force.get()) != nullptr &&
                 dynamic_cast<Counting*>(now_in_force.get()) == nullptr,
             "it is the default one");
  cx.refused(get_event_loop(), "what was set with another policy is not its own");
  const Result<std::unique_ptr<EventLoop>> made = new_event_loop();
  cx.ok(made, "new_event_loop of the default policy");
  // It does not run: this cell is about one kind of loop, and another one would wait otherwise.
  cx.note("default_loop", (*made)->backend().mechanism);
  cx.ok((*made)->close(), "close");
}

void child_has_none(Context& cx) {
  const PolicyRestored restored;
  cx.ok(set_event_loop(&cx.loop()), "set_event_loop");
  (void)asked_inside(cx, cx.loop());
  cx.equal(tools::in_forked_child([&] { return get_event_loop().ok() ? 1 : 0; }), 0,
           "a forked child for which no loop is set");
  cx.is_true(get_event_loop().value() == &cx.loop(), "the parent keeps the loop that is set");
}

constexpr std::string_view kGet[] = {"get_event_loop", "set_event_loop"};
constexpr std::string_view kCustom[] = {"get_event_loop_policy", "set_event_loop_policy",
                                        "EventLoopPolicy",       "new_event_loop",
                                        "set_event_loop",        "get_event_loop"};
constexpr std::string_view kRestore[] = {"get_event_loop_policy", "set_event_loop_policy",
                                         "new_event_loop"};
constexpr CapSet kNeeds{Cap::call_soon};
constexpr std::string_view kGetDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.get_event_loop";
constexpr std::string_view kObjects =
    "docs.python.org/3/library/asyncio-policy.html#policy-objects";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "policy.get_event_loop.error_when_none",
     .promise = "Where no loop runs and none is set get_event_loop() is an error, never null.",
     .source = "docs.python.org/3/library/asyncio-policy.html#asyncio.DefaultEventLoopPolicy",
     .needs = kNeeds,
     .body = none_is_an_error,
     .severity = Severity::common,
     .api = kGet,
     .limit = kLimit},
    {.id = "policy.get_event_loop.running_wins",
     .promise = "get_event_loop() is the running loop inside a callback, whichever is set.",
     .source = kGetDoc,
     .needs = kNeeds,
     .body = running_wins,
     .severity = Severity::common,
     .api = kGet,
     .limit = kLimit},
    {.id = "policy.set_event_loop.per_thread",
     .promise = "A loop is set for the calling thread alone.",
     .source = kObjects,
     .needs = kNeeds,
     .body = set_per_thread,
     .severity = Severity::common,
     .api = kGet,
     .limit = kLimit},
    {.id = "policy.set_event_loop.gone",
     .promise = "A loop that was set and destroyed is no loop: get_event_loop() is an error.",
     .source = kObjects,
     .needs = kNeeds,
     .body = gone_is_none,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kGet,
     .limit = kLimit},
    {.id = "policy.custom",
     .promise = "A policy of the caller's is asked for the thread's loop and for new ones.",
     .source = "docs.python.org/3/library/asyncio-policy.html#custom-policies",
     .needs = kNeeds,
     .body = custom_policy,
     .severity = Severity::common,
     .api = kCustom,
     .limit = kLimit},
    {.id = "policy.custom.never_null",
     .promise = "A policy that gives null makes get_event_loop() and new_event_loop() errors.",
     .source = kObjects,
     .needs = kNeeds,
     .body = never_null,
     .level = Level::should,
     .severity = Severity::edge,
     .api = kCustom,
     .limit = kLimit},
    {.id = "policy.null_restores_default",
     .promise = "Setting no policy restores the default one, which makes loops.",
     .source = "docs.python.org/3/library/asyncio-policy.html#asyncio.set_event_loop_policy",
     .needs = kNeeds,
     .body = null_restores_default,
     .severity = Severity::common,
     .api = kRestore,
     .limit = kLimit},
    {.id = "policy.fork_resets",
     .promise = "A forked child has no loop set, and its parent keeps the one that is.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_unix_events.py, "
               "TestFork",
     .needs = kNeeds | CapSet{Cap::native_socket},
     .body = child_has_none,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kGet,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A22", "Loops per thread", kScenarios};
}  // namespace loopscope::scenarios::policies
