// read(2) rather than streams: files of the kernel have no size, and errno must survive.
#include "probe/posix/text_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "loops/os/fd.hpp"

namespace loopscope {

std::optional<std::string> read_text(const std::string& path) {
  constexpr std::size_t kMost = 64 * 1024;
  const os::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return std::nullopt;
  std::string text;
  char chunk[4096];
  while (text.size() < kMost) {
    const ssize_t n = ::read(file.get(), chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    if (n == 0) break;
    text.append(chunk, static_cast<std::size_t>(n));
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::optional<std::int64_t> read_number(const std::string& path) {
  const std::optional<std::string> text = read_text(path);
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const auto end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    errno = EINVAL;
    return std::nullopt;
  }
  return value;
}

std::string status_field(std::string_view name) {
  const std::string status = "\n" + read_text("/proc/self/status").value_or("");
  const std::string key = "\n" + std::string(name) + ":";
  const std::size_t found = status.find(key);
  if (found == std::string::npos) return {};
  const std::size_t begin = status.find_first_not_of(" \t", found + key.size());
  if (begin == std::string::npos) return {};
  return status.substr(begin, status.find('\n', begin) - begin);
}

}  // namespace loopscope
