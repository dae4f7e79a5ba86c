// Layers between this process and the machine: containers, kernels that are none, emulators,
// virtual machines. Recognised from evidence that the caller collects.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace loopscope {

/// What the system says of itself. Empty: there is no such file here, or it may not be read.
struct LayerEvidence {
  std::string sysname, release, version, machine;  // uname
  std::string proc_version;                        // /proc/version
  std::string command_line;                        // /proc/cmdline
  std::string cpuinfo;                             // /proc/cpuinfo
  std::string first_environ;                       // /proc/1/environ
  std::string first_cgroup, own_cgroup;            // /proc/1/cgroup, /proc/self/cgroup
  std::string systemd_container;                   // /run/systemd/container
  std::string thread_exe;            // where /proc/thread-self/exe points: an emulator shows there
  std::string xen_type;              // /sys/hypervisor/type
  std::string vendor, product;       // of DMI
  std::string acpi_oem;              // of the table FACP, 6 octets
  std::string device_tree;           // /proc/device-tree/hypervisor/compatible
  std::string cpu_vendor;            // cpuid, leaf 0
  std::string cpu_hypervisor;        // cpuid, leaf 0x40000000
  std::string wine_version;          // of ntdll; Windows only
  std::vector<std::string> present;  // of layer_markers()
  std::vector<std::pair<std::string, std::string>> environment;  // of layer_variables()
};

/// Paths and variables whose presence tells something.
std::span<const std::string_view> layer_markers();
std::span<const std::string_view> layer_variables();

enum class LayerKind : std::uint8_t { kernel, emulator, container, machine };
std::string_view name(LayerKind kind);  // "kernel", "emulator", "container", "virtual machine"

struct Layer {
  LayerKind kind;
  std::string name;     // "wsl2", "qemu-user", "docker", "KVM"
  std::string because;  // what it was recognised by
  friend bool operator==(const Layer&, const Layer&) = default;
};

/// Every layer that is recognised, the kernel first and the machine last; empty where nothing
/// speaks against a Linux kernel on bare metal.
std::vector<Layer> layers_of(const LayerEvidence& evidence);

/// The first layer of a kind; `none` where there is none.
std::string layer_name(std::span<const Layer> layers, LayerKind kind, std::string_view none);

/// The names of the capabilities in a mask, as in capabilities(7), in their order: "CAP_CHOWN".
/// Bits without a name are "CAP_41".
std::vector<std::string> capability_names(std::uint64_t mask);

/// Is this the inode number of an initial namespace of its kind ("pid", "net" ...)? Kernels before
/// 6.18 number "mnt" and "net" as they come: these are then unknown, and count as initial.
bool is_initial_namespace(std::string_view kind, std::uint64_t inode);

}  // namespace loopscope
