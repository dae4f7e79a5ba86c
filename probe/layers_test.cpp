// Layers, recognised in what systems of each kind say of themselves.
#include "probe/layers.hpp"

#include <doctest/doctest.h>

using namespace loopscope;

namespace {

/// A Debian kernel on bare metal, as the base of the samples.
LayerEvidence bare_metal() {
  return {.sysname = "Linux",
          .release = "6.1.0-18-amd64",
          .version = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)",
          .machine = "x86_64",
          .proc_version =
              "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org) (gcc-12 "
              "(Debian 12.2.0-14) 12.2.0) #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1",
          .command_line = "BOOT_IMAGE=/boot/vmlinuz-6.1.0-18-amd64 root=UUID=1f2e ro quiet",
          .cpuinfo = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vme de pse sse2",
          .first_environ = std::string("HOME=/\0init=/sbin/init\0", 23),
          .first_cgroup = "0::/init.scope",
          .own_cgroup = "0::/user.slice/user-1000.slice/session-2.scope",
          .vendor = "LENOVO",
          .product = "20XW0026GE",
          .cpu_vendor = "GenuineIntel"};
}

LayerEvidence in_kvm() {
  LayerEvidence e = bare_metal();
  e.cpuinfo += " hypervisor";
  e.cpu_hypervisor = "KVMKVMKVM";
  e.vendor = "QEMU";
  e.product = "Standard PC (Q35 + ICH9, 2009)";
  return e;
}

/// "kernel wsl2, container docker"
std::string recognised(const LayerEvidence& evidence) {
  std::string text;
  for (const Layer& layer : layers_of(evidence)) {
    if (!text.empty()) text += ", ";
    text += std::string(name(layer.kind)) + " " + layer.name;
    CHECK(!layer.because.empty());
  }
  return text;
}

}  // namespace

TEST_CASE("nothing is recognised on bare metal, and nothing without any evidence") {
  CHECK(recognised(bare_metal()) == "");
  CHECK(recognised({}) == "");
}

TEST_CASE("kernels that are none, or are in a special place") {
  LayerEvidence e = bare_metal();
  SUBCASE("gVisor") {
    e.release = "4.4.0";
    e.version = "#1 SMP Sun Jan 10 15:06:54 PST 2016";
    e.proc_version = "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016";
    e.command_line = "BOOT_IMAGE=/vmlinuz-4.4.0-gvisor quiet";
    CHECK(recognised(e) == "kernel gvisor");
  }
  SUBCASE("gVisor without /proc/version") {
    e.proc_version.clear();
    e.version = "#1 SMP Sun Jan 10 15:06:54 PST 2016";
    CHECK(recognised(e) == "kernel gvisor");
  }
  SUBCASE("WSL1") {
    e.release = "4.4.0-19041-Microsoft";
    e.proc_version =
        "Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com) (gcc version "
        "5.4.0 (GCC) ) #1237-Microsoft Sat Sep 11 14:32:00 PST 2021";
    CHECK(recognised(e) == "kernel wsl1");
  }
  SUBCASE("WSL2") {
    e.release = "5.15.90.1-microsoft-standard-WSL2";
    e.cpu_hypervisor = "Microsoft Hv";
    e.vendor = e.product = "";
    CHECK(recognised(e) == "kernel wsl2, virtual machine Hyper-V");
  }
  SUBCASE("WSL2 with a kernel of one's own") {
    e.release = "6.6.36-mine";
    e.present = {"/proc/sys/fs/binfmt_misc/WSLInterop", "/run/WSL"};
    e.environment = {{"WSL_DISTRO_NAME", "Debian"}};
    CHECK(recognised(e) == "kernel wsl2");
  }
  SUBCASE("an Azure kernel is no WSL") {
    e.release = "6.5.0-1025-azure";
    CHECK(recognised(e) == "");
  }
  SUBCASE("User Mode Linux") {
    e.release = "6.1.55";
    e.cpuinfo = "processor\t: 0\nvendor_id\t: User Mode Linux\nmodel name\t: UML\nmode\t\t: skas";
    e.vendor = e.product = e.cpu_vendor = "";
    CHECK(recognised(e) == "kernel uml");
  }
  SUBCASE("Android, by its release") {
    e.release = "5.10.149-android13-4-00001-g5f01e4c";
    e.machine = "aarch64";
    e.cpuinfo = "processor\t: 0\nCPU implementer\t: 0x41";
    CHECK(recognised(e) == "kernel android");
  }
  SUBCASE("Android, by its files") {
    e.present = {"/system/build.prop", "/dev/binderfs"};
    CHECK(recognised(e) == "kernel android");
  }
  SUBCASE("binder alone is no Android") {
    e.present = {"/dev/binderfs"};
    CHECK(recognised(e) == "");
  }
  SUBCASE("Wine") {
    e.wine_version = "8.0";
    CHECK(recognised(e) == "kernel wine");
  }
}

