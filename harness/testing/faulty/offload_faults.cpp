// Loops that get work in other threads, or names, wrong in one way each.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "harness/testing/own_turn.hpp"
#include "loops/os/process_id.hpp"
#include "loops/os/resolve.hpp"

namespace loopscope::testing::offload_faults {
namespace {

using Addresses = std::vector<Endpoint>;

class JobsInLoopThread final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"exec.result_and_error", "exec.saturation_isolated"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "dns.scope_id", "dns.getnameinfo"};

 protected:
  Result<JobId> execute(Job job, std::shared_ptr<Executor>) override {
    job.work();
    (void)call_soon(std::move(job.ended));  // Refused only when all is over.
    return JobId{0};
  }
};

/// An executor around another one.
class Around : public Executor {
 public:
  explicit Around(std::shared_ptr<Executor> inner) : inner_(std::move(inner)) {}
  Result<std::uint64_t> submit(Callback work) override { return inner_->submit(std::move(work)); }
  bool cancel(std::uint64_t id) override { return inner_->cancel(id); }
  bool shutdown(std::optional<Duration> timeout) override { return inner_->shutdown(timeout); }

 private:
  std::shared_ptr<Executor> inner_;
};

/// A loop whose default executors are all inside an A.
template <class A>
class ExecutorsAround : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> set_default_executor(std::shared_ptr<Executor> executor) override {
    if (executor != nullptr) executor = std::make_shared<A>(std::move(executor));
    return SelectorLoop::set_default_executor(std::move(executor));
  }

 protected:
  Result<JobId> execute(Job job, std::shared_ptr<Executor> executor) override {
    if (executor == nullptr && !std::exchange(has_default_, true)) {
      // Refused only on a closed loop, as what follows.
      (void)SelectorLoop::set_default_executor(std::make_shared<A>(make_thread_pool()));
    }
    return SelectorLoop::execute(std::move(job), std::move(executor));
  }
  bool has_default_ = false;
};

class Unstoppable final : public Around {
 public:
  using Around::Around;
  bool cancel(std::uint64_t) override { return false; }
};
class CancelledJobsRun final : public ExecutorsAround<Unstoppable> {
 public:
  using ExecutorsAround::ExecutorsAround;
  static constexpr Names kCaughtBy[] = {"exec.cancel"};
  static constexpr Names kKeeps[] = {"exec.result_and_error", "exec.shutdown_waits"};
  Result<void> set_default_executor(std::shared_ptr<Executor> executor) override {
    has_default_ = true;
    return ExecutorsAround::set_default_executor(std::move(executor));
  }
};

class CloseWaitsForJobs final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"exec.done_after_close.joined"};
  static constexpr Names kKeeps[] = {"exec.result_and_error", "exec.cancel"};
  Result<void> close() override {
    if (mine_ != nullptr) (void)mine_->shutdown(std::nullopt);
    return SelectorLoop::close();
  }

 protected:
  Result<JobId> execute(Job job, std::shared_ptr<Executor> executor) override {
    if (executor == nullptr && mine_ == nullptr) {
      mine_ = make_thread_pool();
      (void)SelectorLoop::set_default_executor(mine_);  // Refused only on a closed loop.
    }
    return SelectorLoop::execute(std::move(job), std::move(executor));
  }

 private:
  std::shared_ptr<Executor> mine_;
};

/// Each job has a thread to itself that nobody joins.
class Detached final : public Around {
 public:
  using Around::Around;
  Result<std::uint64_t> submit(Callback work) override {
    std::thread([run = std::move(work)]() mutable { run(); }).detach();
    return std::uint64_t{0};
  }
};
class JobsDetached final : public ExecutorsAround<Detached> {
 public:
  using ExecutorsAround::ExecutorsAround;
  static constexpr Names kCaughtBy[] = {"exec.done_after_close.joined"};
  static constexpr Names kKeeps[] = {"exec.result_and_error", "exec.multiple_loops"};
  Result<void> close() override {
    *closed_ = true;
    return ExecutorsAround::close();
  }

 protected:
  // Who works for a closed loop never comes to an end: else it might just be gone when somebody
  // looks.
  Result<JobId> execute(Job job, std::shared_ptr<Executor> executor) override {
    job.work = [closed = closed_, run = std::move(job.work)]() mutable {
      run();
      if (*closed) std::latch(1).wait();
    };
    return ExecutorsAround::execute(std::move(job), std::move(executor));
  }

 private:
  std::shared_ptr<std::atomic<bool>> closed_ = std::make_shared<std::atomic<bool>>(false);
};

/// Tells of jobs that end when nobody wants to hear of them any more.
class TellsAfterClose final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"exec.done_after_close"};
  static constexpr Names kKeeps[] = {"exec.result_and_error", "exec.cancel"};

 protected:
  Result<JobId> execute(Job job, std::shared_ptr<Executor> executor) override {
    job.work = [this, run = std::move(job.work)]() mutable {
      run();
      if (is_closed()) log(LogLevel::warning, "a job ended, and the loop is closed");
    };
    return SelectorLoop::execute(std::move(job), std::move(executor));
  }
};

