// Measuring the processes and consoles of Windows. A child that is to be looked at only is made
// suspended: it has its handles and its job, and never runs.
#include <algorithm>
#include <atomic>
#include <optional>
#include <vector>

#include "loops/base/clock.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/windows/winsock.hpp"
#include "probe/probe_context.hpp"
#include "probe/windows/answers.hpp"
#include "probe/windows/console.hpp"
#include "probe/windows/port.hpp"

namespace loopscope::windows {
namespace {

/// What is handed to CreateProcess as an extended attribute.
class Attribute {
 public:
  Attribute(DWORD_PTR which, void* value, SIZE_T size) {
    SIZE_T needed = 0;
    (void)::InitializeProcThreadAttributeList(nullptr, 1, 0, &needed);
    memory_.resize(needed);
    made_ = ::InitializeProcThreadAttributeList(get(), 1, 0, &needed) != 0;
    good_ = made_ && ::UpdateProcThreadAttribute(get(), 0, which, value, size, nullptr, nullptr);
  }
  ~Attribute() {
    if (made_) ::DeleteProcThreadAttributeList(get());
  }
  Attribute(const Attribute&) = delete;
  Attribute& operator=(const Attribute&) = delete;
  bool good() const { return good_; }
  LPPROC_THREAD_ATTRIBUTE_LIST get() {
    return reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory_.data());
  }

