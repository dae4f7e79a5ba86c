// Opening, filling and reading the two queues of an io_uring.
//
// liburing makes the system calls and maps the queues. Filling and reading them is ours, because
// liburing 2.3 does not know rings without an index array (IORING_SETUP_NO_SQARRAY).
// Source: man 7 io_uring; man 2 io_uring_setup, io_uring_enter.
#include "loops/proactor/io_uring_ring.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

namespace loopscope::uring {
namespace {

using namespace std::chrono_literals;

/// Longer than the kernel needs to end a ring, which is a few grace periods of RCU: 30 to 80 ms.
constexpr timeval kLongestEnd{2, 0};

/// A ring that is closed counts against RLIMIT_MEMLOCK until the kernel has ended it, and no event
/// tells of that. So who has closed one looks again before there is too little memory for another.
constexpr int kMostTries = 20;
std::atomic<bool> g_closed{false};

/// The rings of this process, for its children. One that finds no place is inherited: its end takes
/// as long as that child lives, or kLongestEnd.
std::array<std::atomic<int>, 64> g_rings{};  // descriptors plus 1; 0: free

extern "C" void loopscope_close_rings() {
  for (std::atomic<int>& ring : g_rings) {
    if (const int fd = ring.exchange(0) - 1; fd >= 0) (void)os::close_fd(fd);
  }
}
const int g_closes_in_children = ::pthread_atfork(nullptr, nullptr, loopscope_close_rings);

bool keep_from_children(int fd) {
  if (g_closes_in_children != 0) return false;
  for (std::atomic<int>& ring : g_rings) {
    int free = 0;
    if (ring.compare_exchange_strong(free, fd + 1)) return true;
  }
  return false;
}

void forget(int fd) {
  for (std::atomic<int>& ring : g_rings) {
    int known = fd + 1;
    if (ring.compare_exchange_strong(known, 0)) return;
  }
}

}  // namespace

Result<Ring> Ring::open(unsigned flags, unsigned submissions, unsigned completions) {
  Ring ring;
  int fd = -ENOMEM;
  for (int tries = 0; fd == -ENOMEM && tries < kMostTries; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(10ms);
    ring.params_ = {};
    ring.params_.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    ring.params_.cq_entries = completions;
    fd = io_uring_setup(submissions, &ring.params_);
    if (!g_closed.load(std::memory_order_relaxed)) break;
  }
  if (fd < 0) return errno_error_of(-fd, "io_uring_setup");
  os::UniqueFd opened(fd);
  if (const int failed = io_uring_queue_mmap(fd, &ring.params_, &ring.ring_); failed < 0) {
    return errno_error_of(-failed, "mmap(io_uring)");
  }
  ring.fd_ = std::move(opened);
  ring.kept_ = keep_from_children(fd);
  if (ring.kept_) (void)io_uring_ring_dontfork(&ring.ring_);
  if ((flags & kSetupNoSqArray) == 0) {
    for (unsigned i = 0; i < ring.params_.sq_entries; ++i) ring.ring_.sq.array[i] = i;
  }
  return ring;
}

Ring::~Ring() { close(); }

void Ring::swap(Ring& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(generation_, other.generation_);
  std::swap(kept_, other.kept_);
  std::swap(ring_, other.ring_);
  std::swap(params_, other.params_);
  std::swap(filled_, other.filled_);
  std::swap(end_, other.end_);
}

void Ring::close() {
  if (!fd_) return;
  if (kept_ && generation_ != os::fork_generation()) {
    (void)fd_.release();  // closed and unmapped when this process was forked
    return;
  }
  if (kept_) forget(fd_.get());  // before the number can belong to another
  g_closed.store(true, std::memory_order_relaxed);
  ::munmap(ring_.sq.sqes, params_.sq_entries * sizeof(io_uring_sqe));
  ::munmap(ring_.sq.ring_ptr, ring_.sq.ring_sz);
  if (ring_.cq.ring_ptr != ring_.sq.ring_ptr) ::munmap(ring_.cq.ring_ptr, ring_.cq.ring_sz);
  fd_.reset();
}

int Ring::call_register(unsigned opcode, const void* argument, unsigned count) const {
  return io_uring_register(static_cast<unsigned>(fd_.get()), opcode, argument, count);
}

io_uring_sqe* Ring::next_entry() {
  if (unsubmitted() == params_.sq_entries) return nullptr;
  io_uring_sqe* entry = &ring_.sq.sqes[filled_ & ring_.sq.ring_mask];
  ++filled_;
  std::memset(entry, 0, sizeof *entry);
  return entry;
}

unsigned Ring::unsubmitted() const { return filled_ - io_uring_smp_load_acquire(ring_.sq.khead); }

int Ring::enter(unsigned least, std::optional<Duration> timeout) {
  io_uring_smp_store_release(ring_.sq.ktail, filled_);
  const unsigned count = unsubmitted();
  unsigned flags = IORING_ENTER_GETEVENTS;
  if (!timeout) {
    return io_uring_enter2(static_cast<unsigned>(fd_.get()), count, least, flags, nullptr,
                           _NSIG / 8);
  }
  const timespec limit = to_timespec(*timeout);
  __kernel_timespec limit64{limit.tv_sec, limit.tv_nsec};
  io_uring_getevents_arg argument{};
  argument.sigmask_sz = _NSIG / 8;
  argument.ts = reinterpret_cast<std::uintptr_t>(&limit64);
  flags |= IORING_ENTER_EXT_ARG;
  return io_uring_enter2(static_cast<unsigned>(fd_.get()), count, least, flags,
                         reinterpret_cast<sigset_t*>(&argument), sizeof argument);
}

bool Ring::has_completions() const {
  return *ring_.cq.khead != io_uring_smp_load_acquire(ring_.cq.ktail);
}

bool Ring::pop(Entry& completion) {
  const unsigned head = *ring_.cq.khead;  // written by us alone
  if (head == io_uring_smp_load_acquire(ring_.cq.ktail)) return false;
  const io_uring_cqe& oldest = ring_.cq.cqes[head & ring_.cq.ring_mask];
  completion = {oldest.user_data, oldest.res, oldest.flags};
  io_uring_smp_store_release(ring_.cq.khead, head + 1);
  return true;
}

bool Ring::overflown() const {
  return (IO_URING_READ_ONCE(*ring_.sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0;
}

bool Ring::must_enter() const {
  return (IO_URING_READ_ONCE(*ring_.sq.kflags) & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) != 0;
}

Result<void> Ring::watch_end() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return errno_error("socketpair");
  }
  os::UniqueFd ours(ends[0]);
  const os::UniqueFd rings(ends[1]);
  // A registered file is let go of when the ring is freed, and that is after its last operation.
  const int failed = call_register(IORING_REGISTER_FILES, &ends[1], 1);
  if (failed < 0) return errno_error_of(-failed, "io_uring_register(FILES)");
  if (::setsockopt(ours.get(), SOL_SOCKET, SO_RCVTIMEO, &kLongestEnd, sizeof kLongestEnd) != 0) {
    return errno_error("setsockopt(SO_RCVTIMEO)");
  }
  end_ = std::move(ours);
  return {};
}

bool Ring::end() {
  close();
  if (!end_) return true;
  char nothing = 0;
  ssize_t got = -1;
  do {
    got = ::recv(end_.get(), &nothing, 1, 0);
  } while (got < 0 && errno == EINTR);
  end_.reset();
  return got == 0;
}

}  // namespace loopscope::uring
