// Tests of the selector and the loop over a kernel queue that the test scripts.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <map>
#include <string>
#include <thread>

#include "loops/common/run_once.hpp"
#include "loops/os/pipe.hpp"
#include "loops/selector/kqueue_loop.hpp"

using namespace loopscope;
using loopscope::testing::run_once;
using namespace std::chrono_literals;

namespace {

std::uintptr_t ident(int number) { return static_cast<std::uintptr_t>(number); }

/// A kernel that says what the test wants. Its descriptor is the reading end of a pipe, which the
/// test makes readable where a real queue would be.
class ScriptedQueue final : public KernelQueue {
 public:
  using Key = std::pair<Filter, std::uintptr_t>;
  struct Script {
    std::map<Key, int> watched;  // and how often it was added
    std::map<Key, int> refused;  // with which errno
    int children_refused = 0;    // errno for every process but this one
    std::deque<std::vector<QueueEvent>> next;
    std::vector<std::optional<Duration>> waits;
    std::vector<std::optional<Duration>> alarms;
    std::string calls;
    bool defers = false;
    int opened = 1;
    os::Pipe pipe = std::move(os::open_pipe().value());
  };
  explicit ScriptedQueue(Script& script) : script_(script) {}
  os::NativeSocket descriptor() const override { return script_.pipe.read.get(); }

  Result<void> change(const QueueChange& change) override {
    const Key key{change.filter, change.ident};
    script_.calls += letter(change);
    if (change.action == QueueChange::Action::add) {
      const auto refused = script_.refused.find(key);
      if (refused != script_.refused.end()) return errno_error_of(refused->second, "kevent");
      if (script_.children_refused != 0 && change.filter == Filter::process &&
          change.ident != ident(::getpid())) {
        return errno_error_of(script_.children_refused, "kevent");
      }
      ++script_.watched[key];
    }
    if (change.action == QueueChange::Action::remove && script_.watched.erase(key) == 0) {
      return errno_error_of(ENOENT, "kevent");
    }
    if (change.action == QueueChange::Action::trigger) {
      script_.next.push_back({{Filter::user, change.ident}});
    }
    return {};
  }
  Result<std::size_t> wait(const std::optional<QueueChange>& change,
                           std::optional<Duration> timeout, std::span<QueueEvent> events) override {
    script_.waits.push_back(timeout);
    script_.alarms.push_back(change ? std::optional(change->after) : std::nullopt);
    if (script_.next.empty()) return std::size_t{0};
    const std::vector<QueueEvent> batch = script_.next.front();
    script_.next.pop_front();
    std::copy(batch.begin(), batch.end(), events.begin());
    return batch.size();
  }
  bool defers_timeouts() const override { return script_.defers; }
  Result<void> reopen() override {
    script_.watched.clear();
    ++script_.opened;
    return {};
  }

 private:
  static std::string letter(const QueueChange& change) {
    constexpr std::string_view kFilters = "rwsptu";
    constexpr std::string_view kActions = "+-!";
    return {kActions[static_cast<std::size_t>(change.action)],
            kFilters[static_cast<std::size_t>(change.filter)], ' '};
  }
  Script& script_;
};

using Script = ScriptedQueue::Script;

struct Setting {
  Script script;
  KqueueSelector selector{std::make_unique<ScriptedQueue>(script)};
  os::Pipe pipe = std::move(os::open_pipe().value());
  int fd = pipe.read.get();

  bool watched(Filter filter) const { return script.watched.contains({filter, ident(fd)}); }
  std::vector<Ready> wait(std::optional<Duration> timeout = Duration::zero()) {
    std::vector<Ready> ready;
    REQUIRE(selector.wait(timeout, ready).ok());
    return ready;
  }
};

std::unique_ptr<KqueueLoop> scripted(Script& script) {
  auto loop = KqueueLoop::make({}, std::make_unique<ScriptedQueue>(script));
  REQUIRE(loop.ok());
  return std::move(loop).value();
}

}  // namespace

TEST_CASE("kqueue: interest is one filter for each direction") {
  Setting at;
  REQUIRE(at.selector.add(at.fd, {true, true}).ok());
  CHECK(at.watched(Filter::read));
  CHECK(at.watched(Filter::write));
  REQUIRE(at.selector.modify(at.fd, {false, true}).ok());
  CHECK_FALSE(at.watched(Filter::read));
  CHECK(at.watched(Filter::write));
  REQUIRE(at.selector.remove(at.fd).ok());
  CHECK(at.script.watched.empty());
}

