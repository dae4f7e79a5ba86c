// Tests of every operation over io_uring on real sockets, pipes and terminals, on every level.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>

#include <thread>

#include "loops/proactor/io_uring_testing.hpp"

using namespace loopscope;
using namespace loopscope::uring;

namespace {

/// A terminal: the master, and the slave as a raw line.
struct Terminal {
  Terminal() {
    master = os::UniqueFd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(::grantpt(master.get()) == 0);
    REQUIRE(::unlockpt(master.get()) == 0);
    slave = std::move(os::open_path(::ptsname(master.get()), true).value());
    termios settings{};
    REQUIRE(::tcgetattr(slave.get(), &settings) == 0);
    ::cfmakeraw(&settings);
    REQUIRE(::tcsetattr(slave.get(), TCSANOW, &settings) == 0);
  }
  os::UniqueFd master, slave;
};

std::string pattern(std::size_t size) {
  std::string made(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    made[i] = static_cast<char>('a' + i * 7 % 23 + i / 997 % 3);
  return made;
}

/// What is in a non-blocking pipe or terminal.
std::string drained(os::NativeSocket fd) {
  std::string all;
  std::vector<std::byte> buffer(65536);
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got <= 0) return all;
    all += text({buffer.data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace

TEST_CASE("a stream is received and sent on every level") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets sockets;
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
    CHECK_FALSE(receive.over());
    const Bytes first = bytes("hello "), second = bytes("world");
    Asked send(Kind::send, sockets.ours.get());
    send.pieces = {first, {}, second};
    REQUIRE(proactor->submit(send).ok());
    finish(*proactor, send);
    CHECK(send.moved == 11);
    CHECK(sockets.hear() == "hello world");
    REQUIRE(os::shutdown_write(sockets.theirs.get()).ok());
    finish(*proactor, receive);
    CHECK(receive.ended);
    CHECK(receive.error == 0);
  }
}

TEST_CASE("memory of the operation's own is filled, once or again and again") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets sockets;
    std::array<std::byte, 4> memory{};
    Asked once(Kind::receive, sockets.ours.get());
    once.into = memory;
    sockets.say("abcdefghij");
    REQUIRE(proactor->submit(once).ok());
    finish(*proactor, once);
    CHECK(once.received == "abcd");
    Asked again(Kind::receive, sockets.ours.get());
    again.into = memory;
    again.repeats = true;
    REQUIRE(proactor->submit(again).ok());
    until(*proactor, [&] { return again.received.size() == 6; });
    CHECK(again.received == "efghij");
    CHECK_FALSE(again.over());
    proactor.reset();
  }
}

TEST_CASE("connections are accepted and made") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Listener listener;
    Asked accept(Kind::accept, listener.fd.get());
    accept.repeats = true;
    REQUIRE(proactor->submit(accept).ok());
    for (std::size_t count = 1; count <= 3; ++count) {
      Result<os::UniqueFd> client = os::open_socket(AddressFamily::ipv4, SocketType::stream);
      Asked connect(Kind::connect, client->get());
      connect.address = listener.address;
      REQUIRE(proactor->submit(connect).ok());
      until(*proactor, [&] { return connect.over() && accept.accepted.size() == count; });
      CHECK(connect.error == 0);
      CHECK(os::peer_address(accept.accepted.back().get()).value() ==
            os::local_address(client->get()).value());
      CHECK_FALSE(os::is_blocking(accept.accepted.back().get()).value());
      CHECK_FALSE(os::is_inheritable(accept.accepted.back().get()).value());
    }
    CHECK_FALSE(accept.over());
    proactor->request_cancel(accept);
    finish(*proactor, accept);
    CHECK(accept.error == ECANCELED);
    const os::UniqueFd client = listener.connect();
    Asked once(Kind::accept, listener.fd.get());
    REQUIRE(proactor->submit(once).ok());
    finish(*proactor, once);
    CHECK(once.address == os::local_address(client.get()).value());
  }
}

TEST_CASE("a refused connection is an error of the connect") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    Listener listener;
    listener.fd.reset();
    auto client = os::open_socket(AddressFamily::ipv4, SocketType::stream);
    Asked connect(Kind::connect, client->get());
    connect.address = listener.address;
    REQUIRE(proactor->submit(connect).ok());
    finish(*proactor, connect);
    CHECK(connect.error == ECONNREFUSED);
  }
}