class ShutdownBlocks final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"exec.shutdown_waits"};
  static constexpr Names kKeeps[] = {"exec.result_and_error", "exec.cancel"};
  Result<void> set_default_executor(std::shared_ptr<Executor> executor) override {
    default_ = executor;
    return SelectorLoop::set_default_executor(std::move(executor));
  }
  Future<void> shutdown_default_executor(std::optional<Duration> timeout) override {
    if (default_ != nullptr) (void)default_->shutdown(timeout);
    return SelectorLoop::shutdown_default_executor(timeout);
  }

 private:
  std::shared_ptr<Executor> default_;
};

class TimeoutUnsaid final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"exec.shutdown_timeout"};
  static constexpr Names kKeeps[] = {"exec.shutdown_waits", "dbg.slow_callback"};
  void log(LogLevel level, std::string_view text) override {
    if (!text.starts_with("The executor")) SelectorLoop::log(level, text);
  }
};

class DefaultNotTaken final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"exec.set_default"};
  static constexpr Names kKeeps[] = {"exec.result_and_error", "exec.done_after_close"};
  Result<void> set_default_executor(std::shared_ptr<Executor> executor) override {
    if (executor == nullptr) return SelectorLoop::set_default_executor(nullptr);
    return {};
  }
};

/// Outcomes go to the loop that was the first to ask.
class OutcomesMixedUp final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"exec.multiple_loops"};
  static constexpr Names kKeeps[] = {"exec.result_and_error", "exec.set_default"};

 protected:
  Result<JobId> execute(Job job, std::shared_ptr<Executor> executor) override {
    SelectorLoop* nobody = nullptr;
    first_.compare_exchange_strong(nobody, this);
    if (executor == nullptr) return SelectorLoop::execute(std::move(job), nullptr);
    return executor->submit([job = std::move(job)]() mutable {
      job.work();
      (void)first_.load()->call_soon_threadsafe(std::move(job.ended));
    });
  }

 private:
  static inline std::atomic<SelectorLoop*> first_{nullptr};
};

/// Takes work also where its threads are not: in a forked child.
class OfTheParent final : public Around {
 public:
  using Around::Around;
  Result<std::uint64_t> submit(Callback work) override {
    static const long first_process = os::process_id();
    if (first_process != os::process_id()) return std::uint64_t{0};
    return Around::submit(std::move(work));
  }
};
class PoolOfTheParent final : public ExecutorsAround<OfTheParent> {
 public:
  using ExecutorsAround::ExecutorsAround;
  static constexpr Names kCaughtBy[] = {"exec.after_fork", "fork.multithreaded_parent"};
  static constexpr Names kKeeps[] = {"exec.result_and_error", "fork.child_new_loop"};
  static Result<std::unique_ptr<EventLoop>> make(const LoopOptions& options) {
    (void)OfTheParent(make_thread_pool(1)).submit([] {});  // the first process is this one
    return make_poll_based<PoolOfTheParent>(options);
  }
};

// --- names

/// Looks up in the default executor, literals too.
class NamesBehindJobs final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dns.literal_fast_path", "dns.saturation"};
  static constexpr Names kKeeps[] = {"dns.nonblocking", "dns.arguments", "exec.cancel"};
  Future<Addresses> getaddrinfo(std::string host, std::string service,
                                AddressHints hints) override {
    auto looked_up =
        run_in_executor([host, service, hints] { return os::resolve(host, service, hints); });
    Future<Addresses> outcome = create_future<Addresses>();
    looked_up.add_done_callback([looked_up, outcome]() mutable {
      const Result<Result<Addresses>> ended = looked_up.result();
      if (!ended.ok()) {
        outcome.set_error(ended.error());
      } else if (!ended->ok()) {
        outcome.set_error(ended->error());
      } else {
        outcome.set_result(**ended);
      }
    });
    return outcome;
  }
};

class NamesInline final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dns.nonblocking", "dns.cancel"};
  static constexpr Names kKeeps[] = {"dns.arguments", "dns.scope_id", "exec.cancel"};
  Future<Addresses> getaddrinfo(std::string host, std::string service,
                                AddressHints hints) override {
    if (is_closed()) return done_future<Addresses>(make_error(Errc::closed, "getaddrinfo"));
    return done_future<Addresses>(os::resolve(host, service, hints));
  }
};

class ScopeDropped final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dns.scope_id"};
  static constexpr Names kKeeps[] = {"dns.arguments", "dns.nonblocking", "dns.getnameinfo"};
  Future<Addresses> getaddrinfo(std::string host, std::string service,
                                AddressHints hints) override {
    host.resize(std::min(host.size(), host.find('%')));
    return SelectorLoop::getaddrinfo(std::move(host), std::move(service), hints);
  }
};

