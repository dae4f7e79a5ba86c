// Ported programs: datagram endpoints. What they check: test_events.py, test_base_events.py and
// test_selector_events.py.
#include "ci/ported/recorders.hpp"

namespace loopscope::ported::datagrams {
namespace {

struct Open {
  std::shared_ptr<DatagramTransport> transport;
  std::shared_ptr<Datagrams> seen;
  DatagramTransport* operator->() const { return transport.get(); }
  Endpoint address() const { return std::get<Endpoint>(transport->get_extra_info("sockname")); }
};

Open open(Stage& s, const char* name, DatagramOptions options) {
  const auto seen = std::make_shared<Datagrams>(s, name);
  auto made = s.loop().create_datagram_endpoint([&] { return seen; }, std::move(options));
  return {transport_of(s, made), seen};
}
Open bound(Stage& s, const char* name) {
  DatagramOptions options;
  options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
  return open(s, name, std::move(options));
}
Open connected(Stage& s, const char* name, const Endpoint& to) {
  DatagramOptions options;
  options.remote_addr = to;
  return open(s, name, std::move(options));
}
std::string refusal(Stage& s, DatagramOptions options) {
  const auto seen = std::make_shared<Datagrams>(s, "d");
  auto made = s.loop().create_datagram_endpoint([&] { return seen; }, std::move(options));
  const Result<DatagramLink> link = s.loop().run_until_complete(made);
  return link.ok() ? "taken" : word(link.error());
}

void exchange(Stage& s) {
  const Open server = bound(s, "server");
  const Open client = connected(s, "client", server.address());
  client->sendto(view("ping")).value();
  s.run_until([&] { return !server.seen->senders.empty(); });
  s.say("from the client", server.seen->senders[0] == client.address());
  server->sendto(view("pong"), &server.seen->senders[0]).value();
  s.run_until([&] { return !client.seen->senders.empty(); });
  client->close();
  client->close();
  s.say("closing", client->is_closing());
  s.turn(2);
  server->abort();
  s.turn(2);
}

void names(Stage& s) {
  const Open server = bound(s, "server");
  const Open client = connected(s, "client", server.address());
  const auto has = [](const Open& end, std::string_view name) {
    return std::holds_alternative<Endpoint>(end->get_extra_info(name));
  };
  s.say("server", has(server, "sockname"), has(server, "peername"));
  s.say("client", has(client, "sockname"), has(client, "peername"));
  s.say("unknown", has(client, "no such name"));
}

void another_address(Stage& s) {
  const Open server = bound(s, "server"), stranger = bound(s, "stranger");
  const Open client = connected(s, "client", server.address());
  const Endpoint wrong = stranger.address(), right = server.address();
  s.say("wrong", client->sendto(view("astray"), &wrong));
  s.say("right", client->sendto(view("at home"), &right));
  s.run_until([&] { return !server.seen->senders.empty(); });
}

void empty_datagram(Stage& s) {
  const Open server = bound(s, "server");
  const Open client = connected(s, "client", server.address());
  client->sendto({}).value();
  client->sendto(view("full")).value();
  client->sendto(view("last")).value();
  s.run_until([&] { return server.seen->data == "last"; });
}

void port_unreachable(Stage& s) {
  const Open gone = bound(s, "gone");
  const Endpoint nobody = gone.address();
  gone->close();
  s.turn(2);
  const Open client = connected(s, "client", nobody);
  client->sendto(view("anybody?")).value();
  s.run_until([&] { return client.seen->errors > 0; });
  s.say("closing", client->is_closing());
}

void too_large(Stage& s) {
  const Open server = bound(s, "server");
  const Open client = connected(s, "client", server.address());
  const std::string huge(65'508, 'x');  // for IPv4, by one; below the marks of flow control
  (void)client->sendto(view(huge));
  s.turn(2);
  s.say("closing", client->is_closing());
}

void after_close(Stage& s) {
  const Open client = bound(s, "client");
  const Endpoint self = client.address();
  client->close();
  (void)client->sendto(view("late"), &self);
  s.turn(3);
}

void own_socket(Stage& s) {
  Socket socket = std::move(Socket::make(AddressFamily::ipv4, SocketType::datagram).value());
  os::bind(socket.native(), Endpoint::loopback(AddressFamily::ipv4)).value();
  const Endpoint before = os::local_address(socket.native()).value();
  DatagramOptions options;
  options.sock = &socket;
  const Open end = open(s, "own", std::move(options));
  s.say("its address", end.address() == before);
  end->sendto(view("to myself"), &before).value();
  s.run_until([&] { return !end.seen->senders.empty(); });
}

void wrong_arguments(Stage& s) {
  auto [stream_end, peer] = s.pair();
  DatagramOptions stream_socket;
  stream_socket.sock = &stream_end;
  s.say("stream socket", refusal(s, std::move(stream_socket)));
  s.say("nothing at all", refusal(s, {}));
  Socket socket = std::move(Socket::make(AddressFamily::ipv4, SocketType::datagram).value());
  DatagramOptions both;
  both.sock = &socket;
  both.local_addr = Endpoint::loopback(AddressFamily::ipv4);
  s.say("socket and address", refusal(s, std::move(both)));
  DatagramOptions families;
  families.local_addr = Endpoint::loopback(AddressFamily::ipv6);
  families.remote_addr = Endpoint::loopback(AddressFamily::ipv4, 9);
  s.say("two families", refusal(s, std::move(families)));
}

void address_in_use(Stage& s) {
  const Open first = bound(s, "first");
  DatagramOptions options;
  options.local_addr = first.address();
  s.say(refusal(s, std::move(options)));
}

void unix_names(Stage& s) {
  DatagramOptions at;
  at.local_addr = Endpoint::unix_path(s.folder() + "/server").value();
  const Endpoint path = *at.local_addr;
  const Open server = open(s, "server", std::move(at));
  const Open client = connected(s, "client", path);
  client->sendto(view("by path")).value();
  s.run_until([&] { return !server.seen->senders.empty(); });
}

void receiver_raises(Stage& s) {
  class Raising final : public DatagramProtocol {
   public:
    explicit Raising(Stage& stage) : s(stage) {}
    void datagram_received(ByteView, const Endpoint&) override { throw Boom(); }
    void connection_lost(const Error* why) override { s.say("lost", why == nullptr), lost = true; }
    Stage& s;
    bool lost = false;
  };
  s.say_reports();
  DatagramOptions options;
  options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
  const auto seen = std::make_shared<Raising>(s);
  const auto transport =
      transport_of(s, s.loop().create_datagram_endpoint([&] { return seen; }, std::move(options)));
  const Endpoint self = std::get<Endpoint>(transport->get_extra_info("sockname"));
  transport->sendto(view("x"), &self).value();
  s.run_until([&] { return seen->lost; });
}

constexpr Program kPrograms[] = {
    {"datagrams.exchange", exchange},
    {"datagrams.names", names},
    {"datagrams.another_address", another_address},
    {"datagrams.empty_datagram", empty_datagram},
    {"datagrams.port_unreachable", port_unreachable},
    {"datagrams.too_large", too_large},
    {"datagrams.after_close", after_close},
    {"datagrams.own_socket", own_socket},
    {"datagrams.wrong_arguments", wrong_arguments},
    {"datagrams.address_in_use", address_in_use},
    {"datagrams.unix_names", unix_names},
    {"datagrams.receiver_raises", receiver_raises},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::datagrams
