// The host: what machine, kernel and layers a run was made on, for the journal's header.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "probe/probe.hpp"

namespace loopscope {

/// Name and value, in the order of printing. The names are those of the journal's "host" object.
using HostBlock = std::vector<std::pair<std::string, FactValue>>;

/// Asks the running system. Never fails: what cannot be learnt is an empty text or null.
HostBlock host_environment();

/// "docker", "podman", "lxc", "wsl", ...; "none" where no sign of a container was found.
std::string container_kind();
/// The flavour of the kernel: "linux", "wsl1", "wsl2", "gvisor", "qemu-user", "android".
std::string kernel_flavour();
/// What virtual machine this is, as far as the system tells; empty on bare metal.
std::string hypervisor();
/// "glibc 2.36", "musl", or empty.
std::string libc_version();
/// CPUs that this process may use: affinity, and the quota of its cgroup, whole CPUs rounded up.
int effective_cpus();
/// CPUs per the cgroup's quota, 0 where there is none.
double cgroup_cpu_quota();
/// The folder of this process's cgroup in the file system; empty where none was found.
std::string cgroup_folder();

}  // namespace loopscope