TEST_CASE("kqueue: what is watched is added again when the number may be another descriptor's") {
  Setting at;
  REQUIRE(at.selector.add(at.fd, {true, false}).ok());
  at.script.watched.clear();  // as closing the descriptor does
  REQUIRE(at.selector.modify(at.fd, {true, false}).ok());
  CHECK(at.watched(Filter::read));
}

TEST_CASE("kqueue: a descriptor that was closed meanwhile is removed without an error") {
  Setting at;
  REQUIRE(at.selector.add(at.fd, {true, true}).ok());
  at.script.watched.clear();
  CHECK(at.selector.remove(at.fd).ok());
  CHECK(at.selector.remove(at.fd).ok());
}

TEST_CASE("kqueue: a refused direction leaves nothing behind") {
  Setting at;
  at.script.refused[{Filter::write, ident(at.fd)}] = ENOMEM;
  const Result<void> refused = at.selector.add(at.fd, {true, true});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().is_errno(ENOMEM));
  CHECK(at.script.watched.empty());
  CHECK(at.selector.add(-1, {true, false}).error().is_errno(EBADF));
}

TEST_CASE("kqueue: both filters of a descriptor are one entry, and the next wait has its own") {
  Setting at;
  REQUIRE(at.selector.add(at.fd, {true, true}).ok());
  at.script.next = {{{Filter::read, ident(at.fd)}, {Filter::write, ident(at.fd)}},
                    {{Filter::write, ident(at.fd)}}};
  std::vector<Ready> ready = at.wait();
  REQUIRE(ready.size() == 1);
  CHECK(ready[0].what == Interest{true, true});
  ready = at.wait();
  REQUIRE(ready.size() == 1);
  CHECK(ready[0].what == Interest{false, true});
}

TEST_CASE("kqueue: an end is what its filter says, an error concerns both directions") {
  Setting at;
  REQUIRE(at.selector.add(at.fd, {true, true}).ok());
  at.script.next = {{{Filter::read, ident(at.fd), true, 0}},
                    {{Filter::write, ident(at.fd), true, ECONNRESET}},
                    {{Filter::read, ident(at.fd), false, EBADF}}};
  std::vector<Ready> ready = at.wait();
  CHECK(ready[0].what == Interest{true, false});
  ready = at.wait();
  CHECK(ready[0].what == Interest{true, true});
  CHECK_FALSE(ready[0].gone);
  ready = at.wait();
  CHECK(ready[0].gone);
}

TEST_CASE("kqueue: a pipe whose reader has left is writable until it is unwatched") {
  Setting at;
  at.script.refused[{Filter::write, ident(at.fd)}] = EPIPE;
  REQUIRE(at.selector.add(at.fd, {false, true}).ok());
  for (int turn = 0; turn < 2; ++turn) {
    const std::vector<Ready> ready = at.wait(1s);
    REQUIRE(ready.size() == 1);
    CHECK(ready[0].what == Interest{false, true});
    CHECK(at.script.waits.back() == Duration::zero());
  }
  REQUIRE(at.selector.remove(at.fd).ok());
  CHECK(at.wait(1s).empty());
  CHECK(at.script.waits.back() == Duration(1s));
}

TEST_CASE("kqueue: a wait is cut at 24 hours, and no timeout is none") {
  Setting at;
  (void)at.wait(std::chrono::hours(1000));
  CHECK(at.script.waits.back() == Duration(std::chrono::hours(24)));
  (void)at.wait(std::nullopt);
  CHECK_FALSE(at.script.waits.back().has_value());
}

TEST_CASE("kqueue: where timeouts are put off, a wait that has one sets a punctual timer") {
  Setting at;
  at.script.defers = true;
  (void)at.wait(300us);
  CHECK(at.script.alarms.back() == Duration(300us));
  (void)at.wait(Duration::zero());
  CHECK_FALSE(at.script.alarms.back().has_value());
  (void)at.wait(std::nullopt);
  CHECK_FALSE(at.script.alarms.back().has_value());
  at.script.next = {{{Filter::timer, 0}}};
  CHECK(at.wait(1s).empty());
}

