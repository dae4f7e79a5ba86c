// The trials of the operations that a loop is made of: streams, sockets, readiness, time, waiting.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "probe/capabilities/subjects.hpp"
#include "probe/capabilities/uring_ops.hpp"

namespace loopscope::probes {

namespace {

using abi::Op;
using MaybeDone = std::optional<abi::Completion>;

constexpr std::string_view kData = "data";

bool moved(const MaybeDone& done, std::size_t count) {
  return done && done->result == static_cast<std::int32_t>(count);
}
bool goes_on(const MaybeDone& done) { return done && (done->flags & abi::kMore) != 0; }

/// The descriptor that an operation made, so that it does not leak.
os::UniqueFd made_by(const MaybeDone& done) {
  return os::UniqueFd(done && done->result >= 0 ? done->result : -1);
}

void give(ProbeContext& cx, const os::UniqueFd& to, std::string_view data = kData) {
  (void)cx.call("write(the other end)", ::write(to.get(), data.data(), data.size()));
}
/// What can be read now.
std::string got(const os::UniqueFd& from) {
  std::array<char, 64> buffer{};
  const ssize_t n = ::read(from.get(), buffer.data(), buffer.size());
  return {buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
}

// --- streams and datagrams

FactResult nop(ProbeContext& cx, RawRing& ring) {
  const MaybeDone done = ring.ask(cx, "IORING_OP_NOP", request_for(Op::nop, -1));
  return verdict(done, succeeded(done));
}

/// The operations that take bytes, one buffer or a vector of one: four are there already.
FactResult receive(ProbeContext& cx, RawRing& ring, Op op) {
  const bool from_socket = op == Op::recv || op == Op::recvmsg;
  const Subject pair = from_socket ? make_unix_pair(SOCK_STREAM) : make_pipe(false);
  if (!pair) return no_subject(cx);
  give(cx, pair.other);
  std::array<char, 16> buffer{};
  iovec vector{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  abi::Request request = request_for(op, pair.fd.get(), buffer.data(), buffer.size());
  if (op == Op::readv) request = request_for(op, pair.fd.get(), &vector, 1);
  if (op == Op::recvmsg) request = request_for(op, pair.fd.get(), &message, 1);
  const MaybeDone done = ring.ask(cx, "IORING_OP_" + std::string(abi::name(op)) + "(16)", request);
  return verdict(done, moved(done, kData.size()) && buffer.data() == kData);
}
template <Op op>
FactResult receive(ProbeContext& cx, RawRing& ring) {
  return receive(cx, ring, op);
}

/// The operations that give bytes. Zero-copy ones complete twice: sent, and memory free again.
FactResult transmit(ProbeContext& cx, RawRing& ring, Op op) {
  const bool zero_copy = op == Op::send_zc || op == Op::sendmsg_zc;
  const bool to_pipe = op == Op::write || op == Op::writev;
  const Subject pair = zero_copy ? make_tcp_pair()
                       : to_pipe ? make_pipe(true)
                                 : make_unix_pair(SOCK_STREAM);
  if (!pair) return no_subject(cx);
  std::string text(kData);
  iovec vector{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  abi::Request request = request_for(op, pair.fd.get(), text.data(), 4);
  if (op == Op::writev) request = request_for(op, pair.fd.get(), &vector, 1);
  if (op == Op::sendmsg || op == Op::sendmsg_zc) {
    request = request_for(op, pair.fd.get(), &message, 1);
  }
  const std::uint64_t id = request.user_data = 1'000'000;
  const MaybeDone done = ring.ask(cx, "IORING_OP_" + std::string(abi::name(op)) + "(4)", request);
  set_blocking(pair.other, true);
  const std::string arrived = moved(done, 4) ? got(pair.other) : "";
  if (!zero_copy || !moved(done, 4)) return verdict(done, moved(done, 4) && arrived == kData);
  const MaybeDone released = ring.take(id);
  note_completion(cx, "its notification", released);
  const bool notified = released && (released->flags & abi::kNotification) != 0;
  return verdict(done, goes_on(done) && notified && arrived == kData,
                 "sent, then told that the memory is free");
}
template <Op op>
FactResult transmit(ProbeContext& cx, RawRing& ring) {
  return transmit(cx, ring, op);
}

FactResult splice(ProbeContext& cx, RawRing& ring, Op op) {
  const Subject from = make_pipe(false);
  const Subject to = make_pipe(true);
  if (!from || !to) return no_subject(cx);
  give(cx, from.other);
  abi::Request request = request_for(op, to.fd.get(), nullptr, 4);
  request.other_fd = from.fd.get();
  if (op == Op::splice) request.offset = request.address = ~std::uint64_t{0};  // pipes: none
  const MaybeDone done =
      ring.ask(cx, "IORING_OP_" + std::string(abi::name(op)) + "(pipe to pipe, 4)", request);
  const std::string left = moved(done, 4) && op == Op::tee ? got(from.fd) : "";
  const bool right = moved(done, 4) && got(to.other) == kData && (op != Op::tee || left == kData);
  return verdict(done, right);
}
template <Op op>
FactResult splice(ProbeContext& cx, RawRing& ring) {
  return splice(cx, ring, op);
}

// --- the life of sockets and descriptors

FactResult socket(ProbeContext& cx, RawRing& ring) {
  abi::Request request = request_for(Op::socket, AF_UNIX);
  request.offset = SOCK_STREAM | SOCK_CLOEXEC;
  const MaybeDone done = ring.ask(cx, "IORING_OP_SOCKET(AF_UNIX, STREAM)", request);
  const os::UniqueFd one = made_by(done);
  int type = 0;
  socklen_t size = sizeof type;
  if (one) (void)::getsockopt(one.get(), SOL_SOCKET, SO_TYPE, &type, &size);
  return verdict(done, type == SOCK_STREAM);
}

os::UniqueFd unix_socket(ProbeContext& cx) {
  return os::UniqueFd(cx.call("socket(AF_UNIX)", ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
}

FactResult bind(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd one = unix_socket(cx);
  if (!one) return no_subject(cx);
  SocketName name;
  name.address.ss_family = AF_UNIX;  // The family alone: the kernel picks an abstract name.
  abi::Request request = request_for(Op::bind, one.get(), &name.address);
  request.offset = sizeof(sa_family_t);
  const MaybeDone done = ring.ask(cx, "IORING_OP_BIND(AF_UNIX, any name)", request);
  return verdict(done, succeeded(done) && name_of(one).size > sizeof(sa_family_t));
}

FactResult listen(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd one = unix_socket(cx);
  sockaddr family{};
  family.sa_family = AF_UNIX;
  if (!one || cx.call("bind", ::bind(one.get(), &family, sizeof(sa_family_t))) != 0) {
    return cx.unknown();
  }
  const MaybeDone done =
      ring.ask(cx, "IORING_OP_LISTEN(8)", request_for(Op::listen, one.get(), nullptr, 8));
  int listens = 0;
  socklen_t size = sizeof listens;
  (void)::getsockopt(one.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
  return verdict(done, succeeded(done) && listens == 1);
}

FactResult accept(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd listener = make_unix_listener(8);
  const os::UniqueFd client = listener ? connect_to(listener) : os::UniqueFd();
  if (!client) return no_subject(cx);
  const MaybeDone done = ring.ask(cx, "IORING_OP_ACCEPT", request_for(Op::accept, listener.get()));
  const os::UniqueFd accepted = made_by(done);
  if (accepted) give(cx, client);
  return verdict(done, accepted && got(accepted) == kData);
}

FactResult connect(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd listener = make_unix_listener(8);
  const os::UniqueFd client = unix_socket(cx);
  if (!listener || !client) return no_subject(cx);
  SocketName name = name_of(listener);
  abi::Request request = request_for(Op::connect, client.get(), &name.address);
  request.offset = name.size;
  const MaybeDone done = ring.ask(cx, "IORING_OP_CONNECT", request);
  SocketName peer;
  const bool connected = ::getpeername(client.get(), peer.raw(), &peer.size) == 0;
  return verdict(done, succeeded(done) && connected);
}

FactResult shutdown(ProbeContext& cx, RawRing& ring) {
  const Subject pair = make_unix_pair(SOCK_STREAM);
  if (!pair) return no_subject(cx);
  const MaybeDone done = ring.ask(cx, "IORING_OP_SHUTDOWN(SHUT_WR)",
                                  request_for(Op::shutdown, pair.fd.get(), nullptr, SHUT_WR));
  char octet = 0;
  return verdict(done, succeeded(done) && ::read(pair.other.get(), &octet, 1) == 0);
}

FactResult close(ProbeContext& cx, RawRing& ring) {
  Subject pipe = make_pipe(false);
  if (!pipe) return no_subject(cx);
  const int number = pipe.fd.release();
  const MaybeDone done = ring.ask(cx, "IORING_OP_CLOSE", request_for(Op::close, number));
  const bool open = ::fcntl(number, F_GETFD) >= 0;
  if (open) pipe.fd = os::UniqueFd(number);
  return verdict(done, succeeded(done) && !open);
}

FactResult pipe(ProbeContext& cx, RawRing& ring) {
  int ends[2] = {-1, -1};
  abi::Request request = request_for(Op::pipe, 0, ends);
  request.op_flags = O_CLOEXEC;
  const MaybeDone done = ring.ask(cx, "IORING_OP_PIPE(O_CLOEXEC)", request);
  const os::UniqueFd read(ends[0]);
  const os::UniqueFd write(ends[1]);
  if (write) give(cx, write);
  return verdict(done, succeeded(done) && read && got(read) == kData);
}

/// Registers one descriptor as number 0 of the ring's table.
bool register_file(ProbeContext& cx, RawRing& ring, int fd) {
  return ring.configure(cx, "io_uring_register(FILES)", abi::Register::files, &fd, 1) == 0;
}

FactResult fixed_fd_install(ProbeContext& cx, RawRing& ring) {
  const Subject pipe = make_pipe(false);
  if (!pipe) return no_subject(cx);
  if (!register_file(cx, ring, pipe.fd.get())) return cx.unknown();
  give(cx, pipe.other);
  abi::Request request = request_for(Op::fixed_fd_install, 0);
  request.flags = abi::kFixedFile;
  const MaybeDone done = ring.ask(cx, "IORING_OP_FIXED_FD_INSTALL", request);
  const os::UniqueFd installed = made_by(done);
  return verdict(done, installed && got(installed) == kData);
}

FactResult files_update(ProbeContext& cx, RawRing& ring) {
  const Subject pipe = make_pipe(false);
  if (!pipe) return no_subject(cx);
  if (!register_file(cx, ring, -1)) return cx.unknown();
  give(cx, pipe.other);
  int fd = pipe.fd.get();
  const MaybeDone done =
      ring.ask(cx, "IORING_OP_FILES_UPDATE", request_for(Op::files_update, -1, &fd, 1));
  std::array<char, 4> buffer{};
  abi::Request read = request_for(Op::read, 0, buffer.data(), buffer.size());
  read.flags = abi::kFixedFile;
  const bool works = moved(done, 1) && moved(ring.ask(cx, "IORING_OP_READ(fixed 0)", read), 4);
  return verdict(done, works);
}

/// How much can be received: a command to a socket.
FactResult command(ProbeContext& cx, RawRing& ring, Op op) {
  const Subject pair = make_tcp_pair();
  if (!pair) return no_subject(cx);
  give(cx, pair.other);
  std::array<char, 4> seen{};
  set_blocking(pair.fd, true);
  (void)cx.call("recv(MSG_PEEK)", ::recv(pair.fd.get(), seen.data(), 4, MSG_PEEK | MSG_WAITALL));
  abi::Request request = request_for(op, pair.fd.get());
  request.offset = abi::kSocketCommandUnread;
  const MaybeDone done =
      ring.ask(cx, "IORING_OP_" + std::string(abi::name(op)) + "(socket, SIOCINQ)", request);
  return verdict(done, moved(done, kData.size()));
}
FactResult uring_cmd(ProbeContext& cx, RawRing& ring) { return command(cx, ring, Op::uring_cmd); }

/// Requests of 128 bytes have operations of their own, and rings that have room for them.
template <Op op>
FactResult large(ProbeContext& cx, RawRing&) {
  RawRing ring;
  if (!ring.open(cx, {8, abi::kSetupSqe128, 0, -1, "SQE128"})) return cx.unknown();
  if constexpr (op == Op::uring_cmd128) {
    return command(cx, ring, op);
  } else {
    const MaybeDone done = ring.ask(cx, "IORING_OP_NOP128", request_for(op, -1));
    return verdict(done, succeeded(done));
  }
}

// --- readiness

FactResult poll_add(ProbeContext& cx, RawRing& ring) {
  const Subject pipe = make_pipe(false);
  if (!pipe) return no_subject(cx);
  abi::Request request = request_for(Op::poll_add, pipe.fd.get());
  request.op_flags = abi::poll_word(EPOLLIN);
  const std::uint64_t id = ring.push(request);
  if (!ring.submit(cx)) return cx.unknown();
  MaybeDone done = ring.take(id, Duration::zero());
  const bool early = done.has_value();
  give(cx, pipe.other);
  if (!early) done = ring.take(id);
  note_completion(cx, "IORING_OP_POLL_ADD(IN)", done);
  return verdict(done, !early && done && done->result == EPOLLIN, "exactly when there was data");
}

FactResult poll_remove(ProbeContext& cx, RawRing& ring) {
  const Subject pipe = make_pipe(false);
  if (!pipe) return no_subject(cx);
  abi::Request request = request_for(Op::poll_add, pipe.fd.get());
  request.op_flags = abi::poll_word(EPOLLIN);
  const std::uint64_t id = ring.push(request);
  abi::Request remove = request_for(Op::poll_remove, -1);
  remove.address = id;
  const MaybeDone done = ring.ask(cx, "IORING_OP_POLL_REMOVE", remove);
  const MaybeDone target = ring.take(id);
  note_completion(cx, "its target", target);
  return verdict(done, succeeded(done) && target && target->result == -ECANCELED);
}

FactResult epoll_ctl(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd epoll(cx.call("epoll_create1", ::epoll_create1(EPOLL_CLOEXEC)));
  const os::UniqueFd event(cx.call("eventfd", ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (!epoll || !event) return cx.unknown();
  epoll_event want{};
  want.events = EPOLLIN;
  abi::Request request = request_for(Op::epoll_ctl, epoll.get(), &want, EPOLL_CTL_ADD);
  request.offset = static_cast<std::uint64_t>(event.get());
  const MaybeDone done = ring.ask(cx, "IORING_OP_EPOLL_CTL(ADD)", request);
  return verdict(done, succeeded(done) && ::epoll_wait(epoll.get(), &want, 1, 0) == 1);
}

FactResult epoll_wait(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd epoll(cx.call("epoll_create1", ::epoll_create1(EPOLL_CLOEXEC)));
  const os::UniqueFd event(cx.call("eventfd", ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)));
  epoll_event want{};
  want.events = EPOLLIN;
  want.data.u64 = 4711;
  if (!epoll || !event ||
      cx.call("epoll_ctl(ADD)", ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, event.get(), &want)) != 0) {
    return cx.unknown();
  }
  std::array<epoll_event, 4> events{};
  const MaybeDone done =
      ring.ask(cx, "IORING_OP_EPOLL_WAIT(4)",
               request_for(Op::epoll_wait, epoll.get(), events.data(), events.size()));
  return verdict(done, moved(done, 1) && events[0].data.u64 == 4711);
}

// --- time and cancellation

abi::Request timeout_of(const abi::Timespec& after, std::uint32_t flags = 0) {
  abi::Request request = request_for(Op::timeout, -1, &after, 1);
  request.op_flags = flags;
  return request;
}
constexpr abi::Timespec kSoon{0, 1'000'000};
constexpr abi::Timespec kNever{3600, 0};

FactResult timeout(ProbeContext& cx, RawRing& ring) {
  const TimePoint start = now();
  const MaybeDone done = ring.ask(cx, "IORING_OP_TIMEOUT(1 ms)", timeout_of(kSoon));
  const bool in_time = now() - start >= std::chrono::milliseconds(1);
  return verdict(done, done && done->result == -ETIME && in_time);
}

/// TIMEOUT_REMOVE or ASYNC_CANCEL of a timeout that would take for ever.
FactResult remove(ProbeContext& cx, RawRing& ring, Op op) {
  const std::uint64_t id = ring.push(timeout_of(kNever));
  abi::Request request = request_for(op, -1);
  request.address = id;
  const MaybeDone done = ring.ask(cx, "IORING_OP_" + std::string(abi::name(op)), request);
  const MaybeDone target = ring.take(id);
  note_completion(cx, "its target", target);
  return verdict(done, succeeded(done) && target && target->result == -ECANCELED);
}
template <Op op>
FactResult remove(ProbeContext& cx, RawRing& ring) {
  return remove(cx, ring, op);
}

FactResult link_timeout(ProbeContext& cx, RawRing& ring) {
  const Subject pipe = make_pipe(false);
  if (!pipe) return no_subject(cx);
  abi::Request poll = request_for(Op::poll_add, pipe.fd.get());
  poll.op_flags = abi::poll_word(EPOLLIN);
  poll.flags = abi::kLink;
  const std::uint64_t id = ring.push(poll);
  const MaybeDone done =
      ring.ask(cx, "IORING_OP_LINK_TIMEOUT(1 ms)", request_for(Op::link_timeout, -1, &kSoon, 1));
  const MaybeDone target = ring.take(id);
  note_completion(cx, "the request before it", target);
  return verdict(done, done && done->result == -ETIME && target && target->result == -ECANCELED);
}

// --- between threads and processes

FactResult msg_ring(ProbeContext& cx, RawRing& ring) {
  constexpr std::uint64_t kId = 4711;
  RawRing other;
  if (!other.open(cx)) return cx.unknown();
  abi::Request request = request_for(Op::msg_ring, other.descriptor(), nullptr, 42);
  request.offset = kId;
  const MaybeDone done = ring.ask(cx, "IORING_OP_MSG_RING(42)", request);
  const MaybeDone arrived = other.take(kId, succeeded(done) ? kRingPatience : Duration::zero());
  note_completion(cx, "at the other ring", arrived);
  return verdict(done, succeeded(done) && arrived && arrived->result == 42,
                 "wakes another ring without a descriptor of its own");
}

FactResult waitid(ProbeContext& cx, RawRing& ring) {
  const pid_t child = cx.call("fork", ::fork());
  if (child == 0) ::_exit(7);
  if (child < 0) return cx.unknown();
  siginfo_t info{};
  abi::Request request = request_for(Op::waitid, child, nullptr, P_PID);
  request.offset = abi::at(&info);
  request.other_fd = WEXITED;
  const MaybeDone done = ring.ask(cx, "IORING_OP_WAITID(P_PID, WEXITED)", request);
  if (!succeeded(done)) (void)::waitpid(child, nullptr, 0);
  return verdict(done, succeeded(done) && info.si_pid == child && info.si_status == 7);
}

/// One word of a futex, and the request that waits while it is zero.
struct Futex {
  struct Waiter {  // struct futex_waitv
    std::uint64_t value, address;
    std::uint32_t flags, reserved;
  };
  std::uint32_t word = 0;
  Waiter waiter{0, abi::at(&word), static_cast<std::uint32_t>(abi::kFutexWord), 0};

  abi::Request request(Op op) {
    if (op == Op::futex_waitv) return request_for(op, 0, &waiter, 1);
    abi::Request wait = request_for(op, abi::kFutexWord, &word);
    wait.offset = op == Op::futex_wake ? 1 : 0;  // how many to wake; the value to wait at
    wait.more[0] = ~std::uint32_t{0};            // any waiter
    return wait;
  }
};

/// Waiting is woken by the system call, and the waking wakes what waits by a ring.
FactResult futex(ProbeContext& cx, RawRing& ring, Op op) {
  constexpr int kWakePrivate = 1 | 128;  // FUTEX_WAKE | FUTEX_PRIVATE_FLAG
  Futex futex;
  const std::uint64_t waits = ring.push(futex.request(op == Op::futex_wake ? Op::futex_wait : op));
  if (!ring.submit(cx)) return cx.unknown();
  if (const MaybeDone early = ring.take(waits, Duration::zero())) {
    note_completion(cx, "the wait, before anybody woke it", early);
    return verdict(early, false);
  }
  MaybeDone done;
  if (op == Op::futex_wake) {
    done = ring.ask(cx, "IORING_OP_FUTEX_WAKE(1)", futex.request(op));
  } else {
    (void)cx.call("futex(WAKE, 1)", ::syscall(SYS_futex, &futex.word, kWakePrivate, 1));
  }
  const MaybeDone woken = ring.take(waits);
  note_completion(cx, "the request that waits", woken);
  if (!woken) (void)ring.cancel(cx, waits);
  if (op != Op::futex_wake) done = woken;
  return verdict(done, succeeded(woken) && (op != Op::futex_wake || moved(done, 1)));
}
template <Op op>
FactResult futex(ProbeContext& cx, RawRing& ring) {
  return futex(cx, ring, op);
}

// --- memory that the kernel chooses

constexpr std::uint16_t kGroup = 7;
constexpr std::uint32_t kBufferSize = 32;
constexpr int kBuffers = 4;
using Buffers = std::array<std::array<char, kBufferSize>, kBuffers>;

/// Gives the buffers to the ring, by a request.
MaybeDone provide(ProbeContext& cx, RawRing& ring, Buffers& buffers) {
  abi::Request request = request_for(Op::provide_buffers, kBuffers, buffers.data(), kBufferSize);
  request.buffer = kGroup;
  return ring.ask(cx, "IORING_OP_PROVIDE_BUFFERS(4)", request);
}

/// The text that a completion put into one of the buffers, behind `skip` bytes.
std::string text_in(const Buffers& buffers, const MaybeDone& done, std::size_t skip = 0) {
  if (!done || (done->flags & abi::kHasBuffer) == 0 || done->result < 0) return {};
  const std::size_t id = done->flags >> 16;
  const auto size = static_cast<std::size_t>(done->result);
  if (id >= buffers.size() || size > kBufferSize || size < skip) return {};
  return {buffers[id].data() + skip, size - skip};
}

FactResult remove_buffers(ProbeContext& cx, RawRing& ring) {
  Buffers buffers{};
  const MaybeDone provided = provide(cx, ring, buffers);
  if (!provided || provided->result < 0) return cx.unknown();
  abi::Request request = request_for(Op::remove_buffers, kBuffers);
  request.buffer = kGroup;
  const MaybeDone done = ring.ask(cx, "IORING_OP_REMOVE_BUFFERS(4)", request);
  return verdict(done, moved(done, kBuffers));
}

/// One request that takes whatever comes: two pieces, and then the end.
FactResult multishot(ProbeContext& cx, RawRing& ring, Op op, std::string_view name) {
  constexpr std::size_t kHeader = 16;  // struct io_uring_recvmsg_out, of RECVMSG only
  const std::size_t header = op == Op::recvmsg ? kHeader : 0;
  Buffers buffers{};
  Subject pair = op == Op::read_multishot ? make_pipe(false) : make_unix_pair(SOCK_STREAM);
  if (!pair) return no_subject(cx);
  const MaybeDone provided = provide(cx, ring, buffers);
  if (!provided || provided->result < 0) return verdict(provided, false);
  msghdr message{};
  abi::Request request = request_for(op, pair.fd.get());
  if (op == Op::recvmsg) request = request_for(op, pair.fd.get(), &message, 1);
  if (op != Op::read_multishot) request.priority = abi::kReceiveMultishot;
  if (op == Op::read_multishot) request.offset = ~std::uint64_t{0};  // a stream has no position
  request.flags = abi::kBufferSelect;
  request.buffer = kGroup;
  const std::uint64_t id = ring.push(request);
  if (!ring.submit(cx)) return cx.unknown();
  for (const std::string_view piece : {"one", "two"}) {
    give(cx, pair.other, piece);
    const MaybeDone done = ring.take(id);
    note_completion(cx, std::string(name) + ", \"" + std::string(piece) + "\"", done);
    if (!goes_on(done) || text_in(buffers, done, header) != piece) return verdict(done, false);
  }
  pair.other.reset();
  const MaybeDone end = ring.take(id);
  note_completion(cx, std::string(name) + ", the end", end);
  const bool ended = end && !goes_on(end) && end->result == static_cast<std::int32_t>(header);
  return verdict(end, ended, "one request took two pieces and the end");
}
FactResult read_multishot(ProbeContext& cx, RawRing& ring) {
  return multishot(cx, ring, Op::read_multishot, "IORING_OP_READ_MULTISHOT");
}

FactResult recv_zc(ProbeContext& cx, RawRing& ring) {
  const Subject pair = make_unix_pair(SOCK_STREAM);
  if (!pair) return no_subject(cx);
  (void)ring.ask(cx, "IORING_OP_RECV_ZC, without such a queue",
                 request_for(Op::recv_zc, pair.fd.get(), nullptr, 4));
  return null(Reason::not_supported, "needs a receive queue of a network card");
}

constexpr Trial kLoopTrials[] = {
    {Op::nop, nop},
    {Op::readv, receive<Op::readv>},
    {Op::writev, transmit<Op::writev>},
    {Op::poll_add, poll_add},
    {Op::poll_remove, poll_remove},
    {Op::sendmsg, transmit<Op::sendmsg>},
    {Op::recvmsg, receive<Op::recvmsg>},
    {Op::timeout, timeout},
    {Op::timeout_remove, remove<Op::timeout_remove>},
    {Op::accept, accept},
    {Op::async_cancel, remove<Op::async_cancel>},
    {Op::link_timeout, link_timeout},
    {Op::connect, connect},
    {Op::close, close},
    {Op::files_update, files_update},
    {Op::read, receive<Op::read>},
    {Op::write, transmit<Op::write>},
    {Op::send, transmit<Op::send>},
    {Op::recv, receive<Op::recv>},
    {Op::epoll_ctl, epoll_ctl},
    {Op::splice, splice<Op::splice>},
    {Op::provide_buffers, provide_buffers},
    {Op::remove_buffers, remove_buffers},
    {Op::tee, splice<Op::tee>},
    {Op::shutdown, shutdown},
    {Op::msg_ring, msg_ring},
    {Op::socket, socket},
    {Op::uring_cmd, uring_cmd},
    {Op::send_zc, transmit<Op::send_zc>},
    {Op::sendmsg_zc, transmit<Op::sendmsg_zc>},
    {Op::read_multishot, read_multishot},
    {Op::waitid, waitid},
    {Op::futex_wait, futex<Op::futex_wait>},
    {Op::futex_wake, futex<Op::futex_wake>},
    {Op::futex_waitv, futex<Op::futex_waitv>},
    {Op::fixed_fd_install, fixed_fd_install},
    {Op::bind, bind},
    {Op::listen, listen},
    {Op::recv_zc, recv_zc},
    {Op::epoll_wait, epoll_wait},
    {Op::pipe, pipe},
    {Op::nop128, large<Op::nop128>},
    {Op::uring_cmd128, large<Op::uring_cmd128>},
};

}  // namespace

std::span<const Trial> loop_trials() { return kLoopTrials; }

FactResult accept_multishot(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd listener = make_unix_listener(8);
  if (!listener) return no_subject(cx);
  abi::Request request = request_for(Op::accept, listener.get());
  request.priority = abi::kAcceptMultishot;
  const std::uint64_t id = ring.push(request);
  if (!ring.submit(cx)) return cx.unknown();
  std::array<os::UniqueFd, 2> clients, accepted;
  MaybeDone done = ring.take(id, Duration::zero());  // It may have been refused at once.
  for (std::size_t i = 0; i < 2 && !done; ++i) {
    clients[i] = connect_to(listener);
    if (!clients[i]) return no_subject(cx);
    done = ring.take(id);
    note_completion(cx, "IORING_OP_ACCEPT(MULTISHOT), client " + std::to_string(i + 1), done);
    accepted[i] = made_by(done);
    if (accepted[i] && goes_on(done)) done.reset();
  }
  if (done) return verdict(done, false);
  if (!accepted[1]) return verdict(std::nullopt, false);
  return yes("one request accepted two connections and goes on");
}

FactResult poll_multishot(ProbeContext& cx, RawRing& ring) {
  const Subject pipe = make_pipe(false);
  if (!pipe) return no_subject(cx);
  abi::Request request = request_for(Op::poll_add, pipe.fd.get(), nullptr, abi::kPollMultishot);
  request.op_flags = abi::poll_word(EPOLLIN);
  const std::uint64_t id = ring.push(request);
  if (!ring.submit(cx)) return cx.unknown();
  for (const char* what : {"IORING_OP_POLL_ADD(MULTI), first", "second"}) {
    give(cx, pipe.other);
    const MaybeDone done = ring.take(id);
    note_completion(cx, what, done);
    if (!goes_on(done) || done->result != EPOLLIN) return verdict(done, false);
  }
  return yes("one request reported twice and goes on");
}

FactResult timeout_multishot(ProbeContext& cx, RawRing& ring) {
  abi::Request request = timeout_of(kSoon, abi::kTimeoutMultishot);
  request.offset = 2;  // times
  const std::uint64_t id = ring.push(request);
  if (!ring.submit(cx)) return cx.unknown();
  const MaybeDone first = ring.take(id);
  note_completion(cx, "IORING_OP_TIMEOUT(MULTISHOT, 1 ms, twice), first", first);
  if (!goes_on(first) || first->result != -ETIME) return verdict(first, false);
  const MaybeDone second = ring.take(id);
  note_completion(cx, "second", second);
  return verdict(second, second && second->result == -ETIME && !goes_on(second),
                 "one request went off twice and ended");
}

FactResult recv_multishot(ProbeContext& cx, RawRing& ring) {
  return multishot(cx, ring, Op::recv, "IORING_OP_RECV(MULTISHOT)");
}

FactResult recvmsg_multishot(ProbeContext& cx, RawRing& ring) {
  return multishot(cx, ring, Op::recvmsg, "IORING_OP_RECVMSG(MULTISHOT)");
}

FactResult provide_buffers(ProbeContext& cx, RawRing& ring) {
  Buffers buffers{};
  const Subject pair = make_unix_pair(SOCK_STREAM);
  if (!pair) return no_subject(cx);
  give(cx, pair.other);
  const MaybeDone provided = provide(cx, ring, buffers);
  if (!provided || provided->result < 0) return verdict(provided, false);
  abi::Request request = request_for(Op::recv, pair.fd.get(), nullptr, kBufferSize);
  request.flags = abi::kBufferSelect;
  request.buffer = kGroup;
  const MaybeDone done = ring.ask(cx, "IORING_OP_RECV(BUFFER_SELECT)", request);
  return verdict(done, text_in(buffers, done) == kData, "the kernel chose the memory");
}

}  // namespace loopscope::probes
