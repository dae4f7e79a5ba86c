// Flight: one operation on its way through an io_uring: what is asked of the kernel for it, and
// what the kernel's answer means for it.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <optional>
#include <vector>

#include "loops/proactor/io_uring_buffers.hpp"
#include "loops/proactor/io_uring_ladder.hpp"

namespace loopscope::uring {

/// What an answer of the kernel leads to.
enum class Next : std::uint8_t {
  again,   // ask once more, for the next step
  starve,  // ask once more when a buffer is free
  round,   // completed once, and the kernel goes on
  repeat,  // completed once, and the operation repeats: ask once more
  over     // completed for the last time
};

/// Where the bytes of receives go that bring no memory.
struct Memory {
  std::shared_ptr<BufferRing> ring{};  // null where there is none
  std::shared_ptr<OwnBlocks> own{};
};

/// At any time the kernel has at most one entry of a flight.
///
/// lifetime  From submit() to the last completion. What an entry points to is in here or in the
///           operation, and both stay where they are.
class Flight final : public Operation::InFlight {
 public:
  enum class Where : std::uint8_t {
    waiting,    // in user space, to be given to the kernel
    starving,   // in user space, until a buffer is free
    kernel,     // the kernel has it
    landed,     // its last answer is here and was not looked at yet
    telling,    // Operation::completed runs
    cancelled,  // in user space, over: its end is still to be told
  };

  /// Binds a new or used flight to an operation.
  void begin(Operation& operation, std::uint32_t slot);
  Operation& operation() const { return *operation_; }
  std::uint32_t slot() const { return slot_; }

  /// Writes the next entry, all but its user_data.
  void fill(io_uring_sqe& entry, const Abilities& abilities, Memory& memory);
  /// Does the entry that fill() writes next raise SIGPIPE where it fails with EPIPE?
  bool raises_sigpipe() const;
  /// The kernel's answer. `completion` is what to tell, except for `again` and `starve`.
  Next answered(const Entry& entry, Memory& memory, Completion& completion);
  /// The last completion was told, or never will be.
  void end(Memory& memory);
  /// The kernel had the entry and is gone, and it will not answer: the next step is the same.
  /// nullopt, but for a splice that took place all the same: what it moved.
  std::optional<std::size_t> forsaken();
  /// How many bytes of a send went out.
  std::size_t sent() const { return sent_; }

  Where where = Where::waiting;
  bool cancel_asked = false;
  Flight* previous = nullptr;  // in the list that `where` stands for
  Flight* next = nullptr;

 private:
  enum class Step : std::uint8_t {
    act,    // the operation itself
    poll,   // until the descriptor may be ready, then act
    pause,  // until there may be room where no event tells of it, then act
    arrive  // connect: until it is decided
  };

  void fill_receive(io_uring_sqe& entry, const Abilities& abilities, Memory& memory);
  void fill_send(io_uring_sqe& entry);
  void fill_write(io_uring_sqe& entry);
  void fill_poll(io_uring_sqe& entry) const;
  std::pair<int, unsigned> what_to_poll() const;
  void take_pieces();
  bool skip_sent(std::size_t count);

  Next act_answered(const Entry& entry, Memory& memory, Completion& completion);
  Next refused(int error, Completion& completion);
  Next would_block(Completion& completion);
  Next not_without_waiting();
  Next received(const Entry& entry, Memory& memory, Completion& completion);
  Next accepted(const Entry& entry, Completion& completion);
  Next arrived(Completion& completion);
  Next fail(int error, Completion& completion) const;

  Operation* operation_ = nullptr;
  std::uint32_t slot_ = 0;
  Step step_ = Step::act;
  bool nowait_ = false;         // with RWF_NOWAIT or MSG_DONTWAIT
  bool in_worker_ = false;      // a thread of the kernel does it, because it may block
  bool begun_ = false;          // connect: asked for before, and interrupted
  unsigned char refusals_ = 0;  // would block, in a row
  std::size_t sent_ = 0;
  std::optional<std::uint32_t> block_{};  // of one's own, while the kernel has it
  std::vector<iovec> pieces_{};           // what is still to be sent
  std::size_t first_piece_ = 0;
  msghdr message_{};
  socklen_t address_size_ = 0;
  iovec into_{};
  __kernel_timespec pause_{};
  int held_before_ = 0;  // splice: bytes in the pipe
};

}  // namespace loopscope::uring
