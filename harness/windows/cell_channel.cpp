// The report channel's handle on Windows: a pipe that a cell has inherited.
#include "harness/cell_channel.hpp"

#include <mutex>
#include <string>

#include "loops/os/windows/winsock.hpp"

namespace loopscope::cell {
namespace {

int g_fd = -1;
std::mutex& line_mutex() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

// Handles have 32 significant bits, so that one fits into the number on the command line.
void open_channel(int fd) {
  g_fd = fd;
  if (fd >= 0) {
    ::SetHandleInformation(os::handle_of(static_cast<os::NativeSocket>(fd)), HANDLE_FLAG_INHERIT,
                           0);
  }
}

int channel_fd() noexcept { return g_fd; }

void say(std::string_view json_object) {
  if (g_fd < 0) return;
  std::string line(json_object);
  line += '\n';
  const std::lock_guard lock(line_mutex());  // Pipes here have no PIPE_BUF to rely on.
  std::string_view rest = line;
  while (!rest.empty()) {
    DWORD count = 0;
    if (::WriteFile(os::handle_of(static_cast<os::NativeSocket>(g_fd)), rest.data(),
                    static_cast<DWORD>(rest.size()), &count, nullptr) == 0) {
      return;  // The parent has gone, and this process is about to go with it.
    }
    rest.remove_prefix(count);
  }
}

}  // namespace loopscope::cell
