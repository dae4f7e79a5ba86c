// create_server and create_unix_server of the libuv row: from addresses to listening handles.
#include <cerrno>

#include "loops/common/listeners.hpp"
#include "loops/reference/libuv_server.hpp"

namespace loopscope::libuv {
namespace {

using MadeServer = Result<std::shared_ptr<Server>>;

/// Addresses that this host does not have, IPv6 that is switched off among them.
bool not_here(const Error& error) {
  return error.is_errno(EADDRNOTAVAIL) || error.is_errno(EAFNOSUPPORT);
}

void close_all(const UvServer::Handles& handles) {
  for (const auto& handle : handles) handle->close();
}

/// One handle for each address. Those of port zero share the first one's port.
Result<UvServer::Handles> bind_all(LibuvLoop& loop, const std::vector<Endpoint>& addresses,
                                   bool reuse_port) {
  UvServer::Handles handles;
  std::optional<Error> skipped;
  std::uint16_t shared_port = 0;
  for (Endpoint address : addresses) {
    if (address.port() == 0 && shared_port != 0) {
      if (auto same_port = Endpoint::ip(address.host(), shared_port); same_port.ok()) {
        address = *same_port;
      }
    }
    const auto handle = std::make_shared<ListeningHandle>(loop);
    const Result<void> bound = handle->bind_tcp(address, reuse_port);
    if (bound.ok()) {
      if (shared_port == 0) shared_port = handle->address().port();
      handles.push_back(handle);
    } else if (not_here(bound.error())) {
      skipped = bound.error();
    } else {
      close_all(handles);
      return bound.error();
    }
  }
  if (handles.empty() && skipped) return *skipped;
  return handles;
}

MadeServer serve(LibuvLoop& loop, UvServer::Handles handles, UvServerRules rules, bool start) {
  const auto server = std::make_shared<UvServer>(loop, std::move(handles), std::move(rules));
  if (start) {
    if (const Result<void> began = server->start_serving(); !began.ok()) return began.error();
  }
  return std::shared_ptr<Server>(server);
}

MadeServer serve_addresses(LibuvLoop& loop, const std::vector<Endpoint>& addresses,
                           const ServerOptions& options, const ProtocolFactory& factory) {
  // The port that the system chose for one address can be taken on another one.
  constexpr int kAttempts = 20;
  for (int attempt = 1;; ++attempt) {
    Result<UvServer::Handles> bound = bind_all(loop, addresses, options.reuse_port);
    if (!bound.ok()) return bound.error();
    MadeServer made = serve(loop, std::move(bound).value(),
                            {factory, options.backlog, options.keep_alive}, options.start_serving);
    const bool chosen = addresses.front().port() == 0 && addresses.size() > 1;
    if (made.ok() || !chosen || attempt == kAttempts) return made;
    if (!made.error().is_errno(EADDRINUSE)) return made;
  }
}

MadeServer serve_socket(LibuvLoop& loop, Socket& sock, bool unix_domain, bool start,
                        UvServerRules rules, std::string_view op) {
  Result<Listener> taken = adopt_listener(op, sock, unix_domain, start, rules.backlog);
  if (!taken.ok()) return taken.error();
  Socket socket(std::move(taken->fd));
  const auto handle = std::make_shared<ListeningHandle>(loop);
  if (const Result<void> adopted = handle->adopt(socket); !adopted.ok()) {
    sock = std::move(socket);  // The caller's as before.
    return adopted.error();
  }
  return serve(loop, {handle}, std::move(rules), start);
}

MadeServer serve_path(LibuvLoop& loop, const UnixServerOptions& options, ProtocolFactory factory) {
  const std::string_view op = "create_unix_server";
  if (!options.cleanup_socket) {
    return make_error(Errc::not_supported, op, "uv_pipe removes its path when it closes");
  }
  if (const Result<void> taken = check_pipe_name(op, options.path); !taken.ok()) {
    return taken.error();
  }
  auto handle = std::make_shared<ListeningHandle>(loop);
  Result<void> bound = handle->bind_pipe(options.path);
  if (!bound.ok() && bound.error().is_errno(EADDRINUSE)) {
    // libuv leaves a stale file to its caller.
    const Result<Endpoint> address = Endpoint::unix_path(options.path);
    if (!address.ok()) return address.error();
    const Result<bool> removed = remove_stale_socket(*address);
    if (!removed.ok()) return removed.error();
    if (*removed) {
      handle = std::make_shared<ListeningHandle>(loop);
      bound = handle->bind_pipe(options.path);
    }
  }
  if (!bound.ok()) return bound.error();
  return serve(loop, {handle}, {std::move(factory), options.backlog}, options.start_serving);
}

}  // namespace

Future<std::shared_ptr<Server>> LibuvLoop::create_server(ProtocolFactory factory,
                                                         ServerOptions options) {
  using Made = std::shared_ptr<Server>;
  const std::string_view op = "create_server";
  if (const std::optional<Errc> why = refuses()) return done_future<Made>(make_error(*why, op));
  if (const Result<void> sound = check_server_options(options); !sound.ok()) {
    return done_future<Made>(sound.error());
  }
  if (options.tls) return done_future<Made>(make_error(Errc::not_supported, op, "no TLS"));
  if (options.reuse_address == false) {
    return done_future<Made>(
        make_error(Errc::not_supported, op, "uv_tcp_bind always sets SO_REUSEADDR"));
  }
  if (options.sock != nullptr) {
    return done_future<Made>(serve_socket(*this, *options.sock, false, options.start_serving,
                                          {std::move(factory), options.backlog, options.keep_alive},
                                          op));
  }
  Future<std::vector<Endpoint>> resolving = resolve_hosts(*this, options);
  if (resolving.done()) {
    const Result<std::vector<Endpoint>> addresses = resolving.result();
    if (!addresses.ok()) return done_future<Made>(addresses.error());
    return done_future<Made>(serve_addresses(*this, *addresses, options, factory));
  }
  Future<Made> made = create_future<Made>();
  made.set_cancel_hook([resolving]() mutable { (void)resolving.cancel(); });
  resolving.add_done_callback([this, resolving, made, options, factory]() mutable {
    if (made.done()) return;
    const Result<std::vector<Endpoint>> addresses = resolving.result();
    MadeServer served = addresses.ok() ? serve_addresses(*this, *addresses, options, factory)
                                       : MadeServer(addresses.error());
    if (served.ok()) {
      made.set_result(std::move(served).value());
    } else {
      made.set_error(served.error());
    }
  });
  return made;
}

Future<std::shared_ptr<Server>> LibuvLoop::create_unix_server(ProtocolFactory factory,
                                                              UnixServerOptions options) {
  using Made = std::shared_ptr<Server>;
  const std::string_view op = "create_unix_server";
  const auto refused = [this](Error why) { return done_future<Made>(std::move(why)); };
  if (const std::optional<Errc> why = refuses()) return refused(make_error(*why, op));
  if ((options.sock != nullptr) == !options.path.empty()) {
    return refused(make_error(Errc::invalid_argument, op, "one of path and sock is needed"));
  }
  if (options.backlog < 0) {
    return refused(make_error(Errc::invalid_argument, op, "the backlog must not be negative"));
  }
  if (options.tls) return refused(make_error(Errc::not_supported, op, "libuv has no TLS"));
  if (options.sock == nullptr) {
    return done_future<Made>(serve_path(*this, options, std::move(factory)));
  }
  UvServerRules rules{std::move(factory), options.backlog};
  if (const auto name = os::local_address(options.sock->native()); name.ok()) {
    const std::string path = name->path();
    if (options.cleanup_socket && !path.empty() && path.front() != '\0') {
      rules.file = os::socket_file_at(path);
    }
  }
  return done_future<Made>(
      serve_socket(*this, *options.sock, true, options.start_serving, std::move(rules), op));
}

}  // namespace loopscope::libuv
