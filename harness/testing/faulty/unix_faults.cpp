// Loops that are wrong about Unix sockets, in one way each.
#include <cerrno>
#include <filesystem>

#include "harness/testing/relay.hpp"
#include "harness/testing/serving.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::testing::unix_faults {
namespace {

/// Changes the options of create_unix_server before they are used.
template <void (*change)(UnixServerOptions&)>
class Misheard final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  MadeServer create_unix_server(ProtocolFactory factory, UnixServerOptions options) override {
    change(options);
    return SelectorLoop::create_unix_server(std::move(factory), std::move(options));
  }
};

bool is_path(const UnixServerOptions& options) {
  return !options.path.empty() && options.path.front() != '\0';
}
void remove_whatever_is_there(UnixServerOptions& options) {
  std::error_code ignored;
  if (is_path(options)) std::filesystem::remove(options.path, ignored);
}
void leave_the_file(UnixServerOptions& options) { options.cleanup_socket = false; }
void cut_the_path(UnixServerOptions& options) {
  if (is_path(options) && options.path.size() > 107) options.path.resize(107);
}
void pad_the_name(UnixServerOptions& options) {
  if (!options.path.empty() && options.path.front() == '\0') options.path.resize(108);
}

class StaleIsInUse final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  MadeServer create_unix_server(ProtocolFactory factory, UnixServerOptions options) override {
    if (is_path(options) && os::socket_file_at(options.path)) {
      return done_future<std::shared_ptr<Server>>(errno_error_of(EADDRINUSE, "bind", options.path));
    }
    return SelectorLoop::create_unix_server(std::move(factory), std::move(options));
  }
};

/// Removes what lies at its path when it closes, whosever it is.
class RemovesReplacement final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  void close() override {
    std::string path;
    for (const Endpoint& each : sockets()) path = each.path();
    const bool cleans = !path.empty() && path.front() != '\0' && path.ends_with("replaced");
    SelectorServer::close();
    std::error_code ignored;
    if (cleans) std::filesystem::remove(path, ignored);
  }
};

class NameNotTold final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  std::vector<Endpoint> sockets() const override {
    std::vector<Endpoint> all = SelectorServer::sockets();
    for (Endpoint& each : all) {
      if (each.path().starts_with('\0')) each = Endpoint::unix_path("").value();
    }
    return all;
  }
};

/// EAGAIN of connect is taken for a connection, as asyncio does.
class DeadTransport final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> create_unix_connection(ProtocolFactory factory,
                                      UnixConnectOptions options) override {
    const Result<Endpoint> to = Endpoint::unix_path(options.path);
    if (!to.ok() || options.sock != nullptr) {
      return SelectorLoop::create_unix_connection(std::move(factory), std::move(options));
    }
    os::UniqueFd fd = os::open_socket(AddressFamily::unix_domain, SocketType::stream).value();
    const Result<bool> connected = os::connect(fd.get(), *to);
    if (!connected.ok() && !connected.error().is_errno(EAGAIN)) {
      return done_future<Link>(connected.error());
    }
    Future<Link> future = create_future<Link>();
    open_link(future, std::move(fd), factory);
    return future;
  }
};

class CancelIgnored final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> create_unix_connection(ProtocolFactory factory,
                                      UnixConnectOptions options) override {
    Future<Link> outer =
        relay(*this, SelectorLoop::create_unix_connection(std::move(factory), std::move(options)));
    outer.set_cancel_hook(nullptr);
    return outer;
  }
};

class OneErrorForBoth final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> create_unix_connection(ProtocolFactory factory,
                                      UnixConnectOptions options) override {
    Future<Link> made =
        SelectorLoop::create_unix_connection(std::move(factory), std::move(options));
    if (!made.done() || made.result().ok()) return made;
    if (!made.result().error().is_errno(ENOENT)) return made;
    return done_future<Link>(errno_error_of(ECONNREFUSED, "connect"));
  }
};

class AnySocketTaken final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> create_unix_connection(ProtocolFactory factory,
                                      UnixConnectOptions options) override {
    if (options.sock == nullptr) {
      return SelectorLoop::create_unix_connection(std::move(factory), std::move(options));
    }
    Future<Link> future = create_future<Link>();
    open_link(future, options.sock->release(), factory);
    return future;
  }
};

