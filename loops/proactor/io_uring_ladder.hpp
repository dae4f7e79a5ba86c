// The start-up ladder: what of io_uring works here, found out by using it, never by a version.
#pragma once

#include <string>

#include "loops/descriptor.hpp"
#include "loops/proactor/io_uring_ring.hpp"

namespace loopscope::uring {

/// What is used. Each level has one of them less than the one before it.
struct Abilities {
  UringLevel level = UringLevel::basic;
  unsigned setup_flags = 0;    // IORING_SETUP_..., without CQSIZE and CLAMP
  bool single_issuer = false;  // the ring belongs to the thread that enables it
  bool multishot = false;      // accept, receive and poll complete more than once
  bool buffer_ring = false;    // receives take memory from a ring of buffers
  bool wait_timeout = false;   // the wait call has a timeout (IORING_FEAT_EXT_ARG)
  std::string words{};         // for people: what was chosen, what was refused and with what
};

/// The first level that works, or the one asked for. Learnt once a process and level, in about a
/// millisecond; leaves nothing behind.
/// errors  as make_io_uring_proactor.
Result<Abilities> climb(UringLevel level);

}  // namespace loopscope::uring
