// Loops whose sock_sendall loses, reorders or repeats something, in one way each.
#include <cerrno>
#include <csignal>

#include "harness/testing/poll_based.hpp"
#include "harness/testing/relay.hpp"

namespace loopscope::testing::socket_send_faults {
namespace {

class FirstChunkOnly final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_sendall(Socket& socket, Bytes data) override {
    const Result<os::Transfer> sent = os::send(socket.native(), data);
    if (!sent.ok()) return done_future<void>(sent.error());
    return done_future<void>({});
  }
};

class HalvesSwapped final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_sendall(Socket& socket, Bytes data) override {
    const auto middle = data.begin() + static_cast<std::ptrdiff_t>(data.size() / 2);
    Bytes swapped(middle, data.end());
    swapped.insert(swapped.end(), data.begin(), middle);
    return SelectorLoop::sock_sendall(socket, std::move(swapped));
  }
};

class CancelledGoesOn final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_sendall(Socket& socket, Bytes data) override {
    Future<void> outer = relay(*this, SelectorLoop::sock_sendall(socket, std::move(data)));
    outer.set_cancel_hook([] {});
    return outer;
  }
};

class RaisesSigpipe final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_sendall(Socket& socket, Bytes data) override {
    return relay(*this, SelectorLoop::sock_sendall(socket, std::move(data)),
                 [](Result<void> outcome) {
                   // What write(2) does by itself where send(2) is told not to.
                   if (!outcome.ok() && outcome.error().is_errno(EPIPE)) std::raise(SIGPIPE);
                   return outcome;
                 });
  }
};

class EmptyNeverEnds final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_sendall(Socket& socket, Bytes data) override {
    if (data.empty()) return create_future<void>();
    return SelectorLoop::sock_sendall(socket, std::move(data));
  }
};

class BrokenPipeIsDone final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_sendall(Socket& socket, Bytes data) override {
    return relay(*this, SelectorLoop::sock_sendall(socket, std::move(data)),
                 [](Result<void>) { return Result<void>(); });
  }
};

using Names = std::string_view;
constexpr Names kChunk[] = {"sock.sendall.large", "sock.sendall.cancel", "sock.sendall.peer_gone"};
constexpr Names kSwapped[] = {"sock.sendall.large", "sock.sendall.sequence", "sock.sendall.cancel"};
constexpr Names kGoesOn[] = {"sock.sendall.cancel"};
constexpr Names kGone[] = {"sock.sendall.peer_gone"};
constexpr Names kSignal[] = {"sock.sendall.peer_gone", "uring.sigpipe"};
constexpr Names kEmpty[] = {"sock.sendall.sequence"};

constexpr Names kKeeps[] = {"sock.recv.*", "rw.writer.immediate"};
constexpr Names kKeepsLarge[] = {"sock.sendall.large", "sock.recv.basic"};

constexpr FaultyLoop kLoops[] = {
    {.loop = poll_based<FirstChunkOnly>("faulty.sendall_first_chunk_only"),
     .defect = "sock_sendall is done after what the system takes at once.",
     .must_fail = kChunk,
     .must_pass = kKeeps},
    {.loop = poll_based<HalvesSwapped>("faulty.sendall_reorders"),
     .defect = "sock_sendall sends the second half of its data first.",
     .must_fail = kSwapped,
     .must_pass = kKeeps},
    {.loop = poll_based<CancelledGoesOn>("faulty.cancelled_sendall_goes_on"),
     .defect = "A cancelled sock_sendall goes on sending.",
     .must_fail = kGoesOn,
     .must_pass = kKeepsLarge},
    {.loop = poll_based<RaisesSigpipe>("faulty.sigpipe_not_blocked"),
     .defect = "Sending to a peer that has gone raises SIGPIPE.",
     .must_fail = kSignal,
     .must_pass = kKeepsLarge},
    {.loop = poll_based<EmptyNeverEnds>("faulty.empty_sendall_hangs"),
     .defect = "Sending nothing waits for ever.",
     .must_fail = kEmpty,
     .must_pass = kKeepsLarge},
    {.loop = poll_based<BrokenPipeIsDone>("faulty.sendall_error_swallowed"),
     .defect = "sock_sendall reports success whatever happened.",
     .must_fail = kGone,
     .must_pass = kKeepsLarge},
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::socket_send_faults
