// Tests of pipe and datagram transports over every real selector.
#include <doctest/doctest.h>

#include <string>

#include "loops/os/pipe.hpp"
#include "loops/selector/each_selector.hpp"

using namespace loopscope;
using namespace loopscope::each_selector;

TEST_CASE("a read pipe delivers what was written before the close, then the end") {
  on_each_selector([](EventLoop& loop) {
    auto pipe = os::open_pipe();
    REQUIRE(pipe.ok());
    auto protocol = std::make_shared<Recorder>();
    protocol->loop = &loop;
    auto future = loop.connect_read_pipe([&] { return protocol; }, std::move(pipe->read));
    REQUIRE(os::write(pipe->write.get(), view("last words")).ok());
    pipe->write.reset();
    REQUIRE(loop.run_forever().ok());
    CHECK(protocol->trace == "made data:last words eof lost");
    CHECK(future.done());
  });
}

TEST_CASE("a write pipe notices that its reader went, without writing") {
  on_each_selector([](EventLoop& loop) {
    auto pipe = os::open_pipe();
    REQUIRE(pipe.ok());
    auto protocol = std::make_shared<Recorder>();
    protocol->loop = &loop;
    auto future = loop.connect_write_pipe([&] { return protocol; }, std::move(pipe->write));
    auto link = loop.run_until_complete(future);
    REQUIRE(link.ok());
    pipe->read.reset();
    REQUIRE(loop.run_forever().ok());
    CHECK(protocol->trace == "made lost");
  });
}

TEST_CASE("a buffered write is flushed by close, and the flag of the pipe comes back") {
  on_each_selector([](EventLoop& loop) {
    auto pipe = os::open_pipe();
    REQUIRE(pipe.ok());
    auto copy = os::duplicate(pipe->write.get());
    REQUIRE(copy.ok());
    auto protocol = std::make_shared<Recorder>();
    protocol->loop = &loop;
    auto future = loop.connect_write_pipe([&] { return protocol; }, std::move(pipe->write));
    auto link = loop.run_until_complete(future);
    REQUIRE(link.ok());
    const Bytes big(300'000, std::byte{'x'});
    link->transport->write(big);
    link->transport->close();
    CHECK(link->transport->get_write_buffer_size() > 0);
    CHECK_FALSE(os::is_blocking(copy->get()).value());
    std::size_t received = 0;
    REQUIRE(os::set_blocking(pipe->read.get(), false).ok());
    REQUIRE(loop.add_reader(pipe->read,
                            [&] {
                              Bytes chunk(65536);
                              const auto got = os::read(pipe->read.get(), chunk);
                              if (got.ok() && *got) received += **got;
                              if (received == big.size()) (void)loop.remove_reader(pipe->read);
                            })
                .ok());
    REQUIRE(loop.run_forever().ok());
    CHECK(os::is_blocking(copy->get()).value());
    copy->reset();
    for (Bytes rest(65536);;) {  // what still lies in the pipe
      const auto got = os::read(pipe->read.get(), rest);
      REQUIRE((got.ok() && *got));
      if (**got == 0) break;
      received += **got;
    }
    CHECK(received == big.size());
    CHECK(protocol->trace == "made lost");
  });
}

namespace {
struct Echo : DatagramProtocol {
  DatagramTransport* transport = nullptr;
  std::string trace;
  EventLoop* loop = nullptr;
  void connection_made(BaseTransport& made) override {
    transport = dynamic_cast<DatagramTransport*>(&made);
  }
  void datagram_received(ByteView data, const Endpoint& sender) override {
    trace += "[" + text(data) + "]";
    if (loop != nullptr) {
      loop->stop();
    } else {
      CHECK(transport->sendto(data, &sender).ok());
    }
  }
};
}  // namespace

TEST_CASE("two datagram endpoints exchange an empty datagram and a full one") {
  on_each_selector([](EventLoop& loop) {
    auto server = std::make_shared<Echo>(), client = std::make_shared<Echo>();
    client->loop = &loop;
    DatagramOptions here;
    here.local_addr = Endpoint::loopback(AddressFamily::ipv4);
    auto serving = loop.create_datagram_endpoint([&] { return server; }, std::move(here));
    auto server_link = loop.run_until_complete(serving);
    REQUIRE(server_link.ok());
    const auto address = std::get<Endpoint>(server_link->transport->get_extra_info("sockname"));
    DatagramOptions there;
    there.remote_addr = address;
    auto connecting = loop.create_datagram_endpoint([&] { return client; }, std::move(there));
    auto client_link = loop.run_until_complete(connecting);
    REQUIRE(client_link.ok());
    REQUIRE(client_link->transport->sendto({}).ok());
    REQUIRE(loop.run_forever().ok());
    REQUIRE(client_link->transport->sendto(view("full")).ok());
    REQUIRE(loop.run_forever().ok());
    CHECK(server->trace == "[][full]");
    CHECK(client->trace == "[][full]");
  });
}
