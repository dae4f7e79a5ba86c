// Tests of the end of operations over io_uring: cancelled in every state, closed, destroyed.
#include <random>
#include <thread>

#include "loops/proactor/io_uring_testing.hpp"

using namespace loopscope;
using namespace loopscope::uring;

namespace {

/// One of each kind that finds nothing to do, and so waits.
struct Waiting {
  explicit Waiting(const Endpoint& full) {
    for (os::UniqueFd* pipe : {&empty.read, &full_pipe.read, &full_pipe.write}) {
      REQUIRE(os::set_blocking(pipe->get(), false).ok());
    }
    while (::write(full_pipe.write.get(), memory.data(), memory.size()) > 0) {
    }
    far = std::move(os::open_socket(AddressFamily::ipv4, SocketType::stream).value());
    connecting = std::move(os::open_socket(AddressFamily::unix_domain, SocketType::stream).value());
    std::size_t sent = 0;
    while (const auto more = os::send(filled.ours.get(), memory).value()) sent += *more;
    add(Kind::receive, receiving.ours.get()).repeats = true;
    add(Kind::receive, receiving.ours.get());
    add(Kind::receive, receiving.ours.get()).into = memory;
    add(Kind::receive, empty.read.get()).is_socket = false;
    add(Kind::receive_from, datagrams.ours.get()).into = memory;
    add(Kind::send, filled.ours.get()).pieces = {memory};
    Asked& writes = add(Kind::send, full_pipe.write.get());
    writes.pieces = {memory};
    writes.is_socket = false;
    add(Kind::accept, listener.fd.get()).repeats = true;
    add(Kind::accept, listener.fd.get());
    add(Kind::connect, connecting.get()).address = full;
    add(Kind::poll, receiving.ours.get()).readable = true;
    add(Kind::connect, far.get()).address = busy.address;
    for (const int from : {empty.read.get(), full_pipe.read.get()}) {
      Asked& splice = add(Kind::splice, from);
      splice.to = from == empty.read.get() ? receiving.ours.get() : filled.ours.get();
      splice.count = 100;
    }
  }
  Asked& add(Kind kind, int fd) { return *all.emplace_back(std::make_unique<Asked>(kind, fd)); }
  bool over() const {
    return std::all_of(all.begin(), all.end(), [](const auto& asked) { return asked->over(); });
  }

  std::array<std::byte, 4096> memory{};
  Sockets receiving, filled;
  Sockets datagrams{SocketType::datagram};
  os::Pipe empty = std::move(os::open_pipe().value());
  os::Pipe full_pipe = std::move(os::open_pipe().value());
  Listener listener;
  // Its queue is full with one: of another connection the system forgets the first packet.
  Listener busy{0};
  os::UniqueFd caller = busy.connect();
  os::UniqueFd connecting, far;
  std::vector<std::unique_ptr<Asked>> all;
};

/// A Unix listener whose queue is full.
struct FullListener {
  FullListener() {
    fd = std::move(os::open_socket(AddressFamily::unix_domain, SocketType::stream).value());
    REQUIRE(os::bind(fd.get(), kChosenName).ok());
    REQUIRE(os::listen(fd.get(), 0).ok());
    address = os::local_address(fd.get()).value();
    first = std::move(os::open_socket(AddressFamily::unix_domain, SocketType::stream).value());
    REQUIRE(os::connect(first.get(), address).value());
  }
  os::UniqueFd fd, first;
  Endpoint address;
};

}  // namespace

