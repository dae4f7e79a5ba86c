// Process tools on Windows: a process that has ended stays as long as somebody has its handle.
#include "harness/tools/process_tools.hpp"

#include "harness/host.hpp"
#include "harness/windows/lacking.hpp"
#include "harness/windows/system_table.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::tools {

namespace {

/// A handle of one's own; not valid when nobody has one any more.
os::UniqueFd opened(long process) {
  return os::UniqueFd(
      os::checked_native(::OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(process))));
}

bool is_own_child(const windows::Process& process) {
  return process.parent == ::GetCurrentProcessId() && process.name != "conhost.exe";
}

}  // namespace

void wait_until_some_child_ended() {
  std::vector<os::UniqueFd> kept;
  std::vector<HANDLE> handles;
  for (const windows::Process& process : windows::processes()) {
    if (!is_own_child(process) || handles.size() == MAXIMUM_WAIT_OBJECTS) continue;
    kept.push_back(opened(static_cast<long>(process.id)));
    if (kept.back()) handles.push_back(os::handle_of(kept.back().get()));
  }
  if (handles.empty()) return;  // An end of which nothing is left.
  (void)::WaitForMultipleObjects(static_cast<DWORD>(handles.size()), handles.data(), FALSE,
                                 INFINITE);
}

bool wait_until_ended(long child) {
  const os::UniqueFd process = opened(child);
  if (!process) return false;
  (void)::WaitForSingleObject(os::handle_of(process.get()), INFINITE);
  return true;
}

bool has_ended(long child) {
  const os::UniqueFd process = opened(child);
  return process && ::WaitForSingleObject(os::handle_of(process.get()), 0) == WAIT_OBJECT_0;
}

void wait_until_stopped(long) { windows::lacks("SIGSTOP"); }

void wait_until_gone(long process) { (void)wait_until_ended(process); }

std::size_t child_count() {
  std::size_t count = 0;
  for (const windows::Process& process : windows::processes()) {
    if (is_own_child(process)) ++count;
  }
  return count;
}

void replace_descriptor(int, os::NativeSocket) { windows::lacks("dup2"); }

void make_inheritable(os::NativeSocket fd) {
  if (::SetHandleInformation(os::handle_of(fd), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) == 0) {
    throw Failure(os::windows_error("SetHandleInformation"));
  }
}

std::string link_of(os::NativeSocket fd) { return host::describe_descriptor(fd); }

TouchedMemory::TouchedMemory(std::size_t size_bytes) : memory_(nullptr), size_(size_bytes) {
  windows::lacks("page faults of one thread");
}
TouchedMemory::~TouchedMemory() = default;
std::size_t TouchedMemory::pages() const { return size_ / 4096; }
std::size_t TouchedMemory::touch() { return 0; }

}  // namespace loopscope::tools
