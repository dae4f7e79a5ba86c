// The libuv adapter: what it adds to libuv has to be right before libuv can be judged.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "loops/descriptor.hpp"
#include "loops/event_loop.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope {
namespace {

/// Null where this build has no libuv: then there is nothing to test.
const LoopDescriptor* libuv_row() {
  for (const LoopDescriptor* row : all_loops()) {
    if (row->name == "libuv" && row->make != nullptr) return row;
  }
  return nullptr;
}

std::unique_ptr<EventLoop> make_loop() {
  const LoopDescriptor* row = libuv_row();
  if (row == nullptr) return nullptr;
  auto made = row->make({});
  REQUIRE(made.ok());
  return std::move(made).value();
}

/// A loop, or the end of the test where there is no libuv.
#define LIBUV_LOOP(name)                               \
  const std::unique_ptr<EventLoop> name = make_loop(); \
  if (name == nullptr) return

using Words = std::vector<std::string>;

class StreamLog final : public Protocol {
 public:
  explicit StreamLog(EventLoop& loop, Words& words) : loop_(loop), words_(words) {}
  void connection_made(BaseTransport&) override { words_.push_back("made"); }
  void data_received(ByteView data) override { words_.push_back("data " + text(data)); }
  bool eof_received() override {
    words_.push_back("eof");
    return true;
  }
  void pause_writing() override { words_.push_back("pause"); }
  void resume_writing() override { words_.push_back("resume"); }
  void connection_lost(const Error* why) override {
    words_.push_back(why == nullptr ? "lost" : "lost " + error_name(why->code));
    loop_.stop();
  }

 private:
  EventLoop& loop_;
  Words& words_;
};

class Echo final : public DatagramProtocol {
 public:
  explicit Echo(Words& words) : words_(words) {}
  void connection_made(BaseTransport& transport) override {
    transport_ = dynamic_cast<DatagramTransport*>(&transport);
  }
  void datagram_received(ByteView data, const Endpoint& sender) override {
    words_.push_back("got " + text(data));
    (void)transport_->sendto(data, &sender);
  }
  void error_received(const Error& error) override {
    words_.push_back("error " + error_name(error.code));
  }
  void connection_lost(const Error*) override { words_.push_back("lost"); }

 private:
  Words& words_;
  DatagramTransport* transport_ = nullptr;
};

}  // namespace

TEST_CASE("libuv: a stopped run ends with its batch, and what the batch added waits") {
  LIBUV_LOOP(loop);
  Words words;
  loop->call_soon([&] { words.push_back("A"), loop->stop(); });
  loop->call_soon([&] {
    words.push_back("B");
    loop->call_soon([&] { words.push_back("D"); });
  });
  loop->call_soon([&] { words.push_back("C"); });
  CHECK(loop->run_forever().ok());
  CHECK(words == Words{"A", "B", "C"});
  loop->stop();
  CHECK(loop->run_forever().ok());
  CHECK(words == Words{"A", "B", "C", "D"});
}

