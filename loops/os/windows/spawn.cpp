// Starting a child on Windows: CreateProcess with a list of the handles that it may inherit.
//
// Source: CreateProcess, UpdateProcThreadAttribute (PROC_THREAD_ATTRIBUTE_HANDLE_LIST), and
// "Parsing C command-line arguments" for the quoting.
#include "loops/os/spawn.hpp"

#include <algorithm>
#include <cerrno>
#include <cwctype>

#include "loops/os/pipe.hpp"
#include "loops/os/windows/children.hpp"
#include "loops/os/windows/shell.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::os {
namespace {

bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

/// One argument as the C runtime of the child will read it: backslashes count only before quotes.
std::string quoted(const std::string& argument) {
  if (!argument.empty() && argument.find_first_of(" \t\n\v\"") == std::string::npos) {
    return argument;
  }
  std::string text = "\"";
  std::size_t backslashes = 0;
  for (const char c : argument) {
    if (c == '"') text.append(backslashes + 1, '\\');
    backslashes = c == '\\' ? backslashes + 1 : 0;
    text += c;
  }
  return text.append(backslashes, '\\') + '"';
}

/// The shell's options: no AutoRun; of what follows, the first and the last quote are taken away
/// and the rest is the command as it stands.
constexpr std::string_view kShellOptions[] = {"/d", "/s", "/c"};

std::wstring command_line(const std::vector<std::string>& argv) {
  const std::size_t plain = argv.size() - (is_for_shell(argv) ? 1 : 0);
  std::string line;
  for (std::size_t i = 0; i < plain; ++i) line += (i == 0 ? "" : " ") + quoted(argv[i]);
  // cmd.exe does not read as the C runtime does: a backslash before a quote stays.
  if (plain < argv.size()) line += " \"" + argv.back() + '"';
  return wide(line);
}

/// NAME=value, sorted as the system wants it, each with a NUL, and one more at the end.
std::wstring environment_block(std::vector<std::string> entries) {
  const auto upper = [](std::string_view entry) {
    std::wstring name = wide(entry.substr(0, entry.find('=')));
    std::transform(name.begin(), name.end(), name.begin(), std::towupper);
    return name;
  };
  std::sort(entries.begin(), entries.end(),
            [&](const std::string& a, const std::string& b) { return upper(a) < upper(b); });
  std::wstring block;
  for (const std::string& entry : entries) block += wide(entry) + L'\0';
  return block + L'\0';
}

std::string own_variable(const wchar_t* name) {
  std::wstring value(32'768, L'\0');
  const DWORD size =
      ::GetEnvironmentVariableW(name, value.data(), static_cast<DWORD>(value.size()));
  value.resize(std::min<std::size_t>(size, value.size()));
  return narrow(value);
}

/// Owned handles that a child inherits, and the attribute that names them.
class Inherited {
 public:
  ~Inherited() {
    if (list_ != nullptr) ::DeleteProcThreadAttributeList(list_);
  }
  Inherited() = default;
  Inherited(const Inherited&) = delete;
  Inherited& operator=(const Inherited&) = delete;

  /// An inheritable copy. nullopt: nothing to inherit.
  Result<HANDLE> copy(std::optional<NativeSocket> fd, DWORD standard) {
    HANDLE from = fd ? handle_of(*fd) : ::GetStdHandle(standard);
    if (from == nullptr || from == INVALID_HANDLE_VALUE) return HANDLE{nullptr};
    HANDLE to = nullptr;
    if (::DuplicateHandle(::GetCurrentProcess(), from, ::GetCurrentProcess(), &to, 0, TRUE,
                          DUPLICATE_SAME_ACCESS) == 0) {
      if (!fd) return HANDLE{nullptr};  // as the parent has it: closed
      return windows_error("DuplicateHandle");
    }
    copies_.emplace_back(native_of(to));
    handles_.push_back(to);
    return to;
  }
  void pass(NativeSocket fd) { handles_.push_back(handle_of(fd)); }

  Result<LPPROC_THREAD_ATTRIBUTE_LIST> list() {
    if (handles_.empty()) return LPPROC_THREAD_ATTRIBUTE_LIST{nullptr};
    SIZE_T size = 0;
    (void)::InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
    memory_.resize(size);
    auto* list = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory_.data());
    if (::InitializeProcThreadAttributeList(list, 1, 0, &size) == 0) {
      return windows_error("InitializeProcThreadAttributeList");
    }
    list_ = list;
    if (::UpdateProcThreadAttribute(list_, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles_.data(),
                                    handles_.size() * sizeof(HANDLE), nullptr, nullptr) == 0) {
      return windows_error("UpdateProcThreadAttribute");
    }
    return list_;
  }

 private:
  std::vector<UniqueFd> copies_;
  std::vector<HANDLE> handles_;
  std::vector<std::byte> memory_;
  LPPROC_THREAD_ATTRIBUTE_LIST list_ = nullptr;
};

/// A child of a process without a console gets none: it would be a new one, with a window.
DWORD console_flag() {
  DWORD one = 0;
  return ::GetConsoleProcessList(&one, 1) == 0 ? DETACHED_PROCESS : 0;
}

/// The file that runs: the first of the paths that exists. A folder is left to the system's
/// refusal.
Result<std::string> find_program(const SpawnRequest& request) {
  const std::string& name = request.executable.empty() ? request.argv.front() : request.executable;
  for (const std::string& path : search_path(request)) {
    for (const char* suffix : {"", ".exe"}) {
      const DWORD attributes = ::GetFileAttributesW(wide(path + suffix).c_str());
      if (attributes == INVALID_FILE_ATTRIBUTES) continue;
      const bool named = name.find_first_of("/\\:") != std::string::npos;
      if (named || (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0) return path + suffix;
    }
  }
  return errno_error_of(ENOENT, "CreateProcess", name);
}

}  // namespace

bool is_for_shell(const std::vector<std::string>& argv) {
  return argv.size() == 2 + std::size(kShellOptions) &&
         std::equal(std::begin(kShellOptions), std::end(kShellOptions), argv.begin() + 1);
}

Result<void> check(const SpawnRequest& request) {
  const auto refuse = [](std::string why) {
    return make_error(Errc::invalid_argument, "spawn", std::move(why));
  };
  if (request.argv.empty()) return refuse("argv is empty");
  if (has_nul(request.executable) || has_nul(request.directory)) return refuse("a NUL in a path");
  if (std::any_of(request.argv.begin(), request.argv.end(), has_nul)) {
    return refuse("a NUL in an argument");
  }
  for (const std::string& entry : request.environment.value_or(std::vector<std::string>())) {
    if (has_nul(entry)) return refuse("a NUL in the environment");
    const std::size_t equals = entry.find('=', 1);  // "=C:=C:\\folder" is one of Windows's own
    if (entry.empty() || equals == std::string::npos) {
      return refuse("an environment entry is no NAME=value: " + entry);
    }
  }
  if (request.process_group.value_or(0) < 0) return refuse("a negative process group");
  if (request.process_group.value_or(0) > 0) {
    return make_error(Errc::not_supported, "spawn", "Windows has no groups to join");
  }
  std::vector<NativeSocket> named = request.pass;
  for (const std::optional<NativeSocket>& fd : request.standard) {
    if (fd) named.push_back(*fd);
  }
  for (const NativeSocket fd : named) {
    if (const Result<bool> open = is_inheritable(fd); !open.ok()) return open.error();
  }
  return {};
}

std::vector<std::string> search_path(const SpawnRequest& request) {
  const std::string& name = request.executable.empty() ? request.argv.front() : request.executable;
  if (name.find_first_of("/\\:") != std::string::npos) return {name};
  std::string path = own_variable(L"PATH");
  for (const std::string& entry : request.environment.value_or(std::vector<std::string>())) {
    if (_strnicmp(entry.c_str(), "PATH=", 5) == 0) path = entry.substr(5);
  }
  std::vector<std::string> found;
  std::string_view rest = path;
  for (;;) {
    const std::size_t end = rest.find(';');
    if (end != 0 && !rest.empty()) found.push_back(std::string(rest.substr(0, end)) + "\\" + name);
    if (end == std::string_view::npos) return found;
    rest.remove_prefix(end + 1);
  }
}

Result<UniqueFd> above_standard(UniqueFd fd) { return fd; }  // Standard streams have no numbers.

NativeSocket standard_stream(unsigned index) {
  constexpr DWORD kWhich[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
  return checked_native(::GetStdHandle(kWhich[index]));
}

Result<UniqueFd> open_null() { return open_path("NUL", true); }

std::vector<std::string> shell_words(std::string command) {
  std::string shell = own_variable(L"COMSPEC");
  if (shell.empty()) shell = "cmd.exe";
  std::vector<std::string> words{std::move(shell)};
  words.insert(words.end(), std::begin(kShellOptions), std::end(kShellOptions));
  words.push_back(std::move(command));
  return words;
}

Result<int> spawn(const SpawnRequest& request) {
  if (const Result<void> fit = check(request); !fit.ok()) return fit.error();
  const Result<std::string> program = find_program(request);
  if (!program.ok()) return program.error();
  constexpr DWORD kStandard[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
  Inherited inherited;
  std::array<HANDLE, 3> standard{};
  for (std::size_t i = 0; i < standard.size(); ++i) {
    Result<HANDLE> copy = inherited.copy(request.standard[i], kStandard[i]);
    if (!copy.ok()) return copy.error();
    standard[i] = *copy;
  }
  for (const NativeSocket fd : request.pass) inherited.pass(fd);
  Result<LPPROC_THREAD_ATTRIBUTE_LIST> list = inherited.list();
  if (!list.ok()) return list.error();
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = standard[0];
  startup.StartupInfo.hStdOutput = standard[1];
  startup.StartupInfo.hStdError = standard[2];
  startup.lpAttributeList = *list;
  std::wstring line = command_line(request.argv);
  std::wstring block = request.environment ? environment_block(*request.environment) : L"";
  const std::wstring directory = wide(request.directory);
  const DWORD flags = CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT |
                      (request.new_session ? DETACHED_PROCESS : console_flag()) |
                      (request.process_group || request.new_session ? CREATE_NEW_PROCESS_GROUP : 0);
  PROCESS_INFORMATION made{};
  if (::CreateProcessW(wide(*program).c_str(), line.data(), nullptr, nullptr, *list != nullptr,
                       flags, request.environment ? block.data() : nullptr,
                       directory.empty() ? nullptr : directory.c_str(), &startup.StartupInfo,
                       &made) == 0) {
    return windows_error("CreateProcess", *program);
  }
  ::CloseHandle(made.hThread);
  const int pid = static_cast<int>(made.dwProcessId);
  keep_child(pid, UniqueFd(native_of(made.hProcess)));
  return pid;
}

}  // namespace loopscope::os
