// Process tools over waitid, /proc, dup2 and mmap.
#include "harness/tools/process_tools.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "harness/peer.hpp"
#include "harness/posix/proc.hpp"

namespace loopscope::tools {
namespace {

int look(idtype_t kind, long child, int what, siginfo_t& info) {
  int got = -1;
  do {
    got = ::waitid(kind, static_cast<id_t>(child), &info, what | WNOWAIT);
  } while (got < 0 && errno == EINTR);
  return got;
}

std::size_t minor_faults() {
  rusage usage{};
  if (::getrusage(RUSAGE_THREAD, &usage) != 0) throw PeerFailure(errno_error("getrusage"));
  return static_cast<std::size_t>(usage.ru_minflt);
}

std::size_t page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

}  // namespace

void wait_until_some_child_ended() {
  siginfo_t info{};
  if (look(P_ALL, 0, WEXITED, info) != 0) throw PeerFailure(errno_error("waitid"));
}

bool wait_until_ended(long child) {
  siginfo_t info{};
  return look(P_PID, child, WEXITED, info) == 0;
}

bool has_ended(long child) {
  siginfo_t info{};
  return look(P_PID, child, WEXITED | WNOHANG, info) == 0 && info.si_pid != 0;
}

void wait_until_stopped(long child) {
  siginfo_t info{};
  if (look(P_PID, child, WSTOPPED | WEXITED, info) != 0) throw PeerFailure(errno_error("waitid"));
}

void wait_until_gone(long process) {
  const std::string status = "/proc/" + std::to_string(process) + "/status";
  for (;;) {
    const std::string state = proc::field(status, "State:");
    if (state.empty() || state.front() == 'Z') return;
    ::sched_yield();
  }
}

std::size_t child_count() {
  std::size_t count = 0;
  for (const proc::Process& process : proc::all_processes()) count += process.parent == ::getpid();
  return count;
}

void replace_descriptor(int number, os::NativeSocket fd) {
  if (::dup2(fd, number) < 0) throw PeerFailure(errno_error("dup2"));
}

void make_inheritable(os::NativeSocket fd) {
  if (::fcntl(fd, F_SETFD, 0) != 0) throw PeerFailure(errno_error("fcntl(F_SETFD)"));
}

std::string link_of(os::NativeSocket fd) {
  return proc::link_target("/proc/self/fd/" + std::to_string(fd));
}

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

}  // namespace loopscope::tools
