// Loops that connect wrongly, in one way each.
#include <latch>
#include <thread>

#include "harness/testing/own_turn.hpp"
#include "harness/testing/relay.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::testing::tcp_connect_faults {
namespace {

class FirstAddressOnly final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.connect.multiple_addresses"};
  static constexpr Names kKeeps[] = {"tcp.connect.refused", "tcp.connect.literal_host"};
  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override {
    if (options.addresses.size() > 1) options.addresses.resize(1);
    return SelectorLoop::create_connection(std::move(factory), std::move(options));
  }
};

class LastFailureOnly final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.connect.multiple_addresses"};
  static constexpr Names kKeeps[] = {"tcp.connect.refused", "tcp.connect.happy_eyeballs"};
  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override {
    auto inner = SelectorLoop::create_connection(std::move(factory), std::move(options));
    return relay(*this, inner, [](Result<Link> outcome) -> Result<Link> {
      if (outcome.ok()) return outcome;
      Error last = outcome.error();
      if (const std::size_t end = last.detail.rfind("; "); end != std::string::npos) {
        last.detail.erase(0, end + 2);
      }
      return last;
    });
  }
};

/// A socket whose connect has failed stays open.
class FailedSocketKept final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.connect.refused", "tcp.connect.multiple_addresses",
                                        "tcp.connect.unreachable"};
  static constexpr Names kKeeps[] = {"tcp.connect.literal_host", "tcp.connect.accepted_socket"};
  Future<void> sock_connect(Socket& socket, Endpoint peer) override {
    const auto copy = std::make_shared<Result<os::UniqueFd>>(os::duplicate(socket.native()));
    Future<void> inner = SelectorLoop::sock_connect(socket, peer);
    return relay(*this, inner, [this, copy](Result<void> outcome) {
      if (!outcome.ok() && copy->ok()) kept_.push_back(std::move(*copy).value());
      return outcome;
    });
  }

 private:
  std::vector<os::UniqueFd> kept_;
};

class NoHeadStart final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.connect.happy_eyeballs"};
  static constexpr Names kKeeps[] = {"tcp.connect.multiple_addresses", "tcp.connect.refused"};
  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override {
    if (options.happy_eyeballs_delay) options.happy_eyeballs_delay = Duration::zero();
    return SelectorLoop::create_connection(std::move(factory), std::move(options));
  }
};

/// The attempts that have lost stay open until the loop closes.
class LosersKept final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.connect.happy_eyeballs", "tcp.connect.cancel_no_leak"};
  static constexpr Names kKeeps[] = {"tcp.connect.refused", "tcp.connect.accepted_socket"};
  Future<void> sock_connect(Socket& socket, Endpoint peer) override {
    const auto copy = std::make_shared<Result<os::UniqueFd>>(os::duplicate(socket.native()));
    Future<void> inner = SelectorLoop::sock_connect(socket, peer);
    Future<void> outer = relay(*this, inner);
    outer.set_cancel_hook([this, inner, copy]() mutable {
      inner.cancel();
      if (copy->ok()) kept_.push_back(std::move(*copy).value());
    });
    return outer;
  }

 private:
  std::vector<os::UniqueFd> kept_;
};

class LocalAddressIgnored final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.connect.local_addr"};
  static constexpr Names kKeeps[] = {"tcp.connect.multiple_addresses", "tcp.connect.refused"};
  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override {
    options.local_addr.reset();
    return SelectorLoop::create_connection(std::move(factory), std::move(options));
  }
};

/// The connection that a factory refused to have a protocol for stays open.
class FactoryErrorLeaks final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.connect.protocol_factory_raises"};
  static constexpr Names kKeeps[] = {"tcp.connect.multiple_addresses", "tcp.connect.refused"};
  Future<void> sock_connect(Socket& socket, Endpoint peer) override {
    latest_ = socket.native();
    return SelectorLoop::sock_connect(socket, peer);
  }
  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override {
    return SelectorLoop::create_connection(
        [this, factory = std::move(factory)] {
          try {
            return factory();
          } catch (...) {
            Result<os::UniqueFd> copy = os::duplicate(latest_);
            if (copy.ok()) kept_.push_back(std::move(copy).value());
            throw;
          }
        },
        std::move(options));
  }

 private:
  os::NativeSocket latest_ = os::kInvalid;
  std::vector<os::UniqueFd> kept_;
};

