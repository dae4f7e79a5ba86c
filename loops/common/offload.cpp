// Handing work to executors, and bringing home that it is done.
#include "loops/common/offload.hpp"

#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include "loops/event_loop.hpp"

namespace loopscope {
namespace {

/// Lookups that may be under way at once. A lookup waits for the network and computes nothing, so
/// this is no matter of processors; a thread is started only when all others are stuck.
constexpr std::size_t kResolverThreads = 16;

}  // namespace

struct Offload::Way {
  std::mutex mutex;
  EventLoop* loop;

  explicit Way(EventLoop* to) : loop(to) {}
  /// Any thread. The loop cannot close meanwhile.
  void post(Callback callback) {
    const std::lock_guard lock(mutex);
    if (loop != nullptr) (void)loop->call_soon_threadsafe(std::move(callback));
  }
};

Offload::Offload(EventLoop& loop) : loop_(loop), way_(std::make_shared<Way>(&loop)) {}

Offload::~Offload() {
  close();
  for (auto& [key, entry] : waiters_) {
    if (entry.waiter.joinable()) entry.waiter.join();
  }
}

Result<std::uint64_t> Offload::execute(Callback work, Callback ended,
                                       std::shared_ptr<Executor> executor) {
  if (executor == nullptr) {
    if (refused_) {
      return make_error(Errc::closed, "run_in_executor", "the default executor was shut down");
    }
    if (default_ == nullptr) default_ = make_thread_pool();
    executor = default_;
  }
  const std::uint64_t key = next_key_++;
  auto job = [this, key, way = way_, work = std::move(work)]() mutable {
    work();
    work.reset();  // gone before anybody learns that it is done
    way->post([this, key] { finished(key); });
  };
  Result<std::uint64_t> id = executor->submit(Callback(std::move(job)));
  if (!id.ok()) return id.error();
  jobs_.emplace(key, Job{std::move(ended), std::move(executor), *id});
  return key;
}

void Offload::finished(std::uint64_t key) {
  auto job = jobs_.extract(key);
  if (!job.empty()) job.mapped().ended();  // else it was withdrawn
}

void Offload::withdraw(std::uint64_t key) {
  const auto job = jobs_.extract(key);
  if (!job.empty()) (void)job.mapped().executor->cancel(job.mapped().id);  // false: it runs
}

const std::shared_ptr<Executor>& Offload::resolver() {
  if (resolver_ == nullptr) resolver_ = make_thread_pool(kResolverThreads);
  return resolver_;
}

Result<void> Offload::set_default(std::shared_ptr<Executor> executor) {
  if (executor == nullptr) return make_error(Errc::invalid_argument, "set_default_executor");
  // The last owner of an executor waits for its work. That is not to happen here.
  if (default_ != nullptr) replaced_.push_back(std::move(default_));
  default_ = std::move(executor);
  return {};
}

Future<void> Offload::shut_down_default(std::optional<Duration> timeout) {
  refused_ = true;
  if (default_ == nullptr) return loop_.done_future<void>({});
  const std::uint64_t key = next_key_++;
  Future<void> done = loop_.create_future();
  ShuttingDown& entry = waiters_[key];
  entry.done = done;
  try {
    entry.waiter = std::thread([this, key, timeout, way = way_, executor = default_] {
      const bool in_time = executor->shutdown(timeout);
      way->post([this, key, in_time, timeout] { shut_down_ended(key, in_time, timeout); });
    });
  } catch (const std::system_error& error) {
    waiters_.erase(key);
    return loop_.done_future<void>(errno_error_of(error.code().value(), "pthread_create"));
  }
  return done;
}

void Offload::shut_down_ended(std::uint64_t key, bool in_time, std::optional<Duration> timeout) {
  auto entry = waiters_.extract(key);
  entry.mapped().waiter.join();  // It posted this and has nothing left to do.
  if (!in_time) {
    const double seconds = std::chrono::duration<double>(timeout.value_or(Duration{0})).count();
    loop_.log(LogLevel::warning, "The executor did not finish joining its threads within " +
                                     std::to_string(seconds) + " seconds.");
  }
  entry.mapped().done.set_result();
}

void Offload::close() {
  {
    const std::lock_guard lock(way_->mutex);
    if (way_->loop == nullptr) return;
    way_->loop = nullptr;
  }
  // A lookup has no effect but its answer, and there is nobody to be told. Other work was promised
  // to run, and its effects may matter to somebody else: it runs, as asyncio has it.
  const auto dropped = std::exchange(jobs_, {});
  for (const auto& [key, job] : dropped) {
    if (job.executor == resolver_) (void)resolver_->cancel(job.id);
  }
  if (resolver_ != nullptr) (void)resolver_->shutdown(Duration::zero());
  if (default_ != nullptr) (void)default_->shutdown(Duration::zero());
}

}  // namespace loopscope
