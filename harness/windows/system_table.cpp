// Reading the tables of the running system.
#include "harness/windows/system_table.hpp"

#include <winternl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "loops/os/windows/winsock.hpp"
// After windows.h.
#include <tlhelp32.h>

namespace loopscope::windows {
namespace {

struct HandleRow {  // SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX
  void* object;
  ULONG_PTR process, value;
  ULONG access;
  USHORT creator, type_index;
  ULONG attributes, reserved;
};
struct HandleTable {
  ULONG_PTR count, reserved;
  HandleRow rows[1];
};

std::vector<std::byte> whole_table() {
  constexpr auto kHandles = static_cast<SYSTEM_INFORMATION_CLASS>(64);
  std::vector<std::byte> memory(std::size_t{256} * 1024);
  for (int tries = 0; tries < 12; ++tries) {
    ULONG needed = 0;
    const NTSTATUS status = ::NtQuerySystemInformation(kHandles, memory.data(),
                                                       static_cast<ULONG>(memory.size()), &needed);
    if (status >= 0) return memory;
    memory.resize(std::max<std::size_t>(memory.size() * 2, std::size_t{needed} + 4096));
  }
  return {};
}

/// The name of the object's type; asking for more could block on a pipe.
std::string type_of(HANDLE handle) {
  alignas(8) std::array<std::byte, 1024> memory{};
  if (::NtQueryObject(handle, ObjectTypeInformation, memory.data(),
                      static_cast<ULONG>(memory.size()), nullptr) < 0) {
    return {};
  }
  const auto* name = reinterpret_cast<const UNICODE_STRING*>(memory.data());
  if (name->Buffer == nullptr) return {};
  return os::narrow(std::wstring_view(name->Buffer, name->Length / sizeof(wchar_t)));
}

bool is_counted(const std::string& type) {
  constexpr std::string_view kCounted[] = {"File", "IoCompletion", "Process", "Job"};
  return std::find(std::begin(kCounted), std::end(kCounted), type) != std::end(kCounted);
}

class Snapshot {
 public:
  explicit Snapshot(DWORD what) : handle_(::CreateToolhelp32Snapshot(what, 0)) {}
  ~Snapshot() {
    if (handle_ != INVALID_HANDLE_VALUE) ::CloseHandle(handle_);
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  HANDLE get() const { return handle_; }

 private:
  HANDLE handle_;
};

/// Does the thread run the system's code from its first instruction on?
bool is_of_system(DWORD id) {
  constexpr auto kStart = static_cast<THREADINFOCLASS>(9);  // ThreadQuerySetWin32StartAddress
  HANDLE thread = ::OpenThread(THREAD_QUERY_INFORMATION, FALSE, id);
  if (thread == nullptr) return false;
  void* start = nullptr;
  const NTSTATUS status = ::NtQueryInformationThread(thread, kStart, &start, sizeof start, nullptr);
  ::CloseHandle(thread);
  HMODULE module = nullptr;
  return status >= 0 &&
         ::GetModuleHandleExW(
             GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
             static_cast<LPCWSTR>(start), &module) != 0 &&
         module == ::GetModuleHandleW(L"ntdll.dll");
}

}  // namespace

std::vector<Handle> handles() {
  std::vector<Handle> found;
  const std::vector<std::byte> memory = whole_table();
  if (memory.empty()) return found;
  const auto* table = reinterpret_cast<const HandleTable*>(memory.data());
  const ULONG_PTR self = ::GetCurrentProcessId();
  for (const HandleRow& row : std::span(table->rows, table->count)) {
    if (row.process != self) continue;
    std::string type = type_of(reinterpret_cast<HANDLE>(row.value));
    if (is_counted(type)) found.push_back({row.value, std::move(type)});
  }
  std::sort(found.begin(), found.end(),
            [](const Handle& a, const Handle& b) { return a.value < b.value; });
  return found;
}

std::vector<Thread> threads() {
  std::vector<Thread> found;
  const Snapshot all(TH32CS_SNAPTHREAD);
  THREADENTRY32 entry{};
  entry.dwSize = sizeof entry;
  const DWORD self = ::GetCurrentProcessId();
  for (BOOL more = ::Thread32First(all.get(), &entry); more != 0;
       more = ::Thread32Next(all.get(), &entry)) {
    if (entry.th32OwnerProcessID == self && !is_of_system(entry.th32ThreadID)) {
      found.push_back({entry.th32ThreadID});
    }
  }
  return found;
}

std::vector<Process> processes() {
  std::vector<Process> found;
  const Snapshot all(TH32CS_SNAPPROCESS);
  PROCESSENTRY32W entry{};
  entry.dwSize = sizeof entry;
  for (BOOL more = ::Process32FirstW(all.get(), &entry); more != 0;
       more = ::Process32NextW(all.get(), &entry)) {
    found.push_back({entry.th32ProcessID, entry.th32ParentProcessID, os::narrow(entry.szExeFile)});
  }
  return found;
}

}  // namespace loopscope::windows