TEST_CASE("a connect waits for room in the queue of a Unix listener") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    auto listener = os::open_socket(AddressFamily::unix_domain, SocketType::stream);
    REQUIRE(os::bind(listener->get(), kChosenName).ok());
    REQUIRE(os::listen(listener->get(), 0).ok());
    const Endpoint address = os::local_address(listener->get()).value();
    auto first = os::open_socket(AddressFamily::unix_domain, SocketType::stream);
    REQUIRE(os::connect(first->get(), address).value());
    auto second = os::open_socket(AddressFamily::unix_domain, SocketType::stream);
    auto third = os::open_socket(AddressFamily::unix_domain, SocketType::stream);
    Asked waits(Kind::connect, second->get()), given_up(Kind::connect, third->get());
    waits.address = given_up.address = address;
    REQUIRE(proactor->submit(waits).ok());
    REQUIRE(proactor->submit(given_up).ok());
    settle(*proactor);
    CHECK_FALSE(waits.over());
    proactor->request_cancel(given_up);
    finish(*proactor, given_up);
    CHECK(given_up.error == ECANCELED);
    REQUIRE(os::accept(listener->get()).value());
    finish(*proactor, waits);
    CHECK(waits.error == 0);
    CHECK(os::peer_address(second->get()).value() == address);
  }
}

TEST_CASE("datagrams come with their sender and go to their address") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    os::UniqueFd sockets[2];
    Endpoint addresses[2];
    for (int i = 0; i < 2; ++i) {
      sockets[i] = std::move(os::open_socket(AddressFamily::ipv4, SocketType::datagram).value());
      REQUIRE(os::bind(sockets[i].get(), Endpoint::loopback(AddressFamily::ipv4)).ok());
      addresses[i] = os::local_address(sockets[i].get()).value();
    }
    std::array<std::byte, 100> memory{};
    for (const std::string_view words : {"datagram", ""}) {
      Asked receive(Kind::receive_from, sockets[0].get()), send(Kind::send, sockets[1].get());
      receive.into = memory;
      send.address = addresses[0];
      const Bytes data = bytes(words);
      send.pieces = {data};
      REQUIRE(proactor->submit(receive).ok());
      REQUIRE(proactor->submit(send).ok());
      until(*proactor, [&] { return receive.over() && send.over(); });
      CHECK(text(std::span(memory).first(receive.moved)) == words);
      CHECK(receive.address == addresses[1]);
      CHECK(send.moved == words.size());
    }
  }
}

TEST_CASE("a datagram that waits for room in its receiver's queue arrives whole") {
  for (const UringLevel level : kLevels) {
    for (const bool addressed : {false, true}) {
      CAPTURE(name(level));
      CAPTURE(addressed);
      auto proactor = made(level);
      Sockets pair(SocketType::datagram);
      Asked send(Kind::send, pair.ours.get());
      os::UniqueFd lonely;
      if (addressed) {  // Then the socket is "writable" whether or not the queue there is full.
        lonely =
            std::move(os::open_socket(AddressFamily::unix_domain, SocketType::datagram).value());
        send.fd = lonely.get();
        pair.theirs =
            std::move(os::open_socket(AddressFamily::unix_domain, SocketType::datagram).value());
        REQUIRE(os::bind(pair.theirs.get(), kChosenName).ok());
        send.address = os::local_address(pair.theirs.get()).value();
      }
      int queued = 0;
      while (os::sendto(send.fd, view("x"), addressed ? &send.address : nullptr).value()) ++queued;
      const Bytes data = bytes("whole");
      send.pieces = {data};
      REQUIRE(proactor->submit(send).ok());
      for (int i = 0; i < 25; ++i) settle(*proactor);  // Long enough for every way to wait.
      CHECK_FALSE(send.over());
      for (; queued > 0; --queued) CHECK(pair.hear() == "x");
      finish(*proactor, send);
      CHECK(send.error == 0);
      CHECK(send.moved == data.size());
      CHECK(pair.hear() == "whole");
      CHECK(pair.hear() == "nothing");
    }
  }
}

