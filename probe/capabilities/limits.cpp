// Limits: what this process may have of descriptors, processes, memory, signals and threads.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "probe/environment.hpp"
#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::limits {

namespace {

FactResult of_limit(rlim_t value, Unit unit) {
  FactResult result;
  result.method = Method::api;
  result.unit = unit;
  if (value == RLIM_INFINITY) {
    result.value = std::string("unlimited");
    result.unit = Unit::none;
  } else if (value > static_cast<rlim_t>(std::numeric_limits<std::int64_t>::max())) {
    result.value = static_cast<double>(value);
  } else {
    result.value = static_cast<std::int64_t>(value);
  }
  return result;
}

/// The same limit as the kernel prints it: a line of its name, then the soft limit.
void compare_with_proc(ProbeContext& cx, std::string_view line, rlim_t limit) {
  const std::string all = read_text("/proc/self/limits").value_or("");
  const std::size_t at = all.find(line);
  if (at == std::string::npos) return;
  const std::size_t begin = all.find_first_not_of(' ', at + line.size());
  if (begin == std::string::npos) return;
  const std::string printed = all.substr(begin, all.find(' ', begin) - begin);
  const std::string own = limit == RLIM_INFINITY ? "unlimited" : std::to_string(limit);
  cx.note("/proc/self/limits, " + std::string(line), printed);
  if (printed != own) cx.disagree("getrlimit", own, "/proc/self/limits", printed);
}

/// line  The limit's name in /proc/self/limits.
template <class Resource>
FactResult soft_limit(ProbeContext& cx, Resource resource, std::string_view what,
                      std::string_view line, Unit unit) {
  rlimit limit{};
  if (cx.call(what, ::getrlimit(resource, &limit)) != 0) return cx.unknown();
  FactResult result = of_limit(limit.rlim_cur, unit);
  compare_with_proc(cx, line, limit.rlim_cur);
  if (limit.rlim_max != limit.rlim_cur) {
    result.note = limit.rlim_max == RLIM_INFINITY
                      ? "may be raised without end"
                      : "may be raised to " + std::to_string(limit.rlim_max);
  }
  return result;
}

FactResult nofile_soft(ProbeContext& cx) {
  return soft_limit(cx, RLIMIT_NOFILE, "getrlimit(RLIMIT_NOFILE)", "Max open files", Unit::count);
}
FactResult nproc(ProbeContext& cx) {
  return soft_limit(cx, RLIMIT_NPROC, "getrlimit(RLIMIT_NPROC)", "Max processes", Unit::count);
}
FactResult memlock(ProbeContext& cx) {
  return soft_limit(cx, RLIMIT_MEMLOCK, "getrlimit(RLIMIT_MEMLOCK)", "Max locked memory",
                    Unit::bytes);
}
FactResult sigpending(ProbeContext& cx) {
  return soft_limit(cx, RLIMIT_SIGPENDING, "getrlimit(RLIMIT_SIGPENDING)", "Max pending signals",
                    Unit::count);
}
FactResult stack(ProbeContext& cx) {
  return soft_limit(cx, RLIMIT_STACK, "getrlimit(RLIMIT_STACK)", "Max stack size", Unit::bytes);
}

FactResult nofile_hard(ProbeContext& cx) {
  rlimit limit{};
  if (cx.call("getrlimit(RLIMIT_NOFILE)", ::getrlimit(RLIMIT_NOFILE, &limit)) != 0) {
    return cx.unknown();
  }
  return of_limit(limit.rlim_max, Unit::count);
}

FactResult nofile_max(ProbeContext& cx) {
  const auto value = read_number("/proc/sys/fs/nr_open");
  cx.call("read(/proc/sys/fs/nr_open)", value ? 0 : -1);
  if (!value) return cx.unknown();
  FactResult result = count(*value, "the ceiling of every hard limit");
  result.method = Method::sysctl;
  return result;
}

/// Raises the soft limit to the hard one in this process and uses the highest number.
FactResult nofile_raisable(ProbeContext& cx) {
  rlimit limit{};
  if (cx.call("getrlimit(RLIMIT_NOFILE)", ::getrlimit(RLIMIT_NOFILE, &limit)) != 0) {
    return cx.unknown();
  }
  // The kernel's table grows with the highest number in use; beyond this it would take megabytes.
  constexpr rlim_t kHighestTried = 65536;
  limit.rlim_cur = limit.rlim_max;
  if (cx.call("setrlimit(soft = hard)", ::setrlimit(RLIMIT_NOFILE, &limit)) != 0) {
    return cx.unknown();
  }
  const os::UniqueFd file(cx.call("open(/)", ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  if (!file) return cx.unknown();
  const int highest = static_cast<int>(std::min(limit.rlim_cur, kHighestTried)) - 1;
  const os::UniqueFd high(cx.call("fcntl(F_DUPFD, " + std::to_string(highest) + ")",
                                  ::fcntl(file.get(), F_DUPFD_CLOEXEC, highest)));
  if (!high) return cx.unknown();
  FactResult result = of_limit(limit.rlim_cur, Unit::count);
  result.method = Method::tried;
  result.note = "descriptor " + std::to_string(high.get()) + " was in use for a moment";
  return result;
}

FactResult threads(ProbeContext& cx) {
  const std::string folder = cgroup_folder();
  const auto ours = read_number(folder + "/pids.max");
  cx.note("cgroup pids.max", ours ? std::to_string(*ours) : "none");
  const auto all = read_number("/proc/sys/kernel/threads-max");
  cx.call("read(/proc/sys/kernel/threads-max)", all ? 0 : -1);
  const auto ids = read_number("/proc/sys/kernel/pid_max");
  cx.note("kernel.pid_max", ids ? std::to_string(*ids) : "unknown");
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const auto& limit : {ours, all, ids}) {
    if (limit) least = std::min(least, *limit);
  }
  rlimit user{};
  if (::getrlimit(RLIMIT_NPROC, &user) == 0 && user.rlim_cur != RLIM_INFINITY) {
    least = std::min(least, static_cast<std::int64_t>(user.rlim_cur));
  }
  if (least == std::numeric_limits<std::int64_t>::max()) return cx.unknown();
  FactResult result = count(least, "the least of cgroup, kernel and RLIMIT_NPROC; not tried");
  result.method = Method::sysctl;
  return result;
}

constexpr Fact kFacts[] = {
    {"limit.nofile.soft", "How many descriptors may this process have now?",
     "man 2 getrlimit, RLIMIT_NOFILE", nofile_soft, "EMFILE in accept"},
    {"limit.nofile.hard", "How far may it raise that?", "man 2 getrlimit, RLIMIT_NOFILE",
     nofile_hard, "EMFILE in accept"},
    {"limit.nofile.max", "How far may anybody raise that?", "man 5 proc, /proc/sys/fs/nr_open",
     nofile_max, "what a service manager can grant"},
    {"limit.nofile.raisable", "Does raising the soft limit really give more descriptors?",
     "man 2 setrlimit", nofile_raisable, "a server that raises its own limit at start"},
    {"limit.nproc", "How many processes and threads may this user have?",
     "man 2 getrlimit, RLIMIT_NPROC", nproc, "EAGAIN when the executor starts a thread"},
    {"limit.memlock", "How much memory may be locked?", "man 2 getrlimit, RLIMIT_MEMLOCK", memlock,
     "rings and registered buffers of io_uring"},
    {"limit.sigpending", "How many signals may be queued?", "man 2 getrlimit, RLIMIT_SIGPENDING",
     sigpending, "real-time signals and timers that cannot be created"},
    {"limit.stack", "How large is the stack of the main thread?", "man 2 getrlimit, RLIMIT_STACK",
     stack, "what each thread of the executor reserves as well"},
    {"limit.threads", "How many threads can there be?", "kernel.org cgroup-v2, pids.max", threads,
     "the size of helper pools in containers"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "limits", .group = "B8", .facts = kFacts};

}  // namespace loopscope::probes::limits
