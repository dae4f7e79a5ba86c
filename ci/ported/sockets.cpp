// Ported programs: the sock_* calls. What they check: test_sock_lowlevel.py.
#include <algorithm>
#include <thread>

#include "ci/ported/recorders.hpp"

namespace loopscope::ported::sockets {
namespace {

Socket tcp() { return std::move(Socket::make(AddressFamily::ipv4, SocketType::stream).value()); }
Socket listening() {
  Socket socket = tcp();
  os::bind(socket.native(), Endpoint::loopback(AddressFamily::ipv4)).value();
  os::listen(socket.native(), 8).value();
  return socket;
}
Socket udp() {
  Socket socket = std::move(Socket::make(AddressFamily::ipv4, SocketType::datagram).value());
  os::bind(socket.native(), Endpoint::loopback(AddressFamily::ipv4)).value();
  return socket;
}
Endpoint address(const Socket& socket) { return os::local_address(socket.native()).value(); }

void recv_waits(Stage& s) {
  auto [ours, peer] = s.pair();
  Future<Bytes> received = s.loop().sock_recv(ours, 100);
  s.turn(2);
  s.say("done", received.done());
  peer.send("hello");
  s.say(s.finish(received));
}

void recv_at_the_end(Stage& s) {
  auto [ours, peer] = s.pair();
  peer.send("last");
  peer.close();
  s.say(s.finish(s.loop().sock_recv(ours, 2)));
  s.say(s.finish(s.loop().sock_recv(ours, 100)));
  s.say(s.loop().run_until_complete(s.loop().sock_recv(ours, 100)).value().size());
}

void recv_into(Stage& s) {
  auto [ours, peer] = s.pair();
  peer.send("hello");
  Bytes buffer = bytes("..........");
  s.say(s.finish(s.loop().sock_recv_into(ours, std::span(buffer).first(3))));
  s.say(buffer);
  s.say(s.finish(s.loop().sock_recv_into(ours, buffer)));
  s.say(buffer);
}

void recv_cancelled(Stage& s) {
  auto [ours, peer] = s.pair();
  Future<Bytes> received = s.loop().sock_recv(ours, 100);
  s.turn();
  s.say("cancel", received.cancel());
  peer.send("kept");
  s.turn(2);
  s.say(s.finish(received));
  s.say(s.finish(s.loop().sock_recv(ours, 100)));
}

void sendall_huge(Stage& s) {
  constexpr std::size_t kSize = 4'000'000;
  auto [ours, peer] = s.pair();
  std::size_t got = 0, zeros = 0;
  std::thread reader([&, &peer = peer] {
    while (got < kSize) {
      const Bytes piece = peer.recv(65536);
      got += piece.size();
      zeros += static_cast<std::size_t>(std::ranges::count(piece, std::byte{0}));
    }
  });
  Bytes data(kSize, std::byte{'x'});
  s.say(s.finish(s.loop().sock_sendall(ours, std::move(data))));
  reader.join();
  s.say(got, zeros);
}

void sendall_after_the_peer_left(Stage& s) {
  auto [ours, peer] = s.pair();
  peer.close();
  s.say(s.finish(s.loop().sock_sendall(ours, bytes("too late"))));
}

void sendall_nothing(Stage& s) {
  auto [ours, peer] = s.pair();
  s.say(s.finish(s.loop().sock_sendall(ours, {})));
}

void connect_and_accept(Stage& s) {
  Socket server = listening();
  Socket client = tcp();
  Future<Accepted> accepted = s.loop().sock_accept(server);
  s.say("connect", s.finish(s.loop().sock_connect(client, address(server))));
  Accepted connection = s.loop().run_until_complete(accepted).value();
  s.say("peer", connection.peer == address(client));
  s.say("blocking", os::is_blocking(connection.connection.native()));
  s.say(s.finish(s.loop().sock_sendall(client, bytes("ping"))));
  s.say(s.finish(s.loop().sock_recv(connection.connection, 10)));
}

void connect_refused(Stage& s) {
  Socket closed = tcp();
  os::bind(closed.native(), Endpoint::loopback(AddressFamily::ipv4)).value();
  Socket client = tcp();
  s.say(s.finish(s.loop().sock_connect(client, address(closed))));
}

void connect_unix(Stage& s) {
  const Endpoint path = Endpoint::unix_path(s.folder() + "/socket").value();
  Socket client = std::move(Socket::make(AddressFamily::unix_domain, SocketType::stream).value());
  s.say("nobody", s.finish(s.loop().sock_connect(client, path)));
  Socket server = std::move(Socket::make(AddressFamily::unix_domain, SocketType::stream).value());
  os::bind(server.native(), path).value();
  os::listen(server.native(), 1).value();
  s.say("listening", s.finish(s.loop().sock_connect(client, path)));
}

void accept_waits(Stage& s) {
  Socket server = listening();
  Future<Accepted> accepted = s.loop().sock_accept(server);
  s.turn(2);
  s.say("done", accepted.done());
  Socket client = tcp();
  (void)os::connect(client.native(), address(server));
  s.say("accepted", s.loop().run_until_complete(accepted).ok());
}

void accept_cancelled(Stage& s) {
  Socket server = listening();
  Future<Accepted> accepted = s.loop().sock_accept(server);
  s.turn();
  s.say("cancel", accepted.cancel());
  s.turn();
  Socket client = tcp();
  (void)os::connect(client.native(), address(server));
  s.say("the next one", s.loop().run_until_complete(s.loop().sock_accept(server)).ok());
}

void datagrams(Stage& s) {
  Socket first = udp(), second = udp();
  s.say("sent", s.finish(s.loop().sock_sendto(first, bytes("hello"), address(second))));
  const Datagram got = s.loop().run_until_complete(s.loop().sock_recvfrom(second, 100)).value();
  s.say(got.data, got.sender == address(first));
  s.say("sent", s.finish(s.loop().sock_sendto(second, bytes("answer"), got.sender)));
  Bytes buffer = bytes("..........");
  const auto back = s.loop().run_until_complete(s.loop().sock_recvfrom_into(first, buffer)).value();
  s.say(back.first, back.second == address(second), buffer);
}

void datagrams_truncated(Stage& s) {
  Socket first = udp(), second = udp();
  s.say("sent", s.finish(s.loop().sock_sendto(first, bytes("hello"), address(second))));
  s.say("sent", s.finish(s.loop().sock_sendto(first, {}, address(second))));
  auto receive = [&](std::size_t size) {
    return s.loop().run_until_complete(s.loop().sock_recvfrom(second, size)).value().data;
  };
  s.say("cut", receive(2));
  s.say("empty", receive(100).size());
}

void two_at_once(Stage& s) {
  auto [ours, peer] = s.pair();
  Future<Bytes> received = s.loop().sock_recv(ours, 100);
  Future<void> sent = s.loop().sock_sendall(ours, bytes("ping"));
  s.say("sent", s.finish(sent));
  s.say("at the peer", peer.recv(10));
  peer.send("pong");
  s.say("received", s.finish(received));
}

constexpr Program kPrograms[] = {
    {"sockets.recv_waits", recv_waits},
    {"sockets.recv_at_the_end", recv_at_the_end},
    {"sockets.recv_into", recv_into},
    {"sockets.recv_cancelled", recv_cancelled},
    {"sockets.sendall_huge", sendall_huge},
    {"sockets.sendall_after_the_peer_left", sendall_after_the_peer_left},
    {"sockets.sendall_nothing", sendall_nothing},
    {"sockets.connect_and_accept", connect_and_accept},
    {"sockets.connect_refused", connect_refused},
    {"sockets.connect_unix", connect_unix},
    {"sockets.accept_waits", accept_waits},
    {"sockets.accept_cancelled", accept_cancelled},
    {"sockets.datagrams", datagrams},
    {"sockets.datagrams_truncated", datagrams_truncated},
    {"sockets.two_at_once", two_at_once},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::sockets
