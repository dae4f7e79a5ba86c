// The host block, from uname, sysconf and the files of the kernel.
#include "probe/environment.hpp"

#include <pwd.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>
#if __has_include(<sys/personality.h>)
#include <sys/personality.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "probe/posix/cpuid.hpp"
#include "probe/posix/linked_musl.hpp"
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

std::vector<std::string> present_markers() {
  std::vector<std::string> present;
  for (const std::string_view marker : layer_markers()) {
    if (exists(std::string(marker).c_str())) present.emplace_back(marker);
  }
  return present;
}

std::vector<std::pair<std::string, std::string>> telling_variables() {
  std::vector<std::pair<std::string, std::string>> found;
  for (const std::string_view name : layer_variables()) {
    const char* value = std::getenv(std::string(name).c_str());
    if (value != nullptr) found.emplace_back(name, value);
  }
  return found;
}

/// Who made the ACPI tables: 6 octets from the 10th of any of them.
std::string acpi_maker() {
  constexpr std::size_t kPlace = 10;
  constexpr std::size_t kLength = 6;
  const std::string table = read_text("/sys/firmware/acpi/tables/FACP").value_or("");
  return table.size() < kPlace + kLength ? std::string() : table.substr(kPlace, kLength);
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

/// The path of a line "hierarchy:controllers:path" of version 1; empty when there is none.
std::string cgroup_v1_path(std::string_view controller) {
  const std::string all = read_text("/proc/self/cgroup").value_or("") + "\n";
  for (std::size_t at = 0, end = 0; (end = all.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string_view line = std::string_view(all).substr(at, end - at);
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string listed = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    if (!contains(listed, "," + std::string(controller) + ",")) continue;
    const std::string_view path = line.substr(second + 1);
    return path == "/" ? std::string() : std::string(path);
  }
  return {};
}

/// What the layers are called for a reader, the filter of system calls among them.
std::vector<std::string> layer_words(const std::vector<Layer>& layers) {
  std::vector<std::string> words;
  for (const Layer& layer : layers) {
    const bool plain = layer.kind == LayerKind::kernel || layer.kind == LayerKind::emulator;
    words.push_back(plain ? layer.name : std::string(name(layer.kind)) + ": " + layer.name);
  }
  if (status_field("Seccomp") == "2") words.emplace_back("seccomp filter");
  return words;
}

/// The settings that can be read, as "name=value".
std::vector<std::string> sysctl_words() {
  std::vector<std::string> words;
  for (const std::string_view name : relevant_sysctls()) {
    if (const auto value = sysctl_value(name)) words.push_back(std::string(name) + "=" + *value);
  }
  return words;
}

FactValue value_of(const std::optional<std::vector<std::string>>& list) {
  return list ? FactValue(*list) : FactValue();
}
FactValue value_of(std::optional<std::int64_t> number) {
  return number ? FactValue(*number) : FactValue();
}

}  // namespace

LayerEvidence layer_evidence() {
  utsname system{};
  (void)::uname(&system);  // Zeroed names are the answer when it fails.
  const auto text = [](const char* path) { return read_text(path).value_or(""); };
  return {.sysname = system.sysname,
          .release = system.release,
          .version = system.version,
          .machine = system.machine,
          .proc_version = text("/proc/version"),
          .command_line = text("/proc/cmdline"),
          .cpuinfo = text("/proc/cpuinfo"),
          .first_environ = text("/proc/1/environ"),
          .first_cgroup = text("/proc/1/cgroup"),
          .own_cgroup = text("/proc/self/cgroup"),
          .systemd_container = text("/run/systemd/container"),
          .thread_exe = link_target("/proc/thread-self/exe"),
          .xen_type = text("/sys/hypervisor/type"),
          .vendor = text("/sys/class/dmi/id/sys_vendor"),
          .product = text("/sys/class/dmi/id/product_name"),
          .acpi_oem = acpi_maker(),
          .device_tree = text("/proc/device-tree/hypervisor/compatible"),
          .cpu_vendor = cpu_vendor(),
          .cpu_hypervisor = cpu_hypervisor(),
          .present = present_markers(),
          .environment = telling_variables()};
}

std::string container_kind() {
  return layer_name(layers_of(layer_evidence()), LayerKind::container, "none");
}

std::string kernel_flavour() {
  const LayerEvidence evidence = layer_evidence();
  const std::vector<Layer> layers = layers_of(evidence);
  const std::string emulator = layer_name(layers, LayerKind::emulator,
                                          evidence.sysname == "Linux" ? "linux" : evidence.sysname);
  return layer_name(layers, LayerKind::kernel, emulator);
}

std::string hypervisor() { return layer_name(layers_of(layer_evidence()), LayerKind::machine, ""); }

std::optional<std::vector<std::string>> own_namespaces() {
  std::vector<std::string> own;
  bool any = false;
  for (const std::string kind : {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}) {
    // "pid:[4026531836]"
    const std::string target = link_target(("/proc/self/ns/" + kind).c_str());
    const std::size_t at = target.find('[');
    if (at == std::string::npos) continue;
    any = true;
    if (!is_initial_namespace(kind, std::strtoull(target.c_str() + at + 1, nullptr, 10))) {
      own.push_back(kind);
    }
  }
  return any ? std::optional(own) : std::nullopt;
}

std::optional<std::vector<std::string>> effective_capabilities() {
  const std::string mask = status_field("CapEff");
  if (mask.empty()) return std::nullopt;
  return capability_names(std::strtoull(mask.c_str(), nullptr, 16));
}

std::optional<std::string> sysctl_value(std::string_view name) {
  std::string path = "/proc/sys/" + std::string(name);
  std::replace(path.begin() + 10, path.end(), '.', '/');
  std::optional<std::string> value = read_text(path);
  if (value) std::replace(value->begin(), value->end(), '\t', ' ');
  return value;
}

std::span<const std::string_view> relevant_sysctls() {
  static constexpr std::string_view kNames[] = {"fs.aio-max-nr",
                                                "fs.epoll.max_user_watches",
                                                "fs.file-max",
                                                "fs.inotify.max_user_instances",
                                                "fs.inotify.max_user_watches",
                                                "fs.nr_open",
                                                "fs.pipe-max-size",
                                                "fs.pipe-user-pages-soft",
                                                "kernel.io_uring_disabled",
                                                "kernel.pid_max",
                                                "kernel.threads-max",
                                                "kernel.unprivileged_userns_clone",
                                                "kernel.yama.ptrace_scope",
                                                "net.core.busy_poll",
                                                "net.core.rmem_max",
                                                "net.core.somaxconn",
                                                "net.core.wmem_max",
                                                "net.ipv4.ip_local_port_range",
                                                "net.ipv4.ip_unprivileged_port_start",
                                                "net.ipv4.tcp_fastopen",
                                                "net.ipv4.tcp_max_syn_backlog",
                                                "net.ipv4.tcp_syncookies",
                                                "net.ipv4.tcp_tw_reuse",
                                                "net.ipv6.bindv6only",
                                                "net.ipv6.conf.all.disable_ipv6",
                                                "net.unix.max_dgram_qlen",
                                                "user.max_user_namespaces",
                                                "vm.max_map_count",
                                                "vm.overcommit_memory"};
  return kNames;
}

std::string libc_version() {
  constexpr int kGnuLibcVersion = 2;  // _CS_GNU_LIBC_VERSION, by number: musl may lack the name.
  char text[64];
  const std::size_t size = ::confstr(kGnuLibcVersion, text, sizeof text);
  if (size > 1 && size <= sizeof text) return std::string(text, size - 1);
  if (const std::string linked = linked_musl(); !linked.empty()) return "musl " + linked;
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

std::optional<std::int64_t> cgroup_limit(Controller controller) {
  const bool memory = controller == Controller::memory;
  const std::string folder = cgroup_folder();
  if (!folder.empty()) {
    if (auto v2 = read_number(folder + (memory ? "/memory.max" : "/pids.max"))) return v2;
  }
  // Version 1 has a tree for each controller. What is near 2^63 is no limit.
  const std::string path = cgroup_v1_path(memory ? "memory" : "pids");
  const std::string root = std::string("/sys/fs/cgroup/") + (memory ? "memory" : "pids");
  constexpr std::int64_t kNoLimit = std::int64_t{1} << 62;
  for (const std::string& place : {root + path, root}) {
    const auto v1 = read_number(place + (memory ? "/memory.limit_in_bytes" : "/pids.max"));
    if (v1 && *v1 < kNoLimit) return v1;
  }
  return std::nullopt;
}

int effective_cpus() {
  int cpus = static_cast<int>(std::thread::hardware_concurrency());
#ifdef CPU_COUNT  // where threads have a mask of CPUs; the standard library need not look at it
  cpu_set_t mask;
  if (::sched_getaffinity(0, sizeof mask, &mask) == 0) cpus = CPU_COUNT(&mask);
#endif
  if (const double quota = cgroup_cpu_quota(); quota > 0) {
    cpus = std::min(cpus, static_cast<int>(std::ceil(quota)));
  }
  return std::max(cpus, 1);
}

std::string host_name() {
  utsname system{};
  return ::uname(&system) == 0 ? system.nodename : "";
}

std::string user_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? "" : entry->pw_name;
}

std::string home_folder() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? "" : entry->pw_dir;
}

