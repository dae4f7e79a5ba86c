// The causes that a refused io_uring_setup or io_uring_enter can have.
// Source: man 2 io_uring_setup, ERRORS; the kernel's admin-guide/sysctl/kernel, io_uring_disabled.
#include "loops/proactor/io_uring_refusal.hpp"

#include <sys/resource.h>
#include <sys/utsname.h>

#include <cerrno>
#include <fstream>

namespace loopscope::uring {
namespace {

std::optional<long> number_in(const char* path) {
  std::ifstream file(path);
  long number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

std::optional<long> seccomp_mode() {
  std::ifstream status("/proc/self/status");
  std::string key;
  long mode = 0;
  while (status >> key) {
    if (key == "Seccomp:" && status >> mode) return mode;
    std::getline(status, key);
  }
  return std::nullopt;
}

std::optional<unsigned long long> soft_limit(int which) {
  rlimit limit{};
  if (::getrlimit(static_cast<decltype(RLIMIT_MEMLOCK)>(which), &limit) != 0) return std::nullopt;
  return limit.rlim_cur;
}

std::string filtered(const Evidence& evidence) {
  return "a seccomp filter is in force (Seccomp: " + std::to_string(*evidence.seccomp) +
         "); its profile must allow io_uring_setup, io_uring_enter and io_uring_register, as "
         "Docker's and Podman's do not since 2023";
}

bool has_filter(const Evidence& evidence) { return evidence.seccomp.value_or(0) != 0; }

std::string not_permitted(const Evidence& evidence) {
  if (evidence.disabled == 2) {
    return "kernel.io_uring_disabled is 2: off for every process; as root, "
           "sysctl kernel.io_uring_disabled=0";
  }
  if (evidence.disabled == 1) {
    const long group = evidence.group.value_or(-1);
    return "kernel.io_uring_disabled is 1: for CAP_SYS_ADMIN and members of "
           "kernel.io_uring_group " +
           (group < 0 ? std::string("(none is set)") : "(" + std::to_string(group) + ")") +
           " only; join the group, or as root, sysctl kernel.io_uring_disabled=0";
  }
  if (has_filter(evidence)) return filtered(evidence);
  return "neither kernel.io_uring_disabled nor a seccomp filter accounts for it; a security module "
         "may: see its audit log";
}

std::string cause_of(int number, const Evidence& evidence) {
  switch (number) {
    case ENOSYS:
      if (has_filter(evidence)) return filtered(evidence);
      return "this kernel (" + evidence.kernel +
             ") has no io_uring: it came with Linux 5.1, and CONFIG_IO_URING can leave it out";
    case EPERM:
    case EACCES:
      return not_permitted(evidence);
    case EMFILE:
      return "the process may have " + std::to_string(evidence.descriptors.value_or(0)) +
             " descriptors (RLIMIT_NOFILE); raise it with ulimit -n, or close some";
    case ENFILE:
      return "the system has no descriptor left; raise fs.file-max";
    case ENOMEM:
      return "the rings do not fit; RLIMIT_MEMLOCK is " +
             std::to_string(evidence.locked_bytes.value_or(0)) +
             " bytes, which some kernels count them against: raise it with ulimit -l";
    default:
      return {};
  }
}

}  // namespace

Evidence gather_evidence() {
  utsname system{};
  (void)::uname(&system);
  return {.disabled = number_in("/proc/sys/kernel/io_uring_disabled"),
          .group = number_in("/proc/sys/kernel/io_uring_group"),
          .seccomp = seccomp_mode(),
          .descriptors = soft_limit(RLIMIT_NOFILE),
          .locked_bytes = soft_limit(RLIMIT_MEMLOCK),
          .kernel = std::string(system.sysname) + " " + system.release};
}

Error explain_refusal(const Error& refused, const Evidence& evidence) {
  if (refused.code.category() != std::system_category()) return refused;
  const std::string cause = cause_of(refused.code.value(), evidence);
  Error explained = refused;
  if (!explained.detail.empty() && !cause.empty()) explained.detail += ": ";
  explained.detail += cause;
  return explained;
}

}  // namespace loopscope::uring