/// A client without a name is given the server's.
class NamesTheNameless final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  ExtraInfo get_extra_info(std::string_view name) const override {
    const ExtraInfo told = below_->get_extra_info(name);
    const Endpoint* address = std::get_if<Endpoint>(&told);
    const bool named = address != nullptr && !address->path().empty();
    return name == "peername" && !named ? below_->get_extra_info("sockname") : told;
  }
};

/// What the system does not take at once is forgotten.
class DropsTheRest final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void write(ByteView data) override {
    below_->write(data.first(std::min<std::size_t>(data.size(), 200'000)));
  }
};

/// Receives descriptors that come with the data, and forgets them.
class ForgetsDescriptors final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> watch(os::NativeSocket fd, Direction direction,
                     std::function<void()> ready) override {
    if (direction != Direction::read) return SelectorLoop::watch(fd, direction, std::move(ready));
    return SelectorLoop::watch(fd, direction, [fd, ready = std::move(ready)] {
      tools::peek_descriptors(fd);
      ready();
    });
  }
};

using Names = std::string_view;
constexpr Names kStale[] = {"unix.path.stale_socket_removed"};
constexpr Names kCleanup[] = {"unix.path.cleanup_on_close"};
constexpr Names kLong[] = {"unix.path.too_long", "unix.path.108_bytes"};
constexpr Names kAbstract[] = {"unix.abstract"};
constexpr Names kAutobind[] = {"unix.autobind"};
constexpr Names kFull[] = {"unix.connect.full_backlog"};
constexpr Names kCancelled[] = {"unix.connect.full_backlog.cancel"};
constexpr Names kNobody[] = {"unix.connect.no_listener"};
constexpr Names kTypes[] = {"unix.seqpacket", "unix.wrong_type_socket"};
constexpr Names kUnnamed[] = {"unix.peer_unnamed"};
constexpr Names kEcho[] = {"unix.stream.echo"};
constexpr Names kRights[] = {"unix.scm_rights.unexpected"};

constexpr Names kPass[] = {"unix.stream.echo", "unix.dgram", "unix.epollhup_fresh",
                           "srv.wait_closed"};
constexpr Names kEchoPass[] = {"unix.path.*", "unix.connect.no_listener", "srv.wait_closed"};

constexpr FaultyLoop kLoops[] = {
    faulty<StaleIsInUse>("faulty.stale_socket_in_use",
                         "The file of a dead socket prevents a new server.", kStale, kPass),
    faulty<Misheard<remove_whatever_is_there>>(
        "faulty.path_cleared", "Whatever lies at a server's path is deleted.", kStale, kPass),
    faulty<Misheard<leave_the_file>>("faulty.socket_file_left",
                                     "The server's file outlives close().", kCleanup, kPass),
    faulty<ServersAs<RemovesReplacement>>("faulty.replacement_removed",
                                          "close() removes the file of another server.", kCleanup,
                                          kPass),
    faulty<Misheard<cut_the_path>>("faulty.path_cut", "A path that is too long is cut.", kLong,
                                   kPass),
    faulty<Misheard<pad_the_name>>("faulty.abstract_name_padded",
                                   "Abstract names are padded to the size of the address.",
                                   kAbstract, kPass),
    faulty<ServersAs<NameNotTold>>("faulty.abstract_name_not_told",
                                   "The address of a server with an abstract name is empty.",
                                   kAutobind, kPass),
    faulty<DeadTransport>("faulty.dead_unix_transport",
                          "A connection that did not fit into the queue counts as made.", kFull,
                          kPass),
    faulty<CancelIgnored>("faulty.unix_connect_goes_on",
                          "A cancelled Unix connection goes on trying.", kCancelled, kPass),
    faulty<OneErrorForBoth>("faulty.missing_path_refused",
                            "A missing path is reported as a refused connection.", kNobody, kPass),
    faulty<AnySocketTaken>("faulty.any_socket_taken",
                           "create_unix_connection takes whatever socket it is given.", kTypes,
                           kPass),
    faulty<ServersThrough<NamesTheNameless>>("faulty.nameless_client_named",
                                             "A client without a name is given another's.",
                                             kUnnamed, kPass),
    faulty<ServersThrough<DropsTheRest>>(
        "faulty.unix_write_cut", "What does not fit into the socket is dropped.", kEcho, kEchoPass),
    faulty<ForgetsDescriptors>("faulty.passed_descriptors_kept",
                               "Descriptors that come with data stay open.", kRights, kPass),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::unix_faults