TEST_CASE("a poll tells of one event, and a wake-up ends a wait") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets sockets;
    Asked poll(Kind::poll, sockets.ours.get());
    poll.readable = true;
    REQUIRE(proactor->submit(poll).ok());
    proactor->wake();
    REQUIRE(proactor->wait(std::nullopt).ok());
    CHECK(poll.times == 0);
    sockets.say("x");
    finish(*proactor, poll);
    CHECK(poll.readable);
    CHECK_FALSE(poll.writable);
    Asked both(Kind::poll, sockets.ours.get());
    both.readable = both.writable = true;
    REQUIRE(proactor->submit(both).ok());
    finish(*proactor, both);
    CHECK(both.readable);
    CHECK(both.writable);
  }
}

TEST_CASE("many wake-ups from another thread are all noticed") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    std::atomic<int> said{0}, heard{0};
    constexpr int kTimes = 500;
    std::thread other([&] {
      for (int i = 1; i <= kTimes; ++i) {
        said = i;
        proactor->wake();
        while (heard.load() < i) std::this_thread::yield();  // a lost one hangs
      }
    });
    while (heard < kTimes) {
      REQUIRE(proactor->wait(std::nullopt).ok());
      heard = said.load();
    }
    other.join();
  }
}

TEST_CASE("a signal ends a wait, and a handler's wake-up is never lost") {
  static std::atomic<Proactor*> target{nullptr};
  static std::atomic<int> handled{0};
  struct sigaction action {};
  action.sa_handler = [](int) {
    ++handled;
    if (Proactor* proactor = target.load()) proactor->wake();
  };
  struct sigaction before {};
  REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
  const pthread_t self = ::pthread_self();
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    // Without a wake-up: the call is cut short, and that is no error.
    std::atomic<bool> over{false};
    std::thread sender([&] {
      while (!over) {
        ::pthread_kill(self, SIGUSR1);
        std::this_thread::sleep_for(1ms);
      }
    });
    REQUIRE(proactor->wait(std::nullopt).ok());
    REQUIRE(proactor->wait(Duration(3600s)).ok());
    over = true;
    sender.join();
    // The timeout of a wait that is over does not count any more: not the longer one, here.
    REQUIRE(proactor->wait(Duration(1ms)).ok());
    // With one, at any moment: also just before the call.
    target = proactor.get();
    constexpr int kTimes = 300;
    std::atomic<int> heard{handled.load()};
    const int last = heard + kTimes;
    std::thread waker([&] {
      for (int sent = heard; sent < last; ++sent) {
        ::pthread_kill(self, SIGUSR1);
        while (heard.load() <= sent) std::this_thread::yield();  // a lost one hangs
      }
    });
    while (heard < last) {
      REQUIRE(proactor->wait(std::nullopt).ok());
      heard = handled.load();
    }
    waker.join();
    target = nullptr;
    REQUIRE(proactor->wait(Duration::zero()).ok());
    proactor->wake();
    REQUIRE(proactor->wait(Duration::max()).ok());  // the longest there is
  }
  REQUIRE(::sigaction(SIGUSR1, &before, nullptr) == 0);
}

TEST_CASE("a wait never ends early") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets sockets;
    Asked receive(Kind::receive, sockets.ours.get());
    REQUIRE(proactor->submit(receive).ok());
    for (const Duration timeout : {Duration(3'000'001), Duration(20ms), Duration(700us)}) {
      const TimePoint before = now();
      REQUIRE(proactor->wait(timeout).ok());
      CHECK(now() - before >= timeout);
    }
    // Earlier and later ones one after the other: what is left of one does not end another.
    for (int i = 0; i < 20; ++i) {
      const Duration timeout = i % 2 == 0 ? Duration(5ms) : Duration(1ms);
      const TimePoint before = now();
      REQUIRE(proactor->wait(timeout).ok());
      CHECK(now() - before >= timeout);
    }
    proactor.reset();
  }
}