TEST_CASE("every kind can be cancelled before and after the kernel has it") {
  const FullListener full;
  for (const UringLevel level : kLevels) {
    for (int rounds = 0; rounds < 4; ++rounds) {
      CAPTURE(name(level));
      CAPTURE(rounds);
      auto proactor = made(level);
      Waiting waiting(full.address);
      for (const auto& asked : waiting.all) REQUIRE(proactor->submit(*asked).ok());
      for (int i = 0; i < rounds; ++i) REQUIRE(proactor->wait(Duration(2ms)).ok());
      for (const auto& asked : waiting.all) {
        CHECK(asked->times == 0);
        proactor->request_cancel(*asked);
        proactor->request_cancel(*asked);  // again has no effect
        CHECK(asked->times == 0);
      }
      until(*proactor, [&] { return waiting.over(); });
      for (const auto& asked : waiting.all) {
        CHECK(asked->times == 1);
        CHECK(asked->error == ECANCELED);
        CHECK(asked->in_flight == nullptr);
        proactor->request_cancel(*asked);  // nor has it now
      }
      settle(*proactor);
      for (const auto& asked : waiting.all) CHECK(asked->times == 1);
    }
  }
}

TEST_CASE("an operation that is cancelled when its last answer is here tells what happened") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets one, other;
    one.say("one");
    other.say("other");
    Asked first(Kind::receive, one.ours.get()), second(Kind::receive, other.ours.get());
    // Both are over when the first is told, which cancels the second.
    first.then = [&] { proactor->request_cancel(second); };
    second.then = [&] { proactor->request_cancel(first); };
    REQUIRE(proactor->submit(first).ok());
    REQUIRE(proactor->submit(second).ok());
    until(*proactor, [&] { return first.over() && second.over(); });
    CHECK(first.received == "one");
    CHECK(second.received == "other");
    CHECK(first.times + second.times == 2);
  }
}

TEST_CASE("an operation that repeats can cancel itself, and go on in another one") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets sockets;
    Asked receive(Kind::receive, sockets.ours.get()), next(Kind::receive, sockets.ours.get());
    receive.repeats = true;
    receive.then = [&] {
      proactor->request_cancel(receive);
      if (receive.over()) REQUIRE(proactor->submit(next).ok());
    };
    REQUIRE(proactor->submit(receive).ok());
    settle(*proactor);
    sockets.say("for the first ");
    finish(*proactor, receive);
    CHECK(receive.received == "for the first ");
    CHECK(receive.ends == 1);
    sockets.say("for the next");
    finish(*proactor, next);
    CHECK(next.received == "for the next");
  }
}

TEST_CASE("cancelling races with data, and no byte is lost or told twice") {
  std::mt19937 random(1);
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets sockets;
    std::string said, heard;
    for (int i = 0; i < 3000; ++i) {
      Asked receive(Kind::receive, sockets.ours.get());
      receive.repeats = random() % 2 == 0;
      REQUIRE(proactor->submit(receive).ok());
      const std::string words = std::to_string(i) + ",";
      const auto say = [&] {
        sockets.say(words);
        said += words;
      };
      if (random() % 4 == 0) say();
      if (random() % 2 == 0) REQUIRE(proactor->wait(Duration::zero()).ok());
      if (random() % 4 == 0) say();
      proactor->request_cancel(receive);
      if (random() % 4 == 0) say();
      if (random() % 2 == 0) REQUIRE(proactor->flush().ok());
      if (random() % 4 == 0) say();
      finish(*proactor, receive);
      REQUIRE(receive.ends == 1);
      REQUIRE((receive.error == 0 || receive.error == ECANCELED));
      heard += receive.received;
    }
    if (const std::string left = sockets.left(); left != "nothing") heard += left;
    CHECK(bool(heard == said));
  }
}

