// Loops whose sock_recv family loses, doubles or invents something, in one way each.
#include <algorithm>
#include <map>

#include "harness/testing/poll_based.hpp"
#include "harness/testing/relay.hpp"

namespace loopscope::testing::socket_receive_faults {
namespace {

class HangsAfterTheEnd final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Bytes> sock_recv(Socket& socket, std::size_t max_bytes) override {
    if (ended_.contains(socket.native())) return create_future<Bytes>();
    return relay(*this, SelectorLoop::sock_recv(socket, max_bytes),
                 [this, fd = socket.native()](Result<Bytes> got) {
                   if (got.ok() && got.value().empty()) ended_[fd] = true;
                   return got;
                 });
  }

 private:
  std::map<os::NativeSocket, bool> ended_;
};

/// As a loop over completions may: the system had filled the buffer when the cancel came.
class CancelEatsBytes final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Bytes> sock_recv(Socket& socket, std::size_t max_bytes) override {
    Future<Bytes> inner = SelectorLoop::sock_recv(socket, max_bytes);
    Future<Bytes> outer = relay(*this, inner);
    outer.set_cancel_hook([inner, fd = socket.native(), max_bytes]() mutable {
      inner.cancel();
      Bytes eaten(max_bytes);
      (void)os::recv(fd, eaten);
    });
    return outer;
  }
};

class CancelRemovesSuccessor final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Bytes> sock_recv(Socket& socket, std::size_t max_bytes) override {
    Future<Bytes> inner = SelectorLoop::sock_recv(socket, max_bytes);
    Future<Bytes> outer = relay(*this, inner);
    outer.set_cancel_hook([this, inner, fd = socket.native()]() mutable {
      inner.cancel();
      call_soon([this, fd] { unwatch(fd, Direction::read); });
    });
    return outer;
  }
};

class TwoGetTheSame final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Bytes> sock_recv(Socket& socket, std::size_t max_bytes) override {
    const auto found = waiting_.find(socket.native());
    if (found != waiting_.end() && !found->second.done()) return relay(*this, found->second);
    Future<Bytes> first = SelectorLoop::sock_recv(socket, max_bytes);
    waiting_[socket.native()] = first;
    return first;
  }

 private:
  std::map<os::NativeSocket, Future<Bytes>> waiting_;
};

class EmptyForSpurious final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Bytes> sock_recv(Socket& socket, std::size_t max_bytes) override {
    const os::NativeSocket fd = socket.native();
    Future<Bytes> future = create_future<Bytes>();
    if (!try_once(future, fd, max_bytes, false)) {
      const Result<void> armed = watch(fd, Direction::read, [this, future, fd, max_bytes] {
        unwatch(fd, Direction::read);
        (void)try_once(future, fd, max_bytes, true);
      });
      if (!armed.ok()) finish(future, Result<Bytes>(armed.error()));
      future.set_cancel_hook([this, fd] { unwatch(fd, Direction::read); });
    }
    return future;
  }

 private:
  static bool try_once(Future<Bytes> future, os::NativeSocket fd, std::size_t max, bool told) {
    Bytes data(max);
    const Result<os::Transfer> got = os::recv(fd, data);
    if (!got.ok()) {
      finish(future, Result<Bytes>(got.error()));
      return true;
    }
    if (!*got && !told) return false;
    data.resize(got->value_or(0));  // Told of data that is not there: "so it is the end".
    finish(future, Result<Bytes>(std::move(data)));
    return true;
  }
};

class PadsTheBuffer final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<std::size_t> sock_recv_into(Socket& socket, std::span<std::byte> buffer) override {
    return relay(*this, SelectorLoop::sock_recv_into(socket, buffer),
                 [buffer](Result<std::size_t> got) {
                   if (got.ok()) {
                     std::ranges::fill(buffer.subspan(got.value()), std::byte{0});
                   }
                   return got;
                 });
  }
};

/// What comes after a cancel still goes into the memory that was lent.
class LentForGood final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<std::size_t> sock_recv_into(Socket& socket, std::span<std::byte> buffer) override {
    Future<std::size_t> outer = relay(*this, SelectorLoop::sock_recv_into(socket, buffer));
    outer.set_cancel_hook([] {});
    return outer;
  }
};

class ErrorsWaitedOut final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Bytes> sock_recv(Socket& socket, std::size_t max_bytes) override {
    Future<Bytes> inner = SelectorLoop::sock_recv(socket, max_bytes);
    Future<Bytes> outer = create_future<Bytes>();
    inner.add_done_callback([inner, outer] {
      const Result<Bytes> got = inner.result();
      if (got.ok()) finish(outer, got);
    });
    outer.set_cancel_hook([inner]() mutable { inner.cancel(); });
    return outer;
  }
};

class EmptyDatagramsDropped final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Datagram> sock_recvfrom(Socket& socket, std::size_t max_bytes) override {
    Future<Datagram> inner = SelectorLoop::sock_recvfrom(socket, max_bytes);
    Future<Datagram> outer = create_future<Datagram>();
    inner.add_done_callback([inner, outer] {
      Result<Datagram> got = inner.result();
      if (!got.ok() || !got.value().data.empty()) finish(outer, std::move(got));
    });
    outer.set_cancel_hook([inner]() mutable { inner.cancel(); });
    return outer;
  }
};

