// Loops whose sock_connect or sock_accept says or does the wrong thing, in one way each.
#include <cerrno>

#include "harness/testing/poll_based.hpp"
#include "harness/testing/relay.hpp"

namespace loopscope::testing::socket_connect_faults {
namespace {

class ConnectedTooEarly final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_connect(Socket& socket, Endpoint peer) override {
    const Result<bool> begun = os::connect(socket.native(), peer);
    if (!begun.ok()) return done_future<void>(begun.error());
    return done_future<void>({});  // In progress counts as connected.
  }
};

class ConnectErrorSwallowed final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_connect(Socket& socket, Endpoint peer) override {
    return relay(*this, SelectorLoop::sock_connect(socket, peer),
                 [](Result<void>) { return Result<void>(); });
  }
};

class ConnectsTwice final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_connect(Socket& socket, Endpoint peer) override {
    return relay(*this, SelectorLoop::sock_connect(socket, peer),
                 [](Result<void> outcome) -> Result<void> {
                   if (!outcome.ok()) return outcome;
                   // What a second connect says when it is called to learn the first one's end.
                   return errno_error_of(EISCONN, "connect");
                 });
  }
};

class CancelKeepsWatching final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_connect(Socket& socket, Endpoint peer) override {
    Future<void> outer = relay(*this, SelectorLoop::sock_connect(socket, peer));
    outer.set_cancel_hook([] {});
    return outer;
  }
};

class AgainIsInProgress final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_connect(Socket& socket, Endpoint peer) override {
    return relay(*this, SelectorLoop::sock_connect(socket, peer), [](Result<void> outcome) {
      // Waits for writability then, and finds no error on the socket.
      if (!outcome.ok() && outcome.error().is_errno(EAGAIN)) return Result<void>();
      return outcome;
    });
  }
};

class BoundSocketRefused final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_connect(Socket& socket, Endpoint peer) override {
    const Result<Endpoint> own = os::local_address(socket.native());
    const bool bound = own.ok() && own->port() != 0;
    if (bound) return done_future<void>(errno_error_of(EOPNOTSUPP, "sock_connect"));
    return SelectorLoop::sock_connect(socket, peer);
  }
};

class AddressRewritten final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<void> sock_connect(Socket& socket, Endpoint peer) override {
    const std::string path = peer.path();
    if (const std::size_t colon = path.find(':'); colon != std::string::npos) {
      peer = Endpoint::unix_path(path.substr(0, colon)).value();  // "host:port", surely.
    }
    return SelectorLoop::sock_connect(socket, peer);
  }
};

class AcceptedBlocks final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Accepted> sock_accept(Socket& listener) override {
    return relay(*this, SelectorLoop::sock_accept(listener), [](Result<Accepted> got) {
      if (got.ok()) (void)os::set_blocking(got->connection.native(), true);
      return got;
    });
  }
};

class AcceptsAllKeepsOne final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Accepted> sock_accept(Socket& listener) override {
    return relay(*this, SelectorLoop::sock_accept(listener),
                 [fd = listener.native()](Result<Accepted> got) {
                   for (;;) {
                     const auto next = os::accept(fd);
                     if (!next.ok() || !*next) return got;
                   }
                 });
  }
};

class CancelTakesClient final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Accepted> sock_accept(Socket& listener) override {
    Future<Accepted> inner = SelectorLoop::sock_accept(listener);
    Future<Accepted> outer = relay(*this, inner);
    outer.set_cancel_hook([this, inner, fd = listener.native()]() mutable {
      inner.cancel();
      auto client = os::accept(fd);
      if (client.ok() && *client) taken_.push_back(std::move((*client)->first));
    });
    return outer;
  }

 private:
  std::vector<os::UniqueFd> taken_;
};

class AcceptErrorsWaitedOut final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Accepted> sock_accept(Socket& listener) override {
    Future<Accepted> inner = SelectorLoop::sock_accept(listener);
    Future<Accepted> outer = create_future<Accepted>();
    inner.add_done_callback([inner, outer] {
      Result<Accepted> got = inner.result();
      if (got.ok()) finish(outer, std::move(got));
    });
    outer.set_cancel_hook([inner]() mutable { inner.cancel(); });
    return outer;
  }
};

