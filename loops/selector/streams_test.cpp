// Tests of connections and their transports over every real selector, against plain sockets.
#include <doctest/doctest.h>

#include <cerrno>
#include <string>

#include "loops/selector/each_selector.hpp"

using namespace loopscope;
using namespace loopscope::each_selector;

namespace {

os::UniqueFd listener() {
  auto fd = os::open_socket(AddressFamily::ipv4, SocketType::stream);
  REQUIRE(fd.ok());
  REQUIRE(os::bind(fd->get(), Endpoint::loopback(AddressFamily::ipv4)).ok());
  REQUIRE(os::listen(fd->get(), 8).ok());
  return std::move(fd).value();
}

ConnectOptions to(const Endpoint& address) {
  ConnectOptions options;
  options.addresses = {address};
  return options;
}

void turn(EventLoop& loop, int iterations) {
  for (int i = 0; i < iterations; ++i) {
    loop.stop();
    REQUIRE(loop.run_forever().ok());
  }
}

std::string receive(os::NativeSocket fd) {
  Bytes buffer(64);
  const auto got = os::recv(fd, buffer);
  REQUIRE((got.ok() && *got));
  return text(ByteView(buffer).first(**got));
}

}  // namespace

TEST_CASE("a connection carries bytes both ways, and half of it outlives the other") {
  on_each_selector([](EventLoop& loop) {
    const os::UniqueFd server = listener();
    auto protocol = std::make_shared<Recorder>();
    protocol->loop = &loop;
    protocol->keep_open = true;
    auto future = loop.create_connection([&] { return protocol; },
                                         to(os::local_address(server.get()).value()));
    auto link = loop.run_until_complete(future);
    REQUIRE(link.ok());
    auto accepted = os::accept(server.get());
    REQUIRE((accepted.ok() && *accepted));
    const os::UniqueFd peer = std::move((*accepted)->first);
    REQUIRE(os::send(peer.get(), view("hello")).ok());
    REQUIRE(os::shutdown_write(peer.get()).ok());
    turn(loop, 50);
    CHECK(protocol->trace == "made data:hello eof ");
    const Bytes parts[] = {Bytes(2, std::byte{'a'}), {}, Bytes(3, std::byte{'b'})};
    const ByteView pieces[] = {parts[0], parts[1], parts[2]};
    link->transport->writelines(pieces);
    CHECK(link->transport->write_eof().ok());
    link->transport->write(view("too late"));
    CHECK(receive(peer.get()) == "aabbb");
    CHECK(receive(peer.get()).empty());
    link->transport->close();
    REQUIRE(loop.run_forever().ok());
    CHECK(protocol->trace == "made data:hello eof lost");
  });
}

TEST_CASE("the addresses that failed are named in the error, with what happened") {
  on_each_selector([](EventLoop& loop) {
    os::UniqueFd closed = listener();
    const Endpoint first = os::local_address(closed.get()).value();
    closed.reset();
    ConnectOptions options = to(first);
    options.addresses.push_back(Endpoint::loopback(AddressFamily::ipv6, first.port()));
    options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
    auto future = loop.create_connection([] { return std::make_shared<Recorder>(); }, options);
    auto link = loop.run_until_complete(future);
    REQUIRE_FALSE(link.ok());
    CHECK(link.error().is_errno(EAFNOSUPPORT));
    CHECK(link.error().detail.find(first.to_string() + ": connect ECONNREFUSED") == 0);
    CHECK(link.error().detail.find(options.addresses[1].to_string()) != std::string::npos);
  });
}

TEST_CASE("only a connected stream socket is adopted; any other stays with the caller") {
  on_each_selector([](EventLoop& loop) {
    const auto factory = [] { return std::make_shared<Recorder>(); };
    Socket listening(listener());
    auto datagram = Socket::make(AddressFamily::ipv4, SocketType::datagram);
    auto unconnected = Socket::make(AddressFamily::ipv4, SocketType::stream);
    REQUIRE((datagram.ok() && unconnected.ok()));
    for (Socket* socket : {&listening, &*datagram, &*unconnected}) {
      auto refused = loop.connect_accepted_socket(factory, *socket);
      REQUIRE(refused.done());
      CHECK_FALSE(refused.result().ok());
      CHECK(os::is_blocking(socket->native()).ok());
    }
    auto pair = os::open_socketpair(SocketType::stream);
    REQUIRE(pair.ok());
    Socket end(std::move(pair->first));
    auto future = loop.connect_accepted_socket(factory, end);
    CHECK_FALSE(end);
    auto link = loop.run_until_complete(future);
    REQUIRE(link.ok());
    link->transport->write(view("over"));
    CHECK(receive(pair->second.get()) == "over");
  });
}

TEST_CASE("a connection that is cancelled, or loses its loop, takes its socket with it") {
  on_each_selector([](EventLoop& loop) {
    const os::UniqueFd server = listener();
    const auto factory = [] { return std::make_shared<Recorder>(); };
    const ConnectOptions options = to(os::local_address(server.get()).value());
    auto before = loop.create_connection(factory, options);
    CHECK(before.cancel());
    auto after = loop.create_connection(factory, options);
    turn(loop, 2);
    (void)after.cancel();
    turn(loop, 5);
    auto pending = loop.create_connection(factory, options);
    CHECK(loop.close().ok());
    CHECK_FALSE(pending.done());
    for (int i = 0; i < 3; ++i) {  // Whatever came in is at its end.
      auto accepted = os::accept(server.get());
      REQUIRE(accepted.ok());
      if (*accepted) CHECK(receive((*accepted)->first.get()).empty());
    }
  });
}
