// Buffers of receives. One mapping holds the ring of descriptions and, behind it, the buffers;
// pages that were never received into take no memory. Source: man 3 io_uring_register_buf_ring.
#include "loops/proactor/io_uring_buffers.hpp"

#include <sys/mman.h>

#include <cerrno>

#include "loops/os/linux/high_memory.hpp"

namespace loopscope::uring {

std::uint32_t OwnBlocks::take() {
  if (free_.empty()) {
    free_.reserve(blocks_.size() + 1);
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(block_size()));
    return static_cast<std::uint32_t>(blocks_.size() - 1);
  }
  const std::uint32_t id = free_.back();
  free_.pop_back();
  return id;
}

Result<std::shared_ptr<BufferRing>> BufferRing::make(unsigned count, std::size_t block_size) {
  auto made = std::make_shared<BufferRing>(count, block_size);
  void* mapped = ::mmap(nullptr, made->mapped_size(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return errno_error("mmap(buffers)");
  made->ring_ = static_cast<io_uring_buf_ring*>(mapped);
  made->memory_ = static_cast<std::byte*>(mapped) + count * sizeof(io_uring_buf);
  return made;
}

BufferRing::~BufferRing() {
  if (ring_ != nullptr) ::munmap(ring_, mapped_size());
}

std::size_t BufferRing::mapped_size() const {
  return count_ * (sizeof(io_uring_buf) + block_size());
}

Result<void> BufferRing::attach(const Ring& ring) {
  if (os::has_high_memory()) {
    return errno_error_of(EINVAL, "io_uring_register(PBUF_RING): not asked for beside high memory");
  }
  // The first entry's last field doubles as the tail of the ring.
  io_uring_buf_ring_init(ring_);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring_);
  registration.ring_entries = count_;
  registration.bgid = kGroup;
  if (const int failed = ring.call_register(IORING_REGISTER_PBUF_RING, &registration, 1);
      failed < 0) {
    return errno_error_of(-failed, "io_uring_register(PBUF_RING)");
  }
  unsigned offset = 0;
  for (std::uint32_t id = 0; id < count_; ++id) {
    if (!held_[id]) add(id, offset++);
  }
  io_uring_buf_ring_advance(ring_, static_cast<int>(offset));
  attached_ = true;
  return {};
}

void BufferRing::add(std::uint32_t id, unsigned offset) {
  io_uring_buf_ring_add(ring_, block(id).data(), static_cast<unsigned>(block_size()),
                        static_cast<unsigned short>(id), io_uring_buf_ring_mask(count_),
                        static_cast<int>(offset));
}

void BufferRing::taken(std::uint32_t id) {
  held_[id] = true;
  ++held_count_;
}

void BufferRing::give_back(std::uint32_t id) noexcept {
  held_[id] = false;
  --held_count_;
  if (!attached_) return;
  add(id, 0);
  io_uring_buf_ring_advance(ring_, 1);
}

}  // namespace loopscope::uring
