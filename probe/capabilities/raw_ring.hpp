// An io_uring without any library: the system calls, three mappings and two queues.
#pragma once

#include <cstdint>
#include <optional>

#include "loops/os/fd.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes {

/// One ring with a handful of entries, used by one thread, one request after the other.
class RawRing {
 public:
  static constexpr std::uint8_t kOpPollAdd = 6;
  static constexpr std::uint8_t kOpRead = 22;

  RawRing() = default;
  RawRing(const RawRing&) = delete;
  RawRing& operator=(const RawRing&) = delete;
  ~RawRing();

  /// Sets the ring up; each call is recorded. false: cx.last_error() says why.
  bool open(ProbeContext& cx);
  /// params.features of the kernel.
  std::uint32_t features() const { return features_; }
  int descriptor() const { return fd_.get(); }

  /// Asks for `events` (poll's bits) on `fd` and looks once.
  /// returns the result of the request: a ready mask, or a negative errno; nullopt when it did
  ///         not complete at once. A pending request ends with the ring.
  std::optional<std::int32_t> poll_now(int fd, std::uint32_t events);
  /// Reads at offset 0 and waits for the answer.
  std::optional<std::int32_t> read_file(int fd, void* buffer, std::uint32_t size);

 private:
  /// The layout of struct io_uring_sqe, as far as it is used here.
  struct Request {
    std::uint8_t opcode;
    std::uint8_t flags;
    std::uint16_t priority;
    std::int32_t fd;
    std::uint64_t offset;
    std::uint64_t address;
    std::uint32_t length;
    std::uint32_t poll_events;
    std::uint64_t user_data;
    std::uint64_t rest[3];
  };
  static_assert(sizeof(Request) == 64);
  struct Completion {
    std::uint64_t user_data;
    std::int32_t result;
    std::uint32_t flags;
  };
  struct Mapping {
    void* address = nullptr;
    std::size_t size = 0;
  };

  bool map(ProbeContext& cx, Mapping& mapping, std::size_t size, long offset);
  std::optional<std::int32_t> submit(Request request, unsigned wait_for);

  os::UniqueFd fd_;
  Mapping submissions_, completions_, requests_;
  std::uint32_t *sq_tail_ = nullptr, *sq_array_ = nullptr, *cq_head_ = nullptr, *cq_tail_ = nullptr;
  std::uint32_t sq_mask_ = 0, cq_mask_ = 0, features_ = 0;
  Completion* cqes_ = nullptr;
  std::uint64_t next_id_ = 1;
};

}  // namespace loopscope::probes
