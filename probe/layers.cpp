// The signs by which layers are known.
#include "probe/layers.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace loopscope {

namespace {

constexpr std::string_view kMarkers[] = {"/.dockerenv",
                                         "/run/.containerenv",
                                         "/.flatpak-info",
                                         "/.singularity.d",
                                         "/proc/vz",
                                         "/proc/bc",
                                         "/proc/sys/fs/binfmt_misc/WSLInterop",
                                         "/run/WSL",
                                         "/system/build.prop",
                                         "/dev/binder",
                                         "/dev/binderfs"};
constexpr std::string_view kVariables[] = {"container", "KUBERNETES_SERVICE_HOST", "ANDROID_ROOT",
                                           "WSL_DISTRO_NAME"};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool present(const LayerEvidence& e, std::string_view marker) {
  return std::find(e.present.begin(), e.present.end(), marker) != e.present.end();
}

std::string variable(const LayerEvidence& e, std::string_view name) {
  for (const auto& [key, value] : e.environment) {
    if (key == name) return value;
  }
  return {};
}

Layer kernel(std::string name, std::string because) {
  return {LayerKind::kernel, std::move(name), std::move(because)};
}

/// Something that answers Linux system calls, or is Linux in a special place.
std::optional<Layer> kernel_layer(const LayerEvidence& e) {
  if (!e.wine_version.empty()) return kernel("wine", "ntdll says Wine " + e.wine_version);
  const std::string& version = e.proc_version.empty() ? e.version : e.proc_version;
  // gVisor's version and command line are constants of its source.
  if (contains(version, "Sun Jan 10 15:06:54 PST 2016") || contains(version, "gVisor")) {
    return kernel("gvisor", "/proc/version");
  }
  if (contains(e.command_line, "-gvisor")) return kernel("gvisor", "/proc/cmdline");
  if (contains(e.release, "WSL2") || contains(e.release, "microsoft-standard")) {
    return kernel("wsl2", "the release " + e.release);
  }
  if (contains(e.release, "Microsoft")) return kernel("wsl1", "the release " + e.release);
  const bool interop = present(e, "/proc/sys/fs/binfmt_misc/WSLInterop") || present(e, "/run/WSL");
  if (interop && !variable(e, "WSL_DISTRO_NAME").empty()) {
    return kernel("wsl2", "WSL's interpreter and WSL_DISTRO_NAME, with a kernel of one's own");
  }
  if (contains(e.cpuinfo, "User Mode Linux")) return kernel("uml", "/proc/cpuinfo");
  if (contains(e.release, "-android") ||
      (present(e, "/system/build.prop") &&
       (present(e, "/dev/binder") || present(e, "/dev/binderfs") ||
        !variable(e, "ANDROID_ROOT").empty()))) {
    return kernel("android", contains(e.release, "-android") ? "the release " + e.release
                                                             : "/system/build.prop and binder");
  }
  return std::nullopt;
}

/// The family of processors that a name of uname or a line of /proc/cpuinfo stands for.
std::string_view family_of_machine(std::string_view machine) {
  if (machine == "x86_64" || (machine.size() == 4 && machine.ends_with("86"))) return "x86";
  if (machine.starts_with("arm") || machine.starts_with("aarch64")) return "arm";
  if (machine.starts_with("riscv")) return "riscv";
  if (machine.starts_with("ppc")) return "ppc";
  if (machine.starts_with("s390")) return "s390";
  return {};
}

std::string_view family_of_cpuinfo(std::string_view cpuinfo) {
  if (contains(cpuinfo, "GenuineIntel") || contains(cpuinfo, "AuthenticAMD")) return "x86";
  if (contains(cpuinfo, "CPU implementer")) return "arm";
  return {};
}

std::optional<Layer> emulator_layer(const LayerEvidence& e) {
  if (e.cpu_vendor == "VirtualApple" || contains(e.cpuinfo, "VirtualApple")) {
    return Layer{LayerKind::emulator, "rosetta", "the processor calls itself VirtualApple"};
  }
  // qemu-user rewrites /proc/self only; the thread's own link shows the emulator.
  if (contains(e.thread_exe, "qemu-")) {
    return Layer{LayerKind::emulator, "qemu-user", "/proc/thread-self/exe is " + e.thread_exe};
  }
  const std::string_view claimed = family_of_machine(e.machine);
  const std::string_view real = family_of_cpuinfo(e.cpuinfo);
  if (!claimed.empty() && !real.empty() && claimed != real) {
    return Layer{LayerKind::emulator, "qemu-user",
                 "uname says " + e.machine + ", /proc/cpuinfo describes another processor"};
  }
  return std::nullopt;
}

/// The value of container= among variables that are separated by NUL.
std::string container_variable(const std::string& environment) {
  const std::string all = '\0' + environment;
  const std::string key = std::string(1, '\0') + "container=";
  const std::size_t at = all.find(key);
  if (at == std::string::npos) return {};
  const std::string kind = all.substr(at + key.size());
  return kind.substr(0, kind.find('\0'));
}

Layer container(std::string name, std::string because) {
  return {LayerKind::container, std::move(name), std::move(because)};
}

std::optional<Layer> container_layer(const LayerEvidence& e) {
  if (present(e, "/.dockerenv")) return container("docker", "/.dockerenv");
  if (present(e, "/run/.containerenv")) return container("podman", "/run/.containerenv");
  if (present(e, "/.flatpak-info")) return container("flatpak", "/.flatpak-info");
  if (present(e, "/.singularity.d")) return container("singularity", "/.singularity.d");
  if (!e.systemd_container.empty()) {
    return container(e.systemd_container, "/run/systemd/container");
  }
  // Readable for root only: the environment of the first process.
  if (std::string kind = container_variable(e.first_environ); !kind.empty()) {
    return container(std::move(kind), "container= in /proc/1/environ");
  }
  if (std::string kind = variable(e, "container"); !kind.empty()) {
    return container(std::move(kind), "the variable container");
  }
  if (present(e, "/proc/vz") && !present(e, "/proc/bc")) return container("openvz", "/proc/vz");
  // A name of a control group, between slashes, dashes or colons.
  constexpr std::pair<std::string_view, std::string_view> kGroups[] = {
      {"kubepods", "kubernetes"},   {"docker", "docker"}, {"libpod", "podman"}, {"lxc", "lxc"},
      {"containerd", "containerd"}, {"/ecs/", "ecs"}};
  for (const auto& [part, kind] : kGroups) {
    if (contains(e.first_cgroup, part)) {
      return container(std::string(kind), "a control group of the first process");
    }
  }
  if (!variable(e, "KUBERNETES_SERVICE_HOST").empty()) {
    return container("kubernetes", "the variable KUBERNETES_SERVICE_HOST");
  }
  return std::nullopt;
}

Layer machine(std::string name, std::string because) {
  return {LayerKind::machine, std::move(name), std::move(because)};
}

/// What the processor says: the most direct sign, and one that no file can lack.
std::optional<Layer> machine_by_cpu(const LayerEvidence& e) {
  constexpr std::pair<std::string_view, std::string_view> kSignatures[] = {
      {"KVMKVMKVM", "KVM"},        {"TCGTCGTCGTCG", "TCG"},     {"Microsoft Hv", "Hyper-V"},
      {"VMwareVMware", "VMware"},  {"XenVMMXenVMM", "Xen"},     {"VBoxVBoxVBox", "VirtualBox"},
      {"prl hyperv", "Parallels"}, {"lrpepyh vr", "Parallels"}, {"bhyve bhyve", "bhyve"},
      {"ACRNACRNACRN", "ACRN"},    {"QNXQVMBSQG", "QNX"},       {"Jailhouse", "Jailhouse"}};
  for (const auto& [signature, name] : kSignatures) {
    if (contains(e.cpu_hypervisor, signature)) {
      return machine(std::string(name), "cpuid says " + std::string(signature));
    }
  }
  if (contains(e.device_tree, "linux,kvm")) return machine("KVM", "the device tree");
  if (contains(e.device_tree, "xen,xen")) return machine("Xen", "the device tree");
  return std::nullopt;
}

std::optional<Layer> machine_by_firmware(const LayerEvidence& e) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"QEMU", "QEMU"},
      {"KVM", "KVM"},
      {"VMware", "VMware"},
      {"innotek", "VirtualBox"},
      {"VirtualBox", "VirtualBox"},
      {"Xen", "Xen"},
      {"Amazon EC2", "Amazon EC2"},
      {"Google", "Google Compute Engine"},
      {"Parallels", "Parallels"},
      {"Bochs", "Bochs"},
      {"BHYVE", "bhyve"},
      {"Apple Virtualization", "Apple Virtualization"}};
  for (const auto& [part, name] : kNames) {
    if (contains(e.vendor, part) || contains(e.product, part)) {
      return machine(std::string(name), "the firmware says " + e.vendor + " " + e.product);
    }
  }
  // The vendor alone is also on real machines.
  if (contains(e.vendor, "Microsoft") && contains(e.product, "Virtual Machine")) {
    return machine("Hyper-V", "the firmware says " + e.vendor + " " + e.product);
  }
  return std::nullopt;
}