TEST_CASE("a send completes when all of it is out") {
  const std::string words = pattern(6'000'000);
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets sockets;
    REQUIRE(os::set_buffer_sizes(sockets.ours.get(), 20'000, 0).ok());
    Asked send(Kind::send, sockets.ours.get());
    // Pieces of many sizes, so that short sends end in the middle of them.
    std::size_t from = 0;
    for (std::size_t size = 1; from < words.size(); size = size * 3 % 70'001 + 1) {
      send.pieces.push_back(view(std::string_view(words).substr(from, size)));
      from += size;
      if (send.pieces.size() + 1 == os::kMostPieces) {
        send.pieces.push_back(view(std::string_view(words).substr(from)));
        break;
      }
    }
    REQUIRE(proactor->submit(send).ok());
    std::string heard;
    while (!send.over()) {
      REQUIRE(proactor->wait(Duration::zero()).ok());
      const std::string part = sockets.hear();
      if (part != "nothing") heard += part;
    }
    while (heard.size() < words.size()) heard += sockets.hear();
    CHECK(send.moved == words.size());
    CHECK(bool(heard == words));
  }
}

TEST_CASE("a send that fails says how much went out before") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    Sockets sockets;
    const std::string words = pattern(4'000'000);
    Asked send(Kind::send, sockets.ours.get());
    send.pieces = {view(words)};
    REQUIRE(proactor->submit(send).ok());
    settle(*proactor);
    CHECK_FALSE(send.over());
    sockets.theirs.reset();
    finish(*proactor, send);
    CHECK(send.error == EPIPE);  // and no signal: this process lives
    CHECK(send.moved > 0);
    CHECK(send.moved < words.size());
  }
}

TEST_CASE("pipes are read and written, full and empty, blocking or not") {
  const std::string words = pattern(500'000);
  for (const UringLevel level : kLevels) {
    for (const bool blocking : {false, true}) {
      CAPTURE(name(level));
      CAPTURE(blocking);
      auto proactor = made(level);
      os::Pipe pipe = std::move(os::open_pipe().value());
      REQUIRE(os::set_blocking(pipe.read.get(), blocking).ok());
      REQUIRE(os::set_blocking(pipe.write.get(), blocking).ok());
      Asked receive(Kind::receive, pipe.read.get()), send(Kind::send, pipe.write.get());
      receive.is_socket = send.is_socket = false;
      receive.repeats = true;
      send.pieces = {view(words).first(1000), view(words).subspan(1000)};
      REQUIRE(proactor->submit(send).ok());
      settle(*proactor);
      CHECK_FALSE(send.over());  // the pipe is full
      REQUIRE(proactor->submit(receive).ok());
      until(*proactor, [&] { return send.over() && receive.received.size() == words.size(); });
      CHECK(send.moved == words.size());
      CHECK(bool(receive.received == words));
      CHECK_FALSE(receive.over());
      pipe.write.reset();
      finish(*proactor, receive);
      CHECK(receive.ended);
    }
  }
}

TEST_CASE("what waits for a blocking pipe or terminal can be cancelled, and blocks nobody") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const os::Pipe full = std::move(os::open_pipe().value());
    const os::Pipe empty = std::move(os::open_pipe().value());
    REQUIRE(os::set_blocking(full.read.get(), false).ok());
    const Terminal terminal;  // blocking, as are the other ends of the pipes
    const std::string words = pattern(300'000);
    Asked reads_pipe(Kind::receive, empty.read.get()), writes_pipe(Kind::send, full.write.get());
    Asked reads_line(Kind::receive, terminal.slave.get());
    Asked writes_line(Kind::send, terminal.slave.get());
    writes_pipe.pieces = writes_line.pieces = {view(words)};
    for (Asked* asked : {&reads_pipe, &writes_pipe, &reads_line, &writes_line}) {
      asked->is_socket = false;
      REQUIRE(proactor->submit(*asked).ok());
    }
    settle(*proactor);
    for (Asked* asked : {&reads_pipe, &writes_pipe, &reads_line, &writes_line}) {
      CHECK_FALSE(asked->over());
      proactor->request_cancel(*asked);
    }
    for (Asked* asked : {&reads_pipe, &writes_pipe, &reads_line, &writes_line}) {
      finish(*proactor, *asked);
      CHECK(asked->error == ECANCELED);
    }
    CHECK(writes_pipe.moved == drained(full.read.get()).size());
    REQUIRE(os::set_blocking(terminal.master.get(), false).ok());
    CHECK(writes_line.moved == drained(terminal.master.get()).size());
  }
}

