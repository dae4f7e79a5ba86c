// The thread pool by itself: what runs, what is taken back, what a shutdown waits for.
#include "loops/executor.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <thread>

namespace loopscope {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a pool runs what it is given, each once, before its shutdown returns") {
  const std::shared_ptr<Executor> pool = make_thread_pool(3);
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) CHECK(pool->submit([&ran] { ++ran; }).ok());
  CHECK(pool->shutdown(std::nullopt));
  CHECK(ran == 100);
  CHECK(pool->submit([] {}).error().is(Errc::closed));
}

TEST_CASE("work that waits in the queue can be taken back; work that runs cannot") {
  const std::shared_ptr<Executor> pool = make_thread_pool(1);
  std::latch begun(1), go(1);
  std::atomic<bool> second{false};
  const std::uint64_t running = pool->submit([&] { begun.count_down(), go.wait(); }).value();
  const std::uint64_t waiting = pool->submit([&] { second = true; }).value();
  begun.wait();
  CHECK_FALSE(pool->cancel(running));
  CHECK(pool->cancel(waiting));
  CHECK_FALSE(pool->cancel(waiting));
  go.count_down();
  CHECK(pool->shutdown(std::nullopt));
  CHECK_FALSE(second);
}

TEST_CASE("a shutdown without time to spare joins idle threads and leaves busy ones to the end") {
  std::latch go(1);
  std::atomic<bool> ended{false};
  std::shared_ptr<Executor> pool = make_thread_pool(2);
  std::latch begun(1);
  CHECK(pool->submit([&] { begun.count_down(), go.wait(), ended = true; }).ok());
  begun.wait();
  CHECK_FALSE(pool->shutdown(0s));
  go.count_down();
  pool.reset();  // joins
  CHECK(ended);

  pool = make_thread_pool(2);
  std::latch ran(1);
  CHECK(pool->submit([&ran] { ran.count_down(); }).ok());
  ran.wait();
  CHECK(pool->shutdown(1h));
  CHECK(pool->shutdown(0s));
}

TEST_CASE("the last owner of a pool may be one of its jobs") {
  std::latch go(1), gone(1);
  std::shared_ptr<Executor> pool = make_thread_pool(2);
  Executor& alias = *pool;
  CHECK(alias
            .submit([&go, &gone, owned = std::move(pool)]() mutable {
              go.wait();
              owned.reset();
              gone.count_down();
            })
            .ok());
  go.count_down();
  gone.wait();
}

}  // namespace
}  // namespace loopscope
