// Ported programs: servers over TCP and Unix sockets. What they check: test_events.py,
// test_server.py, test_unix_events.py.
#include <filesystem>
#include <fstream>

#include "ci/ported/peers.hpp"

namespace loopscope::ported::servers {
namespace {

/// A server whose connections are recorded as "s", one after the other.
struct Serving {
  std::shared_ptr<Server> server;
  std::shared_ptr<std::vector<std::shared_ptr<Stream>>> connections;
  Server* operator->() const { return server.get(); }
  Endpoint address() const { return server->sockets().at(0); }
  std::size_t count() const { return connections->size(); }
  Stream& last() const { return *connections->back(); }
};
ProtocolFactory recording(Stage& s,
                          std::shared_ptr<std::vector<std::shared_ptr<Stream>>> connections) {
  return [&s, connections] {
    connections->push_back(stream(s, "s"));
    return connections->back();
  };
}
Serving serve(Stage& s, const ServerOptions& options) {
  const auto connections = std::make_shared<std::vector<std::shared_ptr<Stream>>>();
  const auto made = s.loop().create_server(recording(s, connections), options);
  return {s.loop().run_until_complete(made).value(), connections};
}
Serving serve_unix(Stage& s, const UnixServerOptions& options) {
  const auto connections = std::make_shared<std::vector<std::shared_ptr<Stream>>>();
  const auto made = s.loop().create_unix_server(recording(s, connections), options);
  return {s.loop().run_until_complete(made).value(), connections};
}
ServerOptions on_loopback(bool start_serving = true) {
  ServerOptions options;
  options.addresses = {Endpoint::loopback(AddressFamily::ipv4)};
  options.start_serving = start_serving;
  return options;
}
std::string refusal(Stage& s, const ServerOptions& options) {
  const auto made = s.loop().create_server(make(stream(s, "s")), options);
  const auto server = s.loop().run_until_complete(made);
  return server.ok() ? "serving" : word(server.error());
}
std::string refusal_unix(Stage& s, const UnixServerOptions& options) {
  const auto made = s.loop().create_unix_server(make(stream(s, "s")), options);
  const auto server = s.loop().run_until_complete(made);
  return server.ok() ? "serving" : word(server.error());
}

void exchange(Stage& s) {
  const Serving serving = serve(s, on_loopback());
  s.say("serving", serving->is_serving(), serving->sockets().size());
  Peer peer = connect_to(serving.address());
  peer.send("hello");
  s.run_until([&] { return serving.count() == 1 && serving.last().data == "hello"; });
  dynamic_cast<Transport&>(*serving.last().transport).write(view("answer"));
  s.until_there(peer, 6);
  s.say("peer has", peer.recv_exactly(6));
  peer.close();
  s.run_until([&] { return serving.last().lost; });
  serving->close();
  s.say("serving", serving->is_serving(), serving->sockets().size());
  s.turn(2);
}

void started_later(Stage& s) {
  const Serving serving = serve(s, on_loopback(false));
  s.say("serving", serving->is_serving());
  s.say("start", serving->start_serving().ok());
  s.say("start again", serving->start_serving().ok());
  s.say("serving", serving->is_serving());
  Peer peer = connect_to(serving.address());
  s.run_until([&] { return serving.count() == 1 && serving.last().transport != nullptr; });
}

void closed_refuses(Stage& s) {
  const Serving serving = serve(s, on_loopback());
  const Endpoint address = serving.address();
  serving->close();
  serving->close();
  s.turn(2);
  ConnectOptions options;
  options.addresses = {address};
  s.say(attempt_connect(s, options));
  s.say("start", serving->start_serving().ok());
}

void connections_outlive_it(Stage& s) {
  const Serving serving = serve(s, on_loopback());
  Peer peer = connect_to(serving.address());
  s.run_until([&] { return serving.count() == 1 && serving.last().transport != nullptr; });
  serving->close();
  s.turn(2);
  peer.send("still there?");
  s.run_until([&] { return serving.last().data == "still there?"; });
  peer.close();
  s.run_until([&] { return serving.last().lost; });
}

void wait_closed(Stage& s) {
  const Serving serving = serve(s, on_loopback());
  Peer peer = connect_to(serving.address());
  s.run_until([&] { return serving.count() == 1 && serving.last().transport != nullptr; });
  serving->close();
  Future<void> closed = serving->wait_closed();
  s.turn(3);
  s.say("done with a connection left", closed.done());
  peer.close();
  s.say(s.finish(closed));
}

void wait_closed_idle(Stage& s) {
  const Serving serving = serve(s, on_loopback());
  serving->close();
  s.say(s.finish(serving->wait_closed()));
  s.say(s.finish(serving->wait_closed()));
}

void many_at_once(Stage& s) {
  const Serving serving = serve(s, on_loopback());
  std::vector<Peer> peers;
  for (int i = 0; i < 10; ++i) peers.push_back(connect_to(serving.address()));
  s.run_until([&] { return serving.count() == 10; });
  s.turn(2);
  s.say(serving.count());
}

void address_in_use(Stage& s) {
  const Serving serving = serve(s, on_loopback());
  ServerOptions options;
  options.addresses = {serving.address()};
  s.say(refusal(s, options));
}

void own_socket(Stage& s) {
  Socket socket = std::move(Socket::make(AddressFamily::ipv4, SocketType::stream).value());
  os::bind(socket.native(), Endpoint::loopback(AddressFamily::ipv4)).value();
  const Endpoint before = os::local_address(socket.native()).value();
  ServerOptions options;
  options.sock = &socket;
  const Serving serving = serve(s, options);
  s.say("its address", serving.address() == before);
  Peer peer = connect_to(before);
  s.run_until([&] { return serving.count() == 1 && serving.last().transport != nullptr; });
}

void wrong_arguments(Stage& s) {
  Socket datagram = std::move(Socket::make(AddressFamily::ipv4, SocketType::datagram).value());
  ServerOptions wrong;
  wrong.sock = &datagram;
  s.say("datagram socket", refusal(s, wrong));
  Socket socket = std::move(Socket::make(AddressFamily::ipv4, SocketType::stream).value());
  ServerOptions both;
  both.sock = &socket;
  both.hosts = {"127.0.0.1"};
  s.say("host and socket", refusal(s, both));
}

void several_hosts(Stage& s) {
  ServerOptions options;
  options.hosts = {"127.0.0.1", "127.0.0.2"};
  const Serving serving = serve(s, options);
  s.say(serving->sockets().size());
  for (const Endpoint& address : serving->sockets()) {
    const std::size_t before = serving.count();
    Peer peer = connect_to(address);
    s.run_until([&] { return serving.count() > before && serving.last().transport != nullptr; });
    peer.close();
    s.run_until([&] { return serving.last().lost; });
  }
}

void both_sides(Stage& s) {
  const Serving serving = serve(s, on_loopback());
  const auto seen = stream(s, "c");
  ConnectOptions options;
  options.addresses = {serving.address()};
  const auto client = transport_of(s, s.loop().create_connection(make(seen), options));
  s.run_until([&] { return serving.count() == 1 && serving.last().transport != nullptr; });
  client->write(view("ping"));
  s.run_until([&] { return serving.last().data == "ping"; });
  serving.last().transport->close();
  s.run_until([&] { return seen->lost; });
}

std::string at(Stage& s) { return s.folder() + "/socket"; }

void unix_exchange(Stage& s) {
  UnixServerOptions options;
  options.path = at(s);
  const Serving serving = serve_unix(s, options);
  s.say("exists", std::filesystem::exists(at(s)));
  const auto seen = stream(s, "c");
  UnixConnectOptions to;
  to.path = at(s);
  const auto client = transport_of(s, s.loop().create_unix_connection(make(seen), to));
  client->write(view("by path"));
  s.run_until([&] { return serving.count() == 1 && serving.last().data == "by path"; });
  client->close();
  s.run_until([&] { return serving.last().lost; });
}

void unix_stale_path(Stage& s) {
  {
    Socket left = std::move(Socket::make(AddressFamily::unix_domain, SocketType::stream).value());
    os::bind(left.native(), Endpoint::unix_path(at(s)).value()).value();
  }
  s.say("left behind", std::filesystem::exists(at(s)));
  UnixServerOptions options;
  options.path = at(s);
  s.say(refusal_unix(s, options));
}

void unix_not_a_socket(Stage& s) {
  std::ofstream(at(s)) << "a file";
  UnixServerOptions options;
  options.path = at(s);
  s.say(refusal_unix(s, options));
  s.say("still a file", std::filesystem::is_regular_file(at(s)));
}

void unix_cleaned_up(Stage& s) {
  UnixServerOptions options;
  options.path = at(s);
  const Serving serving = serve_unix(s, options);
  serving->close();
  s.turn(2);
  s.say("exists", std::filesystem::exists(at(s)));
}

void unix_nobody(Stage& s) {
  const auto attempt = [&s](const std::string& path) {
    UnixConnectOptions options;
    options.path = path;
    const auto made = s.loop().create_unix_connection(make(stream(s, "c")), options);
    const auto link = s.loop().run_until_complete(made);
    return link.ok() ? std::string("connected") : word(link.error());
  };
  s.say("no such path", attempt(at(s)));
  std::ofstream(at(s)) << "a file";
  s.say("a file", attempt(at(s)));
}

void unix_wrong_arguments(Stage& s) {
  s.say("nothing", refusal_unix(s, {}));
  Socket tcp = std::move(Socket::make(AddressFamily::ipv4, SocketType::stream).value());
  UnixServerOptions wrong;
  wrong.sock = &tcp;
  s.say("TCP socket", refusal_unix(s, wrong));
  UnixServerOptions nowhere;
  nowhere.path = s.folder() + "/no/such/folder";
  s.say("no such folder", refusal_unix(s, nowhere));
}

constexpr Program kPrograms[] = {
    {"server.exchange", exchange},
    {"server.started_later", started_later},
    {"server.closed_refuses", closed_refuses},
    {"server.connections_outlive_it", connections_outlive_it},
    {"server.wait_closed", wait_closed},
    {"server.wait_closed_idle", wait_closed_idle},
    {"server.many_at_once", many_at_once},
    {"server.address_in_use", address_in_use},
    {"server.own_socket", own_socket},
    {"server.wrong_arguments", wrong_arguments},
    {"server.several_hosts", several_hosts},
    {"server.both_sides", both_sides},
    {"unix.exchange", unix_exchange},
    {"unix.stale_path", unix_stale_path},
    {"unix.not_a_socket", unix_not_a_socket},
    {"unix.cleaned_up", unix_cleaned_up},
    {"unix.nobody", unix_nobody},
    {"unix.wrong_arguments", unix_wrong_arguments},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::servers
