// Loops that accept what they should refuse, or lose part of an address or of a queue.
#include <cerrno>
#include <cstring>

#include "harness/testing/between.hpp"
#include "harness/testing/own_turn.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::testing::descriptor_faults {
namespace {

/// As a sender over sendmmsg(2) that does not look at how many of its messages were taken.
class QueueOf1024 final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  Result<void> sendto(ByteView data, const Endpoint* to) override {
    if (below_->get_write_buffer_size() == 0) queued_ = 0;
    return ++queued_ > 1'024 ? Result<void>() : below_->sendto(data, to);
  }

 private:
  std::size_t queued_ = 0;
};

class PathsLost final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  void datagram_received(ByteView data, const Endpoint& sender) override {
    const bool named = sender.family() == AddressFamily::unix_domain;
    user_->datagram_received(data, named ? Endpoint() : sender);
  }
};

class ScopeLost final : public DatagramBetween {
 public:
  using DatagramBetween::DatagramBetween;
  void datagram_received(ByteView data, const Endpoint& sender) override {
    Endpoint unscoped = sender;
    constexpr std::size_t kScope = 24;  // sin6_scope_id: the last four bytes of 28
    if (sender.family() == AddressFamily::ipv6) {
      std::memset(static_cast<std::byte*>(unscoped.data()) + kScope, 0, sizeof(std::uint32_t));
    }
    user_->datagram_received(data, unscoped);
  }
};

/// Takes a socket that is not connected any more for one that is.
class KeepsFirstPeer final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"udp.disconnect"};
  static constexpr Names kKeeps[] = {"udp.roundtrip.v4_v6", "sock.connect.dgram"};

  Future<void> sock_connect(Socket& socket, Endpoint peer) override {
    if (peer.family() == AddressFamily::unspecified) return done_future<void>({});
    return SelectorLoop::sock_connect(socket, peer);
  }
};

class AnyDatagramSocket final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"udp.bad_sockets"};
  static constexpr Names kKeeps[] = {"udp.roundtrip.v4_v6", "udp.bad_addresses"};

  Future<DatagramLink> create_datagram_endpoint(DatagramFactory factory,
                                                DatagramOptions options) override {
    Socket replacement;
    if (options.sock != nullptr && !os::type_of(options.sock->native()).ok()) {
      options.sock = nullptr;
      options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
    }
    return SelectorLoop::create_datagram_endpoint(std::move(factory), std::move(options));
  }
};

class LeaksRefusedSocket final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"udp.bad_addresses"};
  static constexpr Names kKeeps[] = {"udp.roundtrip.v4_v6", "udp.bad_sockets"};

  Future<DatagramLink> create_datagram_endpoint(DatagramFactory factory,
                                                DatagramOptions options) override {
    const bool opens = options.local_addr.has_value();
    auto made = SelectorLoop::create_datagram_endpoint(std::move(factory), std::move(options));
    if (opens && made.done()) {
      Result<os::UniqueFd> fd = os::open_socket(AddressFamily::ipv4, SocketType::datagram);
      if (fd.ok()) forgotten_.push_back(std::move(fd).value());
    }
    return made;
  }

 private:
  std::vector<os::UniqueFd> forgotten_;
};

/// The wrong end of a pipe is accepted, and the connection lost at the first transfer.
class WrongEndAccepted final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"pipe.bad_descriptors"};
  static constexpr Names kKeeps[] = {"pipe.read.basic_eof", "pipe.fifo.writer"};

  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    const Result<bool> wrong_end = os::is_write_only(pipe.get());
    if (wrong_end.ok() && *wrong_end) {
      return SelectorLoop::connect_write_pipe(std::move(factory), std::move(pipe));
    }
    return SelectorLoop::connect_read_pipe(std::move(factory), std::move(pipe));
  }
};

/// Watches the reading side of everything that is written, and takes bytes there for a hang-up.
class InboundIsHangUp final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"pipe.fifo.two_way"};
  static constexpr Names kKeeps[] = {"pipe.fifo.writer", "pipe.read.basic_eof"};

  Future<Link> connect_write_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    const os::NativeSocket fd = pipe.get();
    const Result<bool> one_way = os::is_write_only(fd);
    Future<Link> made = SelectorLoop::connect_write_pipe(std::move(factory), std::move(pipe));
    if (one_way.ok() && !*one_way) {
      made.add_done_callback([this, made, fd] {
        const Result<Link> link = made.result();
        if (!link.ok()) return;
        (void)watch(fd, Direction::read, [transport = link->transport] { transport->abort(); });
      });
    }
    return made;
  }
};

/// The reader of a FIFO may leave without anybody noticing.
class FifoReaderUnwatched final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"pipe.fifo.writer"};
  static constexpr Names kKeeps[] = {"pipe.fifo.two_way", "pipe.read.basic_eof"};

  Future<Link> connect_write_pipe(ProtocolFactory factory, PipeEnd pipe) override {
    const os::NativeSocket fd = pipe.get();
    Future<Link> made = SelectorLoop::connect_write_pipe(std::move(factory), std::move(pipe));
    made.add_done_callback([this, fd] { unwatch(fd, Direction::read); });
    return made;
  }
};

constexpr Names kMmsg[] = {"udp.mmsg"};
constexpr Names kUnix[] = {"udp.unix_names"};
constexpr Names kScoped[] = {"udp.ipv6_scope"};
constexpr Names kDatagramsPass[] = {"udp.roundtrip.v4_v6", "udp.close.*", "udp.zero_length"};

constexpr FaultyLoop kLoops[] = {
    {.loop = poll_based<DatagramsThrough<QueueOf1024>>("faulty.datagram_queue_of_1024"),
     .defect = "Of the datagrams that have to wait, those beyond 1024 are lost.",
     .must_fail = kMmsg,
     .must_pass = kDatagramsPass},
    {.loop = poll_based<DatagramsThrough<PathsLost>>("faulty.datagram_paths_lost"),
     .defect = "The names of Unix senders are not passed on.",
     .must_fail = kUnix,
     .must_pass = kDatagramsPass},
    {.loop = poll_based<DatagramsThrough<ScopeLost>>("faulty.datagram_scope_lost"),
     .defect = "IPv6 senders lose their scope.",
     .must_fail = kScoped,
     .must_pass = kDatagramsPass},
    wrong<KeepsFirstPeer>("faulty.disconnect_ignored", "A datagram socket cannot be disconnected."),
    wrong<AnyDatagramSocket>("faulty.socket_replaced",
                             "A socket that cannot be used is replaced without a word."),
    wrong<LeaksRefusedSocket>("faulty.refused_socket_leaks",
                              "A socket whose address was refused stays open."),
    wrong<WrongEndAccepted>("faulty.wrong_end_accepted", "The wrong end of a pipe is accepted."),
    wrong<InboundIsHangUp>("faulty.inbound_is_hang_up",
                           "Bytes that arrive at a writer are taken for its reader's leaving."),
    wrong<FifoReaderUnwatched>("faulty.fifo_reader_unwatched",
                               "A writer does not notice that its reader has gone."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::descriptor_faults
