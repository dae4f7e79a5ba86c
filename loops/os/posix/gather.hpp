// Gathered: several pieces of memory as the scatter/gather calls of POSIX take them.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <span>

#include "loops/os/net.hpp"

namespace loopscope::os {

/// The first kMostPieces pieces that are not empty, cut at kLargestTransfer bytes.
class Gathered {
 public:
  explicit Gathered(std::span<const ByteView> pieces) {
    std::size_t room = kLargestTransfer;
    for (const ByteView piece : pieces) {
      if (count_ == kMostPieces || room == 0) return;
      if (piece.empty()) continue;
      const std::size_t size = std::min(piece.size(), room);
      // The calls take pointers to memory that they read only.
      vectors_[count_++] = {const_cast<std::byte*>(piece.data()), size};
      room -= size;
    }
  }
  iovec* data() { return vectors_.data(); }
  std::size_t count() const { return count_; }

 private:
  std::array<iovec, kMostPieces> vectors_;  // only what count_ says is written
  std::size_t count_ = 0;
};

}  // namespace loopscope::os
