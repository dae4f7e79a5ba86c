// Loops that keep wrong books of readers and writers, in one way each.
#include <cerrno>
#include <map>
#include <set>

#include "harness/testing/wrapped_selector.hpp"

namespace loopscope::testing::registration_faults {
namespace {

using Reader = std::function<void()>;

class ReplacedStillRuns final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_reader(FileObj file, Reader callback) override {
    std::vector<Reader>& all = all_[file.native()];
    all.push_back(std::move(callback));
    return SelectorLoop::add_reader(file, [run = all] {
      for (const Reader& each : run) each();
    });
  }
  Result<bool> remove_reader(FileObj file) override {
    all_.erase(file.native());
    return SelectorLoop::remove_reader(file);
  }

 private:
  std::map<os::NativeSocket, std::vector<Reader>> all_;
};

class WriterTakesReaderAlong final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<bool> remove_writer(FileObj file) override {
    const Result<bool> removed = SelectorLoop::remove_writer(file);
    if (removed.ok() && *removed) (void)SelectorLoop::remove_reader(file);
    return removed;
  }
};

template <bool answer>
class RemovalAnswers final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<bool> remove_reader(FileObj file) override {
    const Result<bool> removed = SelectorLoop::remove_reader(file);
    return removed.ok() ? Result<bool>(answer) : removed;
  }
};

/// Keeps the callbacks itself, so that what is queued does not depend on the loop's own books.
class OwnDispatch : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> watch(os::NativeSocket fd, Direction direction, Reader ready) override {
    callbacks_[{fd, direction}] = std::make_shared<Reader>(ready);
    return SelectorLoop::watch(fd, direction, std::move(ready));
  }

 protected:
  std::map<std::pair<os::NativeSocket, Direction>, std::shared_ptr<Reader>> callbacks_;
};

class RemovedStillRuns final : public OwnDispatch {
 public:
  using OwnDispatch::OwnDispatch;
  void dispatch(os::NativeSocket fd, Direction direction) override {
    const std::shared_ptr<Reader> callback = callbacks_[{fd, direction}];
    if (callback) ready_.push([callback] { (*callback)(); });
  }
};

class EventsGoByNumber final : public OwnDispatch {
 public:
  using OwnDispatch::OwnDispatch;
  Result<bool> remove_reader(FileObj file) override {
    callbacks_.erase({file.native(), Direction::read});
    return SelectorLoop::remove_reader(file);
  }
  void dispatch(os::NativeSocket fd, Direction direction) override {
    ready_.push([this, fd, direction] {
      const std::shared_ptr<Reader> callback = callbacks_[{fd, direction}];
      if (callback) (*callback)();
    });
  }
};

class TakesAnyNumber final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_reader(FileObj file, Reader callback) override {
    const Result<void> added = SelectorLoop::add_reader(file, std::move(callback));
    return !added.ok() && added.error().is_errno(EBADF) ? Result<void>() : added;
  }
};

class HalfRegistered final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static Result<std::unique_ptr<EventLoop>> make_over_epoll(const LoopOptions& options) {
    SelectorResult selector = make_epoll_selector();
    if (!selector.ok()) return selector.error();
    Result<std::unique_ptr<os::Waker>> waker = os::make_waker();
    if (!waker.ok()) return waker.error();
    auto loop = std::make_unique<HalfRegistered>(options, std::move(selector).value(),
                                                 std::move(waker).value());
    if (const Result<void> opened = loop->open(); !opened.ok()) return opened.error();
    return std::unique_ptr<EventLoop>(std::move(loop));
  }
  Result<void> add_reader(FileObj file, Reader callback) override {
    const Result<void> added = SelectorLoop::add_reader(file, std::move(callback));
    if (!added.ok()) half_.insert(file.native());
    return added;
  }
  Result<bool> remove_reader(FileObj file) override {
    const Result<bool> removed = SelectorLoop::remove_reader(file);
    return half_.erase(file.native()) > 0 ? Result<bool>(true) : removed;
  }

 private:
  std::set<os::NativeSocket> half_;
};