TEST_CASE("emulators of a processor") {
  LayerEvidence e = bare_metal();
  SUBCASE("qemu-user, by the thread's program") {
    e.machine = "s390x";
    e.cpuinfo = "vendor_id       : IBM/S390";
    e.thread_exe = "/usr/bin/qemu-s390x-static";
    CHECK(recognised(e) == "emulator qemu-user");
  }
  SUBCASE("qemu-user, by the host's processor") {
    e.machine = "aarch64";
    CHECK(recognised(e) == "emulator qemu-user");
  }
  SUBCASE("a 32-bit personality is none") {
    e.machine = "i686";
    CHECK(recognised(e) == "");
  }
  SUBCASE("Rosetta, by cpuid") {
    e.cpu_vendor = "VirtualApple";
    e.cpuinfo = "vendor_id\t: VirtualApple\nmodel name\t: VirtualApple @ 2.50GHz processor";
    e.vendor = "Apple Inc.";
    e.product = "Apple Virtualization Generic Platform";
    CHECK(recognised(e) == "emulator rosetta, virtual machine Apple Virtualization");
  }
}

TEST_CASE("containers") {
  LayerEvidence e = bare_metal();
  SUBCASE("docker") {
    e.present = {"/.dockerenv"};
    CHECK(recognised(e) == "container docker");
  }
  SUBCASE("podman") {
    e.present = {"/run/.containerenv"};
    CHECK(recognised(e) == "container podman");
  }
  SUBCASE("systemd-nspawn") {
    e.systemd_container = "systemd-nspawn";
    CHECK(recognised(e) == "container systemd-nspawn");
  }
  SUBCASE("lxc, by the first process") {
    e.first_environ = std::string("PATH=/bin\0container=lxc\0x=y", 27);
    CHECK(recognised(e) == "container lxc");
  }
  SUBCASE("a variable that only ends so is none") {
    e.first_environ = std::string("PATH=/bin\0mycontainer=lxc\0", 26);
    CHECK(recognised(e) == "");
  }
  SUBCASE("kubernetes, by control groups") {
    e.first_cgroup = "11:memory:/kubepods/besteffort/pod8e23c2f5/1a2b3c";
    CHECK(recognised(e) == "container kubernetes");
  }
  SUBCASE("docker with control groups v1") {
    e.first_cgroup = "12:pids:/docker/0c2b8f\n1:name=systemd:/docker/0c2b8f";
    CHECK(recognised(e) == "container docker");
  }
  SUBCASE("openvz, and not its host") {
    e.present = {"/proc/vz"};
    CHECK(recognised(e) == "container openvz");
    e.present.emplace_back("/proc/bc");
    CHECK(recognised(e) == "");
  }
  SUBCASE("inside of a virtual machine") {
    e = in_kvm();
    e.present = {"/.dockerenv"};
    CHECK(recognised(e) == "container docker, virtual machine KVM (QEMU)");
  }
}

