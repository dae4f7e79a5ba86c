// What requests of io_uring do behind a loop's back, and the means that a loop has against it.
#include <arpa/inet.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

#include "loops/os/linux/high_memory.hpp"
#include "probe/capabilities/subjects.hpp"
#include "probe/capabilities/uring_ops.hpp"

namespace loopscope::probes::uring_behaviour {

namespace {

using abi::Op;
using MaybeDone = std::optional<abi::Completion>;

bool ended_with(const MaybeDone& done, int result) { return done && done->result == result; }

/// Submits a request that has to wait. 0: it could not be submitted, or did not wait.
std::uint64_t begin(ProbeContext& cx, RawRing& ring, std::string_view what,
                    const abi::Request& request) {
  const std::uint64_t id = ring.push(request);
  if (!ring.submit(cx)) return 0;
  const MaybeDone done = ring.take(id, Duration::zero());
  cx.note(what, done ? completion_text(*done) : "waits");
  return done ? 0 : id;
}

abi::Request poll_of(const os::UniqueFd& fd) {
  abi::Request request = request_for(Op::poll_add, fd.get());
  request.op_flags = abi::poll_word(POLLIN);
  return request;
}

// --- cancellation

/// Two pipes that stay empty, and what waits for them.
struct Waiting {
  bool pending(std::uint64_t id) { return !ring.take(id, Duration::zero()); }
  bool cancelled(std::uint64_t id) { return ended_with(ring.take(id), -ECANCELED); }
  /// Cancels with flags; true when the kernel says that it ended `count`.
  bool cancel(ProbeContext& cx, std::string_view what, abi::Request request, std::uint32_t flags,
              int count) {
    request.opcode = Op::async_cancel;
    request.op_flags = flags;
    return ended_with(ring.ask(cx, "IORING_OP_ASYNC_CANCEL(" + std::string(what) + ")", request),
                      count);
  }
  Subject a = make_pipe(false);
  Subject b = make_pipe(false);
  RawRing ring;
};

bool cancels_fd(ProbeContext& cx, Waiting& w) {
  const std::uint64_t target = w.ring.push(poll_of(w.a.fd));
  const std::uint64_t other = w.ring.push(poll_of(w.b.fd));
  return w.cancel(cx, "FD", request_for(Op::nop, w.a.fd.get()), abi::kCancelFd, 0) &&
         w.cancelled(target) && w.pending(other);
}
bool cancels_all(ProbeContext& cx, Waiting& w) {
  const std::uint64_t first = w.ring.push(poll_of(w.a.fd));
  const std::uint64_t second = w.ring.push(poll_of(w.a.fd));
  const std::uint64_t other = w.ring.push(poll_of(w.b.fd));
  return w.cancel(cx, "FD|ALL", request_for(Op::nop, w.a.fd.get()),
                  abi::kCancelFd | abi::kCancelAll, 2) &&
         w.cancelled(first) && w.cancelled(second) && w.pending(other);
}
bool cancels_any(ProbeContext& cx, Waiting& w) {
  const std::uint64_t first = w.ring.push(poll_of(w.a.fd));
  const std::uint64_t second = w.ring.push(poll_of(w.b.fd));
  return w.cancel(cx, "ANY|ALL", request_for(Op::nop, -1), abi::kCancelAny | abi::kCancelAll, 2) &&
         w.cancelled(first) && w.cancelled(second);
}
bool cancels_fixed(ProbeContext& cx, Waiting& w) {
  int fd = w.a.fd.get();
  if (w.ring.configure(cx, "io_uring_register(FILES)", abi::Register::files, &fd, 1) != 0) {
    return false;
  }
  abi::Request poll = poll_of(w.a.fd);
  poll.fd = 0;  // the place in the table
  poll.flags = abi::kFixedFile;
  const std::uint64_t target = w.ring.push(poll);
  return w.cancel(cx, "FD|FD_FIXED", request_for(Op::nop, 0), abi::kCancelFd | abi::kCancelFixedFd,
                  0) &&
         w.cancelled(target);
}
bool cancels_user_data(ProbeContext& cx, Waiting& w) {
  const std::uint64_t target = w.ring.push(poll_of(w.a.fd));
  const std::uint64_t other = w.ring.push(poll_of(w.a.fd));
  abi::Request request = request_for(Op::nop, w.a.fd.get());
  request.address = target;
  return w.cancel(cx, "FD|USERDATA", request, abi::kCancelFd | abi::kCancelUserData, 0) &&
         w.cancelled(target) && w.pending(other);
}
bool cancels_op(ProbeContext& cx, Waiting& w) {
  std::array<char, 4> buffer;
  const std::uint64_t read =
      w.ring.push(request_for(Op::read, w.a.fd.get(), buffer.data(), buffer.size()));
  const std::uint64_t target = w.ring.push(poll_of(w.a.fd));
  const abi::Request polls =
      request_for(Op::nop, -1, nullptr, static_cast<std::uint32_t>(Op::poll_add));
  const bool right = w.cancel(cx, "OP, of POLL_ADD", polls, abi::kCancelOp, 0) &&
                     w.cancelled(target) && w.pending(read);
  (void)w.ring.cancel(cx, read);  // Before its memory goes.
  return right;
}

constexpr std::pair<const char*, bool (*)(ProbeContext&, Waiting&)> kCancelFlags[] = {
    {"FD", cancels_fd},
    {"ALL", cancels_all},
    {"ANY", cancels_any},
    {"FD_FIXED", cancels_fixed},
    {"USERDATA", cancels_user_data},
    {"OP", cancels_op}};

FactResult cancel_flags(ProbeContext& cx, RawRing&) {
  Waiting impossible;
  if (!impossible.a || !impossible.b) return no_subject(cx);
  if (!impossible.ring.open(cx)) return cx.unknown();
  if (impossible.cancel(cx, "a flag that nobody knows", request_for(Op::nop, -1), 1U << 31, 0)) {
    return null(Reason::failed, "unknown flags are accepted: acceptance says nothing");
  }
  std::vector<std::string> work;
  for (const auto& [name, works] : kCancelFlags) {
    Waiting waiting;
    if (!waiting.a || !waiting.b) return no_subject(cx);
    if (!waiting.ring.open(cx)) return cx.unknown();
    if (works(cx, waiting)) work.emplace_back(name);
  }
  return word_set(std::move(work), "each ended what it names, and nothing else");
}

FactResult sync_cancel(ProbeContext& cx, RawRing& ring) {
  const Subject pipe = make_pipe(false);
  if (!pipe) return no_subject(cx);
  const std::uint64_t id = begin(cx, ring, "IORING_OP_POLL_ADD", poll_of(pipe.fd));
  if (id == 0) return cx.unknown();
  abi::SyncCancel what;
  what.fd = pipe.fd.get();
  what.flags = abi::kCancelFd | abi::kCancelAll;
  if (ring.configure(cx, "io_uring_register(SYNC_CANCEL, FD|ALL)", abi::Register::sync_cancel,
                     &what, 1) < 0) {
    return cx.refused();
  }
  const MaybeDone done = ring.take(id, Duration::zero());
  note_completion(cx, "the request, at once", done);
  return verdict(done, ended_with(done, -ECANCELED), "what it ends has ended when it returns");
}

// --- what outlives a close

/// Does the peer of a closed stream see its end now?
bool hears_end(ProbeContext& cx, std::string_view what, const os::UniqueFd& peer) {
  pollfd slot{.fd = peer.get(), .events = POLLIN | POLLRDHUP, .revents = 0};
  (void)::poll(&slot, 1, 0);
  cx.note(what, mask_words(static_cast<std::uint16_t>(slot.revents)));
  return (slot.revents & (POLLRDHUP | POLLHUP)) != 0;
}

FactResult close_ghost(ProbeContext& cx, RawRing& ring) {
  std::array<char, 16> buffer{};
  Subject bare = make_unix_pair(SOCK_STREAM);
  Subject pair = make_unix_pair(SOCK_STREAM);
  Subject careful = make_unix_pair(SOCK_STREAM);
  if (!bare || !pair || !careful) return no_subject(cx);
  bare.fd.reset();
  if (!hears_end(cx, "poll(peer) after close, no request", bare.other)) return cx.unknown();
  const auto receive = [&](const Subject& from) {
    return begin(cx, ring, "IORING_OP_RECV",
                 request_for(Op::recv, from.fd.get(), buffer.data(), buffer.size()));
  };
  const std::uint64_t ghost = receive(pair);
  if (ghost == 0) return cx.unknown();
  pair.fd.reset();
  const bool heard = hears_end(cx, "poll(peer) after close, a request waiting", pair.other);
  (void)cx.call("send(peer, 4)", ::send(pair.other.get(), "lost", 4, MSG_NOSIGNAL));
  MaybeDone done = ring.take(ghost, heard ? Duration::zero() : kRingPatience);
  note_completion(cx, "IORING_OP_RECV, after the close", done);
  if (!done) done = ring.cancel(cx, ghost);
  const std::uint64_t ended = receive(careful);
  if (ended != 0) (void)ring.cancel(cx, ended);
  careful.fd.reset();
  const bool helps = hears_end(cx, "poll(peer) after cancel and close", careful.other);
  if (heard) return no(Reason::none, "closing ended the request");
  std::string note = "the peer hears no end";
  if (ended_with(done, 4)) note += ", and the request takes its next bytes";
  return yes(note + (helps ? "; cancelled first, it does" : ""));
}

/// Connects to where a listener was. returns 0 or the errno.
int connect_again(ProbeContext& cx, std::string_view what, SocketName name) {
  const os::UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!client) return errno;
  const int rc = cx.call(what, ::connect(client.get(), name.raw(), name.size));
  return rc == 0 ? 0 : errno;
}

FactResult listener_ghost(ProbeContext& cx, RawRing& ring) {
  os::UniqueFd bare = make_tcp_listener();
  os::UniqueFd listener = make_tcp_listener();
  os::UniqueFd careful = make_tcp_listener();
  if (!bare || !listener || !careful) return no_subject(cx);
  const SocketName names[] = {name_of(bare), name_of(listener), name_of(careful)};
  bare.reset();
  if (connect_again(cx, "connect after close, no request", names[0]) != ECONNREFUSED) {
    return cx.unknown();
  }
  const auto accept = [&](const os::UniqueFd& from) {
    return begin(cx, ring, "IORING_OP_ACCEPT", request_for(Op::accept, from.get()));
  };
  const std::uint64_t ghost = accept(listener);
  if (ghost == 0) return cx.unknown();
  listener.reset();
  const bool connected = connect_again(cx, "connect after close, a request waiting", names[1]) == 0;
  const MaybeDone done = ring.take(ghost, connected ? kRingPatience : Duration::zero());
  note_completion(cx, "IORING_OP_ACCEPT, after the close", done);
  const os::UniqueFd accepted(done && done->result >= 0 ? done->result : -1);
  const std::uint64_t ended = accept(careful);
  if (ended != 0) (void)ring.cancel(cx, ended);
  careful.reset();
  const bool helps = connect_again(cx, "connect after cancel and close", names[2]) == ECONNREFUSED;
  if (!connected) return no(Reason::none, "closing ended the request");
  return yes(std::string("a client is accepted by a server that has closed") +
             (helps ? "; cancelled first, it is refused" : ""));
}

// --- signals, limits and processes

volatile std::sig_atomic_t g_pipe_signals = 0;
void count_pipe_signal(int) { g_pipe_signals = g_pipe_signals + 1; }

/// One way to write where nobody reads any more.
struct DeadWrite {
  const char* name;
  Op op;
  bool to_pipe = false;
  std::uint32_t message_flags = 0;
  std::uint8_t request_flags = 0;
};
constexpr DeadWrite kDeadWrites[] = {
    {"SEND to a socket", Op::send},
    {"SEND with MSG_NOSIGNAL to a socket", Op::send, false, MSG_NOSIGNAL},
    {"SENDMSG to a socket", Op::sendmsg},
    {"SEND_ZC to a socket", Op::send_zc},
    {"WRITE to a socket", Op::write},
    {"WRITEV to a socket", Op::writev},
    {"WRITE to a socket by a worker", Op::write, false, 0, abi::kAsync},
    {"WRITE to a pipe", Op::write, true},
    {"WRITEV to a pipe", Op::writev, true},
    {"SPLICE to a pipe", Op::splice, true},
};

/// An end whose other end will take nothing any more.
Subject dead_end(const DeadWrite& how) {
  // Zero-copy is for the Internet's sockets; these know at once only of their own shutdown.
  if (how.op == Op::send_zc) {
    Subject pair = make_tcp_pair();
    if (pair) (void)::shutdown(pair.fd.get(), SHUT_WR);
    return pair;
  }
  Subject pair = how.to_pipe ? make_pipe(true) : make_unix_pair(SOCK_STREAM);
  pair.other.reset();
  return pair;
}

FactResult sigpipe_per_op(ProbeContext& cx, RawRing& ring) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = count_pipe_signal;
  (void)::sigaction(SIGPIPE, &action, &before);  // A valid signal: cannot fail.
  std::vector<std::string> killers;
  std::vector<FactRow> table;
  char data[] = "data";
  for (const DeadWrite& how : kDeadWrites) {
    const Subject dead = dead_end(how);
    const Subject source = make_pipe(false);
    if (!dead || !source) return no_subject(cx);
    iovec vector{data, 4};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    abi::Request request = request_for(how.op, dead.fd.get(), data, 4);
    if (how.op == Op::writev) request = request_for(how.op, dead.fd.get(), &vector, 1);
    if (how.op == Op::sendmsg) request = request_for(how.op, dead.fd.get(), &message, 1);
    if (how.op == Op::splice) {
      (void)!::write(source.other.get(), data, 4);  // An empty pipe of ours: it has room.
      request.other_fd = source.fd.get();
      request.offset = request.address = ~std::uint64_t{0};
    }
    request.op_flags = how.message_flags;
    request.flags = how.request_flags;
    g_pipe_signals = 0;
    const MaybeDone done = ring.ask(cx, std::string("IORING_OP_") + how.name, request);
    const bool raised = g_pipe_signals > 0;
    cx.note("SIGPIPE", raised ? "raised" : "not raised");
    if (raised) killers.emplace_back(how.name);
    const std::string result = !done              ? "not complete"
                               : done->result < 0 ? errno_word(-done->result)
                                                  : completion_text(*done);
    table.push_back({how.name, {{"result", result}, {"SIGPIPE", raised ? "raised" : "no"}}});
  }
  (void)::sigaction(SIGPIPE, &before, nullptr);
  FactResult result = word_set(std::move(killers), "these raise SIGPIPE");
  result.table = std::move(table);
  return result;
}

