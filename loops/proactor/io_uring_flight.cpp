// The entries of every kind of operation, and their answers.
//
// Measured, and so handled here, whatever the kernel: an operation on a descriptor with O_NONBLOCK
// may wait in the kernel or fail with EAGAIN. On Linux 6.18 the latter happens to splice, to a
// connect to a Unix listener whose queue is full, and to what carries RWF_NOWAIT.
//
// A send that the kernel tries again by itself goes on from where the attempt before left the
// message: when a datagram was copied before its receiver's queue was found full, an empty one is
// sent in its place (Linux 6.18, Unix sockets). Datagrams carry MSG_DONTWAIT, so that each attempt
// is an entry of its own.
#include "loops/proactor/io_uring_flight.hpp"

#include <fcntl.h>  // SPLICE_F_NONBLOCK
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

namespace loopscope::uring {
namespace {

using Kind = Operation::Kind;

std::error_code code_of(int error) { return {error, std::system_category()}; }

bool interrupted(int error) {
  return error == EINTR || (error >= kFirstRestart && error <= kLastRestart);
}

/// No event tells of room in the queue of another Unix socket, so the pauses grow: 1, 2 ... 64 ms.
__kernel_timespec pause_after(unsigned refusals) {
  return {0, 1'000'000LL << std::min(refusals, 6U)};
}

int bytes_in_pipe(int fd) {
  int count = 0;
  return ::ioctl(fd, FIONREAD, &count) == 0 ? count : 0;
}

}  // namespace

void Flight::begin(Operation& operation, std::uint32_t slot) {
  operation_ = &operation;
  slot_ = slot;
  where = Where::waiting;
  cancel_asked = false;
  step_ = Step::act;
  nowait_ = in_worker_ = begun_ = false;
  refusals_ = 0;
  sent_ = 0;
  block_.reset();
  first_piece_ = 0;
  pieces_.clear();
  address_size_ = 0;
  if (operation.kind == Kind::send) {
    take_pieces();
    nowait_ = true;
  }
  if (operation.kind == Kind::receive && !operation.is_socket) {
    const Result<bool> blocking = os::is_blocking(operation.fd);
    nowait_ = blocking.ok() && *blocking;
  }
  if (operation.kind == Kind::poll) step_ = Step::poll;
}

// --- entries

void Flight::fill(io_uring_sqe& entry, const Abilities& abilities, Memory& memory) {
  Operation& op = *operation_;
  if (step_ == Step::poll || step_ == Step::arrive) return fill_poll(entry);
  if (step_ == Step::pause) {
    pause_ = pause_after(refusals_ - 1U);
    return io_uring_prep_timeout(&entry, &pause_, 0, 0);
  }
  switch (op.kind) {
    case Kind::receive:
      fill_receive(entry, abilities, memory);
      break;
    case Kind::receive_from:
      into_ = {op.into.data(), op.into.size()};
      message_ = {};
      message_.msg_name = op.address.data();
      message_.msg_namelen = Endpoint::kCapacity;
      message_.msg_iov = &into_;
      message_.msg_iovlen = 1;
      io_uring_prep_recvmsg(&entry, op.fd, &message_, 0);
      break;
    case Kind::send:
      if (op.is_socket) {
        fill_send(entry);
      } else {
        fill_write(entry);
      }
      break;
    case Kind::accept:
      if (op.repeats && abilities.multishot) {
        io_uring_prep_multishot_accept(&entry, op.fd, nullptr, nullptr,
                                       SOCK_NONBLOCK | SOCK_CLOEXEC);
      } else {
        address_size_ = Endpoint::kCapacity;
        auto* address = static_cast<sockaddr*>(op.address.data());
        io_uring_prep_accept(&entry, op.fd, address, &address_size_, SOCK_NONBLOCK | SOCK_CLOEXEC);
      }
      break;
    case Kind::connect:
      io_uring_prep_connect(&entry, op.fd, static_cast<const sockaddr*>(op.address.data()),
                            static_cast<socklen_t>(op.address.size()));
      break;
    case Kind::splice: {
      const auto offset = op.offset ? static_cast<std::int64_t>(*op.offset) : -1;
      const auto count = static_cast<unsigned>(std::min(op.count, os::kLargestTransfer));
      if (abilities.single_issuer) held_before_ = bytes_in_pipe(op.offset ? op.to : op.fd);
      io_uring_prep_splice(&entry, op.fd, offset, op.to, -1, count, SPLICE_F_NONBLOCK);
      // Always by a worker, as Linux does it anyway: there SIGPIPE reaches nobody.
      entry.flags |= IOSQE_ASYNC;
      break;
    }
    case Kind::poll:
      break;  // never without a step of its own
    case Kind::transmit:
      break;  // never: see transmits_files()
  }
  if (in_worker_) entry.flags |= IOSQE_ASYNC;
}

void Flight::fill_receive(io_uring_sqe& entry, const Abilities& abilities, Memory& memory) {
  const Operation& op = *operation_;
  std::span<std::byte> into = op.into.first(std::min(op.into.size(), os::kLargestTransfer));
  if (into.empty() && memory.ring != nullptr) {
    const auto size = static_cast<unsigned>(memory.ring->block_size());
    if (op.is_socket && op.repeats && abilities.multishot) {
      io_uring_prep_recv_multishot(&entry, op.fd, nullptr, 0, 0);
    } else if (op.is_socket) {
      io_uring_prep_recv(&entry, op.fd, nullptr, size, 0);
    } else {
      io_uring_prep_read(&entry, op.fd, nullptr, size, ~0ULL);
      if (nowait_) entry.rw_flags = RWF_NOWAIT;
    }
    entry.flags |= IOSQE_BUFFER_SELECT;
    entry.buf_group = BufferRing::kGroup;
    return;
  }
  if (into.empty()) {
    if (!block_) block_ = memory.own->take();
    into = memory.own->block(*block_);
  }
  const auto size = static_cast<unsigned>(into.size());
  if (op.is_socket) {
    io_uring_prep_recv(&entry, op.fd, into.data(), size, 0);
  } else {
    io_uring_prep_read(&entry, op.fd, into.data(), size, ~0ULL);
    if (nowait_) entry.rw_flags = RWF_NOWAIT;
  }
}

void Flight::take_pieces() {
  for (const ByteView piece : operation_->pieces) {
    if (piece.empty()) continue;
    // The calls take pointers to memory that they read only.
    pieces_.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
  }
}

void Flight::fill_send(io_uring_sqe& entry) {
  Operation& op = *operation_;
  const int flags = MSG_NOSIGNAL | (nowait_ ? MSG_DONTWAIT : 0);
  const std::size_t left = pieces_.size() - first_piece_;
  if (left <= 1 && op.address.size() == 0) {
    const iovec only = left == 0 ? iovec{} : pieces_[first_piece_];
    const std::size_t size = std::min(only.iov_len, os::kLargestTransfer);
    return io_uring_prep_send(&entry, op.fd, only.iov_base, size, flags);
  }
  message_ = {};
  message_.msg_iov = pieces_.data() + first_piece_;
  message_.msg_iovlen = std::min(left, os::kMostPieces);
  if (op.address.size() != 0) {
    message_.msg_name = op.address.data();
    message_.msg_namelen = static_cast<socklen_t>(op.address.size());
  }
  io_uring_prep_sendmsg(&entry, op.fd, &message_, static_cast<unsigned>(flags));
}

/// With RWF_NOWAIT, so that it is done while it is given to the kernel, or not at all: only there
/// is SIGPIPE held back. Files that do not know the flag, terminals, do not raise the signal.
void Flight::fill_write(io_uring_sqe& entry) {
  const std::size_t left = pieces_.size() - first_piece_;
  const auto count = static_cast<unsigned>(std::min(left, os::kMostPieces));
  io_uring_prep_writev(&entry, operation_->fd, pieces_.data() + first_piece_, count, ~0ULL);
  if (nowait_) entry.rw_flags = RWF_NOWAIT;
}

bool Flight::raises_sigpipe() const {
  return operation_->kind == Kind::send && !operation_->is_socket && nowait_ && step_ == Step::act;
}

std::pair<int, unsigned> Flight::what_to_poll() const {
  const Operation& op = *operation_;
  switch (op.kind) {
    case Kind::poll:
      return {op.fd,
              (op.readable ? unsigned{POLLIN} : 0U) | (op.writable ? unsigned{POLLOUT} : 0U)};
    case Kind::send:
    case Kind::connect:
      return {op.fd, POLLOUT};
    case Kind::splice:
      // From a file into a pipe only the pipe can be in the way. From a pipe it is the pipe when
      // that is empty, else the destination.
      if (!op.offset && bytes_in_pipe(op.fd) == 0) return {op.fd, POLLIN};
      return {op.to, POLLOUT};
    default:
      return {op.fd, POLLIN};
  }
}

void Flight::fill_poll(io_uring_sqe& entry) const {
  const auto [fd, events] = what_to_poll();
  io_uring_prep_poll_add(&entry, fd, events);
}

// --- answers

Next Flight::fail(int error, Completion& completion) const {
  completion.error = code_of(error);
  completion.count = sent_;
  return Next::over;
}

void Flight::end(Memory& memory) {
  if (block_) memory.own->give_back(*block_);
  block_.reset();
}

Next Flight::answered(const Entry& entry, Memory& memory, Completion& completion) {
  Operation& op = *operation_;
  if (step_ == Step::act) return act_answered(entry, memory, completion);
  const bool passed = step_ == Step::pause && entry.result == -ETIME;
  if (entry.result < 0 && !passed) {
    // Cancelled by us, or by the kernel because the thread that had asked for it ended.
    if (entry.result == -ECANCELED || interrupted(-entry.result)) {
      return cancel_asked ? fail(ECANCELED, completion) : Next::again;
    }
    return fail(-entry.result, completion);
  }
  if (op.kind == Kind::poll) {
    const bool broken = (entry.result & (POLLHUP | POLLERR)) != 0;  // told although not asked for
    op.readable = (entry.result & (POLLIN | POLLRDHUP)) != 0 || broken;
    op.writable = (entry.result & POLLOUT) != 0 || broken;
    return Next::over;
  }
  if (step_ == Step::arrive) return arrived(completion);
  step_ = Step::act;
  return cancel_asked ? fail(ECANCELED, completion) : Next::again;
}

Next Flight::act_answered(const Entry& entry, Memory& memory, Completion& completion) {
  if (operation_->kind == Kind::receive) return received(entry, memory, completion);
  if (entry.result < 0) return refused(-entry.result, completion);
  refusals_ = 0;
  const auto count = static_cast<std::size_t>(entry.result);
  switch (operation_->kind) {
    case Kind::accept:
      return accepted(entry, completion);
    case Kind::receive_from:
      operation_->address.resize(message_.msg_namelen);
      break;
    case Kind::send:
      sent_ += count;
      if (operation_->is_socket) nowait_ = false;  // a part went out: this is a stream
      if (skip_sent(count)) return cancel_asked ? fail(ECANCELED, completion) : Next::again;
      completion.count = sent_;
      return Next::over;
    default:
      break;
  }
  completion.count = count;
  return Next::over;
}

/// returns true: something is still to be sent.
bool Flight::skip_sent(std::size_t count) {
  if (count == 0) return false;  // an empty datagram, or nothing to send at all
  while (first_piece_ < pieces_.size()) {
    iovec& piece = pieces_[first_piece_];
    const std::size_t part = std::min(piece.iov_len, count);
    piece.iov_base = static_cast<std::byte*>(piece.iov_base) + part;
    piece.iov_len -= part;
    count -= part;
    if (piece.iov_len != 0) return true;
    ++first_piece_;
  }
  return false;
}

Next Flight::refused(int error, Completion& completion) {
  const Kind kind = operation_->kind;
  if (error == EAGAIN) return would_block(completion);
  if (error == ECANCELED || interrupted(error)) {
    begun_ = true;
    return cancel_asked ? fail(ECANCELED, completion) : Next::again;
  }
  if (error == EOPNOTSUPP && nowait_ && !operation_->is_socket) return not_without_waiting();
  if (kind == Kind::connect && begun_ && error == EISCONN) return Next::over;
  if (kind == Kind::connect && (error == EINPROGRESS || (begun_ && error == EALREADY))) {
    step_ = Step::arrive;
    return Next::again;
  }
  return fail(error, completion);
}

/// The file does not know RWF_NOWAIT. Where it may block, a worker of the kernel does it: that one
/// can be interrupted, and this thread must not block here.
Next Flight::not_without_waiting() {
  nowait_ = false;
  const Result<bool> blocking = os::is_blocking(operation_->fd);
  if (blocking.ok() && *blocking) {
    in_worker_ = true;
    step_ = Step::poll;
  }
  return Next::again;
}

Next Flight::would_block(Completion& completion) {
  if (cancel_asked) return fail(ECANCELED, completion);
  constexpr unsigned char kPatience = 16;
  if (refusals_ < 255) ++refusals_;
  if (operation_->kind == Kind::connect) {
    // Of another family it means that the system is out of something.
    if (operation_->address.family() != AddressFamily::unix_domain) return fail(EAGAIN, completion);
    step_ = Step::pause;
    return Next::again;
  }
  if (operation_->kind == Kind::send && operation_->is_socket && nowait_) {
    // The kernel waits for room in a stream by itself, with the same entry.
    const Result<SocketType> type = os::type_of(operation_->fd);
    nowait_ = !type.ok() || *type != SocketType::stream;
    if (!nowait_) return Next::again;
  }
  step_ = Step::poll;
  // Ready, it is said, and then it is not: something of which no event tells. With datagrams it is
  // the queue of the receiver, or an error queue that nobody reads.
  const bool datagram = operation_->kind == Kind::receive_from ||
                        (operation_->kind == Kind::send && operation_->is_socket && nowait_);
  if (datagram) {
    if (refusals_ > 1) step_ = Step::pause;
  } else if (refusals_ >= kPatience) {
    in_worker_ = true;
    nowait_ = false;
  }
  return Next::again;
}

Next Flight::received(const Entry& entry, Memory& memory, Completion& completion) {
  const Operation& op = *operation_;
  const bool selected = (entry.flags & IORING_CQE_F_BUFFER) != 0;
  const auto count = static_cast<std::size_t>(std::max(entry.result, 0));
  if (selected) {
    completion.data = Blocks::lend(memory.ring, entry.flags >> IORING_CQE_BUFFER_SHIFT, count);
  } else if (block_ && entry.result > 0) {
    completion.data = Blocks::lend(memory.own, *block_, count);
    block_.reset();
  }
  const bool more = (entry.flags & IORING_CQE_F_MORE) != 0;
  if (entry.result < 0) {
    if (entry.result == -ENOBUFS && op.into.empty() && !block_) {
      return cancel_asked ? fail(ECANCELED, completion) : Next::starve;
    }
    return refused(-entry.result, completion);
  }
  refusals_ = 0;
  completion.count = count;
  if (more) return Next::round;
  if (count == 0 || !op.repeats || cancel_asked) return Next::over;
  return Next::repeat;
}

Next Flight::accepted(const Entry& entry, Completion& completion) {
  completion.accepted = os::UniqueFd(entry.result);
  if ((entry.flags & IORING_CQE_F_MORE) != 0) return Next::round;
  if (address_size_ != 0) operation_->address.resize(address_size_);
  return operation_->repeats && !cancel_asked ? Next::repeat : Next::over;
}

Next Flight::arrived(Completion& completion) {
  const Result<void> outcome = os::connect_result(operation_->fd);
  if (!outcome.ok()) completion.error = outcome.error().code;
  return Next::over;
}

std::optional<std::size_t> Flight::forsaken() {
  if (operation_->kind != Kind::splice || step_ != Step::act) return std::nullopt;
  const bool filling = operation_->offset.has_value();
  const int held = bytes_in_pipe(filling ? operation_->to : operation_->fd);
  const int moved = filling ? held - held_before_ : held_before_ - held;
  if (moved <= 0) return std::nullopt;
  return static_cast<std::size_t>(moved);
}

}  // namespace loopscope::uring