/// Firecracker is KVM with hardly any firmware.
bool is_firecracker(const LayerEvidence& e) {
  if (contains(e.acpi_oem, "FIRECK") || contains(e.command_line, "firecracker")) return true;
  return e.vendor.empty() && contains(e.cpu_hypervisor, "KVMKVMKVM") &&
         contains(e.command_line, "virtio_mmio.device=") && contains(e.command_line, "pci=off");
}

std::optional<Layer> machine_layer(const LayerEvidence& e) {
  if (is_firecracker(e)) {
    return machine("firecracker", contains(e.acpi_oem, "FIRECK") ? "the maker of its ACPI tables"
                                                                 : "/proc/cmdline");
  }
  const std::optional<Layer> firmware = machine_by_firmware(e);
  if (std::optional<Layer> cpu = machine_by_cpu(e)) {
    // The hypervisor, and who offers it: "KVM (Amazon EC2)".
    if (firmware && firmware->name != cpu->name) cpu->name += " (" + firmware->name + ")";
    return cpu;
  }
  if (!e.xen_type.empty()) return machine("Xen", "/sys/hypervisor/type");
  if (firmware) return firmware;
  if (contains(e.cpuinfo, " hypervisor")) {
    return machine("unnamed", "the processor carries the hypervisor flag");
  }
  return std::nullopt;
}

