// The journal's file on Windows: opened for this writer alone, each line by one WriteFile.
#include "harness/journal.hpp"
#include "loops/os/fd.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope {
namespace {

class JournalFile final : public JournalWriter {
 public:
  JournalFile(os::UniqueFd file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}

  Result<void> append(std::string_view line) override {
    std::string text(line);
    text += '\n';
    std::string_view rest = text;
    while (!rest.empty()) {
      DWORD count = 0;
      if (::WriteFile(os::handle_of(file_.get()), rest.data(), static_cast<DWORD>(rest.size()),
                      &count, nullptr) == 0) {
        return os::windows_error("WriteFile", path_);
      }
      rest.remove_prefix(count);
    }
    return {};
  }

 private:
  os::UniqueFd file_;
  std::string path_;
};

/// Others may read. One writer at a time: a run that is still going must not be resumed beside
/// itself.
Result<os::UniqueFd> open_file(const std::string& path, DWORD how) {
  HANDLE file = ::CreateFileW(os::wide(path).c_str(), GENERIC_WRITE, FILE_SHARE_READ, nullptr, how,
                              FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return os::windows_error("CreateFile", path);
  return os::UniqueFd(os::native_of(file));
}

}  // namespace

Result<std::unique_ptr<JournalWriter>> create_journal(const std::string& path) {
  Result<os::UniqueFd> file = open_file(path, CREATE_NEW);
  if (!file.ok()) return file.error();
  return std::unique_ptr<JournalWriter>(
      std::make_unique<JournalFile>(std::move(file).value(), path));
}

Result<std::unique_ptr<JournalWriter>> continue_journal(const std::string& path,
                                                        std::uint64_t size) {
  Result<os::UniqueFd> file = open_file(path, OPEN_EXISTING);
  if (!file.ok()) return file.error();
  LARGE_INTEGER end{};
  end.QuadPart = static_cast<LONGLONG>(size);
  HANDLE handle = os::handle_of(file->get());
  if (::SetFilePointerEx(handle, end, nullptr, FILE_BEGIN) == 0 || ::SetEndOfFile(handle) == 0) {
    return os::windows_error("SetEndOfFile", path);
  }
  return std::unique_ptr<JournalWriter>(
      std::make_unique<JournalFile>(std::move(file).value(), path));
}

}  // namespace loopscope
