// Async generators: values, waits, exceptions, and their end half-way.
#include "loops/async_generator.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "loops/selector/selector_loop.hpp"

namespace loopscope {
namespace {

using namespace std::chrono_literals;
using Item = Result<std::optional<int>>;

std::unique_ptr<EventLoop> make_loop() {
  return make_selector_loop<make_poll_selector>(LoopOptions{}).value();
}

/// Says when it goes.
struct Witness {
  std::vector<std::string>& log;
  ~Witness() { log.emplace_back("gone"); }
};

AsyncGenerator<int> count(EventLoop& loop, int limit, bool wait, std::vector<std::string>& log) {
  const Witness witness{log};
  for (int i = 0; i < limit; ++i) {
    if (wait) {
      auto pause = sleep(loop, 1us);
      (void)co_await pause;  // It cannot fail.
    }
    co_yield i;
  }
}

AsyncGenerator<int> fails_after_one() {
  co_yield 1;
  throw std::runtime_error("boom");
}

Coro<long> sum(AsyncGenerator<int>& generator) {
  long total = 0;
  for (;;) {
    auto step = generator.next();
    const Item item = co_await step;
    if (!item.value()) co_return total;
    total += **item;
  }
}

TEST_CASE("a generator yields what it is asked for, with and without waits, and then ends") {
  for (const bool wait : {false, true}) {
    const auto loop = make_loop();
    std::vector<std::string> log;
    auto generator = count(*loop, 100, wait, log);
    CHECK(loop->run_until_complete(sum(generator)).value() == 4950);
    CHECK(log == std::vector<std::string>{"gone"});
    CHECK(loop->run_until_complete(sum(generator)).value() == 0);  // ended stays ended
  }
}

TEST_CASE("a million values that are there at once need no deep stack") {
  const auto loop = make_loop();
  std::vector<std::string> log;
  auto generator = count(*loop, 1'000'000, false, log);
  CHECK(loop->run_until_complete(sum(generator)).value() == 499'999'500'000);
}

TEST_CASE("an exception of the generator reaches who awaits the step; then it has ended") {
  const auto loop = make_loop();
  auto generator = fails_after_one();
  CHECK_THROWS_AS((void)loop->run_until_complete(sum(generator)), std::runtime_error);
  CHECK(loop->run_until_complete(sum(generator)).value() == 0);
}

Coro<void> take_one(AsyncGenerator<int>& generator) {
  auto step = generator.next();
  const Item item = co_await step;
  CHECK(item->has_value());
}

TEST_CASE("a generator that is dropped or closed half-way runs its destructors then") {
  const auto loop = make_loop();
  std::vector<std::string> log;
  {
    auto generator = count(*loop, 3, true, log);
    CHECK(loop->run_until_complete(take_one(generator)).ok());
    CHECK(log.empty());
  }
  CHECK(log.size() == 1);
  auto generator = count(*loop, 3, true, log);
  CHECK(loop->run_until_complete(take_one(generator)).ok());
  CHECK(generator.aclose().ok());
  CHECK(log.size() == 2);
  CHECK(generator.aclose().ok());
  CHECK(loop->run_until_complete(sum(generator)).value() == 0);
}

TEST_CASE("two steps at once: the second is refused, and so is aclose()") {
  const auto loop = make_loop();
  std::vector<std::string> log;
  auto generator = count(*loop, 3, true, log);
  auto first = loop->create_task(sum(generator));
  auto second = loop->create_task(sum(generator));
  Result<void> closed;
  loop->call_soon([&] { closed = generator.aclose(); });
  CHECK(loop->run_until_complete(static_cast<Future<long>>(first)).value() == 3);
  CHECK(closed.error().is(Errc::invalid_state));
  try {
    (void)loop->run_until_complete(static_cast<Future<long>>(second));
    FAIL("the second step was taken");
  } catch (const Failure& failure) {
    CHECK(failure.error().is(Errc::invalid_state));
  }
}

TEST_CASE("shutdown_asyncgens closes what was begun, and what begins later is reported") {
  const auto loop = make_loop();
  std::vector<std::string> log, lines;
  loop->set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  auto begun = count(*loop, 3, true, log), fresh = count(*loop, 3, true, log);
  CHECK(loop->run_until_complete(take_one(begun)).ok());
  CHECK(loop->run_until_complete(loop->shutdown_asyncgens()).ok());
  CHECK(log.size() == 1);
  CHECK(lines.empty());
  CHECK(loop->run_until_complete(sum(begun)).value() == 0);
  CHECK(loop->run_until_complete(sum(fresh)).value() == 3);
  CHECK(lines.size() == 1);
}

TEST_CASE("a generator may outlive its loop") {
  std::vector<std::string> log;
  auto loop = make_loop();
  auto generator = count(*loop, 3, false, log);
  CHECK(loop->run_until_complete(take_one(generator)).ok());
  CHECK(loop->close().ok());
  loop.reset();
  CHECK(generator.aclose().ok());
  CHECK(log.size() == 1);
}

}  // namespace
}  // namespace loopscope
