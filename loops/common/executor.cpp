// The thread pool behind run_in_executor: threads start when there is work, and are all joined.
#include "loops/executor.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "loops/os/process_id.hpp"

namespace loopscope {
namespace {

/// What the threads of one process share. They keep it alive until the last of them has ended.
class Workers : public std::enable_shared_from_this<Workers> {
 public:
  Workers(std::size_t limit, std::uint64_t first_id) : limit_(limit), next_id_(first_id) {}

  Result<std::uint64_t> submit(Callback work) {
    Job refused;  // declared before the lock: its captures are destroyed after the unlock
    const std::lock_guard lock(mutex_);
    if (closed_) return make_error(Errc::closed, "submit", "the executor was shut down");
    queue_.push_back({next_id_, std::move(work)});
    if (queue_.size() > idle_ && alive_ < limit_) {
      const Result<void> started = start_thread();
      if (!started.ok() && alive_ == 0) {  // else the others get to it
        refused = std::move(queue_.back());
        queue_.pop_back();
        return started.error();
      }
    }
    work_.notify_one();
    return next_id_++;
  }

  bool cancel(std::uint64_t id) {
    Job dropped;
    const std::lock_guard lock(mutex_);
    const auto found =
        std::find_if(queue_.begin(), queue_.end(), [id](const Job& job) { return job.id == id; });
    if (found == queue_.end()) return false;
    dropped = std::move(*found);
    queue_.erase(found);
    return true;
  }

  bool shutdown(std::optional<Duration> timeout) {
    std::unique_lock lock(mutex_);
    closed_ = true;
    work_.notify_all();
    const std::size_t own = is_own_thread() ? 1 : 0;  // a job cannot wait for itself
    const auto ended = [&] { return alive_ == own; };
    // Idle threads end at once, so that waiting for them is no waiting: also with no time to spare.
    if (!timeout || (busy_ == own && queue_.empty())) {
      ended_.wait(lock, ended);
    } else if (!ended_.wait_until(lock, saturating_add(now(), *timeout), ended)) {
      return false;
    }
    std::vector<std::thread> threads = std::exchange(threads_, {});
    lock.unlock();
    for (std::thread& thread : threads) {
      if (thread.get_id() == std::this_thread::get_id()) {
        thread.detach();  // The last owner goes inside a job: this thread ends right after it.
      } else {
        thread.join();
      }
    }
    return true;
  }

 private:
  struct Job {
    std::uint64_t id = 0;
    Callback work;
  };

  Result<void> start_thread() {
    try {
      threads_.emplace_back([self = shared_from_this()] { self->run(); });
    } catch (const std::system_error& error) {
      return errno_error_of(error.code().value(), "pthread_create");
    }
    ++alive_;
    return {};
  }

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      work_.wait(lock, [this] { return closed_ || !queue_.empty(); });
      --idle_;
      if (queue_.empty()) break;
      Job job = std::move(queue_.front());
      queue_.pop_front();
      ++busy_;
      lock.unlock();
      job.work();
      job.work.reset();
      lock.lock();
      --busy_;
    }
    --alive_;
    ended_.notify_all();
  }

  bool is_own_thread() const {
    return std::any_of(threads_.begin(), threads_.end(), [](const std::thread& thread) {
      return thread.get_id() == std::this_thread::get_id();
    });
  }

  const std::size_t limit_;
  std::mutex mutex_;  // guards all below
  std::condition_variable work_, ended_;
  std::deque<Job> queue_;
  std::vector<std::thread> threads_;
  std::size_t alive_ = 0, idle_ = 0, busy_ = 0;
  std::uint64_t next_id_;
  bool closed_ = false;
};

class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(std::size_t threads)
      : limit_(threads), pid_(os::process_id()), workers_(make_workers()) {}
  ~ThreadPool() override {
    if (pid_.load(std::memory_order_acquire) == os::process_id()) {
      (void)workers_->shutdown(std::nullopt);  // Without a timeout it ends them all.
    } else {
      leave_to_parent();
    }
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  Result<std::uint64_t> submit(Callback work) override {
    if (closed_) return make_error(Errc::closed, "submit", "the executor was shut down");
    return of_this_process().submit(std::move(work));
  }
  bool cancel(std::uint64_t id) override { return of_this_process().cancel(id); }
  bool shutdown(std::optional<Duration> timeout) override {
    closed_ = true;
    return of_this_process().shutdown(timeout);
  }

 private:
  /// Ids differ between a process and its forked children: an inherited one names nothing there.
  std::shared_ptr<Workers> make_workers() const {
    return std::make_shared<Workers>(limit_,
                                     (static_cast<std::uint64_t>(os::process_id()) << 32) + 1);
  }
  /// A forked child has none of the threads, and the lock may be one that nobody there releases:
  /// what it inherited is neither used nor destroyed. The work was the parent's and runs there.
  void leave_to_parent() {
    (void)std::make_unique<std::shared_ptr<Workers>>(std::move(workers_)).release();
  }
  Workers& of_this_process() {
    constexpr long kChanging = -1;
    const long mine = os::process_id();
    for (long seen = pid_.load(std::memory_order_acquire); seen != mine;) {
      if (seen == kChanging) {
        std::this_thread::yield();
        seen = pid_.load(std::memory_order_acquire);
      } else if (pid_.compare_exchange_weak(seen, kChanging, std::memory_order_acquire)) {
        leave_to_parent();
        workers_ = make_workers();
        pid_.store(mine, std::memory_order_release);
        seen = mine;
      }
    }
    return *workers_;
  }

  const std::size_t limit_;
  std::atomic<bool> closed_{false};
  std::atomic<long> pid_;  // whose threads workers_ has
  std::shared_ptr<Workers> workers_;
};

}  // namespace

std::shared_ptr<Executor> make_thread_pool(std::size_t threads) {
  if (threads == 0) {
    threads = std::min<std::size_t>(32, std::max(1u, std::thread::hardware_concurrency()) + 4u);
  }
  return std::make_shared<ThreadPool>(threads);
}

}  // namespace loopscope
