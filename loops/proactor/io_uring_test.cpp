// Tests of the io_uring proactor on real sockets, pipes and terminals, on every level of its
// ladder.
#include "loops/proactor/io_uring.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <functional>
#include <string>

#include "loops/os/pipe.hpp"

using namespace loopscope;
using namespace std::chrono_literals;
using Kind = Operation::Kind;

namespace {

constexpr UringLevel kLevels[] = {UringLevel::defer,   UringLevel::coop, UringLevel::plain,
                                  UringLevel::oneshot, UringLevel::copy, UringLevel::basic};

/// An operation that keeps what became of it.
class Asked final : public Operation {
 public:
  using Operation::Operation;
  void completed(Completion completion) override {
    ++times;
    over = !completion.more;
    error = completion.error.value();
    count = completion.count;
    if (kind == Kind::receive && !completion.error) {
      const auto* begin = completion.data ? completion.data.bytes().data() : into.data();
      received += text({begin, completion.count});
      if (completion.count == 0) ended = true;
    }
    if (completion.accepted) accepted.push_back(std::move(completion.accepted));
    if (keep_data) kept.push_back(std::move(completion.data));
    if (then) then();
  }
  int times = 0;
  bool over = false, ended = false, keep_data = false;
  int error = 0;
  std::size_t count = 0;
  std::string received;
  std::vector<os::UniqueFd> accepted;
  std::vector<LentBytes> kept;
  std::function<void()> then;
};

std::unique_ptr<Proactor> made(UringLevel level, const uring::Sizes& sizes = {}) {
  auto proactor = uring::make(level, sizes);
  REQUIRE_MESSAGE(proactor.ok(), to_string(proactor.error()));
  return std::move(proactor).value();
}

/// Waits until something holds. A test that hangs is ended by CTest.
void until(Proactor& proactor, const std::function<bool()>& holds) {
  while (!holds()) REQUIRE(proactor.wait(std::nullopt).ok());
}

struct Sockets {
  Sockets() {
    auto pair = os::open_socketpair(SocketType::stream);
    ours = std::move(pair.value().first);
    theirs = std::move(pair.value().second);
  }
  void say(std::string_view words) {
    REQUIRE(os::send(theirs.get(), view(words)).value() == words.size());
  }
  std::string hear() {
    std::byte buffer[65536];
    const auto got = os::recv(theirs.get(), buffer);
    return got.value() ? text({buffer, **got}) : "nothing";
  }
  os::UniqueFd ours, theirs;
};

}  // namespace

TEST_CASE("a stream is received and sent on every level") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    Sockets sockets;
    Asked receive(Kind::receive, sockets.ours.get());
    receive.repeats = true;
    REQUIRE(proactor->submit(receive).ok());
    REQUIRE(proactor->wait(Duration::zero()).ok());
    CHECK(receive.times == 0);
    for (const std::string_view words : {"one", "two", "three"}) {
      sockets.say(words);
      const int before = receive.times;
      until(*proactor, [&] { return receive.times > before; });
    }
    CHECK(receive.received == "onetwothree");
    CHECK_FALSE(receive.over);
    const Bytes first = bytes("hello "), second = bytes("world");
    Asked send(Kind::send, sockets.ours.get());
    send.pieces = {first, second};
    REQUIRE(proactor->submit(send).ok());
    until(*proactor, [&] { return send.over; });
    CHECK(send.count == 11);
    CHECK(sockets.hear() == "hello world");
    sockets.theirs.reset();
    until(*proactor, [&] { return receive.over; });
    CHECK(receive.ended);
    CHECK(receive.error == 0);
  }
}

TEST_CASE("connections are accepted and made") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    Result<os::UniqueFd> listener = os::open_socket(AddressFamily::ipv4, SocketType::stream);
    REQUIRE(os::bind(listener->get(), Endpoint::loopback(AddressFamily::ipv4)).ok());
    REQUIRE(os::listen(listener->get(), 8).ok());
    const Endpoint address = os::local_address(listener->get()).value();
    Asked accept(Kind::accept, listener->get());
    accept.repeats = true;
    REQUIRE(proactor->submit(accept).ok());
    for (std::size_t count = 1; count <= 3; ++count) {
      Result<os::UniqueFd> client = os::open_socket(AddressFamily::ipv4, SocketType::stream);
      Asked connect(Kind::connect, client->get());
      connect.address = address;
      REQUIRE(proactor->submit(connect).ok());
      until(*proactor, [&] { return connect.over && accept.accepted.size() == count; });
      CHECK(connect.error == 0);
      CHECK(os::peer_address(accept.accepted.back().get()).value() ==
            os::local_address(client->get()).value());
      CHECK_FALSE(os::is_blocking(accept.accepted.back().get()).value());
      CHECK_FALSE(os::is_inheritable(accept.accepted.back().get()).value());
    }
    CHECK_FALSE(accept.over);
    proactor->request_cancel(accept);
    until(*proactor, [&] { return accept.over; });
    CHECK(accept.error == ECANCELED);
  }
}

TEST_CASE("a poll tells of one event, and a wake-up ends a wait") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    Sockets sockets;
    Asked poll(Kind::poll, sockets.ours.get());
    poll.readable = true;
    REQUIRE(proactor->submit(poll).ok());
    proactor->wake();
    REQUIRE(proactor->wait(std::nullopt).ok());
    CHECK(poll.times == 0);
    const TimePoint before = now();
    REQUIRE(proactor->wait(Duration(20ms)).ok());
    CHECK(now() - before >= Duration(20ms));
    sockets.say("x");
    until(*proactor, [&] { return poll.over; });
    CHECK(poll.readable);
    CHECK_FALSE(poll.writable);
  }
}
