// The world that a scenario's body can ask its Context for: sockets, pipes, terminals.
#include <system_error>

#include "harness/context.hpp"

namespace loopscope {
namespace {

template <class T>
T ours(Result<T> result) {
  if (!result.ok()) harness_failed(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

/// True when the error says that this host has no such address family on its loopback.
bool family_is_missing(const Error& error) {
  return error.code == std::errc::address_family_not_supported ||
         error.code == std::errc::address_not_available;
}

/// A blocking socket bound to the family's loopback address, port of the system's choice.
Result<os::UniqueFd> bound_socket(AddressFamily family, SocketType type, bool blocking) {
  Result<os::UniqueFd> socket = os::open_socket(family, type, blocking);
  if (!socket.ok()) return socket;
  const Result<void> bound = os::bind(socket->get(), Endpoint::loopback(family));
  if (!bound.ok()) return bound.error();
  return socket;
}

os::UniqueFd bound_or_skip(Context& cx, AddressFamily family, SocketType type, bool blocking) {
  Result<os::UniqueFd> socket = bound_socket(family, type, blocking);
  if (!socket.ok() && family_is_missing(socket.error())) {
    cx.skip("this host has no such loopback address: " + to_string(socket.error()));
  }
  return ours(std::move(socket));
}

}  // namespace

StreamPair Context::stream_pair() {
  std::pair<os::UniqueFd, os::UniqueFd> ends = ours(os::open_socketpair(SocketType::stream));
  ours(os::set_blocking(ends.second.get(), true));
  return {Socket(std::move(ends.first)), Peer(std::move(ends.second))};
}

StreamPair Context::tcp_pair(AddressFamily family) {
  Peer listener = tcp_listener(family, 1);
  os::UniqueFd subject = ours(os::open_socket(family, SocketType::stream, true));
  (void)ours(os::connect(subject.get(), address_of(listener)));  // blocking: connected now
  Peer peer = accept_from(listener);
  ours(os::set_blocking(subject.get(), false));
  return {Socket(std::move(subject)), std::move(peer)};
}

Peer Context::tcp_listener(AddressFamily family, int backlog) {
  os::UniqueFd socket = bound_or_skip(*this, family, SocketType::stream, true);
  ours(os::listen(socket.get(), backlog));
  return Peer(std::move(socket));
}

Endpoint Context::address_of(const Peer& peer) { return ours(os::local_address(peer.native())); }

Peer Context::accept_from(Peer& listener) {
  std::optional<std::pair<os::UniqueFd, Endpoint>> accepted = ours(os::accept(listener.native()));
  if (!accepted) {
    throw PeerFailure(make_error(Errc::invalid_state, "accept", "the listener is not blocking"));
  }
  ours(os::set_blocking(accepted->first.get(), true));
  return Peer(std::move(accepted->first));
}

Endpoint Context::closed_port() {
  // Bound and never listening: connecting is refused, and nobody else can get the port meanwhile.
  os::UniqueFd socket = ours(bound_socket(AddressFamily::ipv4, SocketType::stream, true));
  const Endpoint address = ours(os::local_address(socket.get()));
  const std::lock_guard lock(mutex_);
  kept_.push_back(std::move(socket));
  return address;
}

DatagramPeer Context::datagram_peer(AddressFamily family) {
  return DatagramPeer(bound_or_skip(*this, family, SocketType::datagram, true));
}

Socket Context::datagram_socket(AddressFamily family) {
  return Socket(bound_or_skip(*this, family, SocketType::datagram, false));
}

os::Pipe Context::pipe() { return ours(os::open_pipe()); }
os::Pty Context::pty(bool raw) { return ours(os::open_pty(raw)); }

}  // namespace loopscope
