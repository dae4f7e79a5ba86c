// Tests of which address is tried when: a loop whose connects and timers the test drives.
#include "loops/common/connecting.hpp"

#include <doctest/doctest.h>

#include <cerrno>

#include "loops/selector/selector_loop.hpp"

using namespace loopscope;
using namespace std::chrono_literals;

namespace {

Endpoint v4(int last) { return Endpoint::ip("192.0.2." + std::to_string(last), 80).value(); }
Endpoint v6(int last) { return Endpoint::ip("2001:db8::" + std::to_string(last), 80).value(); }

/// Connects when it is told to, and its timers fire when the test says so.
class DrivenLoop final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  struct Attempt {
    Endpoint address;
    Future<void> outcome;
  };
  Future<void> sock_connect(Socket&, Endpoint peer) override {
    attempts.push_back({peer, create_future<void>()});
    return attempts.back().outcome;
  }
  TimerHandle call_later(Delay delay, Callback callback) override {
    delays.push_back(delay.value());
    timer = std::move(callback);
    return {};
  }
  void turn() {
    for (int i = 0; i < 3; ++i) {
      stop();
      REQUIRE(run_forever().ok());
    }
  }
  void fail(std::size_t attempt, int number = ECONNREFUSED) {
    attempts.at(attempt).outcome.set_error(errno_error_of(number, "connect"));
    turn();
  }

  std::vector<Attempt> attempts;
  std::vector<Duration> delays;
  Callback timer;
};

struct Race {
  explicit Race(std::vector<Endpoint> addresses, std::optional<Duration> delay = {}) {
    auto selector = make_poll_selector();
    auto waker = os::make_waker();
    REQUIRE((selector.ok() && waker.ok()));
    loop = std::make_unique<DrivenLoop>(LoopOptions{}, std::move(selector).value(),
                                        std::move(waker).value());
    REQUIRE(loop->open().ok());
    ConnectOptions options;
    options.addresses = std::move(addresses);
    options.happy_eyeballs_delay = delay;
    connecting = Connecting::start(*loop, options, [this](Result<Socket> result) {
      ++calls;
      outcome.emplace(std::move(result));
    });
  }
  std::unique_ptr<DrivenLoop> loop;
  std::shared_ptr<Connecting> connecting;
  std::optional<Result<Socket>> outcome;
  int calls = 0;
};

}  // namespace

TEST_CASE("families take turns; the first one may have more of the beginning") {
  const std::vector<Endpoint> mixed{v6(1), v6(2), v6(3), v4(1), v4(2)};
  CHECK(interleave(mixed, 1) == std::vector<Endpoint>{v6(1), v4(1), v6(2), v4(2), v6(3)});
  CHECK(interleave(mixed, 0) == interleave(mixed, 1));
  CHECK(interleave(mixed, 2) == std::vector<Endpoint>{v6(1), v6(2), v4(1), v6(3), v4(2)});
  CHECK(interleave(mixed, 9) == std::vector<Endpoint>{v6(1), v6(2), v6(3), v4(1), v4(2)});
  CHECK(interleave({v4(1), v4(2)}, 1) == std::vector<Endpoint>{v4(1), v4(2)});
  CHECK(interleave({}, 3).empty());
}

TEST_CASE("what needs no look-up is told from what does") {
  CHECK(literal_address("192.0.2.1", "80") == v4(1));
  CHECK(literal_address("2001:db8::1", "80", AddressFamily::ipv6) == v6(1));
  CHECK_FALSE(literal_address("192.0.2.1", "80", AddressFamily::ipv6));
  for (const char* service : {"http", "80x", "-1", "65536", "99999999999"}) {
    CAPTURE(service);
    CHECK_FALSE(literal_address("192.0.2.1", service));
  }
  CHECK_FALSE(literal_address("localhost", "80"));
}

TEST_CASE("without a delay each address waits for the failure of the one before") {
  Race race({v6(1), v6(2), v4(1)});
  CHECK(race.loop->attempts.size() == 1);
  CHECK(race.loop->delays.empty());
  race.loop->fail(0, ENETUNREACH);
  REQUIRE(race.loop->attempts.size() == 2);
  CHECK(race.loop->attempts[1].address == v6(2));  // as resolved: no interleaving was asked for
  race.loop->fail(1);
  race.loop->fail(2);
  REQUIRE(race.calls == 1);
  REQUIRE_FALSE(race.outcome->ok());
  CHECK(race.outcome->error().is_errno(ECONNREFUSED));
  CHECK(race.outcome->error().detail ==
        "[2001:db8::1]:80: connect ENETUNREACH; [2001:db8::2]:80: connect ECONNREFUSED; "
        "192.0.2.1:80: connect ECONNREFUSED");
}

TEST_CASE("the only address's error is passed on as it is, with the address") {
  Race race({v4(1)});
  race.loop->fail(0);
  REQUIRE_FALSE(race.outcome->ok());
  CHECK(race.outcome->error().detail == "192.0.2.1:80");
}

TEST_CASE("with a delay the next address starts when it has passed, or the newest has failed") {
  Race race({v6(1), v6(2), v4(1), v4(2)}, 250ms);
  DrivenLoop& loop = *race.loop;
  CHECK(loop.delays == std::vector<Duration>{250ms});
  loop.timer();
  REQUIRE(loop.attempts.size() == 2);
  CHECK(loop.attempts[1].address == v4(1));  // interleaved by default
  loop.fail(0);
  CHECK(loop.attempts.size() == 2);  // the newest attempt still has its head start
  loop.fail(1);
  REQUIRE(loop.attempts.size() == 3);
  CHECK(loop.delays.size() == 3);
  loop.timer();
  CHECK(loop.attempts.size() == 4);
  CHECK(loop.delays.size() == 3);  // nothing is left to start
  loop.attempts[2].outcome.set_result();
  loop.turn();
  REQUIRE(race.calls == 1);
  CHECK(race.outcome->ok());
  CHECK(loop.attempts[3].outcome.cancelled());
}

TEST_CASE("what is stopped calls nobody, and takes its connects back") {
  Race race({v4(1), v4(2)}, 1ms);
  race.loop->timer();
  race.connecting->stop();
  CHECK(race.loop->attempts[0].outcome.cancelled());
  CHECK(race.loop->attempts[1].outcome.cancelled());
  race.loop->timer();  // The loop had it queued already.
  race.loop->turn();
  CHECK(race.calls == 0);
  CHECK(race.loop->attempts.size() == 2);
}
