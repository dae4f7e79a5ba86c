// The ring's layout as the kernel documents it. The structures are spelled out here because the
// build host's headers may be older than the running kernel.
// Source: man 2 io_uring_setup, man 2 io_uring_enter, man 7 io_uring.
#include "probe/capabilities/raw_ring.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "probe/capabilities/linux_calls.hpp"

namespace loopscope::probes {

namespace {

struct SubmissionOffsets {
  std::uint32_t head, tail, ring_mask, ring_entries, flags, dropped, array, reserved;
  std::uint64_t user_address;
};
struct CompletionOffsets {
  std::uint32_t head, tail, ring_mask, ring_entries, overflow, cqes, flags, reserved;
  std::uint64_t user_address;
};
struct Parameters {
  std::uint32_t sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features, wq_fd;
  std::uint32_t reserved[3];
  SubmissionOffsets sq;
  CompletionOffsets cq;
};
static_assert(sizeof(Parameters) == 120);

constexpr unsigned kEntries = 64;
constexpr long kSubmissionOffset = 0;
constexpr long kCompletionOffset = 0x8000000;
constexpr long kRequestOffset = 0x10000000;
constexpr unsigned kEnterGetEvents = 1;

std::uint32_t* word_at(void* base, std::uint32_t offset) {
  return reinterpret_cast<std::uint32_t*>(static_cast<std::byte*>(base) + offset);
}

std::uint32_t load(std::uint32_t* word) {
  return std::atomic_ref<std::uint32_t>(*word).load(std::memory_order_acquire);
}

void store(std::uint32_t* word, std::uint32_t value) {
  std::atomic_ref<std::uint32_t>(*word).store(value, std::memory_order_release);
}

}  // namespace

RawRing::~RawRing() {
  for (const Mapping* mapping : {&submissions_, &completions_, &requests_}) {
    if (mapping->address != nullptr) (void)::munmap(mapping->address, mapping->size);
  }
}

bool RawRing::map(ProbeContext& cx, Mapping& mapping, std::size_t size, long offset) {
  void* address =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_.get(), offset);
  if (address == MAP_FAILED) {
    cx.call("mmap(ring)", -1);
    return false;
  }
  mapping = {address, size};
  return true;
}

bool RawRing::open(ProbeContext& cx) {
  Parameters parameters{};
  fd_ = os::UniqueFd(static_cast<int>(
      cx.call("io_uring_setup(64)", ::syscall(kIoUringSetup, kEntries, &parameters))));
  if (!fd_) return false;
  features_ = parameters.features;
  const SubmissionOffsets& sq = parameters.sq;
  const CompletionOffsets& cq = parameters.cq;
  // Three mappings work on every kernel; that two of them may be one is an optimisation.
  const bool mapped =
      map(cx, submissions_, sq.array + parameters.sq_entries * sizeof(std::uint32_t),
          kSubmissionOffset) &&
      map(cx, completions_, cq.cqes + parameters.cq_entries * sizeof(Completion),
          kCompletionOffset) &&
      map(cx, requests_, parameters.sq_entries * sizeof(Request), kRequestOffset);
  if (!mapped) return false;
  sq_tail_ = word_at(submissions_.address, sq.tail);
  sq_array_ = word_at(submissions_.address, sq.array);
  sq_mask_ = *word_at(submissions_.address, sq.ring_mask);
  cq_head_ = word_at(completions_.address, cq.head);
  cq_tail_ = word_at(completions_.address, cq.tail);
  cq_mask_ = *word_at(completions_.address, cq.ring_mask);
  cqes_ = reinterpret_cast<Completion*>(word_at(completions_.address, cq.cqes));
  return true;
}

std::optional<std::int32_t> RawRing::submit(Request request, unsigned wait_for) {
  request.user_data = next_id_++;
  const std::uint32_t tail = *sq_tail_;
  const std::uint32_t slot = tail & sq_mask_;
  static_cast<Request*>(requests_.address)[slot] = request;
  sq_array_[slot] = slot;
  store(sq_tail_, tail + 1);
  const long entered =
      ::syscall(kIoUringEnter, fd_.get(), 1, wait_for, kEnterGetEvents, nullptr, 0);
  if (entered < 0) return -errno;
  std::optional<std::int32_t> result;
  std::uint32_t head = *cq_head_;
  while (head != load(cq_tail_)) {
    const Completion& done = cqes_[head & cq_mask_];
    // Older polls may complete late, when their peers are closed: not ours.
    if (done.user_data == request.user_data) result = done.result;
    ++head;
  }
  store(cq_head_, head);
  return result;
}

std::optional<std::int32_t> RawRing::poll_now(int fd, std::uint32_t events) {
  Request request{};
  request.opcode = kOpPollAdd;
  request.fd = fd;
  request.poll_events = events;
  return submit(request, 0);
}

std::optional<std::int32_t> RawRing::read_file(int fd, void* buffer, std::uint32_t size) {
  Request request{};
  request.opcode = kOpRead;
  request.fd = fd;
  request.address = reinterpret_cast<std::uintptr_t>(buffer);
  request.length = size;
  return submit(request, 1);
}

}  // namespace loopscope::probes
