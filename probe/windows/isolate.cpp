// ask_in_child with a program of its own: this one, which answers the facts that it is told.
#include "probe/isolate.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "loops/base/clock.hpp"
#include "loops/os/child.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/spawn.hpp"
#include "loops/os/windows/children.hpp"
#include "loops/os/windows/winsock.hpp"
#include "probe/probe_context.hpp"
#include "probe/temp_folder.hpp"

namespace loopscope {
namespace {

std::string own_program() {
  std::wstring path(32'768, L'\0');
  path.resize(::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
  return os::narrow(path);
}

/// The running child, ended and collected at the latest by the destructor, with what it started.
class Asker {
 public:
  explicit Asker(os::UniqueFd job) : job_(std::move(job)) {}
  ~Asker() {
    if (pid_ == 0) return;
    job_.reset();
    (void)os::signal_child(pid_, os::kKillSignal);
    (void)os::collect_waiting(pid_);
  }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  Result<void> start(std::span<const Fact* const> facts, const std::string& folder,
                     const ProbeOptions& options, const os::UniqueFd& report) {
    const std::string program = own_program();
    os::SpawnRequest request{.argv = {program, "answer-facts", "--folder", folder, "--report-fd",
                                      std::to_string(report.get()), "--deadline-ms",
                                      std::to_string(options.deadline.count())},
                             .executable = program};
    if (options.thorough) request.argv.emplace_back("--thorough");
    for (const Fact* fact : facts) request.argv.emplace_back(fact->id);
    Result<os::UniqueFd> null = os::open_null();
    if (!null.ok()) return null.error();
    request.standard = {null->get(), null->get(), null->get()};
    request.pass = {report.get()};
    ::SetHandleInformation(os::handle_of(report.get()), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    const Result<int> pid = os::spawn(request);
    if (!pid.ok()) return pid.error();
    pid_ = *pid;
    process_ = os::child_handle(pid_);
    (void)::AssignProcessToJobObject(os::handle_of(job_.get()), os::handle_of(process_.get()));
    return {};
  }
  /// "exit code 3", "NTSTATUS c0000005"; waits for its end, at most so long.
  std::string end(std::chrono::milliseconds patience) {
    (void)::WaitForSingleObject(os::handle_of(process_.get()),
                                static_cast<DWORD>(patience.count()));
    DWORD code = 0;
    if (::GetExitCodeProcess(os::handle_of(process_.get()), &code) == 0 || code == STILL_ACTIVE) {
      return "ended without an answer";
    }
    char text[32];
    std::snprintf(text, sizeof text, code >= 0xC0000000U ? "NTSTATUS 0x%lx" : "exit code %lu",
                  static_cast<unsigned long>(code));
    return text;
  }

 private:
  os::UniqueFd job_, process_;
  int pid_ = 0;
};

enum class Heard { answer, nothing_in_time, end };

/// Reads until the next whole frame.
Heard hear(os::NativeSocket in, std::string& buffer, TimePoint deadline,
           std::vector<TimedResult>& answers) {
  while (true) {
    bool broken = false;
    if (std::optional<TimedResult> answer = take_frame(buffer, broken)) {
      answers.push_back(std::move(*answer));
      return Heard::answer;
    }
    if (broken) return Heard::end;
    if (now() >= deadline) return Heard::nothing_in_time;
    std::array<std::byte, 4096> chunk;
    const Result<os::Transfer> got = os::read(in, chunk);
    if (!got.ok()) return Heard::end;
    if (!*got) {
      ::Sleep(1);
      continue;
    }
    if (**got == 0) return Heard::end;
    buffer.append(reinterpret_cast<const char*>(chunk.data()), **got);
  }
}

Isolated not_started(const Error& error) { return {ProbeEnd::not_started, to_string(error)}; }

}  // namespace

Isolated ask_in_child(std::span<const Fact* const> facts, const ProbeOptions& options,
                      std::vector<TimedResult>& answers) {
  const std::chrono::milliseconds deadline = options.deadline;
  const TempFolder folder;
  Result<os::Pipe> channel = os::open_pipe();
  if (!channel.ok()) return not_started(channel.error());
  if (auto set = os::set_blocking(channel->read.get(), false); !set.ok()) {
    return not_started(set.error());
  }
  os::UniqueFd job(os::checked_native(::CreateJobObjectW(nullptr, nullptr)));
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
  (void)::SetInformationJobObject(os::handle_of(job.get()), JobObjectExtendedLimitInformation,
                                  &limits, sizeof limits);
  Asker child(std::move(job));
  if (auto started = child.start(facts, folder.path(), options, channel->write); !started.ok()) {
    return not_started(started.error());
  }
  channel->write.reset();
  std::string buffer;
  const std::size_t wanted = answers.size() + facts.size();
  // A program starts more slowly than a fork, and what it is asked first pays for that.
  TimePoint limit = now() + deadline + std::chrono::seconds(5);
  while (answers.size() < wanted) {
    switch (hear(channel->read.get(), buffer, limit, answers)) {
      case Heard::answer:
        limit = now() + deadline;
        break;
      case Heard::nothing_in_time:
        return {ProbeEnd::timeout, "no answer in " + std::to_string(deadline.count()) + " ms"};
      case Heard::end:
        return {ProbeEnd::crashed, child.end(deadline)};
    }
  }
  return {};
}

namespace {

const Fact* find_question(const std::string& id) {
  for (const ProbeFile* file : all_probe_files()) {
    for (const Fact& fact : file->facts) {
      if (fact.id == id) return &fact;
    }
  }
  return nullptr;
}

FactResult (*how_to_ask(const std::string& id))(ProbeContext&) {
  if (const Fact* fact = find_question(id); fact != nullptr && fact->ask != nullptr) {
    return fact->ask;
  }
  for (const PlatformAnswer& answer : platform_answers()) {
    if (answer.id == id) return answer.ask;
  }
  return nullptr;
}

bool write_all(os::NativeSocket fd, std::string_view data) {
  while (!data.empty()) {
    const Result<os::Transfer> put = os::write(fd, std::as_bytes(std::span(data)));
    if (!put.ok() || !*put) return false;
    data.remove_prefix(**put);
  }
  return true;
}

}  // namespace

int answer_facts(std::span<const std::string> ids, const std::string& folder,
                 const ProbeOptions& options, int report_fd) {
  (void)::SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
  int number = 0;
  for (const std::string& id : ids) {
    ProbeContext cx(folder.empty() ? folder : folder + "\\" + std::to_string(++number),
                    options.thorough, options.deadline);
    TimedResult answer;
    const TimePoint start = now();
    try {
      const auto ask = how_to_ask(id);
      answer.result = ask == nullptr ? null(Reason::not_applicable) : ask(cx);
    } catch (const std::exception& problem) {
      answer.result = null(Reason::failed, std::string("exception: ") + problem.what());
    }
    answer.took_ns = (now() - start).count();
    answer.result.conflicts = cx.take_conflicts();
    answer.result.effect = cx.effect();
    if (answer.result.evidence.empty()) answer.result.evidence = cx.take_evidence();
    if (!write_all(static_cast<os::NativeSocket>(report_fd), encode_frame(answer))) return 1;
  }
  return 0;
}

const std::string& ProbeContext::temp_dir() {
  if (!temp_dir_.empty() || folder_.empty()) return temp_dir_;
  std::error_code error;
  if (std::filesystem::create_directory(folder_, error)) temp_dir_ = folder_;
  note("CreateDirectory(temporary folder)", temp_dir_.empty() ? error.message() : "0");
  folder_.clear();
  return temp_dir_;
}

os::UniqueFd ProbeContext::temp_file(std::string_view contents) {
  if (temp_dir().empty()) return {};
  const std::string path = temp_path("file-" + std::to_string(++files_));
  HANDLE file = ::CreateFileW(os::wide(path).c_str(), GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ,
                              nullptr, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return {};
  os::UniqueFd made(os::native_of(file));
  DWORD count = 0;
  (void)::WriteFile(file, contents.data(), static_cast<DWORD>(contents.size()), &count, nullptr);
  (void)::SetFilePointer(file, 0, nullptr, FILE_BEGIN);
  return made;
}

}  // namespace loopscope