class FilesTaken final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_reader(FileObj file, Reader callback) override {
    const Result<void> added = SelectorLoop::add_reader(file, callback);
    if (added.ok() || !added.error().is_errno(EPERM)) return added;
    files_[file.native()] = std::make_shared<Reader>(std::move(callback));
    keep_calling(file.native());
    return {};
  }
  Result<bool> remove_reader(FileObj file) override {
    return files_.erase(file.native()) > 0 ? Result<bool>(true) : SelectorLoop::remove_reader(file);
  }

 private:
  void keep_calling(os::NativeSocket fd) {
    call_soon([this, fd] {
      const auto found = files_.find(fd);
      if (found == files_.end()) return;
      const std::shared_ptr<Reader> callback = found->second;
      (*callback)();
      keep_calling(fd);
    });
  }
  std::map<os::NativeSocket, std::shared_ptr<Reader>> files_;
};

class NoTransportGuard final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_reader(FileObj file, Reader callback) override {
    const Result<void> added = SelectorLoop::add_reader(file, callback);
    if (added.ok() || !added.error().is(Errc::invalid_state)) return added;
    return watch(file.native(), Direction::read, std::move(callback));
  }
};

class MadeNonBlocking final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_reader(FileObj file, Reader callback) override {
    const Result<void> added = SelectorLoop::add_reader(file, std::move(callback));
    if (added.ok()) (void)os::set_blocking(file.native(), false);
    return added;
  }
};

class RemovalDeferred final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_reader(FileObj file, Reader callback) override {
    const Result<void> added = SelectorLoop::add_reader(file, std::move(callback));
    if (added.ok()) readers_.insert(file.native());
    return added;
  }
  Result<bool> remove_reader(FileObj file) override {
    const os::NativeSocket fd = file.native();
    call_soon([this, fd] { (void)SelectorLoop::remove_reader(fd); });
    return readers_.erase(fd) > 0;
  }

 private:
  std::set<os::NativeSocket> readers_;
};

/// A descriptor belongs to the loop that registered it last.
class SharedBooks final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  ~SharedBooks() override {
    std::erase_if(owners(), [this](const auto& entry) { return entry.second == this; });
  }
  Result<void> add_reader(FileObj file, Reader callback) override {
    SharedBooks*& owner = owners()[file.native()];
    if (owner != nullptr && owner != this) (void)owner->SelectorLoop::remove_reader(file);
    owner = this;
    return SelectorLoop::add_reader(file, std::move(callback));
  }

 private:
  static std::map<os::NativeSocket, SharedBooks*>& owners() {
    static std::map<os::NativeSocket, SharedBooks*> books;
    return books;
  }
};

class RemovesTwice final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<bool> remove_reader(FileObj file) override {
    const Result<bool> removed = SelectorLoop::remove_reader(file);
    (void)SelectorLoop::remove_reader(file);  // "To be sure": takes away what a destructor added.
    return removed;
  }
};

constexpr LoopDescriptor half_registered() {
  LoopDescriptor row = epoll_wrapped<WrappedSelector>("faulty.half_registered");
  row.make = HalfRegistered::make_over_epoll;
  return row;
}

using Names = std::string_view;
constexpr Names kReplaced[] = {"rw.replace_callback", "rw.reentrant_finaliser"};
constexpr Names kAlong[] = {"rw.reader_and_writer_independent"};
constexpr Names kTrue[] = {"rw.remove.returns", "rw.bad_fd"};
constexpr Names kFalse[] = {"rw.remove.returns", "rw.object_types", "limit.select.count_64"};
constexpr Names kRemoved[] = {"rw.remove.in_batch", "rw.replace_callback",
                              "reent.remove_other_transport"};
