// One cell, one process, one job: the job ends with us, and takes along what the cell has started.
#include "harness/child.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "harness/cell_server.hpp"
#include "harness/host.hpp"
#include "harness/windows/system_table.hpp"
#include "loops/os/child.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/spawn.hpp"
#include "loops/os/windows/children.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope {
namespace {

using namespace std::chrono_literals;

constexpr Duration kHeldPipeGrace = 100ms;  // for a grandchild that is about to end anyway
constexpr DWORD kCancelTickMs = 50;
constexpr std::size_t kReportBound = std::size_t{8} * 1024 * 1024;

/// The read end of a pipe with a read under way, and what came out of it.
class Stream {
 public:
  explicit Stream(std::size_t bound) : bound_(bound) {}
  ~Stream() { close(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Result<void> open(os::UniqueFd fd) {
    event_ = os::UniqueFd(os::checked_native(::CreateEventW(nullptr, TRUE, FALSE, nullptr)));
    if (!event_) return os::windows_error("CreateEvent");
    fd_ = std::move(fd);
    begin();
    return {};
  }
  bool is_open() const { return static_cast<bool>(fd_); }
  HANDLE event() const { return os::handle_of(event_.get()); }
  /// The event is set: takes what came and reads on.
  void take() {
    DWORD count = 0;
    if (!fd_) return;
    if (::GetOverlappedResult(os::handle_of(fd_.get()), &overlapped_, &count, FALSE) == 0) {
      if (::GetLastError() != ERROR_IO_INCOMPLETE) end();
      return;
    }
    const std::size_t kept = std::min<std::size_t>(count, bound_ - text_.size());
    text_.append(buffer_.data(), kept);
    dropped_ += count - kept;
    begin();
  }
  void close() {
    if (!fd_) return;
    DWORD count = 0;
    (void)::CancelIoEx(os::handle_of(fd_.get()), &overlapped_);
    (void)::GetOverlappedResult(os::handle_of(fd_.get()), &overlapped_, &count, TRUE);
    end();
  }
  std::string text() {
    if (dropped_ != 0) text_ += "\n[" + std::to_string(dropped_) + " further bytes were dropped]\n";
    return std::move(text_);
  }

 private:
  void begin() {
    overlapped_ = {};
    overlapped_.hEvent = event();
    (void)::ResetEvent(event());
    const BOOL read = ::ReadFile(os::handle_of(fd_.get()), buffer_.data(),
                                 static_cast<DWORD>(buffer_.size()), nullptr, &overlapped_);
    if (read == 0 && ::GetLastError() != ERROR_IO_PENDING) end();
  }
  void end() { fd_.reset(); }

  os::UniqueFd fd_, event_;
  OVERLAPPED overlapped_{};
  std::array<char, 16 * 1024> buffer_{};
  std::string text_;
  std::size_t bound_, dropped_ = 0;
};

Result<os::UniqueFd> make_job() {
  os::UniqueFd job(os::checked_native(::CreateJobObjectW(nullptr, nullptr)));
  if (!job) return os::windows_error("CreateJobObject");
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
  if (::SetInformationJobObject(os::handle_of(job.get()), JobObjectExtendedLimitInformation,
                                &limits, sizeof limits) == 0) {
    return os::windows_error("SetInformationJobObject");
  }
  return job;
}

class Child {
 public:
  explicit Child(const ChildCommand& command) : command_(command) {}

  Result<void> start(const std::string& executable);
  /// Reads until the child ended or was killed. False: cancelled.
  bool watch(const std::function<bool()>& cancel);
  ChildReport finish();

 private:
  enum Which : std::size_t { kOut, kErr, kReport };

  HANDLE process() const { return os::handle_of(process_.get()); }
  /// Waits for output, at most so long. true: the process has ended.
  bool step(DWORD patience_ms);
  void kill() { (void)::TerminateJobObject(os::handle_of(job_.get()), 1); }
  void drain();
  void account_for_leftovers();

  const ChildCommand& command_;
  os::UniqueFd job_, process_;
  std::array<Stream, 3> streams_{Stream(kOutputBound), Stream(kOutputBound), Stream(kReportBound)};
  TimePoint began_{}, limit_{};
  ChildReport report_{};
};

std::vector<std::string> environment_with(const std::map<std::string, std::string>& variables) {
  std::vector<std::string> entries;
  wchar_t* block = ::GetEnvironmentStringsW();
  for (const wchar_t* entry = block; *entry != L'\0'; entry += std::wcslen(entry) + 1) {
    const std::string text = os::narrow(entry);
    const std::string name = text.substr(0, text.find('=', 1));
    if (!name.starts_with("LOOPSCOPE_") && !variables.contains(name)) entries.push_back(text);
  }
  (void)::FreeEnvironmentStringsW(block);
  for (const auto& [name, value] : variables) entries.push_back(name + "=" + value);
  return entries;
}

Result<void> Child::start(const std::string& executable) {
  Result<os::UniqueFd> job = make_job();
  if (!job.ok()) return job.error();
  job_ = std::move(job).value();
  std::array<os::UniqueFd, 3> write_ends;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Result<os::Pipe> pipe = os::open_pipe();
    if (!pipe.ok()) return pipe.error();
    write_ends[i] = std::move(pipe->write);
    if (Result<void> opened = streams_[i].open(std::move(pipe->read)); !opened.ok()) return opened;
  }
  Result<os::UniqueFd> null = os::open_null();
  if (!null.ok()) return null.error();
  ::SetHandleInformation(os::handle_of(write_ends[kReport].get()), HANDLE_FLAG_INHERIT,
                         HANDLE_FLAG_INHERIT);
  os::SpawnRequest request{.argv = {executable}, .executable = executable};
  request.argv.insert(request.argv.end(), command_.arguments.begin(), command_.arguments.end());
  request.argv.insert(request.argv.end(),
                      {"--report-fd", std::to_string(write_ends[kReport].get())});
  request.environment = environment_with(command_.environment);
  request.directory = command_.directory;
  request.standard = {null->get(), write_ends[kOut].get(), write_ends[kErr].get()};
  request.pass = {write_ends[kReport].get()};
  began_ = now();
  limit_ = saturating_add(began_, command_.limit);
  const Result<int> pid = os::spawn(request);
  if (!pid.ok()) return pid.error();
  process_ = os::child_handle(*pid);
  report_.pid = *pid;
  // What it has started before this line, which is nothing that a program does first, escapes.
  if (::AssignProcessToJobObject(os::handle_of(job_.get()), process()) == 0 &&
      ::WaitForSingleObject(process(), 0) == WAIT_TIMEOUT) {
    const Error error = os::windows_error("AssignProcessToJobObject");
    (void)::TerminateProcess(process(), 1);
    return error;
  }
  return {};
}

bool Child::step(DWORD patience_ms) {
  std::array<HANDLE, 4> handles{process()};
  std::array<Stream*, 4> owners{};
  DWORD count = 1;
  for (Stream& stream : streams_) {
    if (!stream.is_open()) continue;
    owners[count] = &stream;
    handles[count++] = stream.event();
  }
  const DWORD which = ::WaitForMultipleObjects(count, handles.data(), FALSE, patience_ms);
  if (which == WAIT_OBJECT_0) return true;
  if (which > WAIT_OBJECT_0 && which < WAIT_OBJECT_0 + count) owners[which - WAIT_OBJECT_0]->take();
  return false;
}

bool Child::watch(const std::function<bool()>& cancel) {
  while (true) {
    if (cancel && cancel()) {
      kill();
      (void)::WaitForSingleObject(process(), INFINITE);
      return false;
    }
    if (now() >= limit_) {
      report_.end.killed_at_limit = true;
      kill();
      (void)::WaitForSingleObject(process(), INFINITE);
      return true;
    }
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(limit_ - now()).count();
    if (step(static_cast<DWORD>(std::clamp<std::int64_t>(rest, 0, kCancelTickMs)))) return true;
  }
}

/// Reads what is still to come; gives up on a pipe that somebody else holds.
void Child::drain() {
  const TimePoint end = now() + kHeldPipeGrace;
  const auto open = [&] {
    return std::any_of(streams_.begin(), streams_.end(),
                       [](const Stream& stream) { return stream.is_open(); });
  };
  while (open() && now() < end) {
    for (Stream& stream : streams_) {
      while (stream.is_open() && ::WaitForSingleObject(stream.event(), 0) == WAIT_OBJECT_0) {
        stream.take();
      }
    }
    if (open()) ::Sleep(1);
  }
  report_.pipes_held = open();
  for (Stream& stream : streams_) stream.close();
}

/// What still runs in the job was left by the child. All of it is ended.
void Child::account_for_leftovers() {
  struct List : JOBOBJECT_BASIC_PROCESS_ID_LIST {
    ULONG_PTR more[63];
  } list{};
  list.NumberOfAssignedProcesses = 64;
  if (::QueryInformationJobObject(os::handle_of(job_.get()), JobObjectBasicProcessIdList, &list,
                                  sizeof list, nullptr) != 0 &&
      list.NumberOfProcessIdsInList != 0) {
    for (const windows::Process& process : windows::processes()) {
      const ULONG_PTR* first = list.ProcessIdList;
      const ULONG_PTR* end = first + list.NumberOfProcessIdsInList;
      const bool in_job = std::find(first, end, ULONG_PTR{process.id}) != end;
      if (!in_job || process.id == static_cast<unsigned long>(report_.pid)) continue;
      if (process.name == "conhost.exe") continue;  // Of the console, and not of the child.
      report_.leftovers.push_back("pid " + std::to_string(process.id) + " (" + process.name + ")");
    }
  }
  kill();
}

ChildReport Child::finish() {
  report_.took = now() - began_;
  drain();
  DWORD code = 0;
  if (::GetExitCodeProcess(process(), &code) != 0) {
    if (code >= 0xC0000000U) {
      report_.end.nt_status = code;
    } else {
      report_.end.exit_code = static_cast<int>(code);
    }
  }
  account_for_leftovers();
  (void)os::collect(static_cast<int>(report_.pid));
  report_.out = streams_[kOut].text();
  report_.err = streams_[kErr].text();
  const std::string lines = streams_[kReport].text();
  std::string_view rest = lines;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;  // cut off by its end
    report_.lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return std::move(report_);
}

/// Nothing is shared between the cells: each is a process from its first instruction on.
class ProcessServer final : public CellServer {
 public:
  explicit ProcessServer(std::string executable) : executable_(std::move(executable)) {}
  Result<ChildReport> run(const ChildCommand& command,
                          const std::function<bool()>& cancel) override {
    const auto child = std::make_unique<Child>(command);  // its buffers are large
    if (const Result<void> started = child->start(executable_); !started.ok()) {
      return started.error();
    }
    if (!child->watch(cancel)) return make_error(Errc::cancelled, "run");
    return child->finish();
  }
  bool gone() const override { return false; }

 private:
  std::string executable_;
};

}  // namespace

Result<std::unique_ptr<CellServer>> CellServer::start(const std::string& executable) {
  return std::unique_ptr<CellServer>(std::make_unique<ProcessServer>(executable));
}

void adopt_orphans() {}  // The job of a cell holds them.
std::vector<std::string> sweep_orphans() { return {}; }

Result<std::string> own_executable() {
  std::wstring path(32'768, L'\0');
  const DWORD size = ::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size()));
  if (size == 0) return os::windows_error("GetModuleFileName");
  path.resize(size);
  return os::narrow(path);
}

}  // namespace loopscope
