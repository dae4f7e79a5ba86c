// Proactor: the whole seam for a completion backend.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "loops/base/bytes.hpp"
#include "loops/base/clock.hpp"
#include "loops/base/result.hpp"
#include "loops/os/fd.hpp"
#include "loops/os/net.hpp"

namespace loopscope {

/// Received bytes in memory that belongs to a proactor's pool, which gets it back when this dies.
/// Other receivers go short meanwhile: what is kept for longer than a callback is copied.
class LentBytes {
 public:
  class Pool {
   public:
    virtual ~Pool() = default;
    /// The loop's thread. Also after the proactor's end, while somebody still holds the pool.
    virtual void give_back(std::uint32_t id) noexcept = 0;
  };

  LentBytes() = default;
  LentBytes(std::shared_ptr<Pool> pool, std::uint32_t id, std::span<std::byte> bytes)
      : pool_(std::move(pool)), id_(id), bytes_(bytes) {}
  LentBytes(LentBytes&& other) noexcept { swap(other); }
  LentBytes& operator=(LentBytes&& other) noexcept {
    LentBytes(std::move(other)).swap(*this);
    return *this;
  }
  ~LentBytes() {
    if (pool_) pool_->give_back(id_);
  }
  explicit operator bool() const { return pool_ != nullptr; }
  std::span<std::byte> bytes() const { return bytes_; }

 private:
  void swap(LentBytes& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(id_, other.id_);
    std::swap(bytes_, other.bytes_);
  }
  std::shared_ptr<Pool> pool_;
  std::uint32_t id_ = 0;
  std::span<std::byte> bytes_;
};

/// What became of an operation, or of one round of an operation that has several.
struct Completion {
  std::size_t count = 0;    // bytes moved; 0 of a stream that is received: its end. With the error
                            // of a send: what went out before
  std::error_code error{};  // the system's; operation_canceled: by request_cancel
  bool more = false;        // the operation goes on, and another completion will come
  LentBytes data{};         // receive, when the memory came from the pool
  os::UniqueFd accepted{};  // accept: non-blocking, close-on-exec
  bool ok() const { return !error; }
};

/// One thing asked of the system. Whoever makes it fills in what its kind needs; all of it, and
/// the memory that it points to, stays as it is from submit() until its last completion.
class Operation {
 public:
  enum class Kind : std::uint8_t {
    receive,       // fd, is_socket; into, or a pool's memory when that is empty; repeats
    receive_from,  // fd, into; afterwards address holds the sender
    send,          // fd, is_socket, pieces, address unless the socket is connected; over when all
                   // of it is out; never SIGPIPE
    accept,        // fd; repeats; afterwards, when it does not repeat, address holds the peer
    connect,       // fd, address
    poll,          // fd, readable, writable; one event, level-triggered
    splice,        // fd (a pipe, or a file from offset on), to, count; one of both is a pipe, which
                   // nobody else uses meanwhile; moves what there is, 0 bytes at the end
    transmit,      // fd (a connected socket), to (a file), offset, count: sends all of it, less
                   // where the file ends, 0 bytes at the end; only where transmits_files()
  };

  explicit Operation(Kind of, os::NativeSocket descriptor) : kind(of), fd(descriptor) {}
  virtual ~Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  /// The loop's thread, inside Proactor::wait. May submit and cancel operations, this one too when
  /// it is over, and may destroy it then. Calls no code of the loop's users.
  virtual void completed(Completion completion) = 0;

  const Kind kind;
  os::NativeSocket fd;
  bool is_socket = true;  // receive, send: recv and send, else read and write at the position
  bool repeats = false;   // a wish: stays in force until it is cancelled, fails or finds the end.
                          // A proactor may not know how: see `more`. io_uring asks again by itself
                          // where the system ends it, and waits where no buffer is free
  bool readable = false, writable = false;  // poll: asked for; afterwards what it is
  os::NativeSocket to = os::kInvalid;       // splice, transmit
  std::optional<std::uint64_t> offset{};    // splice, transmit: of the file; nullopt: a pipe
  std::size_t count = 0;                    // splice, transmit
  std::span<std::byte> into{};              // receive, receive_from
  std::vector<ByteView> pieces{};           // send; at most os::kMostPieces
  Endpoint address{};

  /// The proactor's own, from submit() to the last completion. Null before and after.
  class InFlight {
   public:
    virtual ~InFlight() = default;
  };
  std::unique_ptr<InFlight> in_flight{};
};

/// thread  The loop's only, but for wake(). A loop may be made on one thread and run on another.
class Proactor {
 public:
  /// Ends every operation; none of them is completed any more, and when the destructor returns
  /// the system has done with their memory and their descriptors.
  virtual ~Proactor() = default;
  /// Makes a descriptor fit for operations (IOCP: associates it). io_uring needs nothing.
  virtual Result<void> attach(os::NativeSocket fd) = 0;
  /// Asks for an operation; it is given to the system by the next wait at the latest. It never
  /// completes inside the call, and never with "would block": that is waited for.
  /// errors  ENOMEM, EBUSY... of the system. There is no completion then.
  virtual Result<void> submit(Operation& operation) = 0;
  /// Asks for its end. A last completion still comes, with operation_canceled or with what
  /// happened first: data of one that repeats may come before it, and in it. No effect on one that
  /// is over.
  virtual void request_cancel(Operation& operation) = 0;
  /// Gives the system what is asked for so far, without waiting. What it can cancel at once has
  /// let go of its descriptor afterwards. Before the first wait, and on another thread than the
  /// last one that waited, operations may stay with the proactor: the system has none then.
  virtual Result<void> flush() = 0;
  /// Blocks until something completes, wake() is called, a signal arrives or the timeout passes;
  /// completes what is over.
  ///
  /// timeout  Upper bound; nullopt waits for ever, zero only looks. Never ends early by rounding.
  /// errors   The system's only. After an error the proactor must be destroyed.
  virtual Result<void> wait(std::optional<Duration> timeout) = 0;
  /// Makes a wait, or the next one, return soon. Any thread, async-signal-safe.
  virtual void wake() noexcept = 0;

  /// Whether Kind::transmit is known: files go into sockets by one call, else through a pipe.
  virtual bool transmits_files() const { return false; }

  /// The wait call in use, as the wait monitor names it.
  virtual std::string_view mechanism() const = 0;
  /// What was chosen at the start, for people: "DEFER_TASKRUN SINGLE_ISSUER; multishot recv ...".
  virtual std::string version() const = 0;
  /// The one that the system calls name. It changes when the proactor goes to another thread or
  /// into a forked child, and is kInvalid in between.
  virtual os::NativeSocket descriptor() const = 0;
  /// All descriptors that it opened for itself.
  virtual std::vector<os::NativeSocket> internal_descriptors() const = 0;
};

}  // namespace loopscope
