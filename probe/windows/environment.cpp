// The host block on Windows, and whether it is Wine.
#include "probe/environment.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <thread>

#include "loops/os/windows/winsock.hpp"
#include "probe/windows/answers.hpp"

namespace loopscope {
namespace {

std::string version_text() {
  const windows::SystemVersion version = windows::system_version();
  std::string text = std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
                     std::to_string(version.build);
  const std::string wine = windows::wine_version();
  return wine.empty() ? text : text + " (wine " + wine + ")";
}

std::string architecture() {
  SYSTEM_INFO info{};
  ::GetNativeSystemInfo(&info);
  switch (info.wProcessorArchitecture) {
    case PROCESSOR_ARCHITECTURE_AMD64:
      return "x86_64";
    case PROCESSOR_ARCHITECTURE_ARM64:
      return "aarch64";
    case PROCESSOR_ARCHITECTURE_INTEL:
      return "i686";
    default:
      return "unknown";
  }
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

/// "wine 10.0"
std::vector<std::string> layer_words() {
  std::vector<std::string> words;
  for (const Layer& layer : layers_of(layer_evidence())) {
    const bool wine = layer.name == "wine";
    words.push_back(wine ? layer.name + " " + windows::wine_version() : layer.name);
  }
  return words;
}

}  // namespace

namespace windows {
namespace {
template <class Function>
Function of_ntdll(const char* name) {
  return reinterpret_cast<Function>(
      reinterpret_cast<void*>(::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), name)));
}
}  // namespace

SystemVersion system_version() {
  using Ask = LONG(WINAPI*)(RTL_OSVERSIONINFOW*);
  RTL_OSVERSIONINFOW info{};
  info.dwOSVersionInfoSize = sizeof info;
  const auto ask = of_ntdll<Ask>("RtlGetVersion");
  if (ask == nullptr || ask(&info) != 0) return {};
  return {info.dwMajorVersion, info.dwMinorVersion, info.dwBuildNumber};
}

std::string wine_version() {
  using Ask = const char*(CDECL*)();
  const auto ask = of_ntdll<Ask>("wine_get_version");
  return ask == nullptr ? std::string() : ask();
}
}  // namespace windows

LayerEvidence layer_evidence() {
  return {.sysname = "Windows",
          .release = version_text(),
          .machine = architecture(),
          .wine_version = windows::wine_version()};
}

std::string container_kind() { return "none"; }
std::string kernel_flavour() { return windows::wine_version().empty() ? "windows" : "wine"; }
std::string hypervisor() { return {}; }
std::string libc_version() {
  return ::GetModuleHandleW(L"ucrtbase.dll") != nullptr ? "ucrt" : "msvcrt";
}
int effective_cpus() { return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U)); }
double cgroup_cpu_quota() { return 0; }
std::string cgroup_folder() { return {}; }
std::optional<std::int64_t> cgroup_limit(Controller) { return std::nullopt; }
std::optional<std::vector<std::string>> own_namespaces() { return std::nullopt; }
std::optional<std::vector<std::string>> effective_capabilities() { return std::nullopt; }
std::span<const std::string_view> relevant_sysctls() { return {}; }
std::optional<std::string> sysctl_value(std::string_view) { return std::nullopt; }

std::string host_name() {
  std::array<wchar_t, MAX_COMPUTERNAME_LENGTH + 1> name{};
  auto size = static_cast<DWORD>(name.size());
  return ::GetComputerNameW(name.data(), &size) != 0 ? os::narrow({name.data(), size}) : "";
}
std::string user_name() { return variable("USERNAME"); }
std::string home_folder() { return variable("USERPROFILE"); }

HostBlock host_environment() {
  SYSTEM_INFO system{};
  ::GetNativeSystemInfo(&system);
  MEMORYSTATUSEX memory{};
  memory.dwLength = sizeof memory;
  (void)::GlobalMemoryStatusEx(&memory);
  return {
      {"os", std::string("Windows")},
      {"kernel", version_text()},
      {"kernel_version", std::to_string(windows::system_version().build)},
      {"arch", architecture()},
      {"libc", libc_version()},
      {"cpus", static_cast<std::int64_t>(effective_cpus())},
      {"cpus_online", static_cast<std::int64_t>(system.dwNumberOfProcessors)},
      {"hypervisor", hypervisor()},
      {"container", container_kind()},
      {"layers", layer_words()},
      {"clock", std::string("QueryPerformanceCounter")},
      {"page_bytes", static_cast<std::int64_t>(system.dwPageSize)},
      {"memory_bytes", static_cast<std::int64_t>(memory.ullTotalPhys)},
  };
}

}  // namespace loopscope