 private:
  std::vector<std::byte> memory_;
  bool made_ = false, good_ = false;
};

/// A child, ended at the latest by the destructor.
class Process {
 public:
  Process() = default;
  ~Process() {
    if (process_) (void)::TerminateProcess(handle(), 1);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// `command` for cmd.exe.
  bool start(const wchar_t* command, DWORD flags, bool inherit = false,
             Attribute* attribute = nullptr) {
    STARTUPINFOEXW startup{};
    startup.StartupInfo.cb = attribute != nullptr ? sizeof startup : sizeof startup.StartupInfo;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;  // none: not those of this process
    if (attribute != nullptr) {
      startup.lpAttributeList = attribute->get();
      flags |= EXTENDED_STARTUPINFO_PRESENT;
    }
    std::wstring line = std::wstring(L"cmd.exe /c ") + command;
    PROCESS_INFORMATION made{};
    if (::CreateProcessW(nullptr, line.data(), nullptr, nullptr, inherit ? TRUE : FALSE, flags,
                         nullptr, nullptr, &startup.StartupInfo, &made) == 0) {
      return false;
    }
    process_ = os::UniqueFd(os::native_of(made.hProcess));
    thread_ = os::UniqueFd(os::native_of(made.hThread));
    return true;
  }
  bool start_suspended(bool inherit = false, Attribute* attribute = nullptr) {
    return start(L"exit", CREATE_SUSPENDED | CREATE_NO_WINDOW, inherit, attribute);
  }
  HANDLE handle() const { return os::handle_of(process_.get()); }

 private:
  os::UniqueFd process_, thread_;
};

/// A pipe whose writing end a child may inherit.
Result<os::Pipe> inheritable_pipe() {
  Result<os::Pipe> pipe = os::open_pipe();
  if (pipe.ok()) {
    (void)::SetHandleInformation(os::handle_of(pipe->write.get()), HANDLE_FLAG_INHERIT,
                                 HANDLE_FLAG_INHERIT);
  }
  return pipe;
}

/// Is its writing end open somewhere?
bool is_written(const os::UniqueFd& reading) {
  DWORD waiting = 0;
  return ::PeekNamedPipe(os::handle_of(reading.get()), nullptr, 0, nullptr, &waiting, nullptr) != 0;
}

FactResult handle_list(ProbeContext& cx) {
  Result<os::Pipe> named = inheritable_pipe();
  Result<os::Pipe> other = inheritable_pipe();
  if (!named.ok() || !other.ok()) return null(Reason::failed);
  HANDLE list[] = {os::handle_of(named->write.get())};
  Attribute attribute(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, list, sizeof list);
  cx.note("UpdateProcThreadAttribute(HANDLE_LIST)", outcome(attribute.good()));
  if (!attribute.good()) return no(Reason::not_supported);
  Process child;
  const bool made = child.start_suspended(true, &attribute);
  cx.note("CreateProcess", outcome(made));
  if (!made) return null(Reason::failed);
  named->write.reset();
  other->write.reset();
  const bool has_named = is_written(named->read), has_other = is_written(other->read);
  cx.note("the child has the handle of the list", has_named ? "1" : "0");
  cx.note("the child has another inheritable handle", has_other ? "1" : "0");
  return has_named && !has_other ? yes() : no(Reason::failed);
}

os::UniqueFd make_job() {
  return os::UniqueFd(os::checked_native(::CreateJobObjectW(nullptr, nullptr)));
}

FactResult nested_jobs(ProbeContext& cx) {
  const os::UniqueFd outer = make_job(), inner = make_job();
  Process child;
  if (!outer || !inner || !child.start_suspended()) return null(Reason::failed, last_error());
  const bool first = ::AssignProcessToJobObject(os::handle_of(outer.get()), child.handle()) != 0;
  cx.note("AssignProcessToJobObject", outcome(first));
  const bool second = ::AssignProcessToJobObject(os::handle_of(inner.get()), child.handle()) != 0;
  cx.note("the same with a second job", outcome(second));
  BOOL in_outer = FALSE, in_inner = FALSE;
  (void)::IsProcessInJob(child.handle(), os::handle_of(outer.get()), &in_outer);
  (void)::IsProcessInJob(child.handle(), os::handle_of(inner.get()), &in_inner);
  cx.note("in both", in_outer != 0 && in_inner != 0 ? "1" : "0");
  return first && second && in_outer != 0 && in_inner != 0 ? yes() : no(Reason::denied);
}

/// Does ending a child of a job post to the job's port?
bool exit_by_job(ProbeContext& cx) {
  const os::UniqueFd job = make_job();
  const Port port;
  Process child;
  if (!job || !child.start_suspended()) return false;
  JOBOBJECT_ASSOCIATE_COMPLETION_PORT associate{os::handle_of(job.get()), port.get()};
  const bool set = ::SetInformationJobObject(os::handle_of(job.get()),
                                             JobObjectAssociateCompletionPortInformation,
                                             &associate, sizeof associate) != 0;
  cx.note("SetInformationJobObject(completion port)", outcome(set));
  if (!set || ::AssignProcessToJobObject(os::handle_of(job.get()), child.handle()) == 0) {
    return false;
  }
  (void)::TerminateProcess(child.handle(), 3);
  const TimePoint end = now() + std::chrono::milliseconds(kPatienceMs);
  while (now() < end) {
    DWORD message = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* process = nullptr;
    if (::GetQueuedCompletionStatus(port.get(), &message, &key, &process, 50) == 0) continue;
    cx.note("message of the job", std::to_string(message));
    if (message == JOB_OBJECT_MSG_EXIT_PROCESS || message == JOB_OBJECT_MSG_ABNORMAL_EXIT_PROCESS) {
      return true;
    }
  }
  return false;
}

FactResult job_port(ProbeContext& cx) {
  return exit_by_job(cx) ? yes() : no(Reason::not_supported);
}

/// Does a thread of the system's pool pass the end of a child on?
bool exit_by_wait(ProbeContext& cx) {
  const Port port;
  Process child;
  if (!child.start_suspended()) return false;
  HANDLE wait = nullptr;
  const bool asked =
      ::RegisterWaitForSingleObject(
          &wait, child.handle(),
          [](void* to, BOOLEAN) { (void)::PostQueuedCompletionStatus(to, 0, 1, nullptr); },
          port.get(), INFINITE, WT_EXECUTEONLYONCE) != 0;
  cx.note("RegisterWaitForSingleObject", outcome(asked));
  if (!asked) return false;
  (void)::TerminateProcess(child.handle(), 3);
  DWORD count = 0;
  ULONG_PTR key = 0;
  OVERLAPPED* none = nullptr;
  const bool told = ::GetQueuedCompletionStatus(port.get(), &count, &key, &none, kPatienceMs) != 0;
  (void)::UnregisterWaitEx(wait, INVALID_HANDLE_VALUE);
  return told;
}

FactResult ways_of_exits(ProbeContext& cx) {
  std::vector<std::string> ways;
  if (exit_by_wait(cx)) ways.emplace_back("RegisterWaitForSingleObject");
  if (exit_by_job(cx)) ways.emplace_back("job");
  return word_set(std::move(ways));
}

// --- consoles

std::atomic<int> console_events{0};

FactResult ctrl_handler(ProbeContext& cx) {
  const Console console(true);
  if (!console.input) return null(Reason::failed, "no console can be had: " + console.refused);
  const PHANDLER_ROUTINE handler = [](DWORD event) -> BOOL {
    if (event == CTRL_C_EVENT) ++console_events;
    return TRUE;
  };
  (void)::SetConsoleCtrlHandler(nullptr, FALSE);  // Ctrl-C may have been ignored by inheritance
  const bool set = ::SetConsoleCtrlHandler(handler, TRUE) != 0;
  cx.note("SetConsoleCtrlHandler", outcome(set));
  const bool sent = set && ::GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0) != 0;
  cx.note("GenerateConsoleCtrlEvent(CTRL_C_EVENT)", outcome(sent));
  for (int i = 0; i < 30 && sent && console_events == 0; ++i) ::Sleep(10);
  return console_events > 0 ? yes() : no(Reason::failed);
}

FactResult vt_input(ProbeContext& cx) {
  const Console console;
  if (!console.input) return null(Reason::failed, "no console can be had: " + console.refused);
  HANDLE input = os::handle_of(console.input.get());
  DWORD before = 0, after = 0;
  const bool works = ::GetConsoleMode(input, &before) != 0;
  cx.note("GetConsoleMode", outcome(works));
  if (!works) return null(Reason::failed, "the console of this process does not work");
  const bool set = ::SetConsoleMode(input, before | ENABLE_VIRTUAL_TERMINAL_INPUT) != 0;
  cx.note("SetConsoleMode(ENABLE_VIRTUAL_TERMINAL_INPUT)", outcome(set));
  (void)::GetConsoleMode(input, &after);
  (void)::SetConsoleMode(input, before);
  return set && (after & ENABLE_VIRTUAL_TERMINAL_INPUT) != 0 ? yes() : no(Reason::invalid);
}

/// The calls of pseudo-consoles, which old systems do not have.
struct PseudoConsoles {
  using Create = HRESULT(WINAPI*)(COORD, HANDLE, HANDLE, DWORD, void**);
  using Close = void(WINAPI*)(void*);
  Create create = nullptr;
  Close close = nullptr;
  PseudoConsoles() {
    const HMODULE library = ::GetModuleHandleW(L"kernel32.dll");
    const auto of = [&](const char* name) {
      return reinterpret_cast<void*>(::GetProcAddress(library, name));
    };
    create = reinterpret_cast<Create>(of("CreatePseudoConsole"));
    close = reinterpret_cast<Close>(of("ClosePseudoConsole"));
  }
};

#ifndef PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE
constexpr DWORD_PTR PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE = 0x00020016;
#endif

/// Two ends for each direction, overlapped or not.
Result<os::Pipe> pipe_for_console(bool overlapped) {
  if (overlapped) return os::open_pipe();
  HANDLE reading = nullptr, writing = nullptr;
  if (::CreatePipe(&reading, &writing, nullptr, 0) == 0) return os::windows_error("CreatePipe");
  return os::Pipe{os::UniqueFd(os::native_of(reading)), os::UniqueFd(os::native_of(writing))};
}

/// Does what a child writes to its pseudo-console arrive?
FactResult pseudo_console(ProbeContext& cx, bool overlapped) {
  const PseudoConsoles calls;
  if (calls.create == nullptr || calls.close == nullptr) {
    return no(Reason::not_implemented, "needs Windows 10 1809");
  }
  Result<os::Pipe> in = pipe_for_console(overlapped), out = pipe_for_console(overlapped);
  if (!in.ok() || !out.ok()) return null(Reason::failed);
  void* console = nullptr;
  const HRESULT made = calls.create({80, 25}, os::handle_of(in->read.get()),
                                    os::handle_of(out->write.get()), 0, &console);
  cx.note("CreatePseudoConsole", std::to_string(made));
  if (made != S_OK) return no(Reason::failed);
  in->read.reset();
  out->write.reset();
  std::string seen;
  {
    Attribute attribute(PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE, console, sizeof console);
    Process child;
    const bool started = child.start(L"echo loopscope-marker>CONOUT$", 0, false, &attribute);
    cx.note("CreateProcess(PSEUDOCONSOLE)", outcome(started));
    while (started && !cx.is_late() && seen.find("loopscope-marker") == std::string::npos) {
      DWORD waiting = 0, count = 0;
      HANDLE reading = os::handle_of(out->read.get());
      if (::PeekNamedPipe(reading, nullptr, 0, nullptr, &waiting, nullptr) == 0) break;
      if (waiting == 0) {
        ::Sleep(5);
        continue;
      }
      std::vector<std::byte> bytes(waiting);
      const auto got = os::read(out->read.get(), bytes);
      if (!got.ok() || !*got) break;
      count = static_cast<DWORD>(**got);
      seen.append(reinterpret_cast<const char*>(bytes.data()), count);
    }
  }
  cx.note("bytes of the console", std::to_string(seen.size()));
  // What it still has to say would block its end: nobody reads it any more.
  out->read.reset();
  in->write.reset();
  calls.close(console);
  return seen.find("loopscope-marker") != std::string::npos
             ? yes()
             : no(Reason::timeout, "made, and nothing of the child's arrived");
}
FactResult conpty(ProbeContext& cx) { return pseudo_console(cx, false); }
FactResult conpty_overlapped(ProbeContext& cx) { return pseudo_console(cx, true); }

constexpr PlatformAnswer kProcessAnswers[] = {
    {"proc.win.handle_list_attr", handle_list},
    {"proc.win.job_nested", nested_jobs},
    {"proc.win.job_iocp", job_port},
    {"proc.win.wait_via_iocp", ways_of_exits},
    {"console.win.ctrl_handler", ctrl_handler},
    {"console.win.conpty", conpty},
    {"console.win.vt_input", vt_input},
    {"console.win.conpty_overlapped", conpty_overlapped},
};

}  // namespace

std::span<const PlatformAnswer> process_answers() { return kProcessAnswers; }

}  // namespace loopscope::windows
