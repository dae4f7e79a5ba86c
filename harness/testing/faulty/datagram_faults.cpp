// Loops whose datagram endpoints are wrong, in one way each.
#include "harness/testing/between.hpp"
#include "harness/testing/relay.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::testing::datagram_faults {
namespace {

class CutShort final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  void datagram_received(ByteView data, const Endpoint& sender) override {
    user_->datagram_received(data.first(std::min<std::size_t>(data.size(), 2'048)), sender);
  }
};

class EmptyIsNothing final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  void datagram_received(ByteView data, const Endpoint& sender) override {
    if (!data.empty()) user_->datagram_received(data, sender);
  }
};

class EmptyIsNotSent final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  Result<void> sendto(ByteView data, const Endpoint* to) override {
    return data.empty() ? Result<void>() : below_->sendto(data, to);
  }
};

/// What arrives in one batch becomes one datagram, as on a stream.
class Joined final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  void datagram_received(ByteView data, const Endpoint& sender) override {
    if (!waiting_) {
      waiting_ = true;
      loop_.call_soon([this, keep = shared_from_this()] {
        waiting_ = false;
        const Bytes all = std::exchange(joined_, {});
        user_->datagram_received(all, sender_);
      });
    }
    joined_.insert(joined_.end(), data.begin(), data.end());
    sender_ = sender;
  }

 private:
  bool waiting_ = false;
  Bytes joined_;
  Endpoint sender_;
};

class SenderLost final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  void datagram_received(ByteView data, const Endpoint&) override {
    user_->datagram_received(data, Endpoint());
  }
};

class ErrorEndsAll final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  void error_received(const Error& error) override {
    reason_ = error;
    below_->abort();
  }
  void connection_lost(const Error*) override {
    user_->connection_lost(reason_ ? &*reason_ : nullptr);
  }

 private:
  std::optional<Error> reason_;
};

class CloseDropsQueue final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  void close() override { below_->abort(); }
};

/// Everything is delivered one iteration later, whatever happened meanwhile.
class DeliversLate final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  void datagram_received(ByteView data, const Endpoint& sender) override {
    loop_.call_soon([keep = shared_from_this(), user = user_,
                     copy = Datagram{Bytes(data.begin(), data.end()), sender}] {
      user->datagram_received(copy.data, copy.sender);
    });
  }
};

class AnyPeerWillDo final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  Result<void> sendto(ByteView data, const Endpoint* to) override {
    const Result<void> sent = below_->sendto(data, to);
    const bool refused = !sent.ok() && sent.error().is(Errc::invalid_argument);
    return refused ? below_->sendto(data, nullptr) : sent;
  }
};

/// What does not fit right now is dropped, as if every datagram socket were UDP.
class NoQueue final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  Result<void> sendto(ByteView data, const Endpoint* to) override {
    return below_->get_write_buffer_size() > 0 ? Result<void>() : below_->sendto(data, to);
  }
};

/// Reads as long as there is anything to read.
class ReadsUntilEmpty final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  void datagram_received(ByteView data, const Endpoint& sender) override {
    user_->datagram_received(data, sender);
    std::array<std::byte, 2'048> buffer;
    for (;;) {
      Endpoint next;
      const Result<os::Transfer> got = os::recvfrom(descriptor(), buffer, next);
      if (!got.ok() || !*got) return;
      user_->datagram_received(ByteView(buffer).first(**got), next);
    }
  }
};

class SharesItsPort final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  void connection_made(BaseTransport& transport) override {
    DatagramBetween::connection_made(transport);
    tools::set_socket_flag(descriptor(), tools::SocketFlag::reuse_address, true);
  }
};

// Waiting for a socket that has room, where it is the peer that has none.

class SpinsWhileQueued final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  Result<void> sendto(ByteView data, const Endpoint* to) override {
    const bool first = get_write_buffer_size() == 0;
    const Result<void> sent = below_->sendto(data, to);
    if (first && get_write_buffer_size() > 0) {
      look_again(loop_, [keep = shared_from_this(), this] { return get_write_buffer_size() == 0; });
    }
    return sent;
  }
};

class SpinsWhileSending final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<std::size_t> sock_sendto(Socket& socket, Bytes data, Endpoint peer) override {
    Future<std::size_t> sent = SelectorLoop::sock_sendto(socket, std::move(data), peer);
    if (!sent.done()) look_again(*this, [sent] { return sent.done(); });
    return sent;
  }
};

/// Ignores one of the options, or adopts a socket whatever stands beside it.
template <bool broadcast, bool share, bool beside_socket>
class IgnoresOptions final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<DatagramLink> create_datagram_endpoint(DatagramFactory factory,
                                                DatagramOptions options) override {
    if (broadcast) options.allow_broadcast = false;
    if (share) options.reuse_port = false;
    if (beside_socket && options.sock != nullptr) options.local_addr.reset();
    return SelectorLoop::create_datagram_endpoint(std::move(factory), std::move(options));
  }
};

using Names = std::string_view;
constexpr Names kTruncation[] = {"udp.truncation"};
constexpr Names kZero[] = {"udp.zero_length"};
constexpr Names kSwallowed[] = {"udp.zero_length", "unix.dgram"};
constexpr Names kSender[] = {"udp.roundtrip.v4_v6", "udp.order_and_sender",
                             "udp.refused_unconnected"};
