// Tests of servers over every real selector: binding, accepting, ending.
#include "loops/selector/server.hpp"

#include <doctest/doctest.h>

#include "loops/selector/each_selector.hpp"

using namespace loopscope;
using loopscope::each_selector::on_each_selector;

namespace {

struct EchoOnce : Protocol {
  explicit EchoOnce(int& ended) : ended_(ended) {}
  void connection_made(BaseTransport& made) override {
    transport = dynamic_cast<Transport*>(&made);
  }
  void data_received(ByteView data) override {
    transport->write(data);
    transport->close();
  }
  void connection_lost(const Error*) override { ++ended_; }
  Transport* transport = nullptr;

 private:
  int& ended_;
};

std::string ask(const Endpoint& address, EventLoop& loop) {
  const auto client = os::open_socket(address.family(), SocketType::stream, true);
  REQUIRE(client.ok());
  REQUIRE(os::connect(client->get(), address).ok());
  REQUIRE(os::send(client->get(), view("ping")).ok());
  Bytes answer(16);
  loop.call_later(std::chrono::milliseconds(20), [&loop] { loop.stop(); });
  REQUIRE(loop.run_forever().ok());
  const auto got = os::recv(client->get(), answer);
  return got.ok() ? text(ByteView(answer).first(**got)) : to_string(got.error());
}

}  // namespace

TEST_CASE("a server echoes on each of its addresses, and wait_closed ends after the last client") {
  on_each_selector([](EventLoop& loop) {
    int ended = 0;
    ServerOptions options;
    options.hosts = {"127.0.0.1", "127.0.0.2", "127.0.0.1"};
    const auto future =
        loop.create_server([&] { return std::make_shared<EchoOnce>(ended); }, std::move(options));
    const auto server = loop.run_until_complete(future);
    REQUIRE(server.ok());
    const std::vector<Endpoint> addresses = (*server)->sockets();
    REQUIRE(addresses.size() == 2);
    CHECK(addresses[0].port() == addresses[1].port());
    for (const Endpoint& address : addresses) CHECK(ask(address, loop) == "ping");
    const Future<void> closed = (*server)->wait_closed();
    CHECK_FALSE(closed.done());
    (*server)->close();
    CHECK(loop.run_until_complete(closed).ok());
    CHECK(ended == 2);
    CHECK((*server)->sockets().empty());
    CHECK_FALSE((*server)->start_serving().ok());
  });
}

TEST_CASE("a loop that closes ends its servers and their connections without a callback") {
  int ended = 0;
  on_each_selector([&](EventLoop& loop) {
    ServerOptions options;
    options.addresses = {Endpoint::loopback(AddressFamily::ipv4)};
    const auto future =
        loop.create_server([&] { return std::make_shared<EchoOnce>(ended); }, std::move(options));
    const auto server = loop.run_until_complete(future);
    REQUIRE(server.ok());
    const auto client = os::open_socket(AddressFamily::ipv4, SocketType::stream, true);
    REQUIRE(os::connect(client->get(), (*server)->sockets().front()).ok());
    loop.stop();
    REQUIRE(loop.run_forever().ok());
    REQUIRE(loop.close().ok());
    CHECK((*server)->descriptors().empty());
    (*server)->close_clients();
    (*server)->close();
  });
  CHECK(ended == 0);
}