// Goal: what old Darwin refuses is watched all the same. Method: a pseudo-terminal, which the
// scripted queue refuses as Darwin does, and a queue descriptor that is readable when we say so.
TEST_CASE("kqueue: a device that the queue refuses is watched with select, beside the queue") {
  Setting at;
  const Result<os::Pty> pty = os::open_pty(true);
  if (!pty.ok()) return;  // A machine without pseudo-terminals cannot show it.
  const int device = pty->slave.get();
  for (const Filter filter : {Filter::read, Filter::write}) {
    at.script.refused[{filter, ident(device)}] = EINVAL;
  }
  REQUIRE(at.selector.add(device, {true, false}).ok());
  CHECK(at.wait().empty());
  REQUIRE(::write(pty->master.get(), "x", 1) == 1);
  std::vector<Ready> ready = at.wait(5s);
  REQUIRE(ready.size() == 1);
  CHECK(ready[0].socket == device);
  CHECK(at.script.waits.empty());  // The queue was not readable, so it was not asked.

  REQUIRE(at.selector.add(at.fd, {true, false}).ok());
  at.script.next = {{{Filter::read, ident(at.fd)}}};
  REQUIRE(::write(at.script.pipe.write.get(), "x", 1) == 1);
  ready = at.wait(5s);
  CHECK(ready.size() == 2);
  CHECK(at.script.waits.back() == Duration::zero());

  REQUIRE(at.selector.modify(device, {false, true}).ok());
  ready = at.wait(5s);
  REQUIRE_FALSE(ready.empty());
  CHECK(ready[0].what == Interest{false, true});
  REQUIRE(at.selector.remove(device).ok());
  (void)at.wait(1s);
  CHECK(at.script.waits.back() == Duration(1s));  // select is out of it again
}

TEST_CASE("kqueue: a refusal of something that is no device is the caller's") {
  Setting at;
  at.script.refused[{Filter::read, ident(at.fd)}] = EINVAL;
  const Result<void> refused = at.selector.add(at.fd, {true, false});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().is_errno(EINVAL));
}

TEST_CASE("kqueue: a device beyond FD_SETSIZE is refused, not written past the set") {
  Setting at;
  const Result<os::UniqueFd> null = os::open_path("/dev/null", true);
  REQUIRE(null.ok());
  const os::UniqueFd high(::fcntl(null->get(), F_DUPFD_CLOEXEC, FD_SETSIZE));
  if (!high) return;  // The limit of descriptors is lower here.
  at.script.refused[{Filter::read, ident(high.get())}] = ENODEV;
  const Result<void> refused = at.selector.add(high.get(), {true, false});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Errc::invalid_argument);
}