class CancelledStillReceives final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Datagram> sock_recvfrom(Socket& socket, std::size_t max_bytes) override {
    Future<Datagram> outer = relay(*this, SelectorLoop::sock_recvfrom(socket, max_bytes));
    outer.set_cancel_hook([] {});
    return outer;
  }
};

class CountsTheBuffer final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  using Received = std::pair<std::size_t, Endpoint>;
  Future<Received> sock_recvfrom_into(Socket& socket, std::span<std::byte> buffer) override {
    return relay(*this, SelectorLoop::sock_recvfrom_into(socket, buffer),
                 [buffer](Result<Received> got) {
                   if (got.ok()) got->first = buffer.size();
                   return got;
                 });
  }
};

class BlockingSocketsTaken final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  bool get_debug() const override { return false; }
};

using Names = std::string_view;
constexpr Names kEnd[] = {"sock.recv.basic"};
constexpr Names kCancel[] = {"sock.recv.cancel_then_retry"};
constexpr Names kTwo[] = {"sock.recv.two_waiters"};
constexpr Names kSpurious[] = {"rw.spurious_tolerated"};
constexpr Names kPads[] = {"sock.recv_into.partial"};
constexpr Names kLent[] = {"uring.buffer_lifetime"};
constexpr Names kErrors[] = {"sock.recvfrom.refused_then_usable"};
constexpr Names kEmpty[] = {"sock.sendto_recvfrom"};
constexpr Names kStill[] = {"sock.recvfrom.waits"};
constexpr Names kCounts[] = {"sock.recvfrom_into.partial"};
constexpr Names kBlocking[] = {"sock.nonblocking_required"};

constexpr Names kKeeps[] = {"sock.sendall.sequence", "sock.recvfrom_into.partial",
                            "rw.level_triggered"};
constexpr Names kKeepsRecv[] = {"sock.recv.basic", "rw.level_triggered"};

constexpr FaultyLoop kLoops[] = {
    {.loop = poll_based<HangsAfterTheEnd>("faulty.recv_hangs_after_end"),
     .defect = "A receive after the end of the stream waits for ever.",
     .must_fail = kEnd,
     .must_pass = kKeeps},
    {.loop = poll_based<CancelEatsBytes>("faulty.cancel_eats_bytes"),
     .defect = "A cancelled receive throws away the bytes that were there.",
     .must_fail = kCancel,
     .must_pass = kKeepsRecv},
    {.loop = poll_based<CancelRemovesSuccessor>("faulty.cancel_removes_successor"),
     .defect = "A cancelled receive stops the watching later, when another one relies on it.",
     .must_fail = kCancel,
     .must_pass = kKeepsRecv},
    {.loop = poll_based<TwoGetTheSame>("faulty.recv_doubled"),
     .defect = "Two receives that wait on one socket get the same bytes.",
     .must_fail = kTwo,
     .must_pass = kKeepsRecv},
    {.loop = poll_based<EmptyForSpurious>("faulty.spurious_is_end"),
     .defect = "A receive that finds nothing after readiness reports the end of the stream.",
     .must_fail = kSpurious,
     .must_pass = kKeepsRecv},
    {.loop = poll_based<PadsTheBuffer>("faulty.recv_into_pads"),
     .defect = "sock_recv_into clears the rest of the buffer.",
     .must_fail = kPads,
     .must_pass = kKeepsRecv},
    {.loop = poll_based<LentForGood>("faulty.recv_into_lent_for_good"),
     .defect = "A cancelled sock_recv_into still receives into the buffer.",
     .must_fail = kLent,
     .must_pass = kKeepsRecv},
    {.loop = poll_based<ErrorsWaitedOut>("faulty.recv_error_swallowed"),
     .defect = "A receive that fails goes on waiting.",
     .must_fail = kErrors,
     .must_pass = kKeepsRecv},
    {.loop = poll_based<EmptyDatagramsDropped>("faulty.sock_empty_datagram_dropped"),
     .defect = "sock_recvfrom drops empty datagrams and never ends.",
     .must_fail = kEmpty,
     .must_pass = kKeepsRecv},
    {.loop = poll_based<CancelledStillReceives>("faulty.cancelled_recvfrom_receives"),
     .defect = "A cancelled sock_recvfrom takes the next datagram.",
     .must_fail = kStill,
     .must_pass = kKeepsRecv},
    {.loop = poll_based<CountsTheBuffer>("faulty.recvfrom_into_counts_buffer"),
     .defect = "sock_recvfrom_into reports the size of the buffer.",
     .must_fail = kCounts,
     .must_pass = kKeepsRecv},
    {.loop = poll_based<BlockingSocketsTaken>("faulty.blocking_socket_taken"),
     .defect = "sock_* never looks whether a socket blocks.",
     .must_fail = kBlocking,
     .must_pass = kKeepsRecv},
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::socket_receive_faults