using Names = std::string_view;
constexpr Names kEarly[] = {"sock.connect.refused"};
constexpr Names kSwallowed[] = {
    "sock.connect.refused",  "sock.connect.immediate", "sock.connect.unix_backlog_full",
    "limit.port_exhaustion", "tcp.connect.refused",    "tcp.connect.multiple_addresses"};
constexpr Names kTwice[] = {"sock.connect.basic", "sock.connect.family_resolution",
                            "sock.connect.cancel"};
constexpr Names kWatching[] = {"sock.connect.cancel"};
constexpr Names kAgain[] = {"sock.connect.unix_backlog_full"};
constexpr Names kBound[] = {"sock.connect.dgram", "sock.recvfrom.refused_then_usable"};
constexpr Names kRewritten[] = {"sock.connect.family_resolution"};
constexpr Names kBlocks[] = {"sock.accept.basic"};
constexpr Names kOne[] = {"sock.accept.backlog_in_order", "fair.accept_storm"};
constexpr Names kTaken[] = {"sock.accept.cancel"};
constexpr Names kWaitedOut[] = {"sock.accept.not_listening", "limit.emfile.everywhere"};

constexpr Names kKeeps[] = {"sock.recv.basic", "sock.sendall.*"};
constexpr Names kKeepsConnect[] = {"sock.recv.basic", "sock.connect.basic"};
constexpr Names kKeepsRefused[] = {"sock.recv.basic", "sock.connect.refused"};

constexpr FaultyLoop kLoops[] = {
    {.loop = poll_based<ConnectedTooEarly>("faulty.connected_too_early"),
     .defect = "A connect in progress is reported as a connection.",
     .must_fail = kEarly,
     .must_pass = kKeepsConnect},
    {.loop = poll_based<ConnectErrorSwallowed>("faulty.connect_error_swallowed"),
     .defect = "A connect that failed is reported as a connection.",
     .must_fail = kSwallowed,
     .must_pass = kKeepsConnect},
    {.loop = poll_based<ConnectsTwice>("faulty.connects_twice"),
     .defect = "A connection is reported as an error, EISCONN, because connect is called again.",
     .must_fail = kTwice,
     .must_pass = kKeepsRefused},
    {.loop = poll_based<CancelKeepsWatching>("faulty.cancelled_connect_watches"),
     .defect = "A cancelled connect goes on watching its socket.",
     .must_fail = kWatching,
     .must_pass = kKeepsConnect},
    {.loop = poll_based<AgainIsInProgress>("faulty.connect_eagain_in_progress"),
     .defect = "EAGAIN of a Unix connect is taken for a connect in progress.",
     .must_fail = kAgain,
     .must_pass = kKeepsConnect},
    {.loop = poll_based<BoundSocketRefused>("faulty.bound_socket_not_connected"),
     .defect = "A socket that is bound already is refused by sock_connect.",
     .must_fail = kBound,
     .must_pass = kKeepsConnect},
    {.loop = poll_based<AddressRewritten>("faulty.connect_rewrites_address"),
     .defect = "A Unix path is cut at its first colon.",
     .must_fail = kRewritten,
     .must_pass = kKeepsConnect},
    {.loop = poll_based<AcceptedBlocks>("faulty.accepted_socket_blocks"),
     .defect = "Accepted sockets are blocking.",
     .must_fail = kBlocks,
     .must_pass = kKeeps},
    {.loop = poll_based<AcceptsAllKeepsOne>("faulty.accept_drops_backlog"),
     .defect = "An accept takes every waiting client and keeps one.",
     .must_fail = kOne,
     .must_pass = kKeeps},
    {.loop = poll_based<CancelTakesClient>("faulty.cancelled_accept_leaks"),
     .defect = "A cancelled accept takes a waiting client and keeps its descriptor.",
     .must_fail = kTaken,
     .must_pass = kKeeps},
    {.loop = poll_based<AcceptErrorsWaitedOut>("faulty.accept_error_swallowed"),
     .defect = "An accept that fails goes on waiting.",
     .must_fail = kWaitedOut,
     .must_pass = kKeeps},
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::socket_connect_faults