/// A connection with itself counts as a success.
class OwnPeer final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.self_connect"};
  static constexpr Names kKeeps[] = {"tcp.connect.multiple_addresses", "tcp.connect.local_addr"};
  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override {
    const bool own = options.local_addr && options.addresses.size() == 1 &&
                     *options.local_addr == options.addresses[0];
    if (!own) return SelectorLoop::create_connection(std::move(factory), std::move(options));
    Result<os::UniqueFd> fd =
        os::open_socket(options.local_addr->family(), SocketType::stream, true);
    if (!fd.ok()) return done_future<Link>(fd.error());
    const Result<void> bound = os::bind(fd->get(), *options.local_addr);
    if (!bound.ok()) return done_future<Link>(bound.error());
    const Result<bool> connected = os::connect(fd->get(), options.addresses[0]);
    if (!connected.ok()) return done_future<Link>(connected.error());
    Socket socket(std::move(fd).value());
    return connect_accepted_socket(std::move(factory), socket);
  }
};

/// A socket that is refused is closed all the same.
class RefusedSocketClosed final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.connect.bad_socket"};
  static constexpr Names kKeeps[] = {"tcp.connect.accepted_socket", "tcp.connect.refused"};
  Future<Link> connect_accepted_socket(ProtocolFactory factory, Socket& socket,
                                       std::optional<TlsOptions> tls) override {
    Future<Link> made =
        SelectorLoop::connect_accepted_socket(std::move(factory), socket, std::move(tls));
    if (made.done() && socket) socket.close();
    return made;
  }
};

/// The transport works on a copy; the caller's socket stays open beside it.
class SocketNotTaken final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.connect.accepted_socket"};
  static constexpr Names kKeeps[] = {"tcp.connect.refused", "tcp.connect.literal_host"};
  Future<Link> connect_accepted_socket(ProtocolFactory factory, Socket& socket,
                                       std::optional<TlsOptions> tls) override {
    Result<os::UniqueFd> copy = os::duplicate(socket.native());
    if (!copy.ok()) return done_future<Link>(copy.error());
    Socket own(std::move(copy).value());
    return SelectorLoop::connect_accepted_socket(std::move(factory), own, std::move(tls));
  }
};

/// Of two ways to say where to connect, the addresses win.
class ContradictionsResolved final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.connect.contradictions"};
  static constexpr Names kKeeps[] = {"tcp.connect.refused", "tcp.connect.literal_host"};
  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override {
    if (!options.addresses.empty()) {
      options.host.clear(), options.service.clear();
      options.sock = nullptr;
    }
    return SelectorLoop::create_connection(std::move(factory), std::move(options));
  }
};

/// Every host is looked up in a thread, which then waits for the next one.
class LiteralsLookedUp final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.connect.literal_host"};
  static constexpr Names kKeeps[] = {"tcp.connect.refused", "tcp.connect.multiple_addresses"};
  ~LiteralsLookedUp() override {
    over_.count_down();
    if (resolver_.joinable()) resolver_.join();
  }
  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override {
    if (!options.host.empty() && !resolver_.joinable()) {
      resolver_ = std::thread([this] { over_.wait(); });
    }
    return SelectorLoop::create_connection(std::move(factory), std::move(options));
  }

 private:
  std::latch over_{1};
  std::thread resolver_;
};

constexpr FaultyLoop kLoops[] = {
    wrong<FirstAddressOnly>("faulty.first_address_only", "Only the first address is tried."),
    wrong<LastFailureOnly>("faulty.last_failure_only",
                           "The error of several addresses tells of the last one alone."),
    wrong<FailedSocketKept>("faulty.failed_connect_leaks",
                            "The socket of a connect that failed stays open."),
    wrong<NoHeadStart>("faulty.no_head_start",
                       "happy_eyeballs_delay is taken for zero: all addresses start at once."),
    wrong<LosersKept>("faulty.losing_connects_leak",
                      "Attempts that are given up leave their sockets open."),
    wrong<LocalAddressIgnored>("faulty.local_address_ignored", "local_addr is not bound."),
    wrong<FactoryErrorLeaks>("faulty.factory_error_leaks",
                             "A protocol factory that raises leaves the connection open."),
    wrong<OwnPeer>("faulty.connects_to_itself", "A socket that met itself counts as connected."),
    wrong<RefusedSocketClosed>("faulty.refused_socket_closed",
                               "A socket that cannot become a transport is closed."),
    wrong<SocketNotTaken>("faulty.adopted_socket_copied",
                          "A transport works on a copy of the caller's socket."),
    wrong<ContradictionsResolved>("faulty.contradictions_accepted",
                                  "Contradicting options are settled silently."),
    wrong<LiteralsLookedUp>("faulty.literals_looked_up",
                            "Literal hosts are looked up in a thread."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::tcp_connect_faults