TEST_CASE("a terminal's line is read and written until it hangs up") {
  for (const UringLevel level : kLevels) {
    for (const bool blocking : {false, true}) {
      CAPTURE(name(level));
      CAPTURE(blocking);
      auto proactor = made(level);
      Terminal terminal;
      REQUIRE(os::set_blocking(terminal.master.get(), blocking).ok());
      REQUIRE(os::set_blocking(terminal.slave.get(), blocking).ok());
      const std::string words = pattern(100'000);
      Asked receive(Kind::receive, terminal.master.get()), send(Kind::send, terminal.slave.get());
      receive.is_socket = send.is_socket = false;
      receive.repeats = true;
      send.pieces = {view(words)};
      REQUIRE(proactor->submit(receive).ok());
      REQUIRE(proactor->submit(send).ok());
      until(*proactor, [&] { return receive.received.size() == words.size() && send.over(); });
      CHECK(bool(receive.received == words));
      terminal.slave.reset();
      finish(*proactor, receive);
      CHECK(receive.error == EIO);  // the end of a terminal, as read(2) tells it
    }
  }
}

TEST_CASE("writing to a pipe without a reader is EPIPE and raises no signal") {
  for (const UringLevel level : kLevels) {
    for (const bool later : {false, true}) {
      CAPTURE(name(level));
      CAPTURE(later);
      auto proactor = made(level);
      os::Pipe pipe = std::move(os::open_pipe().value());
      const std::string words = pattern(200'000);
      Asked send(Kind::send, pipe.write.get());
      send.is_socket = false;
      send.pieces = {view(words)};
      if (!later) pipe.read.reset();
      REQUIRE(proactor->submit(send).ok());
      if (later) {
        settle(*proactor);
        CHECK_FALSE(send.over());
        pipe.read.reset();
      }
      finish(*proactor, send);
      CHECK(send.error == EPIPE);
      CHECK((send.moved > 0) == later);
      sigset_t pending;
      REQUIRE(::sigpending(&pending) == 0);
      CHECK(::sigismember(&pending, SIGPIPE) == 0);
    }
  }
}

TEST_CASE("a file goes through a pipe into a socket") {
  const std::string words = pattern(1'000'000);
  char path[] = "/tmp/loopscope-uring-XXXXXX";
  const os::UniqueFd file(::mkstemp(path));
  REQUIRE(::unlink(path) == 0);
  REQUIRE(::write(file.get(), words.data(), words.size()) == static_cast<ssize_t>(words.size()));
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets sockets;
    const os::Pipe pipe = std::move(os::open_pipe().value());
    // Nothing in the pipe, and so nothing to send: it waits.
    Asked drain(Kind::splice, pipe.read.get());
    drain.to = sockets.ours.get();
    drain.count = 1 << 20;
    REQUIRE(proactor->submit(drain).ok());
    settle(*proactor);
    CHECK_FALSE(drain.over());
    std::size_t read = 0, sent = 0;
    std::string heard;
    std::unique_ptr<Asked> load;
    while (heard.size() < words.size() || sent < words.size()) {
      if (!load && read < words.size()) {
        load = std::make_unique<Asked>(Kind::splice, file.get());
        load->to = pipe.write.get();
        load->offset = read;
        load->count = words.size();
        REQUIRE(proactor->submit(*load).ok());
      }
      REQUIRE(proactor->wait(Duration(1ms)).ok());
      if (load && load->over()) {
        REQUIRE(load->error == 0);
        read += load->moved;
        load.reset();
      }
      if (drain.over() && sent < words.size()) {
        REQUIRE(drain.error == 0);
        sent += drain.moved;
        drain.ends = 0;
        if (sent < words.size()) REQUIRE(proactor->submit(drain).ok());
      }
      if (const std::string part = sockets.hear(); part != "nothing") heard += part;
    }
    CHECK(bool(heard == words));
    CHECK(sent == words.size());
  }
}

TEST_CASE("what cannot be done is an error of the operation") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    Sockets sockets;
    const int closed = sockets.ours.get();
    sockets.ours.reset();
    Asked receive(Kind::receive, closed), poll(Kind::poll, closed), send(Kind::send, closed);
    receive.repeats = true;
    poll.readable = true;
    for (Asked* asked : {&receive, &poll, &send}) REQUIRE(proactor->submit(*asked).ok());
    CHECK(proactor->submit(send).error().is_errno(EBUSY));
    until(*proactor, [&] { return receive.over() && poll.over() && send.over(); });
    for (const Asked* asked : {&receive, &poll, &send}) {
      CHECK(asked->error == EBADF);
      CHECK(asked->times == 1);
      CHECK(asked->in_flight == nullptr);
    }
  }
}

