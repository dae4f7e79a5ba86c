// Listeners: the bound sockets of a server, from addresses or from a socket of the caller.
#pragma once

#include <vector>

#include "loops/event_loop.hpp"

namespace loopscope {

struct Listener {
  os::UniqueFd fd;
  Endpoint address;
};

struct Listeners {
  std::vector<Listener> sockets{};  // bound, not listening, non-blocking
  std::vector<Error> skipped{};     // addresses that this host does not have
};

/// What contradicts itself, or is not offered, in the options of create_server. Takes nothing.
Result<void> check_server_options(const ServerOptions& options);

/// The addresses that the options name, each once. Literal hosts with a numeric service are done
/// at once; everything else goes through the loop's getaddrinfo.
/// errors  those of getaddrinfo; invalid_argument for a port beyond 65535.
Future<std::vector<Endpoint>> resolve_hosts(EventLoop& loop, const ServerOptions& options);

/// One socket for each address; those of port zero get one port that all of them share.
/// IPv6 sockets take IPv6 alone. Addresses that this host does not have are skipped as long as
/// another one can be bound.
/// errors  those of bind(2), with the address. Nothing stays open then.
Result<Listeners> bind_listeners(const std::vector<Endpoint>& addresses,
                                 const ServerOptions& options);

/// Removes the socket file at a Unix address when nobody listens on it, which is asked by
/// connecting. value: was it removed?
Result<bool> remove_stale_socket(const Endpoint& address);

/// Takes the caller's socket over: a stream socket that is not connected and, with `start`, can
/// listen. After an error it is the caller's, open. `unix_domain`: nothing but a Unix socket.
Result<Listener> adopt_listener(std::string_view op, Socket& socket, bool unix_domain, bool start,
                                int backlog);

}  // namespace loopscope