constexpr Names kNumber[] = {"rw.fd_reuse.in_batch"};
constexpr Names kBad[] = {"rw.bad_fd"};
constexpr Names kHalf[] = {"rw.bad_fd", "rw.regular_file", "rw.devnull_devzero"};
constexpr Names kFiles[] = {"rw.regular_file"};
constexpr Names kGuard[] = {"rw.transport_fd_guard"};
constexpr Names kMode[] = {"rw.preserve_blocking_mode"};
constexpr Names kDeferred[] = {"rw.fd_reuse.across_loops", "rw.remove.in_batch"};
constexpr Names kShared[] = {"rw.same_fd_two_loops"};
constexpr Names kTwice[] = {"reent.destructor_reenters"};

constexpr Names kKeeps[] = {"rw.level_triggered", "sock.recv.basic", "flow.high_zero"};

constexpr FaultyLoop kLoops[] = {
    {.loop = poll_based<ReplacedStillRuns>("faulty.replaced_reader_runs"),
     .defect = "A reader that was replaced goes on running beside its successor.",
     .must_fail = kReplaced,
     .must_pass = kKeeps},
    {.loop = poll_based<WriterTakesReaderAlong>("faulty.writer_removal_drops_reader"),
     .defect = "Removing a writer removes the reader of the same descriptor.",
     .must_fail = kAlong,
     .must_pass = kKeeps},
    {.loop = poll_based<RemovalAnswers<true>>("faulty.removal_always_true"),
     .defect = "remove_reader says true whether or not something was registered.",
     .must_fail = kTrue,
     .must_pass = kKeeps},
    {.loop = poll_based<RemovalAnswers<false>>("faulty.removal_always_false"),
     .defect = "remove_reader says false whether or not something was registered.",
     .must_fail = kFalse,
     .must_pass = kKeeps},
    {.loop = poll_based<RemovedStillRuns>("faulty.removed_runs_in_batch"),
     .defect = "What was queued runs although an earlier callback of the batch removed it.",
     .must_fail = kRemoved,
     .must_pass = kKeeps},
    {.loop = poll_based<EventsGoByNumber>("faulty.stale_event_to_reused_number"),
     .defect = "A queued event goes to whoever has the descriptor's number when it runs.",
     .must_fail = kNumber,
     .must_pass = kKeeps},
    {.loop = poll_based<TakesAnyNumber>("faulty.bad_descriptor_accepted"),
     .defect = "add_reader accepts descriptors that are not open.",
     .must_fail = kBad,
     .must_pass = kKeeps},
    {.loop = half_registered(),
     .defect = "A refused descriptor stays in the loop's books.",
     .must_fail = kHalf,
     .must_pass = kKeeps},
    {.loop = poll_based<FilesTaken>("faulty.regular_file_spins"),
     .defect = "Regular files are accepted, and their readers run in every iteration.",
     .must_fail = kFiles,
     .must_pass = kKeeps},
    {.loop = poll_based<NoTransportGuard>("faulty.transport_descriptor_taken"),
     .defect = "add_reader takes a descriptor away from the transport that owns it.",
     .must_fail = kGuard,
     .must_pass = kKeeps},
    {.loop = poll_based<MadeNonBlocking>("faulty.blocking_mode_changed"),
     .defect = "add_reader makes the caller's descriptor non-blocking.",
     .must_fail = kMode,
     .must_pass = kKeeps},
    {.loop = poll_based<RemovalDeferred>("faulty.removal_deferred"),
     .defect = "A removal takes effect in the next iteration, on whatever has the number then.",
     .must_fail = kDeferred,
     .must_pass = kKeeps},
    {.loop = poll_based<SharedBooks>("faulty.books_shared_by_loops"),
     .defect = "Registering a descriptor with one loop takes it away from another one.",
     .must_fail = kShared,
     .must_pass = kKeeps},
    {.loop = poll_based<RemovesTwice>("faulty.removal_repeated"),
     .defect = "A removal also removes what the old callback's destructor has registered.",
     .must_fail = kTwice,
     .must_pass = kKeeps},
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::registration_faults
