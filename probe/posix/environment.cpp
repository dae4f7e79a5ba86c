// The host block, from uname, sysconf and the files of the kernel.
#include "probe/environment.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "probe/posix/text_file.hpp"

namespace loopscope {

namespace {

constexpr std::string_view kClockSource =
    "/sys/devices/system/clocksource/clocksource0/current_clocksource";

bool exists(const char* path) { return ::access(path, F_OK) == 0; }

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Where the link points; empty when it cannot be read.
std::string link_target(const char* path) {
  char target[512];
  const ssize_t n = ::readlink(path, target, sizeof target);
  return n > 0 ? std::string(target, static_cast<std::size_t>(n)) : std::string();
}

/// RLIM_INFINITY and what does not fit become null: no number would be true.
FactValue limit_value(rlim_t limit) {
  if (limit == RLIM_INFINITY || limit > static_cast<rlim_t>(INT64_MAX)) return {};
  return static_cast<std::int64_t>(limit);
}

std::vector<std::string> layers() {
  std::vector<std::string> found;
  const std::string flavour = kernel_flavour();
  if (flavour != "linux" && !flavour.empty()) found.push_back(flavour);
  if (const std::string container = container_kind(); container != "none") {
    found.push_back("container: " + container);
  }
  if (const std::string machine = hypervisor(); !machine.empty()) {
    found.push_back("virtual machine: " + machine);
  }
  if (status_field("Seccomp") == "2") found.push_back("seccomp filter");
  return found;
}

/// The line "hierarchy:controllers:path" of /proc/self/cgroup for cgroup v2.
std::string cgroup_v2_path() {
  const std::string all = "\n" + read_text("/proc/self/cgroup").value_or("");
  const std::size_t found = all.find("\n0::");
  if (found == std::string::npos) return {};
  std::string path = all.substr(found + 4, all.find('\n', found + 1) - found - 4);
  if (path == "/") path.clear();
  return path;
}

}  // namespace

std::string container_kind() {
  if (exists("/.dockerenv")) return "docker";
  if (exists("/run/.containerenv")) return "podman";
  const std::string marked = read_text("/run/systemd/container").value_or("");
  if (!marked.empty()) return marked;
  // Readable for root only: the environment of the first process.
  const std::string first = '\0' + read_text("/proc/1/environ").value_or("");
  const std::string key = std::string(1, '\0') + "container=";
  if (const std::size_t at = first.find(key); at != std::string::npos) {
    const std::string kind = first.substr(at + key.size());
    return kind.substr(0, kind.find('\0'));
  }
  const std::string group = read_text("/proc/1/cgroup").value_or("");
  for (const char* kind : {"docker", "kubepods", "lxc", "libpod", "containerd"}) {
    if (contains(group, kind)) return kind;
  }
  return "none";
}

std::string kernel_flavour() {
  utsname system{};
  if (::uname(&system) != 0) return {};
  const std::string release = system.release;
  const std::string version = read_text("/proc/version").value_or(system.version);
  if (std::string_view(system.sysname) != "Linux") return system.sysname;
  if (contains(version, "gVisor") || contains(version, "Sun Jan 10 15:06:54 PST 2016")) {
    return "gvisor";  // Its /proc/version is a constant with that date.
  }
  if (contains(release, "WSL2") || contains(release, "microsoft-standard")) return "wsl2";
  if (contains(release, "Microsoft")) return "wsl1";
  // qemu-user rewrites /proc/self only; the thread's own link shows the emulator.
  if (contains(link_target("/proc/thread-self/exe"), "qemu-")) return "qemu-user";
  if (exists("/system/build.prop") && exists("/dev/binder")) return "android";
  return "linux";
}

std::string hypervisor() {
  const std::string xen = read_text("/sys/hypervisor/type").value_or("");
  if (!xen.empty()) return xen;
  const std::string vendor = read_text("/sys/class/dmi/id/sys_vendor").value_or("");
  const std::string product = read_text("/sys/class/dmi/id/product_name").value_or("");
  const std::string cpu = read_text("/proc/cpuinfo").value_or("");
  const bool flagged = contains(cpu, " hypervisor");
  if (contains(read_text("/proc/cmdline").value_or(""), "firecracker")) return "firecracker";
  for (const char* known : {"QEMU", "VMware", "innotek", "Xen", "Amazon EC2", "Google",
                            "Microsoft Corporation", "Parallels", "Bochs", "KVM"}) {
    if (contains(vendor, known) || contains(product, known)) {
      return flagged || !contains(vendor, "Microsoft") ? vendor + " " + product : std::string();
    }
  }
  return flagged ? "unnamed (the CPU carries the hypervisor flag)" : "";
}

std::string libc_version() {
  constexpr int kGnuLibcVersion = 2;  // _CS_GNU_LIBC_VERSION, by number: musl may lack the name.
  char text[64];
  const std::size_t size = ::confstr(kGnuLibcVersion, text, sizeof text);
  if (size > 1 && size <= sizeof text) return std::string(text, size - 1);
  return contains(read_text("/proc/self/maps").value_or(""), "ld-musl") ? "musl" : "";
}

std::string cgroup_folder() {
  const std::string path = cgroup_v2_path();
  for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    const std::string folder = root + path;
    if (exists((folder + "/cgroup.procs").c_str())) return folder;
    // Inside a cgroup namespace that is mounted from outside, the root is what is ours.
    if (exists((std::string(root) + "/cgroup.controllers").c_str())) return root;
  }
  return {};
}

double cgroup_cpu_quota() {
  const std::string folder = cgroup_folder();
  if (const auto line = read_text(folder + "/cpu.max"); !folder.empty() && line) {
    double quota = 0;
    double period = 0;
    char* end = nullptr;
    quota = std::strtod(line->c_str(), &end);
    if (end == line->c_str()) return 0;  // "max"
    period = std::strtod(end, nullptr);
    return period > 0 ? quota / period : 0;
  }
  const auto quota = read_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const auto period = read_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (!quota || !period || *quota <= 0 || *period <= 0) return 0;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

int effective_cpus() {
  int cpus = static_cast<int>(std::thread::hardware_concurrency());  // follows the affinity mask
  if (const double quota = cgroup_cpu_quota(); quota > 0) {
    cpus = std::min(cpus, static_cast<int>(std::ceil(quota)));
  }
  return std::max(cpus, 1);
}

HostBlock host_environment() {
  utsname system{};
  (void)::uname(&system);  // Zeroed names are the answer when it fails.
  rlimit files{};
  (void)::getrlimit(RLIMIT_NOFILE, &files);
  HostBlock host{
      {"os", std::string(system.sysname)},
      {"kernel", std::string(system.release)},
      {"kernel_version", std::string(system.version)},
      {"arch", std::string(system.machine)},
      {"libc", libc_version()},
      {"cpus", static_cast<std::int64_t>(effective_cpus())},
      {"cpus_online", static_cast<std::int64_t>(::sysconf(_SC_NPROCESSORS_ONLN))},
      {"hypervisor", hypervisor()},
      {"container", container_kind()},
      {"layers", layers()},
      {"euid", static_cast<std::int64_t>(::geteuid())},
      {"nofile_soft", limit_value(files.rlim_cur)},
      {"nofile_hard", limit_value(files.rlim_max)},
      {"clock", read_text(std::string(kClockSource)).value_or("")},
      {"page_bytes", static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE))},
  };
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  if (pages > 0) host.push_back({"memory_bytes", std::int64_t{pages} * ::sysconf(_SC_PAGESIZE)});
  return host;
}

}  // namespace loopscope