TEST_CASE("virtual machines") {
  LayerEvidence e = in_kvm();
  SUBCASE("KVM under QEMU") { CHECK(recognised(e) == "virtual machine KVM (QEMU)"); }
  SUBCASE("TCG") {
    e.cpu_hypervisor = "TCGTCGTCGTCG";
    CHECK(recognised(e) == "virtual machine TCG (QEMU)");
  }
  SUBCASE("KVM of a cloud") {
    e.vendor = "Amazon EC2";
    e.product = "m5.large";
    CHECK(recognised(e) == "virtual machine KVM (Amazon EC2)");
  }
  SUBCASE("KVM on ARM, by the device tree") {
    e = bare_metal();
    e.machine = "aarch64";
    e.cpuinfo = "processor\t: 0\nCPU implementer\t: 0x41";
    e.vendor = e.product = e.cpu_vendor = "";
    e.device_tree = std::string("linux,kvm\0", 10);
    CHECK(recognised(e) == "virtual machine KVM");
  }
  SUBCASE("Firecracker, by its ACPI tables") {
    e.vendor = e.product = "";
    e.acpi_oem = "FIRECK";
    CHECK(recognised(e) == "virtual machine firecracker");
  }
  SUBCASE("Firecracker before it had ACPI tables") {
    e.vendor = e.product = "";
    e.command_line =
        "console=ttyS0 reboot=k panic=1 pci=off root=/dev/vda rw "
        "virtio_mmio.device=4K@0xd0000000:5";
    CHECK(recognised(e) == "virtual machine firecracker");
  }
  SUBCASE("Hyper-V, and not a laptop of the same maker") {
    e.cpu_hypervisor = "";
    e.vendor = "Microsoft Corporation";
    e.product = "Virtual Machine";
    CHECK(recognised(e) == "virtual machine Hyper-V");
    e.product = "Surface Pro 7";
    e.cpuinfo = bare_metal().cpuinfo;
    CHECK(recognised(e) == "");
  }
  SUBCASE("VMware") {
    e.cpu_hypervisor = "VMwareVMware";
    e.vendor = "VMware, Inc.";
    e.product = "VMware7,1";
    CHECK(recognised(e) == "virtual machine VMware");
  }
  SUBCASE("Xen, paravirtualised: without cpuid and firmware") {
    e = bare_metal();
    e.vendor = e.product = "";
    e.xen_type = "xen";
    CHECK(recognised(e) == "virtual machine Xen");
  }
  SUBCASE("by the flag alone") {
    e.cpu_hypervisor = e.vendor = e.product = "";
    CHECK(recognised(e) == "virtual machine unnamed");
  }
}

TEST_CASE("capabilities have their names, and new ones their numbers") {
  CHECK(capability_names(0).empty());
  CHECK(bool(capability_names(1) == std::vector<std::string>{"CAP_CHOWN"}));
  const std::vector<std::string> some = capability_names(1U << 13 | std::uint64_t{1} << 40);
  CHECK(bool(some == std::vector<std::string>{"CAP_NET_RAW", "CAP_CHECKPOINT_RESTORE"}));
  CHECK(bool(capability_names(std::uint64_t{1} << 45) == std::vector<std::string>{"CAP_45"}));
}

TEST_CASE("initial namespaces are known by their numbers") {
  CHECK(is_initial_namespace("pid", 4026531836));
  CHECK(!is_initial_namespace("pid", 4026532201));
  CHECK(is_initial_namespace("net", 4026531833));  // Linux 6.18
  CHECK(is_initial_namespace("net", 4026531840));  // Linux 5.15
  CHECK(is_initial_namespace("mnt", 4026531841));
  CHECK(!is_initial_namespace("net", 4026532447));
  CHECK(is_initial_namespace("user", 4026531837));
  CHECK(!is_initial_namespace("user", 4026532448));
}
