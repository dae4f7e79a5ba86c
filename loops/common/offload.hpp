// Offload: work that a loop has done in other threads, and the way its outcome comes back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "loops/executor.hpp"
#include "loops/future.hpp"

namespace loopscope {

class EventLoop;

/// The default executor of a loop, the threads of its resolver, and the jobs under way.
///
/// What a worker has when its job is done is a number and the way to the loop; what follows stays
/// with the loop. So nothing of the user's is destroyed in a worker but the work itself, and a
/// job that ends after close() finds the way shut and leaves in silence.
///
/// thread  The loop's.
class Offload {
 public:
  explicit Offload(EventLoop& loop);
  /// Waits for the jobs that still run: threads are joined, never left alone.
  ~Offload();
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;

  /// Has work done in a thread of `executor`, null for the default one, and `ended` by the loop.
  /// value: for withdraw().
  Result<std::uint64_t> execute(Callback work, Callback ended, std::shared_ptr<Executor> executor);
  /// Nobody is to hear of the job; work that has not begun never will.
  void withdraw(std::uint64_t key);
  Result<void> set_default(std::shared_ptr<Executor> executor);
  Future<void> shut_down_default(std::optional<Duration> timeout);
  /// The threads of getaddrinfo and getnameinfo.
  const std::shared_ptr<Executor>& resolver();
  /// Drops what is under way; does not wait for it.
  void close();

 private:
  struct Way;  // to the loop, for other threads; shut by close()
  struct Job {
    Callback ended;
    std::shared_ptr<Executor> executor;
    std::uint64_t id;
  };
  void finished(std::uint64_t key);
  void shut_down_ended(std::uint64_t key, bool in_time, std::optional<Duration> timeout);

  EventLoop& loop_;
  std::shared_ptr<Way> way_;
  std::uint64_t next_key_ = 1;
  std::unordered_map<std::uint64_t, Job> jobs_;
  struct ShuttingDown {
    Future<void> done;
    std::thread waiter;
  };
  std::unordered_map<std::uint64_t, ShuttingDown> waiters_;
  bool refused_ = false;  // shutdown_default_executor was called
  // In the order in which they end: the waiters wait for the executors.
  std::shared_ptr<Executor> resolver_, default_;
  std::vector<std::shared_ptr<Executor>> replaced_;
};

}  // namespace loopscope
