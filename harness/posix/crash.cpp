// Backtraces from signal handlers, written as JSON without allocating.
#include "harness/crash.hpp"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "harness/cell_channel.hpp"
#include "harness/posix/thread_id.hpp"

namespace loopscope::crash {
namespace {

constexpr std::array kFatal{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
constexpr std::size_t kLine = 4000;  // below PIPE_BUF: a line of two threads never mixes
constexpr int kFrames = 40;

alignas(16) std::array<std::byte, 128 * 1024> g_alternate_stack;

/// A line of JSON in a fixed buffer; what does not fit is left out, never cut in the middle.
class Line {
 public:
  bool add(std::string_view part) {
    if (size_ + part.size() + kReserve > text_.size()) return false;
    for (const char c : part) text_[size_++] = c;
    return true;
  }
  template <class T>
  bool add_number(T number, int base = 10) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
    return add({digits, static_cast<std::size_t>(end - digits)});
  }
  void finish(std::string_view tail) {
    for (const char c : tail) text_[size_++] = c;
    text_[size_++] = '\n';
    const int fd = cell::channel_fd();
    if (fd < 0) return;
    (void)!::write(fd, text_.data(), size_);
  }
  std::size_t mark() const { return size_; }
  void rewind(std::size_t size) { size_ = size; }

 private:
  static constexpr std::size_t kReserve = 16;  // for finish()
  std::array<char, kLine> text_{};
  std::size_t size_ = 0;
};

/// Names from the dynamic symbol table are ASCII; anything else would spoil the JSON.
std::string_view plain(std::string_view name, std::size_t limit) {
  std::size_t size = 0;
  while (size < name.size() && size < limit && name[size] > ' ' && name[size] < 0x7F &&
         name[size] != '"' && name[size] != '\\') {
    ++size;
  }
  return name.substr(0, size);
}

bool add_frame(Line& line, void* address, bool first) {
  const std::size_t start = line.mark();
  Dl_info info{};
  bool fits = line.add(first ? "\"" : ",\"");
  if (::dladdr(address, &info) != 0 && info.dli_fname != nullptr) {
    std::string_view file = info.dli_fname;
    file.remove_prefix(file.rfind('/') == std::string_view::npos ? 0 : file.rfind('/') + 1);
    const auto offset = reinterpret_cast<std::uintptr_t>(address) -
                        reinterpret_cast<std::uintptr_t>(info.dli_fbase);
    fits = fits && line.add(plain(file, 40)) && line.add("+0x") && line.add_number(offset, 16);
    if (info.dli_sname != nullptr) {
      fits = fits && line.add(" ") && line.add(plain(info.dli_sname, 200));
    }
  } else {
    fits = fits && line.add("0x") && line.add_number(reinterpret_cast<std::uintptr_t>(address), 16);
  }
  fits = fits && line.add("\"");
  if (!fits) line.rewind(start);
  return fits;
}

void add_frames(Line& line) {
  void* frames[kFrames];
  const int count = ::backtrace(frames, kFrames);
  constexpr int kOurs = 3;  // this function, the handler and the kernel's trampoline
  for (int i = kOurs; i < count; ++i) {
    if (!add_frame(line, frames[i], i == kOurs)) return;
  }
}

void on_fatal(int number, siginfo_t* info, void*) {
  Line line;
  line.add("{\"crash\":{\"signal\":");
  line.add_number(number);
  line.add(",\"code\":");
  line.add_number(info->si_code);
  line.add(",\"address\":\"0x");
  line.add_number(reinterpret_cast<std::uintptr_t>(info->si_addr), 16);
  line.add("\",\"tid\":");
  line.add_number(threads::own_id());
  line.add(",\"frames\":[");
  add_frames(line);
  line.finish("]}}");
  ::raise(number);  // SA_RESETHAND: the default action, as soon as this handler returns
}

void on_stack_wanted(int, siginfo_t*, void*) {
  const int saved = errno;
  Line line;
  line.add("{\"stack\":{\"tid\":");
  line.add_number(threads::own_id());
  line.add(",\"frames\":[");
  add_frames(line);
  line.finish("]}}");
  errno = saved;
}

}  // namespace

#if defined(SIGRTMAX)
int stack_signal() { return SIGRTMAX - 3; }
#else  // one that nothing else uses, and that is ignored elsewhere
int stack_signal() { return SIGINFO; }
#endif

void install() {
  void* warm_up[2];
  (void)::backtrace(warm_up, 2);  // loads libgcc now: not possible inside a handler
  stack_t stack{};  // the systems differ in the order of its members
  stack.ss_sp = g_alternate_stack.data();
  stack.ss_size = g_alternate_stack.size();
  (void)::sigaltstack(&stack, nullptr);
  for (const int number : kFatal) {
    struct sigaction old {};
    if (::sigaction(number, nullptr, &old) != 0 || old.sa_handler != SIG_DFL) continue;
    struct sigaction action {};
    action.sa_sigaction = on_fatal;
    action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND);
    sigfillset(&action.sa_mask);
    (void)::sigaction(number, &action, nullptr);
  }
  struct sigaction wanted {};
  wanted.sa_sigaction = on_stack_wanted;
  wanted.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigfillset(&wanted.sa_mask);
  (void)::sigaction(stack_signal(), &wanted, nullptr);
}

}  // namespace loopscope::crash
