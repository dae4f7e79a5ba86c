// Unix sockets: servers at a path, and connections to one.
#include <cerrno>

#include "loops/common/connecting.hpp"
#include "loops/common/stream.hpp"
#include "loops/common/tls_transport.hpp"

namespace loopscope {
namespace {

/// A path or an abstract name as an address. A NUL inside a path would cut it short.
Result<Endpoint> named(std::string_view op, const std::string& path) {
  if (path.empty()) {
    return make_error(Errc::invalid_argument, op, "neither a path nor a socket was given");
  }
  if (path.front() != '\0' && path.find('\0') != std::string::npos) {
    return make_error(Errc::invalid_argument, op, "a NUL inside the path " + path);
  }
  return Endpoint::unix_path(path);
}

Result<Listener> bind_path(const std::string& path) {
  const Result<Endpoint> address = named("create_unix_server", path);
  if (!address.ok()) return address.error();
  Result<os::UniqueFd> fd = os::open_socket(AddressFamily::unix_domain, SocketType::stream);
  if (!fd.ok()) return fd.error();
  Result<void> bound = os::bind(fd->get(), *address);
  if (!bound.ok() && bound.error().is_errno(EADDRINUSE)) {
    const Result<bool> removed = remove_stale_socket(*address);
    if (!removed.ok()) return removed.error();
    if (*removed) bound = os::bind(fd->get(), *address);
  }
  if (!bound.ok()) return bound.error();
  return Listener{std::move(fd).value(), *address};
}

/// A connection attempt that goes on as long as the listener's queue is full.
struct UnixConnecting {
  NativeLoop& loop;
  os::UniqueFd fd;
  Endpoint to;
  ProtocolFactory factory;
  std::optional<TlsOptions> tls;
  Future<Link> future{};
  TimerHandle timer{};
  Duration pause = kFirstPause;

  // No event tells of room in the queue.
  static constexpr std::chrono::milliseconds kFirstPause{1}, kLongestPause{64};
};

void try_to_connect(const std::shared_ptr<UnixConnecting>& attempt) {
  const Result<bool> connected = os::connect(attempt->fd.get(), attempt->to);
  // EISCONN: an interrupted try has succeeded meanwhile.
  if ((connected.ok() && *connected) || (!connected.ok() && connected.error().is_errno(EISCONN))) {
    attempt->loop.open_link(attempt->future, std::move(attempt->fd), attempt->factory,
                            attempt->tls);
    return;
  }
  const bool busy =
      connected.ok() || connected.error().is_errno(EAGAIN) || connected.error().is_errno(EALREADY);
  if (!busy) {
    attempt->future.set_error(connected.error());
    return;
  }
  attempt->timer = attempt->loop.call_later(attempt->pause, [attempt] { try_to_connect(attempt); });
  attempt->pause = std::min<Duration>(2 * attempt->pause, UnixConnecting::kLongestPause);
  attempt->future.set_cancel_hook([attempt]() mutable {
    (void)attempt->timer.cancel();
    attempt->fd.reset();
  });
}

/// Takes over a connected Unix stream socket; another one stays with the caller.
Result<os::UniqueFd> adopt_connected(std::string_view op, Socket& socket) {
  if (auto usable = check_connected_socket(op, socket); !usable.ok()) return usable.error();
  const Result<Endpoint> address = os::local_address(socket.native());
  if (!address.ok()) return address.error();
  if (address->family() != AddressFamily::unix_domain) {
    return make_error(Errc::invalid_argument, op, "a Unix socket was expected");
  }
  if (auto set = os::set_blocking(socket.native(), false); !set.ok()) return set.error();
  return socket.release();
}

Result<void> check_unix_options(std::string_view op, bool path_given, const Socket* sock,
                                const std::optional<TlsOptions>& tls, bool server_side) {
  if (path_given && sock != nullptr) {
    return make_error(Errc::invalid_argument, op, "a path and a socket exclude each other");
  }
  return check_tls(tls, server_side);
}

}  // namespace

Future<std::shared_ptr<Server>> NativeLoop::create_unix_server(ProtocolFactory factory,
                                                               UnixServerOptions options) {
  const std::string_view op = "create_unix_server";
  if (const std::optional<Errc> why = refuses()) return server_made(make_error(*why, op));
  const bool path_given = !options.path.empty();
  if (auto fits = check_unix_options(op, path_given, options.sock, options.tls, true); !fits.ok()) {
    return server_made(fits.error());
  }
  if (options.backlog < 0) {
    return server_made(make_error(Errc::invalid_argument, op, "the backlog must not be negative"));
  }
  Result<Listener> bound =
      options.sock != nullptr
          ? adopt_listener(op, *options.sock, true, options.start_serving, options.backlog)
          : bind_path(options.path);
  if (!bound.ok()) return server_made(bound.error());
  ServerRules rules{std::move(factory), options.backlog};
  if (auto set = secure(rules, options.tls); !set.ok()) return server_made(set.error());
  const std::string path = bound->address.path();
  if (options.cleanup_socket && !path.empty() && path.front() != '\0') {
    rules.file = os::socket_file_at(path);
  }
  std::vector<Listener> listeners;
  listeners.push_back(std::move(bound).value());
  return server_made(open_server(std::move(listeners), std::move(rules), options.start_serving));
}

Future<Link> NativeLoop::create_unix_connection(ProtocolFactory factory,
                                                UnixConnectOptions options) {
  const std::string_view op = "create_unix_connection";
  if (const std::optional<Errc> why = refuses()) return done_future<Link>(make_error(*why, op));
  const bool path_given = !options.path.empty();
  if (auto fits = check_unix_options(op, path_given, options.sock, options.tls, false);
      !fits.ok()) {
    return done_future<Link>(fits.error());
  }
  if (options.sock != nullptr) {
    Result<os::UniqueFd> fd = adopt_connected(op, *options.sock);
    if (!fd.ok()) return done_future<Link>(fd.error());
    Future<Link> future = create_future<Link>();
    open_link(future, std::move(fd).value(), factory, options.tls);
    return future;
  }
  const Result<Endpoint> to = named(op, options.path);
  if (!to.ok()) return done_future<Link>(to.error());
  Result<os::UniqueFd> fd = os::open_socket(AddressFamily::unix_domain, SocketType::stream);
  if (!fd.ok()) return done_future<Link>(fd.error());
  const auto attempt = std::make_shared<UnixConnecting>(UnixConnecting{
      *this, std::move(fd).value(), *to, std::move(factory), std::move(options.tls)});
  attempt->future = create_future<Link>();
  try_to_connect(attempt);
  return attempt->future;
}

}  // namespace loopscope
