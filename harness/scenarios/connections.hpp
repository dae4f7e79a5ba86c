// Connections: stream transports of the subject over sockets whose other end is a plain peer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "harness/scenarios/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios {

/// A transport over a connected socket, for any protocol.
inline Link adopt(Context& cx, std::shared_ptr<BaseProtocol> protocol, Socket& socket) {
  auto made = cx.loop().connect_accepted_socket([&] { return protocol; }, socket);
  Result<Link> link = cx.loop().run_until_complete(made);
  cx.ok(link, "connect_accepted_socket takes the socket");
  return std::move(link).value();
}
inline WatchedStream adopt(Context& cx, Socket& socket) {
  const auto seen = std::make_shared<StreamRecorder>(cx);
  return {adopt(cx, seen, socket).transport, seen};
}

/// A connection: the subject's transport and the blocking peer at the other end.
template <class Seen = StreamRecorder>
struct ConnectionOf {
  std::shared_ptr<Transport> transport;
  std::shared_ptr<Seen> seen;
  Peer peer;
  Transport* operator->() const { return transport.get(); }
};
using Connection = ConnectionOf<>;

/// The transport of a pair's subject, watched by `seen`, which may carry hooks already.
template <class Seen>
ConnectionOf<Seen> connect(Context& cx, std::shared_ptr<Seen> seen, StreamPair pair) {
  const Link link = adopt(cx, seen, pair.subject);
  return {link.transport, seen, std::move(pair.peer)};
}
/// A TCP connection over loopback, its transport watched by a StreamRecorder.
inline Connection connect(Context& cx, AddressFamily family = AddressFamily::ipv4) {
  return connect(cx, std::make_shared<StreamRecorder>(cx), cx.tcp_pair(family));
}

/// create_connection that has to succeed. run_until_complete: the other side need not be a loop.
inline WatchedStream open_connection(Context& cx, ConnectOptions options) {
  const auto seen = std::make_shared<StreamRecorder>(cx);
  auto made = cx.loop().create_connection([&] { return seen; }, std::move(options));
  const Result<Link> link = cx.loop().run_until_complete(made);
  cx.ok(link, "create_connection connects");
  return {link->transport, seen};
}
inline ConnectOptions to(const Endpoint& address) {
  ConnectOptions options;
  options.addresses = {address};
  return options;
}

/// Reads at a peer whatever has come while the loop turns, until `done` says so. Never blocks.
inline std::string read_until(Context& cx, Peer& peer,
                              const std::function<bool(std::string_view)>& done) {
  std::string got;
  cx.run_until([&] {
    const std::size_t here = tools::bytes_waiting(peer.native());
    if (here > 0) got += text(peer.recv(here));
    return done(got);
  });
  return got;
}
inline std::string read_exactly(Context& cx, Peer& peer, std::size_t count) {
  return read_until(cx, peer, [count](std::string_view got) { return got.size() >= count; });
}
/// The same until the subject has ended its half. A reset on the way breaks the cell.
inline std::string read_to_end(Context& cx, Peer& peer) {
  std::string got;
  cx.run_until([&] {
    if (!tools::readable(peer.native())) return false;
    const Bytes part = peer.recv(std::size_t{64} * 1024);
    got += text(part);
    return part.empty();
  });
  return got;
}
/// Turns the loop until connection_lost, and a little more: nothing may come after it.
template <class Seen>
void until_lost(Context& cx, const Seen& seen) {
  cx.run_until([&] { return seen.lost > 0; });
  turn(cx);
}

}  // namespace loopscope::scenarios
