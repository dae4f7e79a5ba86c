// Tools for what only Linux has: /proc, pipes of a chosen size, error queues of sockets.
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "harness/peer.hpp"
#include "harness/posix/task_flags.hpp"
#include "harness/tools/descriptor_tools.hpp"
#include "harness/tools/process_tools.hpp"
#include "loops/base/error.hpp"

namespace loopscope::tools {
namespace {

std::size_t minor_faults() {
  rusage usage{};
  if (::getrusage(RUSAGE_THREAD, &usage) != 0) throw PeerFailure(errno_error("getrusage"));
  return static_cast<std::size_t>(usage.ru_minflt);
}

std::size_t page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

}  // namespace

TouchedMemory::TouchedMemory(std::size_t size_bytes)
    : memory_(
          ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)),
      size_(size_bytes) {
  if (memory_ == MAP_FAILED) throw PeerFailure(errno_error("mmap"));
  (void)::madvise(memory_, size_, MADV_NOHUGEPAGE);  // Without huge pages there is nothing to do.
  (void)touch();
}

TouchedMemory::~TouchedMemory() { ::munmap(memory_, size_); }

std::size_t TouchedMemory::pages() const { return size_ / page_size(); }

std::size_t TouchedMemory::touch() {
  const std::size_t before = minor_faults();
  auto* bytes = static_cast<volatile std::byte*>(memory_);
  for (std::size_t i = 0; i < size_; i += page_size()) bytes[i] = std::byte{1};
  return minor_faults() - before;
}

std::size_t set_pipe_capacity(os::NativeSocket fd, std::size_t size_bytes) {
  const int given = ::fcntl(fd, F_SETPIPE_SZ, static_cast<int>(size_bytes));
  if (given < 0) throw Failure(errno_error("fcntl(F_SETPIPE_SZ)"));
  return static_cast<std::size_t>(given);
}

void enable_error_queue(os::NativeSocket fd) {
  const int on = 1;
  if (::setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on) != 0) {
    throw Failure(errno_error("setsockopt(IP_RECVERR)"));
  }
}

std::size_t available_memory() {
  std::ifstream lines("/proc/meminfo");
  for (std::string name, unit; lines >> name;) {
    std::size_t kibibytes = 0;
    lines >> kibibytes;
    std::getline(lines, unit);
    if (name == "MemAvailable:") return kibibytes * 1024;
  }
  return 0;
}

std::size_t heap_in_use() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

namespace {

bool is_alive(const std::filesystem::path& thread) {
  std::ifstream file(thread / "stat");
  std::string line;
  std::getline(file, line);
  return proc::runs_code(line);
}

}  // namespace

std::size_t thread_count() {
  std::error_code error;
  const std::filesystem::directory_iterator threads("/proc/self/task", error);
  if (error) {
    throw HostLacks(make_error(Errc::not_supported, "threads of this process",
                               "/proc/self/task cannot be read"));
  }
  return static_cast<std::size_t>(
      std::count_if(std::filesystem::begin(threads), std::filesystem::end(threads),
                    [](const auto& entry) { return is_alive(entry.path()); }));
}

}  // namespace loopscope::tools
