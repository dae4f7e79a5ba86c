// Peers of the ported programs: plain blocking sockets that are not part of what is compared.
#pragma once

#include <utility>

#include "ci/ported/recorders.hpp"

namespace loopscope::ported {

/// A blocking listening TCP socket on a loopback port of the system's choice.
class Listener {
 public:
  explicit Listener(AddressFamily family = AddressFamily::ipv4)
      : fd_(std::move(os::open_socket(family, SocketType::stream, true).value())) {
    os::bind(fd_.get(), Endpoint::loopback(family)).value();
    os::listen(fd_.get(), 16).value();
  }
  Endpoint address() const { return os::local_address(fd_.get()).value(); }
  Peer accept() {
    auto accepted = os::accept(fd_.get()).value();
    os::UniqueFd connection = std::move(accepted.value().first);
    os::set_blocking(connection.get(), true).value();
    return Peer(std::move(connection));
  }
  void close() { fd_.reset(); }

 private:
  os::UniqueFd fd_;
};

/// A blocking connection to an address.
inline Peer connect_to(const Endpoint& address) {
  auto fd = std::move(os::open_socket(address.family(), SocketType::stream, true).value());
  (void)os::connect(fd.get(), address).value();
  return Peer(std::move(fd));
}
/// A port on which nobody listens, kept so that nobody else gets it.
struct DeadPort {
  DeadPort() : socket(std::move(Socket::make(AddressFamily::ipv4, SocketType::stream).value())) {
    os::bind(socket.native(), Endpoint::loopback(AddressFamily::ipv4)).value();
  }
  Endpoint address() const { return os::local_address(socket.native()).value(); }
  Socket socket;
};

/// A connection of the loop under test with the peer's end of it.
struct Connected {
  std::shared_ptr<Transport> transport;
  std::shared_ptr<Stream> seen;
  Peer peer;
};
inline ProtocolFactory make(std::shared_ptr<BaseProtocol> protocol) {
  return [protocol] { return protocol; };
}
inline std::pair<std::shared_ptr<Transport>, Peer> connect(
    Stage& s, const std::shared_ptr<BaseProtocol>& protocol) {
  Listener listener;
  ConnectOptions options;
  options.addresses = {listener.address()};
  auto transport = transport_of(s, s.loop().create_connection(make(protocol), options));
  return {std::move(transport), listener.accept()};
}
inline Connected connected(Stage& s, std::string name = "c") {
  auto seen = stream(s, std::move(name));
  auto [transport, peer] = connect(s, seen);
  return {std::move(transport), std::move(seen), std::move(peer)};
}
/// The outcome of a create_connection that may fail: "connected" or the error's name.
inline std::string attempt_connect(Stage& s, const ConnectOptions& options) {
  const Result<Link> link =
      s.loop().run_until_complete(s.loop().create_connection(make(stream(s, "c")), options));
  return link.ok() ? "connected" : word(link.error());
}

}  // namespace loopscope::ported
