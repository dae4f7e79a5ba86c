// One real use of every operation: on a pair of Unix sockets, a pipe and a Unix listener, so that
// nothing leaves the process. splice is only asked for by the probe call: to use it would start a
// thread in the kernel, which takes longer than all the rest.
#include "loops/proactor/io_uring_trial.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "loops/os/net.hpp"
#include "loops/os/pipe.hpp"
#include "loops/proactor/io_uring_buffers.hpp"

namespace loopscope::uring {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kTried = 1, kCancelled = 2;

struct Needed {
  int op;
  std::string_view name;
};
constexpr Needed kNeeded[] = {
    {IORING_OP_NOP, "NOP"},         {IORING_OP_POLL_ADD, "POLL_ADD"},
    {IORING_OP_RECV, "RECV"},       {IORING_OP_SEND, "SEND"},
    {IORING_OP_RECVMSG, "RECVMSG"}, {IORING_OP_SENDMSG, "SENDMSG"},
    {IORING_OP_READ, "READ"},       {IORING_OP_WRITEV, "WRITEV"},
    {IORING_OP_ACCEPT, "ACCEPT"},   {IORING_OP_CONNECT, "CONNECT"},
    {IORING_OP_TIMEOUT, "TIMEOUT"}, {IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL"},
    {IORING_OP_SPLICE, "SPLICE"},
};

Result<void> probe(const Ring& ring) {
  constexpr unsigned kMostOps = 256;
  std::vector<std::byte> memory(sizeof(io_uring_probe) + kMostOps * sizeof(io_uring_probe_op));
  auto* found = reinterpret_cast<io_uring_probe*>(memory.data());
  if (const int failed = ring.call_register(IORING_REGISTER_PROBE, found, kMostOps); failed < 0) {
    return errno_error_of(-failed, "io_uring_register(PROBE)");
  }
  for (const Needed& needed : kNeeded) {
    if (io_uring_opcode_supported(found, needed.op) == 0) {
      return errno_error_of(EOPNOTSUPP, "io_uring_register(PROBE)",
                            "it does not list " + std::string(needed.name));
    }
  }
  return {};
}

struct Endpoints {
  std::pair<os::UniqueFd, os::UniqueFd> sockets;
  os::Pipe pipe;
  os::UniqueFd listener, client;
  sockaddr_un address{};
  socklen_t address_size = 0;
};

Result<Endpoints> open_endpoints() {
  Endpoints made;
  Result<std::pair<os::UniqueFd, os::UniqueFd>> sockets = os::open_socketpair(SocketType::stream);
  if (!sockets.ok()) return sockets.error();
  Result<os::Pipe> pipe = os::open_pipe();
  if (!pipe.ok()) return pipe.error();
  Result<os::UniqueFd> listener = os::open_socket(AddressFamily::unix_domain, SocketType::stream);
  if (!listener.ok()) return listener.error();
  Result<os::UniqueFd> client = os::open_socket(AddressFamily::unix_domain, SocketType::stream);
  if (!client.ok()) return client.error();
  made.sockets = std::move(sockets).value();
  made.pipe = std::move(pipe).value();
  made.listener = std::move(listener).value();
  made.client = std::move(client).value();
  // Without a path the system chooses an abstract name.
  const Result<Endpoint> chosen = Endpoint::unix_path("");
  if (!chosen.ok()) return chosen.error();
  if (Result<void> bound = os::bind(made.listener.get(), *chosen); !bound.ok()) {
    return bound.error();
  }
  if (Result<void> heard = os::listen(made.listener.get(), 1); !heard.ok()) return heard.error();
  const Result<Endpoint> name = os::local_address(made.listener.get());
  if (!name.ok()) return name.error();
  made.address_size = static_cast<socklen_t>(name->size());
  std::memcpy(&made.address, name->data(), name->size());
  return made;
}

class Trial {
 public:
  Trial(Ring& ring, const Abilities& abilities, Endpoints endpoints)
      : ring_(ring), abilities_(abilities), ends_(std::move(endpoints)) {}

  Result<void> run();

 private:
  /// Writes an entry; `prepare` fills it.
  template <class Prepare>
  void ask(std::uint64_t tag, Prepare prepare) {
    io_uring_sqe* entry = ring_.next_entry();  // never full: each is taken at once
    prepare(entry);
    entry->user_data = tag;
  }
  /// Gives what was asked and looks for its completion. Bounded: all is ready, or never will be.
  Result<Entry> completion(std::string_view op, std::uint64_t tag);
  template <class Prepare>
  Result<void> expect(std::string_view op, int result, Prepare prepare) {
    ask(kTried, prepare);
    return compare(op, completion(op, kTried), result, 0);
  }
  Result<void> compare(std::string_view op, const Result<Entry>& seen, int result, unsigned flags);
  Result<void> cancel(std::string_view op);

  Result<void> streams();
  Result<void> pipes();
  Result<void> connections();
  Result<void> ends();
  Result<void> receives_again();

  Ring& ring_;
  const Abilities& abilities_;
  Endpoints ends_;
  char byte_ = 0;
  char* memory_ = &byte_;
};

Result<Entry> Trial::completion(std::string_view op, std::uint64_t tag) {
  constexpr int kRounds = 100;
  for (int round = 0; round < kRounds; ++round) {
    // Without a timeout of the wait call there is no bounded wait: look, and look again.
    const bool bounded = abilities_.wait_timeout;
    const int taken = bounded ? ring_.enter(1, Duration(10ms)) : ring_.enter(0, std::nullopt);
    if (taken < 0 && taken != -ETIME && taken != -EINTR) {
      return errno_error_of(-taken, "io_uring_enter");
    }
    Entry entry;
    while (ring_.pop(entry)) {
      if (entry.tag == tag) return entry;
    }
  }
  return errno_error_of(ETIME, op, "it does not complete");
}

Result<void> Trial::compare(std::string_view op, const Result<Entry>& seen, int result,
                            unsigned flags) {
  if (!seen.ok()) return seen.error();
  if (seen->result < 0 && seen->result != result) return errno_error_of(-seen->result, op);
  if (seen->result != result || (seen->flags & flags) != flags) {
    return errno_error_of(EOPNOTSUPP, op, "it says " + std::to_string(seen->result));
  }
  return {};
}

/// Ends what was asked for last, and takes its last completion.
Result<void> Trial::cancel(std::string_view op) {
  ask(kCancelled, [](io_uring_sqe* entry) { io_uring_prep_cancel64(entry, kTried, 0); });
  for (;;) {
    const Result<Entry> last = completion(op, kTried);
    if (!last.ok()) return last.error();
    if ((last->flags & IORING_CQE_F_MORE) != 0) continue;
    return compare(op, last, -ECANCELED, 0);
  }
}

Result<void> Trial::run() {
  using Step = Result<void> (Trial::*)();
  Result<void> done = expect("NOP", 0, [](io_uring_sqe* entry) { io_uring_prep_nop(entry); });
  for (const Step step : {&Trial::streams, &Trial::pipes, &Trial::connections, &Trial::ends}) {
    if (done.ok()) done = (this->*step)();
  }
  if (done.ok() && abilities_.buffer_ring) done = receives_again();
  return done;
}

Result<void> Trial::streams() {
  const int one = ends_.sockets.first.get(), other = ends_.sockets.second.get();
  Result<void> done = expect("SEND", 1, [&](io_uring_sqe* entry) {
    io_uring_prep_send(entry, one, memory_, 1, MSG_NOSIGNAL);
  });
  if (!done.ok()) return done;
  done = expect("RECV", 1,
                [&](io_uring_sqe* entry) { io_uring_prep_recv(entry, other, memory_, 1, 0); });
  if (!done.ok()) return done;
  iovec piece{memory_, 1};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  done = expect("SENDMSG", 1, [&](io_uring_sqe* entry) {
    io_uring_prep_sendmsg(entry, one, &message, MSG_NOSIGNAL);
  });
  if (!done.ok()) return done;
  return expect("RECVMSG", 1,
                [&](io_uring_sqe* entry) { io_uring_prep_recvmsg(entry, other, &message, 0); });
}

Result<void> Trial::pipes() {
  iovec piece{memory_, 1};
  const Result<void> done = expect("WRITEV", 1, [&](io_uring_sqe* entry) {
    io_uring_prep_writev(entry, ends_.pipe.write.get(), &piece, 1, ~0ULL);
    entry->rw_flags = RWF_NOWAIT;
  });
  // Pipes know RWF_NOWAIT from Linux 6.4 on. Without it a thread of the kernel does it, which takes
  // longer than all the rest here; a flight goes that way where it has to.
  if (!done.ok() && done.error().is_errno(EOPNOTSUPP)) return {};
  if (!done.ok()) return done;
  return expect("READ", 1, [&](io_uring_sqe* entry) {
    io_uring_prep_read(entry, ends_.pipe.read.get(), memory_, 1, ~0ULL);
  });
}

Result<void> Trial::connections() {
  const auto* address = reinterpret_cast<const sockaddr*>(&ends_.address);
  Result<void> done = expect("CONNECT", 0, [&](io_uring_sqe* entry) {
    io_uring_prep_connect(entry, ends_.client.get(), address, ends_.address_size);
  });
  if (!done.ok()) return done;
  const std::string_view op = abilities_.multishot ? "ACCEPT multishot" : "ACCEPT";
  ask(kTried, [&](io_uring_sqe* entry) {
    const int fd = ends_.listener.get();
    if (abilities_.multishot) {
      io_uring_prep_multishot_accept(entry, fd, nullptr, nullptr, SOCK_CLOEXEC);
    } else {
      io_uring_prep_accept(entry, fd, nullptr, nullptr, SOCK_CLOEXEC);
    }
  });
  const Result<Entry> seen = completion(op, kTried);
  if (!seen.ok()) return seen.error();
  if (seen->result < 0) return errno_error_of(-seen->result, op);
  const os::UniqueFd accepted(seen->result);
  if (!abilities_.multishot) return {};
  if ((seen->flags & IORING_CQE_F_MORE) == 0) return errno_error_of(EOPNOTSUPP, op);
  return cancel(op);
}

/// Polls, timeouts and cancelling.
Result<void> Trial::ends() {
  const int one = ends_.sockets.first.get();
  const std::string_view op = abilities_.multishot ? "POLL_ADD multishot" : "POLL_ADD";
  ask(kTried, [&](io_uring_sqe* entry) {
    io_uring_prep_poll_add(entry, one, POLLOUT);
    if (abilities_.multishot) entry->len |= IORING_POLL_ADD_MULTI;
  });
  const unsigned flags = abilities_.multishot ? IORING_CQE_F_MORE : 0;
  Result<void> done = compare(op, completion(op, kTried), POLLOUT, flags);
  if (done.ok() && abilities_.multishot) done = cancel(op);
  if (!done.ok()) return done;
  __kernel_timespec soon{0, 1};
  done = expect("TIMEOUT", -ETIME,
                [&](io_uring_sqe* entry) { io_uring_prep_timeout(entry, &soon, 0, 0); });
  if (!done.ok()) return done;
  ask(kTried, [&](io_uring_sqe* entry) { io_uring_prep_recv(entry, one, memory_, 1, 0); });
  return cancel("ASYNC_CANCEL");
}

Result<void> Trial::receives_again() {
  Result<std::shared_ptr<BufferRing>> buffers = BufferRing::make(2, 16);
  if (!buffers.ok()) return buffers.error();
  if (Result<void> attached = (*buffers)->attach(ring_); !attached.ok()) return attached;
  const int one = ends_.sockets.first.get(), other = ends_.sockets.second.get();
  const std::string_view op = abilities_.multishot ? "RECV multishot" : "RECV from a buffer ring";
  if (const Result<os::Transfer> sent = os::send(one, view("x")); !sent.ok()) return sent.error();
  ask(kTried, [&](io_uring_sqe* entry) {
    if (abilities_.multishot) {
      io_uring_prep_recv_multishot(entry, other, nullptr, 0, 0);
    } else {
      io_uring_prep_recv(entry, other, nullptr, 16, 0);
    }
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = BufferRing::kGroup;
  });
  const unsigned flags =
      IORING_CQE_F_BUFFER | (abilities_.multishot ? unsigned{IORING_CQE_F_MORE} : 0U);
  Result<void> done = compare(op, completion(op, kTried), 1, flags);
  if (done.ok() && abilities_.multishot) done = cancel(op);
  (*buffers)->detach();
  // The memory goes before the ring.
  io_uring_buf_reg group{};
  group.bgid = BufferRing::kGroup;
  (void)ring_.call_register(IORING_UNREGISTER_PBUF_RING, &group, 1);
  return done;
}

}  // namespace

Result<void> try_out(Ring& ring, const Abilities& abilities) {
  if (Result<void> listed = probe(ring); !listed.ok()) return listed;
  Result<Endpoints> endpoints = open_endpoints();
  if (!endpoints.ok()) return endpoints.error();
  return Trial(ring, abilities, std::move(endpoints).value()).run();
}

}  // namespace loopscope::uring
