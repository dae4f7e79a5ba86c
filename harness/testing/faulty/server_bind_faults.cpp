// Loops that bind wrongly or hear only half of the options of create_server, in one way each.
#include "harness/testing/serving.hpp"

namespace loopscope::testing::server_bind_faults {
namespace {

/// Changes the options before they are used.
template <void (*change)(ServerOptions&)>
class Misheard final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  MadeServer create_server(ProtocolFactory factory, ServerOptions options) override {
    change(options);
    return SelectorLoop::create_server(std::move(factory), std::move(options));
  }
};

void no_reuse(ServerOptions& options) {
  if (options.sock == nullptr) options.reuse_address = false;
}
void no_sharing(ServerOptions& options) { options.reuse_port = false; }
void no_keep_alive(ServerOptions& options) { options.keep_alive = false; }
void always_keep_alive(ServerOptions& options) { options.keep_alive = true; }
void ipv4_alone(ServerOptions& options) {
  if (options.sock == nullptr && options.addresses.empty() && options.hosts.empty()) {
    options.hosts = {"0.0.0.0"};
  }
}
void first_host_alone(ServerOptions& options) {
  if (options.hosts.size() > 1) options.hosts.resize(1);
}

/// An address that this host does not have makes the whole call fail.
class OneMissingIsFatal final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  MadeServer create_server(ProtocolFactory factory, ServerOptions options) override {
    for (const Endpoint& address : options.addresses) {
      ServerOptions alone;
      alone.addresses = {address};
      const Result<Listeners> tried = bind_listeners(alone.addresses, alone);
      if (!tried.ok()) return done_future<std::shared_ptr<Server>>(tried.error());
    }
    return SelectorLoop::create_server(std::move(factory), std::move(options));
  }
};

/// What was bound before the address that failed stays open.
class BoundKept final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  MadeServer create_server(ProtocolFactory factory, ServerOptions options) override {
    const std::vector<Endpoint> addresses = options.addresses;
    const MadeServer made = SelectorLoop::create_server(std::move(factory), std::move(options));
    if (addresses.size() < 2 || !made.done()) return made;  // done at once: refused
    ServerOptions first;
    first.addresses = {addresses.front()};
    Result<Listeners> bound = bind_listeners(first.addresses, first);
    if (bound.ok()) kept_.push_back(std::move(bound).value());
    return made;
  }

 private:
  std::vector<Listeners> kept_;
};

class AddressNotNamed final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  MadeServer create_server(ProtocolFactory factory, ServerOptions options) override {
    const MadeServer made = SelectorLoop::create_server(std::move(factory), std::move(options));
    if (!made.done()) return made;
    Error error = made.result().error();
    error.detail.clear();
    return done_future<std::shared_ptr<Server>>(error);
  }
};

class RefusedSocketClosed final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  MadeServer create_server(ProtocolFactory factory, ServerOptions options) override {
    Socket* lent = options.sock;
    const MadeServer made = SelectorLoop::create_server(std::move(factory), std::move(options));
    if (made.done() && lent != nullptr) lent->close();
    return made;
  }
};

using Names = std::string_view;
constexpr Names kTimeWait[] = {"srv.reuse_address_timewait"};
constexpr Names kSharing[] = {"srv.reuse_port"};
constexpr Names kAlive[] = {"srv.keep_alive"};
constexpr Names kFamilies[] = {"srv.multi_host_dualstack"};
constexpr Names kList[] = {"srv.multi_host_dualstack.list"};
constexpr Names kInUse[] = {"srv.addr_in_use"};
constexpr Names kSockets[] = {"srv.wrong_socket", "srv.contradicting_options"};
constexpr Names kPass[] = {"srv.accept.*", "srv.close.pending_backlog", "srv.wait_closed",
                           "unix.stream.echo"};

constexpr FaultyLoop kLoops[] = {
    faulty<Misheard<no_reuse>>("faulty.reuse_address_off",
                               "Listening sockets do not reuse an address.", kTimeWait, kPass),
    faulty<Misheard<no_sharing>>("faulty.server_port_not_shared", "reuse_port is ignored.",
                                 kSharing, kPass),
    faulty<Misheard<no_keep_alive>>("faulty.server_keep_alive_ignored", "keep_alive is ignored.",
                                    kAlive, kPass),
    faulty<Misheard<always_keep_alive>>("faulty.keep_alive_always",
                                        "Every accepted connection is kept alive.", kAlive, kPass),
    faulty<Misheard<ipv4_alone>>("faulty.serves_ipv4_alone",
                                 "Without a host a server listens on IPv4 alone.", kFamilies,
                                 kPass),
    faulty<Misheard<first_host_alone>>("faulty.first_host_alone",
                                       "Of several hosts the first alone is bound.", kList, kPass),
    faulty<OneMissingIsFatal>("faulty.missing_address_fatal",
                              "One address that this host lacks prevents the server.", kList,
                              kPass),
    faulty<BoundKept>("faulty.bound_sockets_kept",
                      "Sockets bound before the address that failed stay open.", kInUse, kPass),
    faulty<AddressNotNamed>("faulty.address_not_named",
                            "The error does not say which address is in use.", kInUse, kPass),
    faulty<RefusedSocketClosed>("faulty.refused_listener_closed",
                                "A socket that is refused is closed.", kSockets, kPass),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::server_bind_faults