constexpr std::string_view kCapabilities[] = {"CHOWN",
                                              "DAC_OVERRIDE",
                                              "DAC_READ_SEARCH",
                                              "FOWNER",
                                              "FSETID",
                                              "KILL",
                                              "SETGID",
                                              "SETUID",
                                              "SETPCAP",
                                              "LINUX_IMMUTABLE",
                                              "NET_BIND_SERVICE",
                                              "NET_BROADCAST",
                                              "NET_ADMIN",
                                              "NET_RAW",
                                              "IPC_LOCK",
                                              "IPC_OWNER",
                                              "SYS_MODULE",
                                              "SYS_RAWIO",
                                              "SYS_CHROOT",
                                              "SYS_PTRACE",
                                              "SYS_PACCT",
                                              "SYS_ADMIN",
                                              "SYS_BOOT",
                                              "SYS_NICE",
                                              "SYS_RESOURCE",
                                              "SYS_TIME",
                                              "SYS_TTY_CONFIG",
                                              "MKNOD",
                                              "LEASE",
                                              "AUDIT_WRITE",
                                              "AUDIT_CONTROL",
                                              "SETFCAP",
                                              "MAC_OVERRIDE",
                                              "MAC_ADMIN",
                                              "SYSLOG",
                                              "WAKE_ALARM",
                                              "BLOCK_SUSPEND",
                                              "AUDIT_READ",
                                              "PERFMON",
                                              "BPF",
                                              "CHECKPOINT_RESTORE"};

}  // namespace

std::span<const std::string_view> layer_markers() { return kMarkers; }
std::span<const std::string_view> layer_variables() { return kVariables; }

std::string_view name(LayerKind kind) {
  constexpr std::array<std::string_view, 4> kNames{"kernel", "emulator", "container",
                                                   "virtual machine"};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::vector<Layer> layers_of(const LayerEvidence& evidence) {
  std::vector<Layer> layers;
  for (std::optional<Layer> (*recognise)(const LayerEvidence&) :
       {kernel_layer, emulator_layer, container_layer, machine_layer}) {
    if (std::optional<Layer> layer = recognise(evidence)) layers.push_back(*std::move(layer));
  }
  return layers;
}

std::string layer_name(std::span<const Layer> layers, LayerKind kind, std::string_view none) {
  for (const Layer& layer : layers) {
    if (layer.kind == kind) return layer.name;
  }
  return std::string(none);
}

std::vector<std::string> capability_names(std::uint64_t mask) {
  std::vector<std::string> names;
  for (std::size_t bit = 0; bit < 64; ++bit) {
    if ((mask >> bit & 1) == 0) continue;
    const std::string word =
        bit < std::size(kCapabilities) ? std::string(kCapabilities[bit]) : std::to_string(bit);
    names.push_back("CAP_" + word);
  }
  return names;
}

bool is_initial_namespace(std::string_view kind, std::uint64_t inode) {
  // The kernel's constants PROC_..._INIT_INO.
  constexpr std::pair<std::string_view, std::uint64_t> kFixed[] = {
      {"ipc", 0xEFFFFFFF},    {"uts", 0xEFFFFFFE},  {"user", 0xEFFFFFFD}, {"pid", 0xEFFFFFFC},
      {"cgroup", 0xEFFFFFFB}, {"time", 0xEFFFFFFA}, {"net", 0xEFFFFFF9},  {"mnt", 0xEFFFFFF8}};
  constexpr std::uint64_t kFirstOfTheRest = 0xF0000000;
  for (const auto& [name, initial] : kFixed) {
    if (name != kind) continue;
    // What is numbered as it comes begins here; the very first ones are those of the boot.
    const bool as_it_comes = (kind == "net" || kind == "mnt") && inode >= kFirstOfTheRest;
    return inode == initial || (as_it_comes && inode < kFirstOfTheRest + 256);
  }
  return true;
}

}  // namespace loopscope
