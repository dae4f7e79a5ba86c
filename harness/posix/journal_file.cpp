// The journal's file on POSIX: append with one write(2) per line.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "harness/journal.hpp"
#include "loops/os/fd.hpp"

namespace loopscope {
namespace {

class JournalFile final : public JournalWriter {
 public:
  JournalFile(os::UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<void> append(std::string_view line) override {
    std::string text(line);
    text += '\n';
    std::string_view rest = text;
    while (!rest.empty()) {
      const ssize_t count = ::write(fd_.get(), rest.data(), rest.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return errno_error("write", path_);
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
  }

 private:
  os::UniqueFd fd_;
  std::string path_;
};

}  // namespace

namespace {
/// One writer at a time: a run that is still going must not be resumed beside itself.
Result<void> claim(const os::UniqueFd& fd, const std::string& path) {
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return errno_error("flock", path);
  return {};
}
}  // namespace

Result<std::unique_ptr<JournalWriter>> create_journal(const std::string& path) {
  os::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644));
  if (!fd) return errno_error("open", path);
  if (const Result<void> ours = claim(fd, path); !ours.ok()) return ours.error();
  return std::unique_ptr<JournalWriter>(std::make_unique<JournalFile>(std::move(fd), path));
}

Result<std::unique_ptr<JournalWriter>> continue_journal(const std::string& path,
                                                        std::uint64_t size) {
  os::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!fd) return errno_error("open", path);
  if (const Result<void> ours = claim(fd, path); !ours.ok()) return ours.error();
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return errno_error("ftruncate", path);
  return std::unique_ptr<JournalWriter>(std::make_unique<JournalFile>(std::move(fd), path));
}

}  // namespace loopscope
