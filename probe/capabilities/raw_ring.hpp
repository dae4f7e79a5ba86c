// An io_uring without any library: the system calls, three mappings and two queues.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>

#include "loops/base/clock.hpp"
#include "loops/os/fd.hpp"
#include "probe/capabilities/uring_abi.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes {

/// How long an operation may take that has everything it needs. A worker of the kernel may have to
/// start first; below the deadline of a fact.
inline constexpr std::chrono::milliseconds kRingPatience{250};
/// How long one that may have to wait is watched before it counts as waiting.
inline constexpr std::chrono::milliseconds kSettle{1};

/// One ring with a handful of entries, used by one thread. What is pending ends with it.
class RawRing {
 public:
  struct Options {
    unsigned entries = 64;
    std::uint32_t flags = 0;       // abi::kSetup...
    std::uint32_t cq_entries = 0;  // with kSetupCqsize
    int attach_to = -1;            // with kSetupAttachWq: another ring
    std::string_view label = {};   // of the flags, for the record
  };

  RawRing() = default;
  RawRing(const RawRing&) = delete;
  RawRing& operator=(const RawRing&) = delete;
  ~RawRing();

  /// Sets the ring up; each call is recorded. false: cx.last_error() says why.
  bool open(ProbeContext& cx) { return open(cx, Options{}); }
  bool open(ProbeContext& cx, const Options& options);
  /// params.features of the kernel.
  std::uint32_t features() const { return features_; }
  /// How many completions are there that nobody has taken, as far as the queue holds them.
  std::uint32_t visible() const;
  /// Does the kernel say that it keeps completions for which the queue has no room?
  bool overflown() const;
  int descriptor() const { return fd_.get(); }

  /// Queues a request; 0 as its user_data: the ring chooses. returns its user_data.
  std::uint64_t push(abi::Request request);
  /// Gives the kernel what is queued, and takes nothing. false: errno is of io_uring_enter.
  bool submit();
  /// The same; a failure is recorded.
  bool submit(ProbeContext& cx);
  /// The next completion of a request, waited for at most `patience`.
  std::optional<abi::Completion> take(std::uint64_t user_data, Duration patience = kRingPatience);
  /// push, submit and take; recorded as `what`. nullopt: not submitted, or not complete in time.
  std::optional<abi::Completion> ask(ProbeContext& cx, std::string_view what, abi::Request request,
                                     Duration patience = kRingPatience);
  /// Asks for `events` (poll's bits) on `fd` and looks once; not recorded.
  /// returns a ready mask or a negative errno; nullopt when it did not complete at once.
  std::optional<std::int32_t> poll_now(int fd, std::uint32_t events);
  /// Ends a request and waits for its last completion. returns that completion.
  std::optional<abi::Completion> cancel(ProbeContext& cx, std::uint64_t user_data);
  /// io_uring_enter that waits by itself for one completion, recorded as `what`.
  long wait(ProbeContext& cx, std::string_view what, Duration timeout);
  /// io_uring_register, recorded as `what`.
  int configure(ProbeContext& cx, std::string_view what, abi::Register operation, void* argument,
                unsigned count);

  /// The errno of an io_uring_enter or io_uring_register that something in front of io_uring
  /// refused (EPERM, ENOSYS), on any ring of this process since it was last forgotten; or 0.
  static int refusal() { return refusal_; }
  static void forget_refusal() { refusal_ = 0; }

 private:
  struct Mapping {
    void* address = nullptr;
    std::size_t size = 0;
  };

  bool map(ProbeContext& cx, Mapping& mapping, std::size_t size, long offset);
  bool map_all(ProbeContext& cx, const abi::Parameters& parameters);
  bool lend_memory(ProbeContext& cx, abi::Parameters& parameters);
  long enter(unsigned count, unsigned wait_for, unsigned flags);
  void collect();
  std::optional<abi::Completion> find(std::uint64_t user_data);

  static void note_refusal();  // by errno

  static int refusal_;

  os::UniqueFd fd_;
  int registered_ = -1;  // the ring's index where it has no descriptor
  Mapping submissions_, completions_, requests_;
  std::uint32_t *sq_tail_ = nullptr, *sq_array_ = nullptr, *sq_flags_ = nullptr;
  std::uint32_t *cq_head_ = nullptr, *cq_tail_ = nullptr;
  std::uint32_t sq_mask_ = 0, cq_mask_ = 0, features_ = 0, flags_ = 0;
  std::byte* cqes_ = nullptr;
  std::uint32_t queued_ = 0;
  std::uint64_t next_id_ = 1;
  std::deque<abi::Completion> arrived_;
};

/// What a completion says, for a reader: "4 MORE", "-1 ECANCELED".
std::string completion_text(const abi::Completion& done);
/// Records a completion as evidence; nullopt: that there was none.
void note_completion(ProbeContext& cx, std::string_view what,
                     const std::optional<abi::Completion>& done);

/// Why this process gets no ring, or may not use it, as far as the system tells; may be empty.
std::string why_refused(int error);

/// yes when `right`; else why not: what the request was refused with, or that it did the wrong
/// thing. No answer when it did not complete, or failed for want of something.
FactResult verdict(const std::optional<abi::Completion>& done, bool right, std::string note = {});

/// A fact that needs a ring: no answer, with the reason, where there is none or where it may not
/// be used.
template <FactResult (*question)(ProbeContext&, RawRing&)>
FactResult with_ring(ProbeContext& cx) {
  RawRing::forget_refusal();
  RawRing ring;
  if (!ring.open(cx)) return cx.unknown(why_refused(cx.last_error()));
  FactResult result = question(cx, ring);
  if (const int error = RawRing::refusal(); error != 0) {
    return null(reason_of_errno(error), why_refused(error));
  }
  return result;
}

}  // namespace loopscope::probes
