// Interruptions and terminals on POSIX.
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "harness/host.hpp"

namespace loopscope::host {
namespace {

std::atomic<int> g_interrupted_by{0};
static_assert(std::atomic<int>::is_always_lock_free);  // a signal handler stores it

void on_interruption(int number) {
  int none = 0;
  // Somebody who asks twice is not to wait for children and reports.
  if (!g_interrupted_by.compare_exchange_strong(none, number)) ::_exit(128 + number);
}

}  // namespace

void note_interruptions() {
  struct sigaction action {};
  action.sa_handler = on_interruption;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction old {};
    // Whoever started us with a signal ignored (nohup, a background job) wants it that way.
    if (::sigaction(number, nullptr, &old) == 0 && old.sa_handler == SIG_IGN) continue;
    (void)::sigaction(number, &action, nullptr);
  }
  action.sa_handler = SIG_IGN;
  (void)::sigaction(SIGPIPE, &action, nullptr);
}

int interrupted_by() { return g_interrupted_by.load(); }

bool is_terminal(int fd) {
  const char* term = std::getenv("TERM");
  return ::isatty(fd) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

int terminal_width(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::size_t descriptor_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<std::size_t>(limit.rlim_cur) : 0;
}

std::string utc_now() {
  const std::time_t seconds = ::time(nullptr);
  std::tm parts{};
  char text[32];
  if (::gmtime_r(&seconds, &parts) == nullptr) return {};
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, size};
}

}  // namespace loopscope::host
