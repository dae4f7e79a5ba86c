// Executor: where blocking work runs, away from the loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "loops/base/callback.hpp"
#include "loops/base/clock.hpp"
#include "loops/base/result.hpp"

namespace loopscope {

/// source: concurrent.futures.Executor. thread: any, for every function.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Queues work; it runs once, in a thread of the executor. An exception that it lets out is
  /// the caller's to catch before. value: an id for cancel().
  /// errors  closed after shutdown(); the system's, where no thread can be started.
  virtual Result<std::uint64_t> submit(Callback work) = 0;
  /// true: the work had not begun and never will.
  virtual bool cancel(std::uint64_t id) = 0;
  /// Takes no more work. Blocks until what was queued has run and the threads have ended, at most
  /// for `timeout` (nullopt: as long as it takes). false: the timeout passed first.
  virtual bool shutdown(std::optional<Duration> timeout) = 0;
};

/// A pool that starts a thread when there is work and no idle one, up to `threads`.
/// threads: 0 for min(32, processors + 4), as concurrent.futures has it.
std::shared_ptr<Executor> make_thread_pool(std::size_t threads = 0);

}  // namespace loopscope
