// The harness's own process on Windows: handles, CPU time, directories.
#include "harness/host.hpp"

#include <fcntl.h>
#include <io.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "harness/windows/system_table.hpp"
#include "loops/os/net.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/temp_folder.hpp"
#include "loops/os/windows/winsock.hpp"
// After windows.h.
#include <psapi.h>

namespace loopscope::host {
namespace {

/// Handles of one process, as many as Windows has numbers for: there is no limit to set.
constexpr std::size_t kMostHandles = std::size_t{1} << 24;

Duration ticks(const FILETIME& time) {  // of 100 ns
  const std::uint64_t count = (std::uint64_t{time.dwHighDateTime} << 32) | time.dwLowDateTime;
  return Duration(static_cast<std::int64_t>(count) * 100);
}

std::string socket_text(os::NativeSocket fd) {
  const Result<Endpoint> local = os::local_address(fd), peer = os::peer_address(fd);
  std::string text = "socket";
  if (local.ok()) text += ":" + local->to_string();
  if (peer.ok()) text += "->" + peer->to_string();
  return text;
}

}  // namespace

std::size_t raise_descriptor_limit() { return kMostHandles; }
std::size_t descriptor_limit() { return kMostHandles; }

Result<void> lower_descriptor_limit(std::size_t) {
  return make_error(Errc::not_supported, "setrlimit", "Windows does not limit handles");
}

std::vector<os::NativeSocket> open_descriptors() {
  std::vector<os::NativeSocket> result;
  for (const windows::Handle& handle : windows::handles()) result.push_back(handle.value);
  return result;
}

Duration thread_cpu_time() {
  FILETIME born{}, ended{}, kernel{}, user{};
  if (::GetThreadTimes(::GetCurrentThread(), &born, &ended, &kernel, &user) == 0) return {};
  return ticks(kernel) + ticks(user);
}

Duration process_cpu_time() {
  FILETIME born{}, ended{}, kernel{}, user{};
  if (::GetProcessTimes(::GetCurrentProcess(), &born, &ended, &kernel, &user) == 0) return {};
  return ticks(kernel) + ticks(user);
}

std::size_t max_resident_bytes() {
  PROCESS_MEMORY_COUNTERS counters{};
  if (::GetProcessMemoryInfo(::GetCurrentProcess(), &counters, sizeof counters) == 0) return 0;
  return counters.PeakWorkingSetSize;
}

Result<std::string> make_temp_dir(std::string_view prefix) { return os::make_temp_folder(prefix); }

void remove_tree(const std::string& path) {
  std::error_code ignored;  // E7: cleaning up does not fail; what stays is in a temporary folder
  std::filesystem::remove_all(path, ignored);
}

std::string describe_descriptor(os::NativeSocket fd) {
  const Result<os::FdKind> kind = os::kind_of(fd);
  if (!kind.ok()) {
    DWORD flags = 0;
    return ::GetHandleInformation(os::handle_of(fd), &flags) != 0 ? "handle" : std::string();
  }
  switch (*kind) {
    case os::FdKind::socket:
      return socket_text(fd);
    case os::FdKind::pipe:
      return "pipe";
    case os::FdKind::regular:
      return "file";
    case os::FdKind::directory:
      return "directory";
    case os::FdKind::terminal:
      return "console";
    case os::FdKind::character:
      return "device";
    case os::FdKind::other:
      break;
  }
  return "handle";
}

std::string demangled_frame(const std::string& frame) { return frame; }
std::string describe_wait_queue(os::NativeSocket) { return {}; }
std::string describe_signal(int number) { return "signal " + std::to_string(number); }

void ensure_standard_descriptors() {
  // Handles have no low numbers that somebody else could get. What is written are bytes: the C
  // runtime would put a carriage return before every newline.
  for (std::FILE* stream : {stdin, stdout, stderr}) {
    if (const int fd = ::_fileno(stream); fd >= 0) (void)::_setmode(fd, _O_BINARY);
  }
}

bool die_with_parent(long) { return true; }  // The job that a cell is in ends with its runner.

long process_id() { return static_cast<long>(::GetCurrentProcessId()); }

void leave_now(int code) {
  std::fflush(nullptr);
  ::TerminateProcess(::GetCurrentProcess(), static_cast<UINT>(code));
  std::abort();  // not reached: the call ends its own process
}

void set_environment(const std::string& name, const std::string& value) {
  (void)::_putenv_s(name.c_str(), value.c_str());  // the runtime's copy and the system's
}

void forbid_core_files() {
  (void)::SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
}

}  // namespace loopscope::host
