// create_server: from options to a server that listens.
#include "loops/common/listeners.hpp"
#include "loops/common/native_loop.hpp"
#include "loops/common/server_core.hpp"
#include "loops/common/tls_transport.hpp"

namespace loopscope {

/// Every connection of these rules goes through TLS.
Result<void> NativeLoop::secure(ServerRules& rules, const std::optional<TlsOptions>& tls) {
  if (!tls) return {};
  if (Result<void> sound = check_tls(tls, true); !sound.ok()) return sound;
  rules.secure = [this, options = *tls](std::shared_ptr<BaseProtocol> user) {
    return make_tls(std::move(user), options, true);
  };
  return {};
}

Result<std::shared_ptr<Server>> NativeLoop::open_server(std::vector<Listener> listeners,
                                                        ServerRules rules, bool start) {
  const std::shared_ptr<ServerCore> server = new_server(std::move(listeners), std::move(rules));
  if (!start) return std::shared_ptr<Server>(server);
  if (const Result<void> started = server->start_serving(); !started.ok()) {
    server->close();
    return started.error();
  }
  return std::shared_ptr<Server>(server);
}

Result<std::shared_ptr<Server>> NativeLoop::bind_server(const std::vector<Endpoint>& addresses,
                                                        ServerRules rules,
                                                        const ServerOptions& options) {
  Result<Listeners> bound = bind_listeners(addresses, options);
  if (!bound.ok()) return bound.error();
  for (const Error& skipped : bound->skipped) {
    if (get_debug()) log(LogLevel::warning, "not listening: " + to_string(skipped));
  }
  return open_server(std::move(bound->sockets), std::move(rules), options.start_serving);
}

Future<std::shared_ptr<Server>> NativeLoop::create_server(ProtocolFactory factory,
                                                          ServerOptions options) {
  using Made = Result<std::shared_ptr<Server>>;
  if (const std::optional<Errc> why = refuses()) {
    return server_made(make_error(*why, "create_server"));
  }
  if (const Result<void> fits = check_server_options(options); !fits.ok()) {
    return server_made(fits.error());
  }
  ServerRules rules{std::move(factory), options.backlog, options.keep_alive};
  if (const Result<void> set = secure(rules, options.tls); !set.ok()) {
    return server_made(set.error());
  }
  if (options.sock != nullptr) {
    Result<Listener> taken = adopt_listener("create_server", *options.sock, false,
                                            options.start_serving, options.backlog);
    if (!taken.ok()) return server_made(taken.error());
    std::vector<Listener> listeners;
    listeners.push_back(std::move(taken).value());
    return server_made(open_server(std::move(listeners), std::move(rules), options.start_serving));
  }
  Future<std::vector<Endpoint>> resolved = resolve_hosts(*this, options);
  if (resolved.done()) {
    const Result<std::vector<Endpoint>> addresses = resolved.result();
    return server_made(addresses.ok() ? bind_server(*addresses, std::move(rules), options)
                                      : Made(addresses.error()));
  }
  Future<std::shared_ptr<Server>> future = create_future<std::shared_ptr<Server>>();
  future.set_cancel_hook([resolved]() mutable { (void)resolved.cancel(); });
  resolved.add_done_callback(
      [this, future, resolved, rules = std::move(rules), options = std::move(options)]() mutable {
        if (future.done()) return;
        const Result<std::vector<Endpoint>> addresses = resolved.result();
        const Made made = addresses.ok() ? bind_server(*addresses, std::move(rules), options)
                                         : Made(addresses.error());
        made.ok() ? future.set_result(*made) : future.set_error(made.error());
      });
  return future;
}

Future<std::shared_ptr<Server>> NativeLoop::server_made(Result<std::shared_ptr<Server>> made) {
  using Made = std::shared_ptr<Server>;
  if (!made.ok()) return done_future<Made>(made.error());
  Future<Made> future = create_future<Made>();
  // A caller that cancels gets no server, so nobody else could close it.
  future.set_cancel_hook([server = *made] { server->close(); });
  call_soon([future, server = *made]() mutable { future.set_result(server); });
  return future;
}

}  // namespace loopscope
