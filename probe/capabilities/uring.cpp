// io_uring: whether this process may have a ring, who says so if not, and what the ring can be.
#include <sys/resource.h>
#include <sys/uio.h>

#include <set>

#include "probe/capabilities/raw_ring.hpp"
#include "probe/capabilities/subjects.hpp"
#include "probe/posix/text_file.hpp"

namespace loopscope::probes::uring {

namespace {

using abi::Op;

constexpr const char* kSysctl = "/proc/sys/kernel/io_uring_disabled";

bool filtered() { return status_field("Seccomp") == "2"; }

FactResult setup(ProbeContext& cx) {
  RawRing ring;
  if (ring.open(cx)) return yes("a ring was set up and mapped");
  return cx.refused(why_refused(cx.last_error()));
}

/// Asks for nothing, and is answered.
std::optional<abi::Completion> ask_nothing(ProbeContext& cx, RawRing& ring,
                                           std::string_view what = "IORING_OP_NOP") {
  return ring.ask(cx, what, abi::Request{});
}

FactResult enter(ProbeContext& cx) {
  RawRing::forget_refusal();
  RawRing ring;
  if (!ring.open(cx)) return cx.unknown(why_refused(cx.last_error()));
  const auto done = ask_nothing(cx, ring);
  if (const int error = RawRing::refusal(); error != 0) {
    return no(reason_of_errno(error), why_refused(error));
  }
  return verdict(done, done && done->result == 0, "a request was submitted and completed");
}

FactResult sysctl(ProbeContext& cx) {
  const auto value = read_number(kSysctl);
  cx.call("read(/proc/sys/kernel/io_uring_disabled)", value ? 0 : -1);
  if (!value) return cx.unknown("the switch exists since Linux 6.6");
  const auto group = read_number("/proc/sys/kernel/io_uring_group");
  if (group) cx.note("kernel.io_uring_group", std::to_string(*group));
  FactResult result = count(*value, *value == 0   ? "allowed to everybody"
                                    : *value == 1 ? "for members of kernel.io_uring_group"
                                                  : "forbidden to everybody");
  result.method = Method::sysctl;
  return result;
}

FactResult seccomp_suspected(ProbeContext& cx) {
  RawRing::forget_refusal();
  RawRing ring;
  const bool made = ring.open(cx);
  if (made) (void)ask_nothing(cx, ring);
  const int error = made ? RawRing::refusal() : cx.last_error();
  cx.note("/proc/self/status Seccomp", status_field("Seccomp"));
  if (error == 0) return no(Reason::none, "a ring can be made and used");
  // The kernel's own switch stops the making of a ring; nothing of its own stops the use of one.
  const bool switched_off = !made && read_number(kSysctl).value_or(0) != 0;
  if ((error == EPERM || error == EACCES || error == ENOSYS) && filtered() && !switched_off) {
    return yes(made ? "a ring can be made, using it is refused, and a filter is active"
                    : "refused, a filter is active, and the kernel's own switch is on");
  }
  return no(Reason::none, "the refusal has another cause");
}

FactResult features(ProbeContext& cx) {
  RawRing ring;
  if (!ring.open(cx)) return cx.unknown(why_refused(cx.last_error()));
  std::vector<std::string> names;
  for (std::size_t bit = 0; bit < 32; ++bit) {
    if ((ring.features() >> bit & 1U) == 0) continue;
    names.push_back(bit < abi::kFeatureNames.size() ? std::string(abi::kFeatureNames[bit])
                                                    : "bit " + std::to_string(bit));
  }
  FactResult result = word_set(std::move(names));
  result.method = Method::api;
  return result;
}

struct SetupFlag {
  std::string_view name;
  std::uint32_t flags;  // with those that it cannot do without
};
constexpr SetupFlag kSetupFlags[] = {
    {"IOPOLL", abi::kSetupIopoll},
    {"SQPOLL", abi::kSetupSqpoll},
    {"SQ_AFF", abi::kSetupSqAff | abi::kSetupSqpoll},
    {"CQSIZE", abi::kSetupCqsize},
    {"CLAMP", abi::kSetupClamp},
    {"ATTACH_WQ", abi::kSetupAttachWq},
    {"R_DISABLED", abi::kSetupDisabled},
    {"SUBMIT_ALL", abi::kSetupSubmitAll},
    {"COOP_TASKRUN", abi::kSetupCoopTaskrun},
    {"TASKRUN_FLAG", abi::kSetupTaskrunFlag | abi::kSetupCoopTaskrun},
    {"SQE128", abi::kSetupSqe128},
    {"CQE32", abi::kSetupCqe32},
    {"SINGLE_ISSUER", abi::kSetupSingleIssuer},
    {"DEFER_TASKRUN", abi::kSetupDeferTaskrun | abi::kSetupSingleIssuer},
    {"NO_MMAP", abi::kSetupNoMmap},
    {"REGISTERED_FD_ONLY", abi::kSetupRegisteredFdOnly | abi::kSetupNoMmap},
    {"NO_SQARRAY", abi::kSetupNoSqarray},
    {"HYBRID_IOPOLL", abi::kSetupHybridIopoll | abi::kSetupIopoll},
    {"CQE_MIXED", abi::kSetupCqeMixed},
    {"SQE_MIXED", abi::kSetupSqeMixed},
};

FactResult setup_flags(ProbeContext& cx, RawRing& plain) {
  constexpr unsigned kEntries = 8;
  RawRing impossible;
  if (impossible.open(cx, {kEntries, abi::kSetupNobody, 0, -1, "a flag that nobody knows"})) {
    return null(Reason::failed, "unknown flags are accepted: acceptance says nothing");
  }
  std::vector<std::string> work;
  std::string others;
  for (const SetupFlag& flag : kSetupFlags) {
    RawRing ring;
    std::string refusal;
    if (!ring.open(cx, {kEntries, flag.flags, kEntries * 4, plain.descriptor(), flag.name})) {
      refusal = errno_word(errno);
    } else {
      if ((flag.flags & abi::kSetupDisabled) != 0) {
        (void)ring.configure(cx, "io_uring_register(ENABLE_RINGS)", abi::Register::enable_rings,
                             nullptr, 0);
      }
      const auto done = ask_nothing(cx, ring, "IORING_OP_NOP, " + std::string(flag.name));
      if (!done || done->result != 0) refusal = "does not run";
    }
    if (refusal.empty()) {
      work.emplace_back(flag.name);
    } else {
      others += (others.empty() ? "without " : ", ") + std::string(flag.name) + " " + refusal;
    }
  }
  return word_set(std::move(work), others);
}

FactResult wait_with_timeout(ProbeContext& cx, RawRing& ring) {
  constexpr std::chrono::microseconds kTimeout{1300};
  const TimePoint start = now();
  const long empty = ring.wait(cx, "io_uring_enter(EXT_ARG, 1300 us)", kTimeout);
  const int error = errno;
  const Duration took = now() - start;
  if (empty != -1 || error != ETIME) return cx.refused();
  cx.note("it took at least the timeout", took >= kTimeout ? "yes" : "no");
  const std::uint64_t id = ring.push({});
  if (!ring.submit(cx)) return cx.unknown();
  const long full = ring.wait(cx, "io_uring_enter(EXT_ARG, 300 ms), one completed",
                              std::chrono::milliseconds(300));
  if (took < kTimeout) return no(Reason::failed, "it ended before its time");
  if (full != 0 || !ring.take(id, Duration::zero())) return no(Reason::failed, "nothing came");
  return yes("no request of its own for every timeout");
}

/// An absolute deadline on a clock: whether it completes, and not before.
bool keeps_deadline(ProbeContext& cx, RawRing& ring, std::string_view what, clockid_t clock,
                    std::uint32_t flag, std::optional<abi::Completion>& done) {
  timespec time{};
  if (cx.call("clock_gettime", ::clock_gettime(clock, &time)) != 0) return false;
  abi::Timespec deadline{time.tv_sec, time.tv_nsec + 1'000'000};
  if (deadline.nanoseconds >= 1'000'000'000) {
    ++deadline.seconds;
    deadline.nanoseconds -= 1'000'000'000;
  }
  abi::Request request;
  request.opcode = Op::timeout;
  request.address = abi::at(&deadline);
  request.length = 1;
  request.op_flags = abi::kTimeoutAbsolute | flag;
  done = ring.ask(cx, what, request);
  if (!done || done->result != -ETIME) return false;
  (void)::clock_gettime(clock, &time);  // It worked a moment ago.
  return time.tv_sec > deadline.seconds ||
         (time.tv_sec == deadline.seconds && time.tv_nsec >= deadline.nanoseconds);
}

FactResult timeout_clocks(ProbeContext& cx, RawRing& ring) {
  std::optional<abi::Completion> done;
  if (!keeps_deadline(cx, ring, "IORING_OP_TIMEOUT(ABS|REALTIME, in 1 ms)", CLOCK_REALTIME,
                      abi::kTimeoutRealtime, done) ||
      !keeps_deadline(cx, ring, "IORING_OP_TIMEOUT(ABS|BOOTTIME, in 1 ms)", CLOCK_BOOTTIME,
                      abi::kTimeoutBoottime, done)) {
    return verdict(done, false);
  }
  return yes("deadlines of both clocks are kept, and none comes early");
}

FactResult iowq_limits(ProbeContext& cx, RawRing& ring) {
  constexpr const char* kCall = "io_uring_register(IOWQ_MAX_WORKERS, {0, 0})";
  std::uint32_t limits[2] = {};
  if (ring.configure(cx, kCall, abi::Register::iowq_max_workers, limits, 2) != 0) {
    return cx.refused();
  }
  // Setting answers with what was before: one worker each, and back again.
  std::uint32_t one[2] = {1, 1};
  (void)ring.configure(cx, "io_uring_register(IOWQ_MAX_WORKERS, {1, 1})",
                       abi::Register::iowq_max_workers, one, 2);
  std::uint32_t back[2] = {limits[0], limits[1]};
  (void)ring.configure(cx, "io_uring_register(IOWQ_MAX_WORKERS, as before)",
                       abi::Register::iowq_max_workers, back, 2);
  const bool lowered = back[0] == 1 && back[1] == 1;
  return word_set(
      {"bounded: " + std::to_string(limits[0]), "unbounded: " + std::to_string(limits[1])},
      lowered ? "workers for files, and for all else; they can be lowered"
              : "workers for files, and for all else");
}

FactResult restrictions(ProbeContext& cx, RawRing&) {
  RawRing ring;
  if (!ring.open(cx, {8, abi::kSetupDisabled, 0, -1, "R_DISABLED"})) return cx.refused();
  abi::Restriction only_nop;
  only_nop.kind = abi::kAllowRequest;
  only_nop.what = static_cast<std::uint8_t>(Op::nop);
  if (ring.configure(cx, "io_uring_register(RESTRICTIONS, only NOP)", abi::Register::restrictions,
                     &only_nop, 1) != 0 ||
      ring.configure(cx, "io_uring_register(ENABLE_RINGS)", abi::Register::enable_rings, nullptr,
                     0) != 0) {
    return cx.refused();
  }
  const Subject event = make_pipe(false);
  const auto allowed = ask_nothing(cx, ring);
  abi::Request poll;
  poll.opcode = Op::poll_add;
  poll.fd = event.fd.get();
  const auto forbidden = ring.ask(cx, "IORING_OP_POLL_ADD, which is not allowed", poll);
  if (!allowed || !forbidden) return verdict(std::nullopt, false);
  if (allowed->result == 0 && forbidden->result == -EACCES) return yes("what is not named fails");
  return no(Reason::failed, "the ring does as it likes");
}

FactResult cq_overflow(ProbeContext& cx, RawRing&) {
  constexpr std::size_t kRequests = 400;
  RawRing ring;
  if (!ring.open(cx, {64, abi::kSetupCqsize, 128, -1, "CQSIZE 128"})) return cx.unknown();
  std::vector<std::uint64_t> ids;
  while (ids.size() < kRequests) ids.push_back(ring.push({}));
  (void)ring.submit(cx);  // What it did not take does not come.
  cx.note("400 NOPs, completions in the queue of 128", std::to_string(ring.visible()));
  cx.note("the overflow is flagged", ring.overflown() ? "yes" : "no");
  std::size_t recovered = 0;
  for (const std::uint64_t id : ids) recovered += ring.take(id, Duration::zero()) ? 1 : 0;
  cx.note("completions taken in the end", std::to_string(recovered));
  if (recovered == kRequests) return yes("400 of 400 came out of a queue for 128");
  return no(Reason::failed, std::to_string(kRequests - recovered) + " of 400 were lost");
}

FactResult file(ProbeContext& cx, RawRing& ring) {
  const std::string text(4096, 'r');
  const os::UniqueFd source = cx.temp_file(text);
  if (!source) return cx.unknown();
  std::string read(text.size(), '\0');
  abi::Request request;
  request.opcode = Op::read;
  request.fd = source.get();
  request.address = abi::at(read.data());
  request.length = 4096;
  const auto done = ring.ask(cx, "IORING_OP_READ(4096)", request);
  return verdict(done, done && done->result == 4096 && read == text);
}

constexpr Fact kFacts[] = {
    {"uring.setup", "Can this process set up an io_uring?", "man 2 io_uring_setup", setup,
     "the condition of every completion loop on Linux"},
    {"uring.enter", "Can this process submit a request to its ring?", "man 2 io_uring_enter", enter,
     "a filter may let a ring be made and refuse its use"},
    {"uring.sysctl", "What does kernel.io_uring_disabled say?",
     "kernel.org admin-guide/sysctl/kernel, io_uring_disabled", sysctl,
     "an administrator's switch that looks like a missing privilege"},
    {"uring.seccomp_suspected", "Is it a seccomp filter that refuses io_uring?",
     "man 2 seccomp; man 5 proc, Seccomp", seccomp_suspected, "advice for containers"},
    {"uring.features", "Which features does io_uring announce?", "man 2 io_uring_setup, features",
     features, "which design a proactor can use"},
    {"uring.setup_flags", "With which set-up flags does a ring work?",
     "man 2 io_uring_setup, flags", with_ring<setup_flags>, "which design a proactor can use"},
    {"uring.wait_with_timeout", "Does io_uring_enter take a timeout?",
     "man 2 io_uring_enter, IORING_ENTER_EXT_ARG", with_ring<wait_with_timeout>,
     "a loop's wait needs no request of its own for its timers"},
    {"uring.timeout_abs_realtime_boottime",
     "Do absolute timeouts know the real-time and the boot-time clock?",
     "man 2 io_uring_enter, IORING_OP_TIMEOUT", with_ring<timeout_clocks>,
     "timers that follow the wall clock, or count suspended time"},
    {"uring.iowq_limits", "How many kernel threads may requests occupy?",
     "man 2 io_uring_register, IORING_REGISTER_IOWQ_MAX_WORKERS", with_ring<iowq_limits>,
     "requests that block take a thread each"},
    {"uring.restrictions", "Can a ring be restricted to some operations?",
     "man 2 io_uring_register, IORING_REGISTER_RESTRICTIONS", with_ring<restrictions>,
     "a ring that can be handed to code one does not trust"},
    {"uring.cq_overflow_recovers", "Are completions kept for which the queue has no room?",
     "man 2 io_uring_setup, IORING_FEAT_NODROP", with_ring<cq_overflow>,
     "a burst must not lose what it completed"},
    {"uring.file", "Can io_uring read a regular file?", "man 2 io_uring_enter, IORING_OP_READ",
     with_ring<file>, "file I/O without threads of our own"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "io_uring", .group = "B7", .facts = kFacts};

}  // namespace loopscope::probes::uring
