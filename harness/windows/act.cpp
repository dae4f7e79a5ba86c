// Steps over the handles of the system: the C runtime would change line ends.
#include "harness/windows/act.hpp"

#include <array>
#include <filesystem>

#include "harness/child.hpp"
#include "loops/os/spawn.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::windows {
namespace {

/// False when nobody reads.
bool write_all(DWORD stream, const char* data, std::size_t size) {
  while (size > 0) {
    DWORD written = 0;
    if (::WriteFile(::GetStdHandle(stream), data, static_cast<DWORD>(size), &written, nullptr) ==
        0) {
      return false;
    }
    data += written;
    size -= written;
  }
  return true;
}

void write_line(DWORD stream, const std::string& line) {
  (void)write_all(stream, (line + "\n").c_str(), line.size() + 1);
}

DWORD read_some(char* to, DWORD size) {
  DWORD got = 0;
  const bool read = ::ReadFile(::GetStdHandle(STD_INPUT_HANDLE), to, size, &got, nullptr) != 0;
  return read ? got : 0;
}

void copy() {
  std::array<char, 65'536> buffer{};
  for (;;) {
    const DWORD got = read_some(buffer.data(), static_cast<DWORD>(buffer.size()));
    if (got == 0 || !write_all(STD_OUTPUT_HANDLE, buffer.data(), got)) return;
  }
}

void read_line() {
  char one = 0;
  while (read_some(&one, 1) == 1 && one != '\n') {
  }
}

void write_zeros(std::size_t count) {
  const std::string zeros(65'536, '\0');
  for (std::size_t left = count; left > 0;) {
    const std::size_t size = std::min(left, zeros.size());
    if (!write_all(STD_OUTPUT_HANDLE, zeros.data(), size)) return;
    left -= size;
  }
}

void write_environment() {
  wchar_t* const all = ::GetEnvironmentStringsW();
  for (const wchar_t* entry = all; *entry != L'\0'; entry += std::wcslen(entry) + 1) {
    write_line(STD_OUTPUT_HANDLE, os::narrow(entry));
  }
  ::FreeEnvironmentStringsW(all);
}

void copy_in_background() {
  os::SpawnRequest request;
  request.argv = {own_executable().value(), "act", "copy"};
  write_line(STD_ERROR_HANDLE, std::to_string(os::spawn(request).value()));
}

}  // namespace

int act(const std::vector<std::string>& steps) {
  for (const std::string& step : steps) {
    const std::size_t colon = std::min(step.find(':'), step.size());
    const std::string what = step.substr(0, colon);
    const std::string with = colon < step.size() ? step.substr(colon + 1) : std::string();
    if (what == "copy") {
      copy();
    } else if (what == "sleep") {
      ::Sleep(1'000'000);
    } else if (what == "write") {
      write_line(STD_OUTPUT_HANDLE, with);
    } else if (what == "write-error") {
      write_line(STD_ERROR_HANDLE, with);
    } else if (what == "write-environment") {
      write_environment();
    } else if (what == "write-directory") {
      write_line(STD_OUTPUT_HANDLE,
                 std::filesystem::canonical(std::filesystem::current_path()).string());
    } else if (what == "zeros") {
      write_zeros(std::stoull(with));
    } else if (what == "read-line") {
      read_line();
    } else if (what == "close-input") {
      ::CloseHandle(::GetStdHandle(STD_INPUT_HANDLE));
    } else if (what == "copy-in-background") {
      copy_in_background();
    } else if (what == "exit") {
      return std::stoi(with);
    } else {
      return 2;
    }
  }
  return 0;
}

}  // namespace loopscope::windows