TEST_CASE("a queue that is full of either kind loses nothing") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level, {.submissions = 4, .completions = 8});
    const Sockets sockets;
    sockets.say("ready");
    std::vector<std::unique_ptr<Asked>> polls;
    for (int i = 0; i < 700; ++i) {
      polls.push_back(std::make_unique<Asked>(Kind::poll, sockets.ours.get()));
      polls.back()->readable = true;
      REQUIRE(proactor->submit(*polls.back()).ok());
    }
    until(*proactor, [&] {
      return std::all_of(polls.begin(), polls.end(), [](const auto& poll) { return poll->over(); });
    });
    CHECK(std::all_of(polls.begin(), polls.end(),
                      [](const auto& poll) { return poll->times == 1 && poll->readable; }));
    // And connections, which an operation that repeats tells of until the queue is full.
    const Listener listener(64);
    Asked accept(Kind::accept, listener.fd.get());
    accept.repeats = true;
    std::vector<os::UniqueFd> clients;
    for (int i = 0; i < 40; ++i) clients.push_back(listener.connect());
    REQUIRE(proactor->submit(accept).ok());
    until(*proactor, [&] { return accept.accepted.size() == clients.size(); });
    CHECK_FALSE(accept.over());
    proactor.reset();
  }
}

TEST_CASE("without a free buffer bytes wait, and stay in order") {
  const std::string words = pattern(40'000);
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level, {.buffers = 4, .buffer = 256});
    const Sockets sockets;
    sockets.say(words);
    Asked receive(Kind::receive, sockets.ours.get());
    receive.repeats = receive.keeps_data = true;
    REQUIRE(proactor->submit(receive).ok());
    const bool bounded = level < UringLevel::copy;
    if (bounded) {
      settle(*proactor);
      CHECK(receive.kept.size() == 4);
      CHECK(receive.received.size() == 4 * 256);
    }
    while (receive.received.size() < words.size()) {
      if (!receive.kept.empty()) receive.kept.erase(receive.kept.begin());
      REQUIRE(proactor->wait(Duration(1ms)).ok());
      if (bounded) CHECK(receive.kept.size() <= 4);
    }
    CHECK(bool(receive.received == words));
    CHECK_FALSE(receive.over());
    // What is lent outlives the proactor.
    receive.kept.clear();
    sockets.say("last");
    until(*proactor, [&] { return !receive.kept.empty(); });
    proactor.reset();
    CHECK(text(receive.kept.back().bytes()) == "last");
  }
}

TEST_CASE("a receive that waits for a buffer can be cancelled") {
  for (const UringLevel level : {UringLevel::defer, UringLevel::plain, UringLevel::oneshot}) {
    CAPTURE(name(level));
    auto proactor = made(level, {.buffers = 1, .buffer = 16});
    const Sockets one, other;
    Asked first(Kind::receive, one.ours.get()), second(Kind::receive, other.ours.get());
    first.keeps_data = first.repeats = second.repeats = true;
    one.say("first");
    REQUIRE(proactor->submit(first).ok());
    until(*proactor, [&] { return first.times == 1; });
    other.say("second");
    REQUIRE(proactor->submit(second).ok());
    settle(*proactor);
    CHECK(second.times == 0);
    proactor->request_cancel(second);
    finish(*proactor, second);
    CHECK(second.error == ECANCELED);
    CHECK(other.left() == "second");
    proactor.reset();
  }
}
