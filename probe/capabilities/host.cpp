// The environment: containers, filters and layers that explain why something is refused.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probe/environment.hpp"
#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::host {

namespace {

FactResult observed(std::string value, std::string note = {}) {
  FactResult result = words(std::move(value), std::move(note));
  result.method = Method::api;
  return result;
}

FactResult container(ProbeContext& cx) {
  const std::string kind = container_kind();
  cx.note("/.dockerenv, /run/.containerenv, /run/systemd/container, /proc/1", kind);
  return observed(kind, kind == "none" ? "no sign of one was found" : "");
}

FactResult seccomp(ProbeContext& cx) {
  std::string mode = status_field("Seccomp");
  cx.note("/proc/self/status Seccomp", mode.empty() ? "missing" : mode);
  // Under the strict mode this call would be the last one.
  const int asked = mode == "1" ? 1 : cx.call("prctl(PR_GET_SECCOMP)", ::prctl(PR_GET_SECCOMP));
  if (mode.empty() && asked < 0) return cx.unknown("neither /proc nor the kernel tells");
  if (!mode.empty() && asked >= 0 && mode != std::to_string(asked)) {
    cx.disagree("/proc/self/status Seccomp", mode, "prctl(PR_GET_SECCOMP)", std::to_string(asked));
  }
  if (mode.empty()) mode = std::to_string(asked);
  return observed(mode == "0"   ? "off"
                  : mode == "1" ? "strict"
                                : "filter",
                  mode == "2" ? "ENOSYS and EPERM may be this filter's answers" : "");
}

FactResult no_new_privs(ProbeContext& cx) {
  const int rc = cx.call("prctl(PR_GET_NO_NEW_PRIVS)", ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  if (rc < 0) return cx.unknown();
  FactResult result = rc == 1 ? yes("set-user-ID programs give nothing here") : no(Reason::none);
  result.method = Method::api;
  return result;
}

FactResult user_ns(ProbeContext& cx) {
  const auto map = read_text("/proc/self/uid_map");
  cx.call("read(/proc/self/uid_map)", map ? 0 : -1);
  if (!map) return cx.unknown();
  unsigned long inside = 0;
  unsigned long outside = 0;
  unsigned long length = 0;
  const int fields = std::sscanf(map->c_str(), "%lu %lu %lu", &inside, &outside, &length);
  const bool initial = fields == 3 && inside == 0 && outside == 0 && length == 4294967295UL;
  return observed(initial ? "initial" : "nested");
}

FactResult user_ns_creatable(ProbeContext& cx) {
  // In a child: a process cannot leave the namespace that it made.
  const pid_t child = cx.call("fork", ::fork());
  if (child < 0) return cx.unknown();
  if (child == 0) ::_exit(::unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return null(Reason::failed);
  const int error = WEXITSTATUS(status);
  (void)cx.call_status("unshare(CLONE_NEWUSER) in a child", error);
  return error == 0 ? yes() : cx.refused();
}

FactResult cgroup(ProbeContext& cx) {
  const auto text = read_text("/proc/self/cgroup");
  cx.call("read(/proc/self/cgroup)", text ? 0 : -1);
  if (!text) return cx.unknown();
  bool unified = false;
  bool legacy = false;
  std::size_t at = 0;
  while (at < text->size()) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    const std::string_view line = std::string_view(*text).substr(at, end - at);
    (line.starts_with("0::") ? unified : legacy) = true;
    at = end + 1;
  }
  return observed(unified && legacy ? "hybrid"
                  : unified         ? "v2"
                  : legacy          ? "v1"
                                    : "none",
                  cgroup_folder());
}

FactResult flavour(ProbeContext& cx) {
  cx.note("/proc/version", read_text("/proc/version").value_or("missing"));
  const std::string machine = hypervisor();
  return observed(kernel_flavour(), machine.empty() ? "" : "virtual machine: " + machine);
}

FactResult libc(ProbeContext& cx) {
  const std::string version = libc_version();
  cx.note("confstr(_CS_GNU_LIBC_VERSION)", version);
  if (version.empty()) return null(Reason::not_implemented, "neither glibc nor musl was found");
  return observed(version);
}

FactResult cpus(ProbeContext& cx) {
  const double quota = cgroup_cpu_quota();
  cx.note("sched_getaffinity", std::to_string(effective_cpus()));
  cx.note("cgroup cpu quota", quota > 0 ? std::to_string(quota) : "none");
  FactResult result = count(effective_cpus(), quota > 0 ? "limited by the cgroup" : "");
  result.method = Method::api;
  return result;
}

FactResult tmpdir_unix_bind(ProbeContext& cx) {
  const std::string path = cx.temp_path("socket");
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) {
    return no(Reason::invalid, "the temporary folder's path is too long for a socket: " + path);
  }
  std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
  const os::UniqueFd socket(
      cx.call("socket(AF_UNIX)", ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  if (!socket) return cx.refused();
  if (cx.call("bind(temporary folder)",
              ::bind(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name)) != 0) {
    return cx.refused();
  }
  return yes();
}

FactResult layers(ProbeContext& cx) {
  std::vector<std::string> words;
  for (const Layer& layer : layers_of(layer_evidence())) {
    cx.note(std::string(name(layer.kind)) + ": " + layer.name, layer.because);
    words.push_back(layer.name);
  }
  if (words.empty()) cx.note("files of the system, cpuid, variables", "no sign of a layer");
  FactResult result = word_set(std::move(words), "from this process towards the machine");
  result.method = Method::api;
  return result;
}

FactResult namespaces(ProbeContext& cx) {
  const auto own = own_namespaces();
  cx.call("readlink(/proc/self/ns/...)", own ? 0 : -1);
  if (!own) return null(Reason::failed, "/proc does not tell");
  FactResult result = word_set(*own, own->empty() ? "all of them are the initial ones"
                                                  : "those that are not the initial ones");
  result.method = Method::api;
  return result;
}

FactResult capabilities(ProbeContext& cx) {
  const auto names = effective_capabilities();
  cx.note("/proc/self/status CapEff", status_field("CapEff"));
  if (!names) return null(Reason::failed, "/proc does not tell");
  FactResult result = word_set(*names, "effective ones of this process");
  result.method = Method::api;
  return result;
}

template <Controller kController>
FactResult limit_of_cgroup(ProbeContext& cx) {
  const auto limit = cgroup_limit(kController);
  cx.note("control group", limit ? std::to_string(*limit) : "no limit to be seen");
  FactResult result;
  result.method = Method::sysctl;
  if (!limit) {
    result.value = std::string("unlimited");
    result.note = "no control group shows a limit to this process";
    return result;
  }
  result.value = *limit;
  result.unit = kController == Controller::memory ? Unit::bytes : Unit::count;
  return result;
}

FactResult cgroup_cpus(ProbeContext& cx) {
  const double quota = cgroup_cpu_quota();
  cx.note("control group", quota > 0 ? std::to_string(quota) : "no quota to be seen");
  FactResult result = quota > 0 ? FactResult{.value = quota, .unit = Unit::count}
                                : words("unlimited", "no control group shows a quota");
  result.method = Method::sysctl;
  return result;
}

FactResult sysctls(ProbeContext& cx) {
  FactResult result;
  std::int64_t known = 0;
  for (const std::string_view name : relevant_sysctls()) {
    const auto value = sysctl_value(name);
    known += value ? 1 : 0;
    result.table.push_back({std::string(name), {{"value", value.value_or("-")}}});
  }
  cx.note("files of /proc/sys", std::to_string(known) + " of " +
                                    std::to_string(relevant_sysctls().size()) + " could be read");
  if (known == 0) {
    FactResult none = null(Reason::failed, "/proc/sys cannot be read");
    return none;
  }
  result.value = known;
  result.unit = Unit::count;
  result.method = Method::sysctl;
  result.note = "settings that loops meet";
  return result;
}

constexpr Fact kFacts[] = {
    {"env.layers", "What is between this process and the machine?",
     "systemd.io/CONTAINER_INTERFACE; man 1 systemd-detect-virt", layers,
     "answers of a layer are not answers of the kernel below it"},
    {"env.namespaces", "Which namespaces are not the initial ones?", "man 7 namespaces", namespaces,
     "explains missing networks, processes and privileges"},
    {.id = "env.capabilities",
     .question = "Which capabilities does this process have?",
     .source = "man 7 capabilities",
     .ask = capabilities,
     .why = "explains refusals"},
    {"env.cgroup.memory", "How much memory may this control group have?",
     "kernel.org cgroup-v2, memory.max", limit_of_cgroup<Controller::memory>,
     "killed without an error, when buffers grow"},
    {"env.cgroup.pids", "How many threads and processes may this control group have?",
     "kernel.org cgroup-v2, pids.max", limit_of_cgroup<Controller::pids>,
     "EAGAIN when the executor starts a thread"},
    {"env.cgroup.cpus", "How many CPUs' time may this control group have?",
     "kernel.org cgroup-v2, cpu.max", cgroup_cpus, "late timers while the quota is used up"},
    {"env.sysctls", "How are the kernel's settings that loops meet?", "man 5 proc, /proc/sys",
     sysctls, "limits and defaults that an administrator can change"},
    {"env.container", "Is this a container, and whose?", "systemd.io/CONTAINER_INTERFACE",
     container, "explains refusals and limits"},
    {"env.seccomp_mode", "Is a seccomp filter active?", "man 5 proc, Seccomp", seccomp,
     "a filter's ENOSYS is not an old kernel"},
    {"env.no_new_privs", "Is no_new_privs set?", "man 2 prctl, PR_SET_NO_NEW_PRIVS", no_new_privs,
     "explains refusals"},
    {"env.user_ns", "Is this the initial user namespace?", "man 7 user_namespaces", user_ns,
     "root that is not root"},
    {"env.user_ns_creatable", "May this process make a user namespace?", "man 7 user_namespaces",
     user_ns_creatable, "sandboxes of subprocesses"},
    {"env.cgroup", "Which version of control groups is this process in?", "man 7 cgroups", cgroup,
     "where the limits of a container stand"},
    {"env.kernel_flavour", "Is this a Linux kernel, or something that acts like one?",
     "man 2 uname; man 5 proc, version", flavour, "WSL1, gVisor and qemu-user have own quirks"},
    {"env.libc", "Which C library, and which version?", "man 3 confstr; man 3 gnu_get_libc_version",
     libc, "name resolution and thread stacks differ"},
    {"env.cpu_count_effective", "How many CPUs may this process use?",
     "man 2 sched_getaffinity; kernel.org cgroup-v2, cpu.max", cpus, "the size of pools"},
    {"env.tmpdir_unix_bind", "Can a Unix socket be bound in the temporary folder?",
     "man 7 unix; man 2 bind", tmpdir_unix_bind, "tests and servers with paths that are too long"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "environment", .group = "B8", .facts = kFacts};

}  // namespace loopscope::probes::host
