// Ported programs: making connections. What they check: test_events.py, test_base_events.py.
#include "ci/ported/peers.hpp"

namespace loopscope::ported::connections {
namespace {

ConnectOptions to(std::vector<Endpoint> addresses) {
  ConnectOptions options;
  options.addresses = std::move(addresses);
  return options;
}

void exchange(Stage& s) {
  Listener listener;
  const auto seen = stream(s, "c");
  const auto transport =
      transport_of(s, s.loop().create_connection(make(seen), to({listener.address()})));
  s.say("connected");
  Peer peer = listener.accept();
  transport->write(view("ping"));
  s.until_there(peer, 4);
  s.say("peer has", peer.recv_exactly(4));
  peer.send("pong");
  s.run_until([&] { return seen->data == "pong"; });
  peer.close();
  s.run_until([&] { return seen->lost; });
  s.say("closing", transport->is_closing());
}

void host_and_service(Stage& s) {
  Listener listener;
  ConnectOptions options;
  options.host = "127.0.0.1";
  options.service = std::to_string(listener.address().port());
  s.say(attempt_connect(s, options));
}

void refused(Stage& s) {
  const DeadPort dead;
  s.say(attempt_connect(s, to({dead.address()})));
}

void second_address(Stage& s) {
  const DeadPort dead;
  Listener listener;
  s.say(attempt_connect(s, to({dead.address(), listener.address()})));
}

void local_address(Stage& s) {
  Listener listener;
  ConnectOptions options = to({listener.address()});
  options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
  s.say(attempt_connect(s, options));
  options.local_addr = Endpoint::ip("127.0.0.1", listener.address().port()).value();
  s.say("in use", attempt_connect(s, options));
}

void own_socket(Stage& s) {
  Listener listener;
  Socket socket = std::move(Socket::make(AddressFamily::ipv4, SocketType::stream).value());
  s.say(s.finish(s.loop().sock_connect(socket, listener.address())));
  ConnectOptions options;
  options.sock = &socket;
  s.say(attempt_connect(s, options));
}

void wrong_arguments(Stage& s) {
  s.say("nothing", attempt_connect(s, {}));
  Socket socket = std::move(Socket::make(AddressFamily::ipv4, SocketType::stream).value());
  ConnectOptions both;
  both.sock = &socket;
  both.host = "127.0.0.1";
  both.service = "9";
  s.say("host and socket", attempt_connect(s, both));
  Socket datagram = std::move(Socket::make(AddressFamily::ipv4, SocketType::datagram).value());
  ConnectOptions wrong;
  wrong.sock = &datagram;
  s.say("datagram socket", attempt_connect(s, wrong));
}

void names(Stage& s) {
  Connected c = connected(s);
  const auto name = [&](std::string_view which) {
    return std::get<Endpoint>(c.transport->get_extra_info(which));
  };
  s.say("peername", name("peername") == os::local_address(c.peer.native()).value());
  s.say("sockname", name("sockname") == os::peer_address(c.peer.native()).value());
  s.say("unknown", std::holds_alternative<std::monostate>(c.transport->get_extra_info("none")));
  c.transport->close();
  s.turn(2);
  s.say("after close", std::holds_alternative<Endpoint>(c.transport->get_extra_info("peername")));
}

void accepted_socket(Stage& s) {
  Listener listener;
  Peer peer = connect_to(listener.address());
  Socket accepted(listener.accept().release());
  os::set_blocking(accepted.native(), false).value();
  const auto seen = stream(s, "c");
  const auto transport = transport_of(s, s.loop().connect_accepted_socket(make(seen), accepted));
  peer.send("hello");
  s.run_until([&] { return seen->data == "hello"; });
  transport->close();
  s.turn(2);
  s.say("end at the peer", peer.recv(10).size());
}

void accepted_wrong_socket(Stage& s) {
  Socket datagram = std::move(Socket::make(AddressFamily::ipv4, SocketType::datagram).value());
  const auto made = s.loop().connect_accepted_socket(make(stream(s, "c")), datagram);
  const Result<Link> link = s.loop().run_until_complete(made);
  s.say(link.ok() ? "taken" : word(link.error()));
}

void factory_raises(Stage& s) {
  Listener listener;
  const auto raises = []() -> std::shared_ptr<BaseProtocol> { throw Boom(); };
  try {
    const Result<Link> link =
        s.loop().run_until_complete(s.loop().create_connection(raises, to({listener.address()})));
    s.say(link.ok() ? "connected" : word(link.error()));
  } catch (const Boom&) {
    s.say("Boom");
  }
}

void of_a_closed_loop(Stage& s) {
  Connected c = connected(s);
  s.loop().close().value();
  c.transport->write(view("nowhere"));
  s.say("closing", c.transport->is_closing());
  s.say("lost", c.seen->lost);
}

constexpr Program kPrograms[] = {
    {"connect.exchange", exchange},
    {"connect.host_and_service", host_and_service},
    {"connect.refused", refused},
    {"connect.second_address", second_address},
    {"connect.local_address", local_address},
    {"connect.own_socket", own_socket},
    {"connect.wrong_arguments", wrong_arguments},
    {"connect.names", names},
    {"connect.accepted_socket", accepted_socket},
    {"connect.accepted_wrong_socket", accepted_wrong_socket},
    {"connect.factory_raises", factory_raises},
    {"connect.of_a_closed_loop", of_a_closed_loop},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::connections
