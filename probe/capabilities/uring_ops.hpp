// Trials: each operation of io_uring put to use once.
#pragma once

#include <span>

#include "probe/capabilities/raw_ring.hpp"

namespace loopscope::probes {

/// Gives one operation something to do that can succeed, and looks whether it did it.
struct Trial {
  abi::Op op;
  FactResult (*run)(ProbeContext&, RawRing&);
};

/// Those that a loop is made of: streams, sockets, readiness, time, waiting.
std::span<const Trial> loop_trials();
/// Those that work on files and their names.
std::span<const Trial> file_trials();

FactResult provide_buffers(ProbeContext& cx, RawRing& ring);

// Ways to use an operation that are not announced: one request that completes many times.
FactResult accept_multishot(ProbeContext& cx, RawRing& ring);
FactResult poll_multishot(ProbeContext& cx, RawRing& ring);
FactResult timeout_multishot(ProbeContext& cx, RawRing& ring);
FactResult recv_multishot(ProbeContext& cx, RawRing& ring);
FactResult recvmsg_multishot(ProbeContext& cx, RawRing& ring);

/// A request for `op` on `fd` with memory of `length` bytes.
inline abi::Request request_for(abi::Op op, int fd, const void* memory = nullptr,
                                std::uint32_t length = 0) {
  abi::Request request;
  request.opcode = op;
  request.fd = fd;
  request.address = abi::at(memory);
  request.length = length;
  return request;
}

inline bool succeeded(const std::optional<abi::Completion>& done) {
  return done && done->result == 0;
}

}  // namespace loopscope::probes
