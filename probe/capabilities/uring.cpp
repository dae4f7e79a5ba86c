// io_uring: whether this process may have a ring, and if not, who says so.
#include <array>

#include "probe/capabilities/raw_ring.hpp"
#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes {

namespace {

constexpr const char* kSysctl = "/proc/sys/kernel/io_uring_disabled";

bool filtered() { return status_field("Seccomp") == "2"; }

std::string why_refused(int error) {
  const std::int64_t disabled = read_number(kSysctl).value_or(0);
  if (error == EPERM && disabled == 2) return "kernel.io_uring_disabled=2 forbids it to everybody";
  if (error == EPERM && disabled == 1) {
    return "kernel.io_uring_disabled=1 forbids it outside of kernel.io_uring_group";
  }
  if (filtered()) return "probably the seccomp filter of this process (container default)";
  if (error == ENOSYS) return "this kernel has no io_uring (before 5.1, or built without)";
  if (error == ENOMEM) return "RLIMIT_MEMLOCK is used up (kernels before 5.12 charge rings to it)";
  return {};
}

FactResult setup(ProbeContext& cx) {
  RawRing ring;
  if (ring.open(cx)) return yes("a ring was set up and mapped");
  return cx.refused(why_refused(cx.last_error()));
}

FactResult sysctl(ProbeContext& cx) {
  const auto value = read_number(kSysctl);
  cx.call("read(/proc/sys/kernel/io_uring_disabled)", value ? 0 : -1);
  if (!value) return cx.unknown("the switch exists since Linux 6.6");
  FactResult result = count(*value, *value == 0   ? "allowed to everybody"
                                    : *value == 1 ? "for members of kernel.io_uring_group"
                                                  : "forbidden to everybody");
  result.method = Method::sysctl;
  return result;
}

FactResult seccomp_suspected(ProbeContext& cx) {
  RawRing ring;
  const bool made = ring.open(cx);
  const int error = cx.last_error();
  cx.note("/proc/self/status Seccomp", status_field("Seccomp"));
  if (made) return no(Reason::none, "a ring can be made");
  const bool switched_off = read_number(kSysctl).value_or(0) != 0;
  if ((error == EPERM || error == ENOSYS) && filtered() && !switched_off) {
    return yes("refused, a filter is active, and the kernel's own switch is on");
  }
  return no(Reason::none, "the refusal has another cause");
}

FactResult features(ProbeContext& cx) {
  constexpr std::array<const char*, 18> kNames{
      "SINGLE_MMAP", "NODROP",      "SUBMIT_STABLE",   "RW_CUR_POS",   "CUR_PERSONALITY",
      "FAST_POLL",   "POLL_32BITS", "SQPOLL_NONFIXED", "EXT_ARG",      "NATIVE_WORKERS",
      "RSRC_TAGS",   "CQE_SKIP",    "LINKED_FILE",     "REG_REG_RING", "RECVSEND_BUNDLE",
      "MIN_TIMEOUT", "RW_ATTR",     "NO_IOWAIT"};
  RawRing ring;
  if (!ring.open(cx)) return cx.unknown(why_refused(cx.last_error()));
  std::vector<std::string> names;
  for (std::size_t bit = 0; bit < 32; ++bit) {
    if ((ring.features() >> bit & 1U) == 0) continue;
    names.push_back(bit < kNames.size() ? kNames[bit] : "bit " + std::to_string(bit));
  }
  FactResult result = word_set(std::move(names));
  result.method = Method::api;
  return result;
}

FactResult file(ProbeContext& cx) {
  RawRing ring;
  if (!ring.open(cx)) return cx.refused(why_refused(cx.last_error()));
  const std::string text(4096, 'r');
  const os::UniqueFd source = cx.temp_file(text);
  if (!source) return cx.unknown();
  std::string read(text.size(), '\0');
  const auto result = ring.read_file(source.get(), read.data(), 4096);
  const int rc = result.value_or(-ETIME);
  cx.note("IORING_OP_READ(4096)", std::to_string(rc), rc < 0 ? -rc : 0);
  if (rc < 0) return cx.refused();
  return read == text ? yes() : no(Reason::failed, "short or wrong data");
}

constexpr Fact kFacts[] = {
    {"uring.setup", "Can this process set up an io_uring?", "man 2 io_uring_setup", setup,
     "the condition of every completion loop on Linux"},
    {"uring.sysctl", "What does kernel.io_uring_disabled say?",
     "kernel.org admin-guide/sysctl/kernel, io_uring_disabled", sysctl,
     "an administrator's switch that looks like a missing privilege"},
    {"uring.seccomp_suspected", "Is it a seccomp filter that refuses io_uring?",
     "man 2 seccomp; man 5 proc, Seccomp", seccomp_suspected, "advice for containers"},
    {"uring.features", "Which features does io_uring announce?", "man 2 io_uring_setup, features",
     features, "which design a proactor can use"},
    {"uring.file", "Can io_uring read a regular file?", "man 2 io_uring_enter, IORING_OP_READ",
     file, "file I/O without threads of our own"},
};

}  // namespace

extern const ProbeFile uring{.mechanism = "io_uring", .group = "B7", .facts = kFacts};

}  // namespace loopscope::probes