/// A limit that is lower for a while.
class LowerLimit {
 public:
  LowerLimit(decltype(RLIMIT_NOFILE) which, rlim_t soft) : which_(which) {
    rlimit lower{};
    if (::getrlimit(which_, &before_) != 0) return;
    lower = before_;
    lower.rlim_cur = std::min(soft, lower.rlim_max);
    set_ = ::setrlimit(which_, &lower) == 0;
  }
  LowerLimit(const LowerLimit&) = delete;
  LowerLimit& operator=(const LowerLimit&) = delete;
  ~LowerLimit() {
    if (set_) (void)::setrlimit(which_, &before_);  // The hard limit allowed it before.
  }
  explicit operator bool() const { return set_; }

 private:
  decltype(RLIMIT_NOFILE) which_;
  rlimit before_{};
  bool set_ = false;
};

FactResult nofile_capture(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd listener = make_unix_listener(8);
  const os::UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener || !client) return no_subject(cx);
  abi::Request request = request_for(Op::accept, listener.get());
  request.priority = abi::kAcceptMultishot;
  const std::uint64_t id = begin(cx, ring, "IORING_OP_ACCEPT(MULTISHOT)", request);
  if (id == 0) return null(Reason::invalid, "there is no multishot accept");
  SocketName name = name_of(listener);
  const int next = ::dup(client.get());  // the lowest number that is free
  if (next < 0) return no_subject(cx);
  (void)::close(next);
  MaybeDone done;
  {
    const LowerLimit limit(RLIMIT_NOFILE, static_cast<rlim_t>(next));
    const int refused = cx.call("dup under the lowered limit", ::dup(client.get()));
    if (!limit || refused >= 0) {
      if (refused >= 0) (void)::close(refused);
      return null(Reason::failed, "the limit could not be lowered");
    }
    (void)cx.call("connect", ::connect(client.get(), name.raw(), name.size));
    done = ring.take(id);
    note_completion(cx, "IORING_OP_ACCEPT(MULTISHOT), under the lowered limit", done);
  }
  const os::UniqueFd accepted(done && done->result >= 0 ? done->result : -1);
  if (accepted) return yes("the limit is that of the time when the request was made");
  if (ended_with(done, -EMFILE)) return no(Reason::none, "the limit is that of the time of use");
  return verdict(done, false);
}