constexpr Names kErrors[] = {"udp.refused_survives", "udp.oversize"};
constexpr Names kFlush[] = {"udp.close.flush"};
constexpr Names kLate[] = {"udp.close.no_callbacks_after"};
constexpr Names kPeer[] = {"udp.sendto.wrong_peer"};
constexpr Names kQueue[] = {"udp.send.buffering", "udp.close.flush"};
constexpr Names kFullPeer[] = {"udp.send.full_peer"};
constexpr Names kFullSendto[] = {"sock.sendto.full_peer"};
constexpr Names kFlood[] = {"udp.flood_fairness"};
constexpr Names kPort[] = {"udp.reuse_address_removed"};
constexpr Names kBroadcast[] = {"udp.broadcast"};
constexpr Names kReusePort[] = {"udp.reuse_port"};
constexpr Names kSocket[] = {"udp.existing_socket"};

constexpr Names kBasicsPass[] = {"udp.oversize", "udp.sendto.wrong_peer", "pipe.read.*"};
constexpr Names kOptionsPass[] = {"udp.zero_length", "udp.close.*"};
constexpr Names kExchangePass[] = {"udp.truncation", "udp.zero_length", "udp.reuse_port"};

constexpr Names kSendingPass[] = {"udp.send.buffering", "udp.close.flush", "sock.sendto_recvfrom"};

constexpr FaultyLoop kLoops[] = {
    {.loop = poll_based<DatagramsThrough<CutShort>>("faulty.datagram_cut_short"),
     .defect = "Large datagrams are cut without a word.",
     .must_fail = kTruncation,
     .must_pass = kOptionsPass},
    {.loop = poll_based<DatagramsThrough<EmptyIsNothing>>("faulty.empty_datagram_swallowed"),
     .defect = "An empty datagram is taken for nothing.",
     .must_fail = kSwallowed,
     .must_pass = kBasicsPass},
    {.loop = poll_based<DatagramsThrough<EmptyIsNotSent>>("faulty.empty_datagram_not_sent"),
     .defect = "Sending an empty datagram succeeds and sends nothing.",
     .must_fail = kZero,
     .must_pass = kBasicsPass},
    {.loop = poll_based<DatagramsThrough<Joined>>("faulty.datagrams_coalesced"),
     .defect = "Datagrams that arrive together are delivered as one.",
     .must_fail = kZero,
     .must_pass = kBasicsPass},
    {.loop = poll_based<DatagramsThrough<SenderLost>>("faulty.datagram_sender_lost"),
     .defect = "The sender's address is not passed on.",
     .must_fail = kSender,
     .must_pass = kExchangePass},
    {.loop = poll_based<DatagramsThrough<ErrorEndsAll>>("faulty.datagram_error_ends_endpoint"),
     .defect = "The first error of a datagram ends the endpoint.",
     .must_fail = kErrors,
     .must_pass = kOptionsPass},
    {.loop = poll_based<DatagramsThrough<CloseDropsQueue>>("faulty.datagrams_dropped_on_close"),
     .defect = "close() drops the datagrams that are still queued.",
     .must_fail = kFlush,
     .must_pass = kExchangePass},
    {.loop = poll_based<DatagramsThrough<DeliversLate>>("faulty.datagram_after_close"),
     .defect = "Datagrams are delivered after close() and connection_lost.",
     .must_fail = kLate,
     .must_pass = kExchangePass},
    {.loop = poll_based<DatagramsThrough<AnyPeerWillDo>>("faulty.datagram_to_wrong_peer"),
     .defect = "A connected endpoint sends to its peer whatever address it is given.",
     .must_fail = kPeer,
     .must_pass = kOptionsPass},
    {.loop = poll_based<DatagramsThrough<NoQueue>>("faulty.datagram_queue_of_one"),
     .defect = "Datagrams behind one that has to wait are dropped.",
     .must_fail = kQueue,
     .must_pass = kExchangePass},
    {.loop = poll_based<DatagramsThrough<SpinsWhileQueued>>("faulty.datagram_full_peer_spins"),
     .defect = "Datagrams whose receiver has no room are tried again all the time.",
     .must_fail = kFullPeer,
     .must_pass = kSendingPass},
    {.loop = poll_based<SpinsWhileSending>("faulty.sendto_full_peer_spins"),
     .defect = "sock_sendto tries again all the time while the receiver has no room.",
     .must_fail = kFullSendto,
     .must_pass = kSendingPass},
    {.loop = poll_based<DatagramsThrough<ReadsUntilEmpty>>("faulty.datagram_flood_starves"),
     .defect = "A datagram socket is read until it is empty, however long that takes.",
     .must_fail = kFlood,
     .must_pass = kBasicsPass},
    {.loop = poll_based<DatagramsThrough<SharesItsPort>>("faulty.datagram_port_shared"),
     .defect = "Every datagram socket gets SO_REUSEADDR.",
     .must_fail = kPort,
     .must_pass = kExchangePass},
    {.loop = poll_based<IgnoresOptions<true, false, false>>("faulty.broadcast_ignored"),
     .defect = "allow_broadcast is ignored.",
     .must_fail = kBroadcast,
     .must_pass = kExchangePass},
    {.loop = poll_based<IgnoresOptions<false, true, false>>("faulty.reuse_port_ignored"),
     .defect = "reuse_port is ignored.",
     .must_fail = kReusePort,
     .must_pass = kOptionsPass},
    {.loop = poll_based<IgnoresOptions<false, false, true>>("faulty.contradiction_accepted"),
     .defect = "A socket together with an address is accepted, and the address ignored.",
     .must_fail = kSocket,
     .must_pass = kExchangePass},
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::datagram_faults
