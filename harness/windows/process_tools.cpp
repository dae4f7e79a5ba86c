// Process tools on Windows: a process that has ended stays as long as somebody has its handle.
#include "harness/tools/process_tools.hpp"

#include "harness/host.hpp"
#include "harness/windows/lacking.hpp"
#include "harness/windows/system_table.hpp"
#include "loops/os/windows/children.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::tools {

void wait_until_some_child_ended() { windows::lacks("waitid"); }

bool wait_until_ended(long child) {
  const os::UniqueFd process = os::child_handle(static_cast<int>(child));
  if (!process) return false;
  (void)::WaitForSingleObject(os::handle_of(process.get()), INFINITE);
  return true;
}

bool has_ended(long child) {
  const os::UniqueFd process = os::child_handle(static_cast<int>(child));
  return process && ::WaitForSingleObject(os::handle_of(process.get()), 0) == WAIT_OBJECT_0;
}

void wait_until_stopped(long) { windows::lacks("SIGSTOP"); }

void wait_until_gone(long process) {
  HANDLE handle = ::OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(process));
  if (handle == nullptr) return;
  (void)::WaitForSingleObject(handle, INFINITE);
  ::CloseHandle(handle);
}

std::size_t child_count() {
  std::size_t count = 0;
  for (const windows::Process& process : windows::processes()) {
    const bool ours = process.parent == ::GetCurrentProcessId();
    if (ours && process.name != "conhost.exe") ++count;
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