FactResult fork_submit(ProbeContext& cx, RawRing& ring) {
  constexpr std::uint64_t kId = 4711;
  RawRing single;
  const bool has_single = single.open(cx, {8, abi::kSetupSingleIssuer, 0, -1, "SINGLE_ISSUER"});
  if (has_single) (void)single.ask(cx, "IORING_OP_NOP by the parent", abi::Request{});
  const auto by_child = [&](std::string_view what, RawRing& own) {
    const pid_t child = ::fork();
    if (child == 0) {
      abi::Request request;
      request.user_data = kId;
      (void)own.push(request);
      ::_exit(own.submit() ? 0 : errno);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
    const int error = WEXITSTATUS(status);
    cx.note(what, error == 0 ? "0" : "-1 " + errno_word(error));
    return error;
  };
  const int error = by_child("io_uring_enter by the child", ring);
  if (error < 0) return cx.unknown("no child could be asked");
  const MaybeDone done = ring.take(kId, error == 0 ? kRingPatience : Duration::zero());
  note_completion(cx, "seen by the parent", done);
  const bool refused = has_single && by_child("the same with SINGLE_ISSUER", single) == EEXIST;
  if (error != 0) return no(reason_of_errno(error));
  if (!done) return no(Reason::failed, "the child's request was lost");
  return yes(std::string("the parent gets what its child has asked for") +
             (refused ? "; SINGLE_ISSUER refuses it" : ""));
}

/// Takes a capability from what is in force, and gives it back.
class WithoutCapability {
 public:
  explicit WithoutCapability(unsigned number) {
    if (::syscall(SYS_capget, &header_, data_.data()) != 0) return;
    auto less = data_;
    less[number / 32].effective &= ~(1U << number % 32);
    gone_ = ::syscall(SYS_capset, &header_, less.data()) == 0;
  }
  WithoutCapability(const WithoutCapability&) = delete;
  WithoutCapability& operator=(const WithoutCapability&) = delete;
  ~WithoutCapability() {
    if (gone_) (void)::syscall(SYS_capset, &header_, data_.data());  // It is still permitted.
  }
  explicit operator bool() const { return gone_; }

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data_{};
  bool gone_ = false;
};

FactResult memlock_charged(ProbeContext& cx, RawRing&) {
  // Who has the capability is charged nothing, whatever the kernel does for others.
  const WithoutCapability plain(CAP_IPC_LOCK);
  const LowerLimit limit(RLIMIT_MEMLOCK, 0);
  if (!plain || !limit) return null(Reason::failed, "the limit could not be lowered");
  cx.note("without CAP_IPC_LOCK, RLIMIT_MEMLOCK", "0");
  RawRing ring;
  if (!ring.open(cx)) {
    if (cx.last_error() == ENOMEM) return yes("a ring needs RLIMIT_MEMLOCK");
    return cx.unknown(why_refused(cx.last_error()));
  }
  alignas(4096) static std::array<char, 4096> memory;
  iovec whole{memory.data(), memory.size()};
  const bool buffers_free = ring.configure(cx, "io_uring_register(BUFFERS, 4096)",
                                           abi::Register::buffers, &whole, 1) == 0;
  return no(Reason::none, buffers_free ? "neither rings nor registered memory"
                                       : "rings are free, registered memory is charged");
}

// --- memory that the kernel chooses

/// A ring of buffers, registered as a group: one page, of which two entries are used.
class BufferGroup {
 public:
  static constexpr std::uint16_t kGroup = 3;

  BufferGroup() {
    size_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    memory_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  BufferGroup(const BufferGroup&) = delete;
  BufferGroup& operator=(const BufferGroup&) = delete;
  ~BufferGroup() {
    if (memory_ != MAP_FAILED) (void)::munmap(memory_, size_);
  }

  bool enter(ProbeContext& cx, RawRing& ring, std::uint16_t flags) {
    if (memory_ == MAP_FAILED) return cx.call("mmap", -1) == 0;
    abi::BufferRing description{abi::at(memory_), 2, kGroup, flags, {}};
    return ring.configure(cx, "io_uring_register(PBUF_RING)", abi::Register::buffer_ring,
                          &description, 1) == 0;
  }
  /// Offers the two buffers.
  void offer() {
    auto* entries = static_cast<abi::Buffer*>(memory_);
    for (std::uint16_t i = 0; i < 2; ++i) {
      entries[i].address = abi::at(buffers[i].data());
      entries[i].length = static_cast<std::uint32_t>(buffers[i].size());
      entries[i].id = i;
    }
    // The tail lies over what the first entry does not use.
    std::atomic_ref<std::uint16_t>(entries[0].reserved).store(2, std::memory_order_release);
  }
  /// Receives once into memory of the group.
  MaybeDone receive(ProbeContext& cx, RawRing& ring, const Subject& pair, std::string_view text) {
    (void)cx.call("send(peer)", ::send(pair.other.get(), text.data(), text.size(), MSG_NOSIGNAL));
    abi::Request request = request_for(Op::recv, pair.fd.get());
    request.flags = abi::kBufferSelect;
    request.buffer = kGroup;
    return ring.ask(cx, "IORING_OP_RECV(BUFFER_SELECT)", request);
  }

  std::array<std::array<char, 32>, 2> buffers{};

 private:
  std::size_t size_;
  void* memory_;
};

/// Two receives through a ring of buffers: each into its own buffer, or both into the first.
FactResult through_buffers(ProbeContext& cx, RawRing& ring, std::uint16_t flags) {
  const Subject pair = make_unix_pair(SOCK_STREAM);
  if (!pair) return no_subject(cx);
  if (os::has_high_memory()) {
    return null(Reason::not_asked, "beside high memory some kernels follow a null pointer");
  }
  BufferGroup group;
  if (!group.enter(cx, ring, flags)) return cx.refused();
  group.offer();
  const MaybeDone first = group.receive(cx, ring, pair, "abc");
  const MaybeDone second = group.receive(cx, ring, pair, "def");
  const auto number = [](const MaybeDone& done) {
    return done && (done->flags & abi::kHasBuffer) != 0 ? done->flags >> 16 : ~0U;
  };
  if (!ended_with(first, 3)) return verdict(first, false);
  if (!ended_with(second, 3)) return verdict(second, false);
  const bool incremental = flags != 0;
  const std::string_view both(group.buffers[0].data(), 6);
  const bool right =
      incremental
          ? number(second) == 0 && both == "abcdef" && (first->flags & abi::kBufferGoesOn) != 0
          : number(second) == 1 && both.starts_with("abc") && group.buffers[1][0] == 'd';
  if (number(first) != 0 || !right) return no(Reason::failed, "the data is somewhere else");
  return yes(incremental ? "two receives shared one buffer" : "each receive took a buffer");
}
FactResult buf_ring(ProbeContext& cx, RawRing& ring) { return through_buffers(cx, ring, 0); }
FactResult buf_ring_inc(ProbeContext& cx, RawRing& ring) {
  return through_buffers(cx, ring, abi::kBufferRingIncremental);
}

constexpr Fact kFacts[] = {
    {"uring.cancel_flags", "By what else than its own name can a request be cancelled?",
     "man 3 io_uring_prep_cancel", with_ring<cancel_flags>,
     "ending all that waits for a descriptor before it is closed"},
    {"uring.sync_cancel", "Can requests be ended without waiting for their completion?",
     "man 2 io_uring_register, IORING_REGISTER_SYNC_CANCEL", with_ring<sync_cancel>,
     "a close that gives the number back at once"},
    {"uring.close_ghost", "Does a receive outlive the close of its socket?",
     "man 7 io_uring_cancelation", with_ring<close_ghost>,
     "the peer hears no end: cancel before close"},
    {"uring.listener_ghost", "Does an accept outlive the close of its listener?",
     "man 7 io_uring_cancelation", with_ring<listener_ghost>,
     "clients reach a server that is gone: cancel before close"},
    {"uring.sigpipe_per_op", "Which operations raise SIGPIPE when nobody reads?",
     "man 7 signal; man 2 send, MSG_NOSIGNAL", with_ring<sigpipe_per_op>,
     "a write must not kill the process"},
    {"uring.nofile_capture", "Does a request keep the descriptor limit of its submission?",
     "man 2 getrlimit, RLIMIT_NOFILE", with_ring<nofile_capture>,
     "a limit that is lowered later does not stop a multishot accept"},
    {"uring.fork_submit", "Can a forked child submit on its parent's ring?",
     "man 7 io_uring; man 2 fork", with_ring<fork_submit>,
     "a loop must notice that it has been forked"},
    {"uring.memlock_charged", "Is a ring's memory charged to RLIMIT_MEMLOCK?",
     "man 2 io_uring_setup, ENOMEM", with_ring<memlock_charged>,
     "rings that cannot be made where the limit is small"},
    {"uring.provided_buffers", "Can buffers be provided by requests?",
     "man 3 io_uring_prep_provide_buffers", with_ring<provide_buffers>,
     "receives without memory of their own, before 5.19"},
    {"uring.buf_ring", "Can buffers be provided by a ring?", "man 3 io_uring_register_buf_ring",
     with_ring<buf_ring>, "receives without memory of their own, and without requests for it"},
    {"uring.buf_ring_inc", "Can several receives share one provided buffer?",
     "man 3 io_uring_register_buf_ring, IOU_PBUF_RING_INC", with_ring<buf_ring_inc>,
     "large buffers without waste"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "io_uring", .group = "B7", .facts = kFacts, .effect = Effect::traffic};

}  // namespace loopscope::probes::uring_behaviour