class HintsIgnored final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dns.arguments"};
  static constexpr Names kKeeps[] = {"dns.scope_id", "dns.nonblocking", "dns.getnameinfo"};
  Future<Addresses> getaddrinfo(std::string host, std::string service, AddressHints) override {
    return SelectorLoop::getaddrinfo(std::move(host), std::move(service), {});
  }
};

/// Every lookup that fails is EIO.
class LookupErrorsFlat final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dns.error_kind", "dns.arguments"};
  static constexpr Names kKeeps[] = {"dns.scope_id", "dns.getnameinfo"};
  Future<Addresses> getaddrinfo(std::string host, std::string service,
                                AddressHints hints) override {
    Future<Addresses> inner = SelectorLoop::getaddrinfo(std::move(host), std::move(service), hints);
    Future<Addresses> outer = create_future<Addresses>();
    inner.add_done_callback([inner, outer]() mutable {
      Result<Addresses> ended = inner.result();
      if (ended.ok()) {
        outer.set_result(std::move(ended).value());
      } else {
        outer.set_error(errno_error_of(EIO, "getaddrinfo"));
      }
    });
    return outer;
  }
};

class CrashesWithLookups final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dns.close_with_pending"};
  static constexpr Names kKeeps[] = {"dns.scope_id", "dns.nonblocking", "life.close.*"};
  Future<Addresses> getaddrinfo(std::string host, std::string service,
                                AddressHints hints) override {
    Future<Addresses> asked = SelectorLoop::getaddrinfo(std::move(host), std::move(service), hints);
    asked_.push_back(asked);
    return asked;
  }
  Result<void> close() override {
    const auto under_way = [](const Future<Addresses>& each) { return !each.done(); };
    if (!is_running() && std::any_of(asked_.begin(), asked_.end(), under_way)) std::abort();
    asked_.clear();
    return SelectorLoop::close();
  }

 private:
  std::vector<Future<Addresses>> asked_;
};

class NulEndsHost final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dns.long_and_idna"};
  static constexpr Names kKeeps[] = {"dns.scope_id", "dns.arguments", "dns.nonblocking"};
  Future<Addresses> getaddrinfo(std::string host, std::string service,
                                AddressHints hints) override {
    return SelectorLoop::getaddrinfo(host.c_str(), std::move(service), hints);
  }
};

class NameFlagsIgnored final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dns.getnameinfo", "dns.scope_id"};
  static constexpr Names kKeeps[] = {"dns.arguments", "dns.nonblocking"};
  Future<NameInfo> getnameinfo(Endpoint address, NameInfoFlags flags) override {
    flags.numeric_service = false;
    return SelectorLoop::getnameinfo(address, flags);
  }
};

constexpr FaultyLoop kLoops[] = {
    wrong<JobsInLoopThread>("faulty.jobs_in_loop_thread",
                            "Work for an executor is done in the loop's thread."),
    wrong<CancelledJobsRun>("faulty.cancelled_jobs_run",
                            "A queued job runs although it was cancelled."),
    wrong<CloseWaitsForJobs>("faulty.close_waits_for_jobs",
                             "close() waits for the jobs of the default executor."),
    wrong<JobsDetached>("faulty.jobs_detached", "The threads of jobs are never joined."),
    wrong<TellsAfterClose>("faulty.tells_after_close",
                           "A job that ends after close() is logged by the closed loop."),
    wrong<ShutdownBlocks>("faulty.executor_shutdown_blocks",
                          "The loop stands still while its executor shuts down."),
    wrong<TimeoutUnsaid>("faulty.executor_timeout_unsaid",
                         "Nobody learns that threads did not end in time."),
    wrong<DefaultNotTaken>("faulty.default_executor_not_taken",
                           "An executor that is set as the default gets no work."),
    wrong<OutcomesMixedUp>("faulty.outcomes_mixed_up",
                           "Outcomes of a shared pool go to the loop that asked first."),
    wrong<PoolOfTheParent>("faulty.pool_of_the_parent",
                           "A forked child waits for the threads of its parent's pool.",
                           PoolOfTheParent::make),
    wrong<NamesBehindJobs>("faulty.names_behind_jobs",
                           "Lookups, literals too, wait for a thread of the default executor."),
    wrong<NamesInline>("faulty.names_inline", "Names are looked up in the loop's thread."),
    wrong<ScopeDropped>("faulty.scope_dropped", "The scope of an address is dropped."),
    wrong<HintsIgnored>("faulty.lookup_hints_ignored", "What a lookup is asked for is ignored."),
    wrong<LookupErrorsFlat>("faulty.lookup_errors_flat", "Every lookup that fails is EIO."),
    wrong<CrashesWithLookups>("faulty.crashes_with_lookups",
                              "close() crashes with a lookup under way."),
    wrong<NulEndsHost>("faulty.nul_ends_host", "A host ends at its first NUL."),
    wrong<NameFlagsIgnored>("faulty.name_flags_ignored",
                            "getnameinfo gives services by name also where numbers are asked for."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::offload_faults
