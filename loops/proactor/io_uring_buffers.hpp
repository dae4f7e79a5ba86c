// Memory that receives put bytes into: a ring of buffers that the kernel takes from, or one that
// each operation brings along.
#pragma once

#include <memory>
#include <vector>

#include "loops/proactor/io_uring_ring.hpp"
#include "loops/proactor/proactor.hpp"

namespace loopscope::uring {

/// Blocks of one size, numbered. What is lent comes back by its number, in any order.
class Blocks : public LentBytes::Pool {
 public:
  explicit Blocks(std::size_t block_size) : block_size_(block_size) {}
  std::size_t block_size() const { return block_size_; }
  /// `size` bytes of a block, lent until the value dies. The block must not be lent already.
  static LentBytes lend(const std::shared_ptr<Blocks>& blocks, std::uint32_t id, std::size_t size) {
    return LentBytes(blocks, id, blocks->block(id).first(size));
  }
  virtual std::span<std::byte> block(std::uint32_t id) = 0;

 private:
  std::size_t block_size_;
};

/// A block for each receive, taken before the operation is given to the kernel. As many as needed.
class OwnBlocks final : public Blocks {
 public:
  using Blocks::Blocks;
  std::uint32_t take();
  void give_back(std::uint32_t id) noexcept override { free_.push_back(id); }
  std::span<std::byte> block(std::uint32_t id) override {
    return {blocks_[id].get(), block_size()};
  }

 private:
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::vector<std::uint32_t> free_;  // room for all of them is reserved
};

/// A ring of buffers, registered with an io_uring. The kernel takes one when there is something
/// to put into it. When it has none, receives fail with ENOBUFS until some are given back.
class BufferRing final : public Blocks {
 public:
  static constexpr unsigned kGroup = 0;
  /// count  A power of two, at most 32768.
  static Result<std::shared_ptr<BufferRing>> make(unsigned count, std::size_t block_size);
  BufferRing(unsigned count, std::size_t block_size)
      : Blocks(block_size), count_(count), held_(count, false) {}
  ~BufferRing() override;

  /// Lets a ring use all buffers that nobody holds. The ring before it must have ended.
  Result<void> attach(const Ring& ring);
  /// No ring uses it any more. What is held stays valid.
  void detach() { attached_ = false; }
  /// The kernel said that it has taken this one.
  void taken(std::uint32_t id);
  /// Buffers that the kernel may have.
  unsigned available() const { return count_ - held_count_; }
  void give_back(std::uint32_t id) noexcept override;
  std::span<std::byte> block(std::uint32_t id) override {
    return {memory_ + id * block_size(), block_size()};
  }

 private:
  void add(std::uint32_t id, unsigned offset);
  std::size_t mapped_size() const;

  unsigned count_;
  unsigned held_count_ = 0;
  std::vector<bool> held_;  // by id
  io_uring_buf_ring* ring_ = nullptr;
  std::byte* memory_ = nullptr;
  bool attached_ = false;
};

}  // namespace loopscope::uring