TEST_CASE("what was cancelled and flushed has let go of its descriptor") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    Sockets sockets;
    Listener listener;
    const Endpoint address = listener.address;
    const os::UniqueFd copy(::dup(sockets.ours.get()));
    Asked receive(Kind::receive, sockets.ours.get()), accept(Kind::accept, listener.fd.get());
    Asked poll(Kind::poll, sockets.ours.get());
    receive.repeats = accept.repeats = poll.readable = true;
    for (Asked* asked : {&receive, &accept, &poll}) REQUIRE(proactor->submit(*asked).ok());
    settle(*proactor);
    for (Asked* asked : {&receive, &accept, &poll}) proactor->request_cancel(*asked);
    REQUIRE(proactor->flush().ok());
    CHECK(receive.times + accept.times + poll.times == 0);  // never inside the call
    // The peer's next bytes are for whoever still has the socket, and its end is seen at once.
    sockets.say("not swallowed");
    CHECK(Sockets::heard_by(copy.get()) == "not swallowed");
    sockets.ours.reset();
    const_cast<os::UniqueFd&>(copy).reset();
    CHECK(sockets.hear() == "");
    // The port is free again.
    listener.fd.reset();
    auto client = os::open_socket(AddressFamily::ipv4, SocketType::stream, true);
    CHECK(os::connect(client->get(), address).error().is_errno(ECONNREFUSED));
    auto next = os::open_socket(AddressFamily::ipv4, SocketType::stream);
    CHECK(os::bind(next->get(), address).ok());
    until(*proactor, [&] { return receive.over() && accept.over() && poll.over(); });
    CHECK(receive.error == ECANCELED);
  }
}

TEST_CASE("a connection that comes while its accept is cancelled is told, or stays queued") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Listener listener(64);
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 200; ++i) {
      Asked accept(Kind::accept, listener.fd.get());
      accept.repeats = i % 2 == 0;
      REQUIRE(proactor->submit(accept).ok());
      REQUIRE(proactor->flush().ok());
      const os::UniqueFd client = listener.connect();
      proactor->request_cancel(accept);
      finish(*proactor, accept);
      std::size_t connections = accept.accepted.size();
      while (os::accept(listener.fd.get()).value()) ++connections;
      REQUIRE(connections == 1);
    }
    CHECK(open_descriptors() <= before + 2);  // its ring may be open by now
  }
}

TEST_CASE("the end of a proactor ends all operations and tells none") {
  const FullListener full;
  for (const UringLevel level : kLevels) {
    for (const bool elsewhere : {false, true}) {
      CAPTURE(name(level));
      CAPTURE(elsewhere);
      const std::size_t before = open_descriptors();
      {
        Waiting waiting(full.address);
        auto proactor = made(level);
        for (const auto& asked : waiting.all) REQUIRE(proactor->submit(*asked).ok());
        settle(*proactor);
        // Some have answers by now that nobody has looked at.
        const os::UniqueFd client = waiting.listener.connect();
        const Listener busy;
        Asked accept(Kind::accept, busy.fd.get());
        accept.repeats = true;
        REQUIRE(proactor->submit(accept).ok());
        const os::UniqueFd caller = busy.connect();
        REQUIRE(proactor->flush().ok());
        if (elsewhere) {
          std::thread([&] { proactor.reset(); }).join();
        } else {
          proactor.reset();
        }
        for (const auto& asked : waiting.all) {
          CHECK(asked->times == 0);
          CHECK(asked->in_flight == nullptr);
        }
        CHECK(accept.times == 0);
        // The system has done with the descriptors.
        waiting.receiving.say("left alone");
        CHECK(waiting.receiving.left() == "left alone");
        waiting.receiving.ours.reset();
        std::string heard = waiting.receiving.hear();
        // A thread that has ended lets go in a worker of the kernel.
        while (elsewhere && heard == "nothing") heard = waiting.receiving.hear();
        CHECK(heard == "");
        // Who was accepted and never told sees the end.
        char nothing = 0;
        CHECK(::read(caller.get(), &nothing, 1) <= 0);
      }
      CHECK(open_descriptors() == before);
    }
  }
}

TEST_CASE("a proactor that never waited can be destroyed") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    const std::size_t before = open_descriptors();
    const Sockets sockets;
    Asked receive(Kind::receive, sockets.ours.get());
    {
      auto proactor = made(level);
      REQUIRE(proactor->submit(receive).ok());
      CHECK(proactor->internal_descriptors().size() >= 2);
      CHECK(proactor->flush().ok());
    }
    CHECK(receive.in_flight == nullptr);
    CHECK(open_descriptors() == before + 2);
  }
}
