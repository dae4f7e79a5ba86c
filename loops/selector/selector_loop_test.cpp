// Tests of the selector loop over a selector that the test drives, and over the real ones.
#include "loops/selector/selector_loop.hpp"

#include <doctest/doctest.h>

#include <map>
#include <thread>

#include "loops/common/run_once.hpp"
#include "loops/os/pipe.hpp"

using namespace loopscope;
using loopscope::testing::run_once;
using namespace std::chrono_literals;

namespace {

/// Says "ready" when told to, remembers what it was asked, and never blocks.
class ScriptedSelector final : public Selector {
 public:
  struct Script {
    std::map<os::NativeSocket, Interest> watched;
    std::vector<std::vector<Ready>> next;  // one batch for each wait
    std::vector<std::optional<Duration>> waits;
  };
  explicit ScriptedSelector(Script& script) : script_(script) {}
  Result<void> add(os::NativeSocket socket, Interest interest) override {
    script_.watched[socket] = interest;
    return {};
  }
  Result<void> modify(os::NativeSocket socket, Interest interest) override {
    return add(socket, interest);
  }
  Result<void> remove(os::NativeSocket socket) override {
    script_.watched.erase(socket);
    return {};
  }
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    script_.waits.push_back(timeout);
    if (script_.next.empty()) return {};
    ready = script_.next.front();
    script_.next.erase(script_.next.begin());
    return {};
  }

 private:
  Script& script_;
};

std::unique_ptr<SelectorLoop> scripted(ScriptedSelector::Script& script) {
  auto loop = SelectorLoop::make({}, std::make_unique<ScriptedSelector>(script));
  REQUIRE(loop.ok());
  return std::move(loop).value();
}

}  // namespace

TEST_CASE("an event for a replaced reader does not reach the new one in the same iteration") {
  ScriptedSelector::Script script;
  auto loop = scripted(script);
  auto pipe = os::open_pipe();
  auto other = os::open_pipe();
  REQUIRE((pipe.ok() && other.ok()));
  std::string trace;
  const int fd = pipe->read.get(), first = other->read.get();
  REQUIRE(loop->add_reader(first,
                           [&] {
                             trace += "swap ";
                             REQUIRE(loop->remove_reader(fd).value());
                             REQUIRE(loop->add_reader(fd, [&] { trace += "new "; }).ok());
                           })
              .ok());
  REQUIRE(loop->add_reader(fd, [&] { trace += "old "; }).ok());
  script.next = {{{first, {true, false}}, {fd, {true, false}}}, {{fd, {true, false}}}};
  run_once(*loop);
  CHECK(trace == "swap ");
  run_once(*loop);
  CHECK(trace == "swap new ");
}

TEST_CASE("interest is dropped from the selector when nobody is left to be told") {
  ScriptedSelector::Script script;
  auto loop = scripted(script);
  auto pipe = os::open_pipe();
  REQUIRE(pipe.ok());
  const int fd = pipe->write.get();
  REQUIRE(loop->add_reader(fd, [] {}).ok());
  REQUIRE(loop->add_writer(fd, [] {}).ok());
  CHECK(script.watched.at(fd) == Interest{true, true});
  CHECK(loop->remove_reader(fd).value());
  CHECK(script.watched.at(fd) == Interest{false, true});
  CHECK(loop->remove_writer(fd).value());
  CHECK_FALSE(script.watched.contains(fd));
  CHECK_FALSE(loop->remove_writer(fd).value());
}

TEST_CASE("a chain of callbacks looks at the system now and then, not every time") {
  ScriptedSelector::Script script;
  auto loop = scripted(script);
  int left = 320;
  std::function<void()> next = [&] {
    if (--left > 0) {
      loop->call_soon([&] { next(); });
    } else {
      loop->stop();
    }
  };
  loop->call_soon([&] { next(); });
  REQUIRE(loop->run_forever().ok());
  CHECK(script.waits.size() >= 10);
  CHECK(script.waits.size() <= 12);
}

TEST_CASE("every real selector: timers, threads, readers and sockets work together") {
  for (const LoopDescriptor* row : all_loops()) {
    if (row->family != Family::selector || row->make == nullptr) continue;
    CAPTURE(row->name);
    auto made = row->make({});
    REQUIRE(made.ok());
    EventLoop& loop = **made;
    std::string trace;
    // From one moment on: between two calls a loaded host takes longer than a millisecond.
    const TimePoint begin = loop.time();
    loop.call_at(begin + 2ms, [&] { trace += "late "; });
    loop.call_at(begin + 1ms, [&] { trace += "early "; });
    std::thread other([&] { loop.call_soon_threadsafe([&] { trace += "posted "; }); });
    other.join();
    auto pair = os::open_socketpair(SocketType::stream);
    REQUIRE(pair.ok());
    Socket subject(std::move(pair->first));
    Future<Bytes> received = loop.sock_recv(subject, 64);
    CHECK_FALSE(received.done());
    loop.call_at(begin + 3ms, [&] { REQUIRE(os::send(pair->second.get(), view("hello")).ok()); });
    const Result<Bytes> bytes_seen = loop.run_until_complete(received);
    REQUIRE(bytes_seen.ok());
    CHECK(text(*bytes_seen) == "hello");
    CHECK(trace == "posted early late ");
    CHECK(loop.close().ok());
  }
}

TEST_CASE("the portable waker wakes, and tells the end of its channel from silence") {
  auto made = os::make_socketpair_waker();
  REQUIRE(made.ok());
  os::Waker& waker = **made;
  CHECK(waker.drain());
  for (int i = 0; i < 100'000; ++i) waker.wake();  // far more than the channel holds
  CHECK(waker.drain());
}
