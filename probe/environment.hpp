// The host: what machine, kernel and layers a run was made on, for the journal's header.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "probe/layers.hpp"
#include "probe/probe.hpp"

namespace loopscope {

/// Name and value, in the order of printing. The names are those of the journal's "host" object.
using HostBlock = std::vector<std::pair<std::string, FactValue>>;

/// Asks the running system. Never fails: what cannot be learnt is an empty text or null.
HostBlock host_environment();

/// What the running system says of itself; see layers_of().
LayerEvidence layer_evidence();

/// "docker", "podman", "lxc", "wsl", ...; "none" where no sign of a container was found.
std::string container_kind();
/// The flavour of the kernel: "linux", "wsl1", "wsl2", "gvisor", "uml", "qemu-user", "android".
std::string kernel_flavour();
/// The name of this machine as it calls itself; empty when it has none.
std::string host_name();
/// The name and the home folder of the user that this process runs as; empty where there is none.
std::string user_name();
std::string home_folder();
/// What virtual machine this is, as far as the system tells; empty on bare metal.
std::string hypervisor();
/// "glibc 2.36", "musl 1.2.5" in a static program, "musl" in others, or empty.
std::string libc_version();
/// CPUs that this process may use: affinity, and the quota of its cgroup, whole CPUs rounded up.
int effective_cpus();
/// CPUs per the cgroup's quota, 0 where there is none.
double cgroup_cpu_quota();
enum class Controller : std::uint8_t { memory, pids };
/// What this process's control group may have: bytes, or processes and threads. nullopt: no limit
/// is to be seen from here.
std::optional<std::int64_t> cgroup_limit(Controller controller);

/// The kinds of namespaces that are not the initial ones; nullopt: /proc does not tell.
std::optional<std::vector<std::string>> own_namespaces();
/// "CAP_NET_RAW", ...; nullopt: /proc does not tell.
std::optional<std::vector<std::string>> effective_capabilities();
/// Settings of the kernel that loops meet, by name: "net.core.somaxconn".
std::span<const std::string_view> relevant_sysctls();
/// nullopt: this kernel has no such setting, or /proc does not tell.
std::optional<std::string> sysctl_value(std::string_view name);

/// The folder of this process's cgroup in the file system; empty where none was found.
std::string cgroup_folder();

}  // namespace loopscope
