// Last words on Windows: an exception that nobody handles is written to the report channel, and the
// process ends with its code, without a window and without a debugger.
#include "harness/crash.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "harness/cell_channel.hpp"
#include "harness/host.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::crash {
namespace {

constexpr int kFrames = 40;

/// A line of JSON in a fixed buffer; what does not fit is left out.
class Line {
 public:
  void add(std::string_view part) {
    if (size_ + part.size() + kReserve > text_.size()) return;
    for (const char c : part) text_[size_++] = c;
  }
  void add_number(std::uint64_t number, int base = 10) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
    add({digits, static_cast<std::size_t>(end - digits)});
  }
  void finish(std::string_view tail) {
    for (const char c : tail) text_[size_++] = c;
    text_[size_++] = '\n';
    const int fd = cell::channel_fd();
    if (fd < 0) return;
    DWORD count = 0;
    (void)::WriteFile(os::handle_of(static_cast<os::NativeSocket>(fd)), text_.data(),
                      static_cast<DWORD>(size_), &count, nullptr);
  }

 private:
  static constexpr std::size_t kReserve = 64;
  std::array<char, 4000> text_{};
  std::size_t size_ = 0;
};

void add_frame(Line& line, DWORD64 address, bool first) {
  line.add(first ? "\"" : ",\"");
  HMODULE module = nullptr;
  char path[MAX_PATH] = "";
  const bool known = ::GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                                              GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                                          reinterpret_cast<LPCWSTR>(address), &module) != 0 &&
                     ::GetModuleFileNameA(module, path, sizeof path) != 0;
  if (known) {
    std::string_view file = path;
    file.remove_prefix(file.find_last_of("/\\") + 1);
    line.add(file);
    line.add("+0x");
    line.add_number(address - reinterpret_cast<DWORD64>(module), 16);
  } else {
    line.add("0x");
    line.add_number(address, 16);
  }
  line.add("\"");
}

/// The frames of the thread that failed, from the one that did.
void add_frames(Line& line, CONTEXT context) {
  for (int i = 0; i < kFrames && (i == 0 || context.Rip != 0); ++i) {
    add_frame(line, context.Rip, i == 0);
    DWORD64 base = 0, frame = 0;
    void* data = nullptr;
    const auto function = ::RtlLookupFunctionEntry(context.Rip, &base, nullptr);
    if (function == nullptr) {  // A leaf, or a jump to nowhere: its caller is on the stack.
      if (i != 0) return;
      context.Rip = *reinterpret_cast<const DWORD64*>(context.Rsp);
      context.Rsp += 8;
      continue;
    }
    (void)::RtlVirtualUnwind(UNW_FLAG_NHANDLER, base, context.Rip, function, &context, &data,
                             &frame, nullptr);
  }
}

LONG WINAPI on_exception(EXCEPTION_POINTERS* seen) {
  const EXCEPTION_RECORD& record = *seen->ExceptionRecord;
  Line line;
  line.add("{\"crash\":{\"signal\":0,\"code\":");
  line.add_number(record.ExceptionCode);
  line.add(",\"address\":\"0x");
  const bool access =
      record.ExceptionCode == EXCEPTION_ACCESS_VIOLATION && record.NumberParameters > 1;
  line.add_number(access ? record.ExceptionInformation[1]
                         : reinterpret_cast<std::uintptr_t>(record.ExceptionAddress),
                  16);
  line.add("\",\"tid\":");
  line.add_number(::GetCurrentThreadId());
  line.add(",\"frames\":[");
  if (record.ExceptionCode != EXCEPTION_STACK_OVERFLOW) add_frames(line, *seen->ContextRecord);
  line.finish("]}}");
  ::TerminateProcess(::GetCurrentProcess(), record.ExceptionCode);
  return EXCEPTION_EXECUTE_HANDLER;
}

}  // namespace

int stack_signal() { return 0; }

void install() {
  host::forbid_core_files();
  (void)::SetUnhandledExceptionFilter(on_exception);
}

}  // namespace loopscope::crash
