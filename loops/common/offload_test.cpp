// Work in other threads, and names, as seen from a loop.
#include "loops/common/offload.hpp"

#include <doctest/doctest.h>

#include <latch>
#include <stdexcept>
#include <thread>

#include "loops/selector/selector_loop.hpp"

namespace loopscope {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<EventLoop> make_loop() {
  return make_selector_loop<make_poll_selector>(LoopOptions{}).value();
}

TEST_CASE("values, move-only ones and exceptions come back through the loop") {
  const auto loop = make_loop();
  const auto here = std::this_thread::get_id();
  CHECK(loop->run_until_complete(loop->run_in_executor([] { return 42; })).value() == 42);
  CHECK(loop->run_until_complete(loop->run_in_executor([] { return std::this_thread::get_id(); }))
            .value() != here);
  auto moved = loop->run_in_executor([] { return std::make_unique<int>(7); });
  CHECK(*loop->run_until_complete(moved).value() == 7);
  auto failing = loop->run_in_executor([] { throw std::runtime_error("boom"); });
  CHECK_THROWS_AS((void)loop->run_until_complete(failing), std::runtime_error);
}

TEST_CASE("a job that ends after close() is not heard of, and the loop's end waits for it") {
  std::latch begun(1), go(1);
  std::atomic<bool> ended{false};
  auto loop = make_loop();
  auto future = loop->run_in_executor([&] { begun.count_down(), go.wait(), ended = true; });
  begun.wait();
  CHECK(loop->close().ok());
  CHECK(loop->run_in_executor([] {}).result().error().is(Errc::closed));
  go.count_down();
  loop.reset();
  CHECK(ended);
  CHECK_FALSE(future.done());
}

// Goal: a future and what would complete it never keep each other alive. Method: a callback of each
// future holds a token, so that the tokens that are left count the states that still live.
TEST_CASE("no future outlives its job and its holders, however the job ends") {
  const auto token = std::make_shared<int>();
  const auto watched = [&token](auto future) {
    future.add_done_callback([token] {});
    return future;
  };
  const auto living = [&token] { return token.use_count() - 1; };
  SUBCASE("it is done") {
    const auto loop = make_loop();
    CHECK(loop->run_until_complete(watched(loop->run_in_executor([] { return 42; }))).ok());
    CHECK(living() == 0);
  }
  SUBCASE("it is cancelled, while it waits or runs") {
    std::latch go(1);
    const auto loop = make_loop();
    CHECK(loop->set_default_executor(make_thread_pool(1)).ok());
    auto running = watched(loop->run_in_executor([&go] { go.wait(); }));
    auto waiting = watched(loop->run_in_executor([] {}));
    CHECK(living() == 2);
    CHECK(running.cancel());
    CHECK(waiting.cancel());
    running = waiting = {};
    go.count_down();
    CHECK(loop->run_until_complete(loop->shutdown_default_executor()).ok());
    CHECK(living() == 0);
  }
  SUBCASE("the loop is closed while it runs, and while others wait") {
    std::latch go(1);
    auto loop = make_loop();
    CHECK(loop->set_default_executor(make_thread_pool(1)).ok());
    (void)watched(loop->run_in_executor([&go] { go.wait(); }));
    (void)watched(loop->run_in_executor([] { return std::string("nobody reads it"); }));
    for (int i = 0; i < 3; ++i) (void)watched(loop->getaddrinfo("missing.invalid", "80"));
    CHECK(living() == 5);
    CHECK(loop->close().ok());
    CHECK(living() == 0);
    go.count_down();
  }
}

TEST_CASE(
    "shutting the default executor down waits without blocking the loop, or says it did not") {
  std::latch go(1);
  std::vector<std::string> lines;
  const auto loop = make_loop();
  loop->set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  auto job = loop->run_in_executor([&go] { go.wait(); });
  CHECK(loop->run_until_complete(loop->shutdown_default_executor(1ms)).ok());
  CHECK(lines.size() == 1);
  CHECK(loop->run_in_executor([] {}).result().error().is(Errc::closed));
  loop->call_soon([&go] { go.count_down(); });
  CHECK(loop->run_until_complete(loop->shutdown_default_executor()).ok());
  CHECK(loop->run_until_complete(job).ok());
}

TEST_CASE("literals are answered at once; names and their errors come from the resolver") {
  const auto loop = make_loop();
  auto literal = loop->getaddrinfo("127.0.0.1", "80");
  CHECK(literal.done());
  CHECK(literal.result().value() == std::vector{Endpoint::loopback(AddressFamily::ipv4, 80)});
  CHECK(loop->getaddrinfo("::1", "0").done());
  auto scoped = loop->getaddrinfo("fe80::1%lo", "9").result();
  CHECK(scoped.value().front().host() == "fe80::1%lo");
  CHECK(error_name(loop->getaddrinfo(std::string(300, 'a'), "1").result().error().code) ==
        "EAI_NONAME");
  CHECK(loop->getaddrinfo(std::string("a\0b", 3), "1").result().error().is(Errc::invalid_argument));
  auto missing = loop->getaddrinfo("missing.invalid", "80");
  CHECK_FALSE(missing.done());
  const std::string name = error_name(loop->run_until_complete(missing).error().code);
  CHECK((name == "EAI_NONAME" || name == "EAI_AGAIN" || name == "EAI_NODATA"));
}

TEST_CASE("numeric names are given at once; what is no address is refused") {
  const auto loop = make_loop();
  const Endpoint address = Endpoint::loopback(AddressFamily::ipv4, 80);
  auto numeric = loop->getnameinfo(address, {.numeric_host = true, .numeric_service = true});
  CHECK(numeric.result()->host == "127.0.0.1");
  CHECK(numeric.result()->service == "80");
  CHECK(error_name(loop->getnameinfo(Endpoint()).result().error().code) == "EAI_FAMILY");
}

}  // namespace
}  // namespace loopscope