namespace {

/// What this program runs as. uname names the machine of the kernel, and to a program of 32 bits
/// that asks for it the one that such a kernel offers to it: "i686" on x86_64.
std::string architecture() {
  utsname system{};
#if __has_include(<sys/personality.h>)
  constexpr unsigned long kAsk = 0xffffffff;
  const int before = sizeof(void*) == 4 ? ::personality(kAsk) : -1;
  const bool narrow =
      before != -1 && ::personality(static_cast<unsigned long>(before) | PER_LINUX32) != -1;
  (void)::uname(&system);
  if (narrow) (void)::personality(static_cast<unsigned long>(before));
#else
  (void)::uname(&system);
#endif
  return system.machine;
}

}  // namespace

HostBlock host_environment() {
  utsname system{};
  (void)::uname(&system);  // Zeroed names are the answer when it fails.
  rlimit files{};
  (void)::getrlimit(RLIMIT_NOFILE, &files);
  HostBlock host{
      {"os", std::string(system.sysname)},
      {"kernel", std::string(system.release)},
      {"kernel_version", std::string(system.version)},
      {"arch", architecture()},
      {"libc", libc_version()},
      {"cpus", static_cast<std::int64_t>(effective_cpus())},
      {"cpus_online", static_cast<std::int64_t>(::sysconf(_SC_NPROCESSORS_ONLN))},
      {"hypervisor", hypervisor()},
      {"container", container_kind()},
      {"layers", layer_words(layers_of(layer_evidence()))},
      {"seccomp", status_field("Seccomp")},
      {"no_new_privs", status_field("NoNewPrivs")},
      {"namespaces", value_of(own_namespaces())},
      {"capabilities", value_of(effective_capabilities())},
      {"cgroup_cpus", cgroup_cpu_quota() > 0 ? FactValue(cgroup_cpu_quota()) : FactValue()},
      {"cgroup_memory_bytes", value_of(cgroup_limit(Controller::memory))},
      {"cgroup_pids", value_of(cgroup_limit(Controller::pids))},
      {"sysctls", sysctl_words()},
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