TEST_CASE("kqueue: a forked child makes a queue of its own with all that was watched") {
  Setting at;
  auto waker = at.selector.make_waker();
  REQUIRE(waker.ok());
  REQUIRE(at.selector.add((*waker)->descriptor(), {true, false}).ok());
  REQUIRE(at.selector.add(at.fd, {true, true}).ok());
  REQUIRE(at.selector.watch_signal(SIGUSR1).ok());
  REQUIRE(at.selector.watch_exit(4711, [] {}).ok());
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::vector<Ready> ready;
    const bool waited = at.selector.wait(Duration::zero(), ready).ok();
    const bool whole = at.watched(Filter::read) && at.watched(Filter::write) &&
                       at.script.watched.contains({Filter::user, 0}) &&
                       at.script.watched.contains({Filter::signal, SIGUSR1});
    const bool other = at.script.watched.contains({Filter::process, 4711});
    ::_exit(waited && whole && !other && at.script.opened == 2 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  CHECK(at.script.opened == 1);
}

TEST_CASE("kqueue: its waker is a user event of the queue, and stands for its descriptor") {
  Setting at;
  auto waker = at.selector.make_waker();
  REQUIRE(waker.ok());
  REQUIRE(at.selector.add((*waker)->descriptor(), {true, false}).ok());
  std::thread other([&] { (*waker)->wake(); });
  other.join();
  CHECK(at.script.calls == "+u !u ");
  const std::vector<Ready> ready = at.wait(std::nullopt);
  REQUIRE(ready.size() == 1);
  CHECK(ready[0].socket == at.selector.descriptor());
  CHECK((*waker)->drain());
  REQUIRE(at.selector.remove((*waker)->descriptor()).ok());
  CHECK(at.script.watched.empty());
}

TEST_CASE("kqueue loop: it has one descriptor, and work of other threads reaches it") {
  Script script;
  auto loop = scripted(script);
  CHECK(script.watched.contains({Filter::user, 0}));
  bool called = false;
  std::thread other([&] { (void)loop->call_soon_threadsafe([&] { called = true; }); });
  other.join();
  run_once(*loop);
  CHECK(called);
  CHECK(loop->backend().mechanism == "kevent");
  CHECK(loop->backend().internal_descriptors.size() == 1);
}

TEST_CASE("kqueue loop: a signal comes from the queue alone, once") {
  Script script;
  auto loop = scripted(script);
  int calls = 0;
  REQUIRE(loop->add_signal_handler(SIGUSR1, [&] { ++calls; }).ok());
  CHECK(script.watched.contains({Filter::signal, SIGUSR1}));
  ::raise(SIGUSR1);  // The handler runs, and leaves it to the queue.
  run_once(*loop);
  CHECK(calls == 0);
  script.next = {{{Filter::signal, SIGUSR1}}};
  run_once(*loop);
  run_once(*loop);
  CHECK(calls == 1);
  REQUIRE(loop->remove_signal_handler(SIGUSR1).value());
  CHECK_FALSE(script.watched.contains({Filter::signal, SIGUSR1}));
  CHECK_FALSE(loop->remove_signal_handler(SIGUSR1).value());
}

TEST_CASE("kqueue loop: a signal that the queue refuses comes from its handler, once") {
  Script script;
  script.refused[{Filter::signal, SIGUSR1}] = EINVAL;
  auto loop = scripted(script);
  int calls = 0;
  REQUIRE(loop->add_signal_handler(SIGUSR1, [&] { ++calls; }).ok());
  const std::string before = script.calls;
  ::raise(SIGUSR1);
  CHECK(script.calls == before);  // No call to the queue from a signal handler.
  run_once(*loop);
  run_once(*loop);
  CHECK(calls == 1);
}

TEST_CASE("kqueue loop: a signal that cannot be handled is not watched either") {
  Script script;
  auto loop = scripted(script);
  CHECK_FALSE(loop->add_signal_handler(SIGKILL, [] {}).ok());
  CHECK_FALSE(loop->add_signal_handler(0, [] {}).ok());
  CHECK_FALSE(script.watched.contains({Filter::signal, SIGKILL}));
}

// Goal: an exit is reported once, whatever the order of notice, end and collection. Method: a real
// child, and a queue that tells of its exit at the wrong time, never, or as ESRCH.
TEST_CASE("kqueue loop: a child's exit is collected, also when its notice came too soon") {
  struct Row {
    const char* what;
    bool early;   // the notice comes while the child still runs
    int refusal;  // of EVFILT_PROC for the child
  };
  for (const Row& row : {Row{"in order", false, 0}, Row{"too soon", true, 0},
                         Row{"ended before it was watched", false, ESRCH}}) {
    CAPTURE(row.what);
    Script script;
    auto loop = scripted(script);
    struct Protocol final : SubprocessProtocol {
      void process_exited() override { ++exits; }
      int exits = 0;
    };
    auto protocol = std::make_shared<Protocol>();
    ProcessOptions options;
    options.argv = {"/bin/sh", "-c", "read line; exit 7"};
    options.std_out = options.std_err = Stdio::devnull();
    os::Pipe input = std::move(os::open_pipe().value());
    options.std_in = Stdio::descriptor(input.read.get());
    // This process is asked first, whether processes can be watched at all.
    script.children_refused = row.refusal;
    auto started = loop->subprocess_exec([&] { return protocol; }, options);
    for (int turn = 0; turn < 20 && !started.done(); ++turn) run_once(*loop);
    REQUIRE(started.done());
    const Result<ProcessLink> link = started.result();
    REQUIRE(link.ok());
    const int pid = link->transport->get_pid();
    if (row.refusal == 0) CHECK(script.watched.contains({Filter::process, ident(pid)}));
    if (row.early) {
      script.next.push_back({{Filter::process, ident(pid)}});
      for (int turn = 0; turn < 5; ++turn) run_once(*loop);
      CHECK(protocol->exits == 0);
    }
    input.write.reset();
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
    if (!row.early && row.refusal == 0) script.next.push_back({{Filter::process, ident(pid)}});
    for (int turn = 0; turn < 2000 && protocol->exits == 0; ++turn) {
      run_once(*loop);
      std::this_thread::sleep_for(1ms);
    }
    CHECK(protocol->exits == 1);
    CHECK(link->transport->get_returncode() == 7);
  }
}