TEST_CASE("libuv: a timer that is due when the run begins stops it behind what was ready") {
  LIBUV_LOOP(loop);
  Words words;
  loop->call_later(std::chrono::milliseconds(1), [&] { loop->stop(); });
  loop->call_soon([&] { words.push_back("ready"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(loop->run_forever().ok());
  CHECK(words == Words{"ready"});
}

TEST_CASE("libuv: a nested run, a run of another loop and a close while running are refused") {
  LIBUV_LOOP(loop);
  LIBUV_LOOP(other);
  Result<void> nested, second, closed;
  loop->call_soon([&] {
    nested = loop->run_forever();
    second = other->run_forever();
    closed = loop->close();
    loop->stop();
  });
  CHECK(loop->run_forever().ok());
  for (const Result<void>& refused : {nested, second, closed}) {
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().is(Errc::invalid_state));
  }
  CHECK(loop->close().ok());
  CHECK(loop->close().ok());
  CHECK(loop->call_soon([] {}).accepted().error().is(Errc::closed));
  CHECK(loop->call_later(std::chrono::seconds(0), [] {}).accepted().error().is(Errc::closed));
  CHECK(loop->call_soon_threadsafe([] {}).accepted().error().is(Errc::closed));
  CHECK(loop->run_forever().error().is(Errc::closed));
}

TEST_CASE("libuv: an exit exception leaves the run from every kind of callback, and queues stay") {
  class Leave final : public ExitException {
    const char* reason() const noexcept override { return "test"; }
  };
  LIBUV_LOOP(loop);
  auto pipe = os::open_pipe();
  REQUIRE(pipe.ok());
  REQUIRE(os::write(pipe->write.get(), view("x")).ok());
  int later = 0;

  loop->call_soon([] { throw Leave(); });
  loop->call_soon([&] { ++later; });
  CHECK_THROWS_AS((void)loop->run_forever(), Leave);
  CHECK_FALSE(loop->is_running());
  loop->call_later(std::chrono::seconds(0), [] { throw Leave(); });
  CHECK_THROWS_AS((void)loop->run_forever(), Leave);
  REQUIRE(loop->add_reader(pipe->read, [] { throw Leave(); }).ok());
  CHECK_THROWS_AS((void)loop->run_forever(), Leave);
  REQUIRE(loop->remove_reader(pipe->read).value());
  loop->stop();
  CHECK(loop->run_forever().ok());
  CHECK(later == 1);
}

TEST_CASE("libuv: any other exception reaches the handler and the loop goes on") {
  LIBUV_LOOP(loop);
  Words words;
  loop->set_exception_handler(
      [&](EventLoop&, const ExceptionContext& context) { words.push_back(context.message); });
  loop->call_soon([] { throw std::runtime_error("one"); });
  loop->call_later(std::chrono::milliseconds(1), [] { throw std::runtime_error("two"); });
  loop->call_later(std::chrono::milliseconds(2), [&] { loop->stop(); });
  CHECK(loop->run_forever().ok());
  CHECK(words == Words{"Exception in callback", "Exception in callback"});
}

TEST_CASE("libuv: timers come in the order of their deadlines, a cancelled one does not come") {
  LIBUV_LOOP(loop);
  Words words;
  loop->call_later(std::chrono::milliseconds(6), [&] { words.push_back("6"), loop->stop(); });
  TimerHandle gone = loop->call_later(std::chrono::milliseconds(4), [&] { words.push_back("4"); });
  loop->call_later(std::chrono::milliseconds(2), [&] {
    words.push_back("2");
    CHECK(gone.cancel());
    CHECK_FALSE(gone.cancel());
  });
  const TimerHandle never = loop->call_later(std::chrono::hours(24 * 365 * 1000), [] {});
  CHECK(never.accepted().ok());
  const TimerHandle nan = loop->call_later(std::chrono::duration<double>(NAN), [] {});
  CHECK(nan.accepted().error().is(Errc::invalid_argument));
  const TimePoint begin = now();
  CHECK(loop->run_forever().ok());
  CHECK(words == Words{"2", "6"});
  CHECK(now() - begin >= std::chrono::milliseconds(3));
}

TEST_CASE("libuv: calls from other threads wake a parked loop and keep their order") {
  LIBUV_LOOP(loop);
  std::vector<int> seen;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop->call_soon_threadsafe([&seen, i] { seen.push_back(i); });
    loop->call_soon_threadsafe([&] { loop->stop(); });
  });
  CHECK(loop->run_forever().ok());
  other.join();
  REQUIRE(seen.size() == 1000);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("libuv: readers are level-triggered and share a descriptor with a writer") {
  LIBUV_LOOP(loop);
  auto pair = os::open_socketpair(SocketType::stream);
  REQUIRE(pair.ok());
  auto& [mine, theirs] = *pair;
  REQUIRE(os::send(theirs.get(), view("abc")).ok());
  Words words;
  REQUIRE(loop->add_writer(mine,
                           [&] {
                             words.push_back("writable");
                             CHECK(loop->remove_writer(mine).value());
                           })
              .ok());
  REQUIRE(loop->add_reader(mine,
                           [&] {
                             std::byte one{};
                             CHECK(**os::recv(mine.get(), std::span(&one, 1)) == 1);
                             words.push_back(text(std::span(&one, 1)));
                             if (words.back() == "c") loop->stop();
                           })
              .ok());
  CHECK(loop->run_forever().ok());
  CHECK(words == Words{"a", "writable", "b", "c"});
  CHECK(loop->remove_reader(mine).value());
  CHECK_FALSE(loop->remove_reader(mine).value());
  CHECK_FALSE(loop->add_reader(-1, [] {}).ok());
}

TEST_CASE("libuv: a datagram endpoint answers its sender and outlives an oversized datagram") {
  LIBUV_LOOP(loop);
  Words words;
  DatagramOptions options;
  options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
  auto link = loop->run_until_complete(loop->create_datagram_endpoint(
      [&] { return std::make_shared<Echo>(words); }, std::move(options)));
  REQUIRE(link.ok());
  const Endpoint here = std::get<Endpoint>(link->transport->get_extra_info("sockname"));
  auto peer = os::open_socket(AddressFamily::ipv4, SocketType::datagram);
  REQUIRE(peer.ok());
  REQUIRE(os::bind(peer->get(), Endpoint::loopback(AddressFamily::ipv4)).ok());
  REQUIRE(os::sendto(peer->get(), view("hello"), &here).ok());
  REQUIRE(os::sendto(peer->get(), view(""), &here).ok());
  while (words.size() < 2) {
    loop->stop();
    REQUIRE(loop->run_forever().ok());
  }
  CHECK(words == Words{"got hello", "got "});
  Bytes answer(16);
  Endpoint sender;
  CHECK(**os::recvfrom(peer->get(), answer, sender) == 5);
  CHECK(sender == here);
  CHECK(**os::recvfrom(peer->get(), answer, sender) == 0);

  const Endpoint there = os::local_address(peer->get()).value();
  CHECK(link->transport->sendto(Bytes(70000), &there).ok());
  link->transport->sendto(view("after"), &there).value();
  loop->stop();
  REQUIRE(loop->run_forever().ok());
  CHECK(words.back() == "error EMSGSIZE");
  link->transport->close();
  loop->stop();
  REQUIRE(loop->run_forever().ok());
  CHECK(words.back() == "lost");
  CHECK(link->transport->sendto(view("late"), &there).error().is(Errc::closed));
}

TEST_CASE("libuv: an endpoint takes over a connected socket, and closes it with itself") {
  LIBUV_LOOP(loop);
  Words words;
  auto pair = os::open_socketpair(SocketType::datagram);
  REQUIRE(pair.ok());
  auto& [mine, theirs] = *pair;
  DatagramOptions options;
  Socket taken{std::move(mine)};
  options.sock = &taken;
  auto link = loop->run_until_complete(loop->create_datagram_endpoint(
      [&] { return std::make_shared<Echo>(words); }, std::move(options)));
  REQUIRE(link.ok());
  CHECK(link->transport->sendto(view("to the peer")).ok());
  Bytes answer(16);
  CHECK(**os::recv(theirs.get(), answer) == 11);
  REQUIRE(os::send(theirs.get(), view("back")).ok());
  while (words.empty()) {
    loop->stop();
    REQUIRE(loop->run_forever().ok());
  }
  CHECK(words == Words{"got back"});
  link->transport->abort();
  loop->stop();
  REQUIRE(loop->run_forever().ok());
  CHECK(words.back() == "lost");
  CHECK_FALSE(os::send(theirs.get(), view("nobody")).ok());
}

TEST_CASE("libuv: a pipe carries more than it holds, with flow control, to a clean end") {
  LIBUV_LOOP(loop);
  auto pipe = os::open_pipe();
  REQUIRE(pipe.ok());
  Words reader_words, writer_words;
  auto reader = loop->run_until_complete(loop->connect_read_pipe(
      [&] { return std::make_shared<StreamLog>(*loop, reader_words); }, std::move(pipe->read)));
  auto writer = loop->run_until_complete(loop->connect_write_pipe(
      [&] { return std::make_shared<StreamLog>(*loop, writer_words); }, std::move(pipe->write)));
  REQUIRE(reader.ok());
  REQUIRE(writer.ok());
  const std::string big(300'000, 'x');
  writer->transport->write(view(big));
  CHECK(writer->transport->get_write_buffer_size() > 0);
  writer->transport->close();
  writer->transport->write(view("dropped"));
  const auto finished = [&] { return !reader_words.empty() && reader_words.back() == "lost"; };
  while (!finished()) REQUIRE(loop->run_forever().ok());
  CHECK(writer_words == Words{"made", "pause", "resume", "lost"});
  std::size_t received = 0;
  for (const std::string& word : reader_words) {
    if (word.starts_with("data ")) received += word.size() - 5;
  }
  CHECK(received == big.size());
  CHECK(reader_words[reader_words.size() - 2] == "eof");
}

TEST_CASE("libuv: a pipe's descriptor is blocking again when its other copy is used later") {
  LIBUV_LOOP(loop);
  auto pipe = os::open_pipe();
  REQUIRE(pipe.ok());
  auto copy = os::duplicate(pipe->read.get());
  REQUIRE(copy.ok());
  Words words;
  auto reader = loop->run_until_complete(loop->connect_read_pipe(
      [&] { return std::make_shared<StreamLog>(*loop, words); }, std::move(pipe->read)));
  REQUIRE(reader.ok());
  CHECK_FALSE(os::is_blocking(copy->get()).value());
  reader->transport->close();
  CHECK(loop->run_forever().ok());
  CHECK(words == Words{"made", "lost"});
  CHECK(os::is_blocking(copy->get()).value());
}

TEST_CASE("libuv: a signal reaches its callback, and removal is truthful") {
  LIBUV_LOOP(loop);
  int seen = 0;
  REQUIRE(loop->add_signal_handler(SIGUSR1, [&] { ++seen, loop->stop(); }).ok());
  loop->call_soon([] { std::raise(SIGUSR1); });
  CHECK(loop->run_forever().ok());
  CHECK(seen == 1);
  CHECK(loop->remove_signal_handler(SIGUSR1).value());
  CHECK_FALSE(loop->remove_signal_handler(SIGUSR1).value());
  CHECK(loop->add_signal_handler(SIGKILL, [] {}).error().is_errno(EINVAL));
  CHECK(loop->add_signal_handler(0, [] {}).error().is_errno(EINVAL));
}

TEST_CASE("libuv: closing with everything pending calls nobody and leaves nothing") {
  LIBUV_LOOP(loop);
  Words words;
  auto pipe = os::open_pipe();
  auto second = os::open_pipe();
  auto pair = os::open_socketpair(SocketType::stream);
  REQUIRE((pipe.ok() && second.ok() && pair.ok()));
  auto held = std::make_shared<int>(0);
  loop->call_soon([held] { ++*held; });
  loop->call_soon_threadsafe([held] { ++*held; });
  loop->call_later(std::chrono::milliseconds(0), [held] { ++*held; });
  REQUIRE(loop->add_reader(pair->first, [held] { ++*held; }).ok());
  REQUIRE(loop->add_signal_handler(SIGUSR2, [held] { ++*held; }).ok());
  const auto log = [&] { return std::make_shared<StreamLog>(*loop, words); };
  auto reader = loop->connect_read_pipe(log, std::move(pipe->read));
  auto writer = loop->run_until_complete(loop->connect_write_pipe(log, std::move(second->write)));
  REQUIRE(writer.ok());
  writer->transport->write(Bytes(200'000));
  Socket socket(std::move(pair->second));
  auto received = loop->sock_recv(socket, 16);
  DatagramOptions options;
  options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
  auto endpoint = loop->create_datagram_endpoint([&] { return std::make_shared<Echo>(words); },
                                                 std::move(options));
  const int before = *held;
  const std::size_t said = words.size();
  CHECK(loop->close().ok());
  CHECK(*held == before);
  CHECK(held.use_count() == 1);
  CHECK(words.size() == said);
  CHECK_FALSE(received.done());
  writer->transport->write(view("late"));
  writer->transport->close();
  CHECK(writer->transport->is_closing());
  CHECK(words.size() == said);
}

}  // namespace loopscope
