// The libuv adapter's connections, servers and pool: what it adds has to be right before libuv can
// be judged.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "loops/descriptor.hpp"
#include "loops/event_loop.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope {
namespace {

using namespace std::chrono_literals;

/// Null where this build has no libuv: then there is nothing to test.
std::unique_ptr<EventLoop> make_libuv() {
  for (const LoopDescriptor* row : all_loops()) {
    if (row->name != "libuv" || row->make == nullptr) continue;
    auto made = row->make({});
    REQUIRE(made.ok());
    return std::move(made).value();
  }
  return nullptr;
}

/// What a connection was told, and the means to answer.
struct Recorder final : Protocol {
  explicit Recorder(bool keep_open_at_end = false) : keep_open(keep_open_at_end) {}
  void connection_made(BaseTransport& made) override {
    transport = dynamic_cast<Transport*>(&made);
    said += "made ";
  }
  void data_received(ByteView data) override {
    received += text(data);
    if (echo) transport->write(data);
  }
  bool eof_received() override {
    said += "eof ";
    return keep_open;
  }
  void pause_writing() override { said += "pause "; }
  void resume_writing() override { said += "resume "; }
  void connection_lost(const Error* why) override {
    said += why == nullptr ? "lost" : "lost:" + error_name(why->code);
    transport = nullptr;
  }
  bool lost() const { return said.find("lost") != said.npos; }

  Transport* transport = nullptr;
  std::string said, received;
  bool keep_open, echo = false;
};

/// Turns of the loop until it is so. A test that waits for ever is killed by CTest.
template <class Condition>
void run_until(EventLoop& loop, Condition so) {
  while (!so()) {
    TimerHandle tick = loop.call_later(1ms, [&] { loop.stop(); });
    REQUIRE(loop.run_forever().ok());
    (void)tick.cancel();
  }
}

struct Serving {
  explicit Serving(EventLoop& loop, ServerOptions options = on_loopback()) {
    auto made = loop.run_until_complete(loop.create_server(
        [this] { return clients.emplace_back(std::make_shared<Recorder>()); }, std::move(options)));
    REQUIRE(made.ok());
    server = *made;
  }
  static ServerOptions on_loopback() {
    ServerOptions options;
    options.addresses = {Endpoint::loopback(AddressFamily::ipv4)};
    return options;
  }
  Endpoint address() const { return server->sockets().front(); }

  std::vector<std::shared_ptr<Recorder>> clients;
  std::shared_ptr<Server> server;
};

Result<Link> connect(EventLoop& loop, const std::shared_ptr<Recorder>& protocol,
                     ConnectOptions options) {
  return loop.run_until_complete(
      loop.create_connection([protocol] { return protocol; }, std::move(options)));
}

ConnectOptions to(std::vector<Endpoint> addresses) {
  ConnectOptions options;
  options.addresses = std::move(addresses);
  return options;
}

/// An address on which nobody listens.
Endpoint refusing() {
  auto socket = os::open_socket(AddressFamily::ipv4, SocketType::stream);
  REQUIRE(socket.ok());
  REQUIRE(os::bind(socket->get(), Endpoint::loopback(AddressFamily::ipv4)).ok());
  return os::local_address(socket->get()).value();
}

#define LIBUV_LOOP(name)                                \
  const std::unique_ptr<EventLoop> name = make_libuv(); \
  if (name == nullptr) return

}  // namespace

TEST_CASE("libuv: a connection carries bytes both ways, half closes, and ends once") {
  LIBUV_LOOP(loop);
  Serving serving(*loop);
  const auto mine = std::make_shared<Recorder>();
  const auto link = connect(*loop, mine, to({serving.address()}));
  REQUIRE(link.ok());
  CHECK(std::get<Endpoint>(link->transport->get_extra_info("peername")) == serving.address());
  run_until(*loop, [&] { return !serving.clients.empty() && serving.clients[0]->transport; });
  Recorder& theirs = *serving.clients[0];
  theirs.keep_open = true;

  std::vector<ByteView> pieces(3000, view("ab"));
  pieces.emplace_back();
  link->transport->writelines(pieces);
  REQUIRE(link->transport->write_eof().ok());
  REQUIRE(link->transport->write_eof().ok());
  link->transport->write(view("dropped"));
  run_until(*loop, [&] { return theirs.said == "made eof "; });
  CHECK(theirs.received.size() == 6000);
  theirs.transport->write(view("answer"));
  theirs.transport->close();
  run_until(*loop, [&] { return mine->lost() && theirs.lost(); });
  CHECK(mine->received == "answer");
  CHECK(mine->said == "made eof lost");
  CHECK(theirs.said == "made eof lost");
  CHECK(link->transport->is_closing());
}

TEST_CASE("libuv: close sends what is buffered, abort drops it, and both end without an error") {
  LIBUV_LOOP(loop);
  Serving serving(*loop);
  const std::string big(6'000'000, 'x');
  for (const bool abort : {false, true}) {
    serving.clients.clear();
    const auto mine = std::make_shared<Recorder>();
    const auto link = connect(*loop, mine, to({serving.address()}));
    REQUIRE(link.ok());
    link->transport->write(view(big));
    CHECK(link->transport->get_write_buffer_size() > 0);
    if (abort) {
      link->transport->abort();
      CHECK(link->transport->get_write_buffer_size() == 0);
    } else {
      link->transport->close();
    }
    run_until(*loop, [&] { return mine->lost() && serving.clients.at(0)->lost(); });
    CHECK(mine->said == (abort ? "made pause lost" : "made pause resume lost"));
    CHECK((serving.clients[0]->received.size() == big.size()) == !abort);
  }
}

TEST_CASE("libuv: addresses are tried in order, and the error names each that failed") {
  LIBUV_LOOP(loop);
  Serving serving(*loop);
  const auto mine = std::make_shared<Recorder>();
  CHECK(connect(*loop, mine, to({refusing(), serving.address()})).ok());
  run_until(*loop, [&] { return mine->transport != nullptr; });
  mine->transport->abort();

  const Endpoint first = refusing(), second = refusing();
  const auto failed = connect(*loop, std::make_shared<Recorder>(), to({first, second}));
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().is_errno(ECONNREFUSED));
  CHECK(failed.error().detail.find(first.to_string()) != std::string::npos);
  CHECK(failed.error().detail.find(second.to_string()) != std::string::npos);
  run_until(*loop, [&] { return mine->lost(); });
}

TEST_CASE("libuv: a connect that is cancelled and a factory that throws leave no descriptor") {
  LIBUV_LOOP(loop);
  Serving serving(*loop);
  Future<Link> cancelled =
      loop->create_connection([] { return std::make_shared<Recorder>(); }, to({serving.address()}));
  CHECK(cancelled.cancel());
  Future<Link> failing = loop->create_connection(
      []() -> std::shared_ptr<BaseProtocol> { throw std::runtime_error("no protocol"); },
      to({serving.address()}));
  CHECK_THROWS_AS((void)loop->run_until_complete(failing), std::runtime_error);
  // The server sees them come and go, and nothing else of ours is open.
  run_until(*loop, [&] {
    for (const auto& client : serving.clients) {
      if (!client->lost()) return false;
    }
    return !serving.clients.empty();
  });
  CHECK(cancelled.cancelled());
}

TEST_CASE("libuv: a server closes its listeners at once and waits for its connections") {
  LIBUV_LOOP(loop);
  Serving serving(*loop);
  const Endpoint address = serving.address();
  const auto mine = std::make_shared<Recorder>();
  REQUIRE(connect(*loop, mine, to({address})).ok());
  run_until(*loop, [&] { return !serving.clients.empty() && serving.clients[0]->transport; });
  CHECK(serving.server->is_serving());
  CHECK(serving.server->descriptors().size() == 1);
  serving.server->close();
  serving.server->close();
  CHECK_FALSE(serving.server->is_serving());
  CHECK(serving.server->sockets().empty());
  CHECK(serving.server->start_serving().error().is(Errc::closed));
  const auto refused = connect(*loop, std::make_shared<Recorder>(), to({address}));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().is_errno(ECONNREFUSED));

  Future<void> given_up = serving.server->wait_closed();
  Future<void> waiting = serving.server->wait_closed();
  CHECK(given_up.cancel());
  CHECK_FALSE(waiting.done());
  serving.server->close_clients();
  CHECK(loop->run_until_complete(waiting).ok());
  CHECK(serving.clients[0]->said == "made lost");
  CHECK(loop->run_until_complete(serving.server->wait_closed()).ok());
}

TEST_CASE("libuv: a port in use is refused with its address, and a later start listens later") {
  LIBUV_LOOP(loop);
  Serving serving(*loop);
  ServerOptions options;
  options.addresses = {serving.address()};
  const auto taken = loop->run_until_complete(
      loop->create_server([] { return std::make_shared<Recorder>(); }, options));
  REQUIRE_FALSE(taken.ok());
  CHECK(taken.error().is_errno(EADDRINUSE));

  options.addresses = {Endpoint::loopback(AddressFamily::ipv4)};
  options.start_serving = false;
  Serving later(*loop, options);
  CHECK_FALSE(connect(*loop, std::make_shared<Recorder>(), to({later.address()})).ok());
  REQUIRE(later.server->start_serving().ok());
  REQUIRE(later.server->start_serving().ok());
  CHECK(connect(*loop, std::make_shared<Recorder>(), to({later.address()})).ok());
}

TEST_CASE("libuv: sockets of the caller are taken over, and refused ones stay the caller's") {
  LIBUV_LOOP(loop);
  auto pair = os::open_socketpair(SocketType::stream);
  REQUIRE(pair.ok());
  Socket socket(std::move(pair->first));
  const auto mine = std::make_shared<Recorder>();
  const auto link =
      loop->run_until_complete(loop->connect_accepted_socket([&] { return mine; }, socket));
  REQUIRE(link.ok());
  CHECK_FALSE(static_cast<bool>(socket));
  REQUIRE(os::send(pair->second.get(), view("hello")).ok());
  pair->second.reset();
  run_until(*loop, [&] { return mine->lost(); });
  CHECK(mine->received == "hello");
  CHECK(mine->said == "made eof lost");

  Socket datagram = Socket::make(AddressFamily::ipv4, SocketType::datagram).value();
  const auto refused =
      loop->run_until_complete(loop->connect_accepted_socket([&] { return mine; }, datagram));
  CHECK_FALSE(refused.ok());
  CHECK(static_cast<bool>(datagram));
}

TEST_CASE("libuv: a Unix server serves at its path, in the place of a stale file, and removes it") {
  LIBUV_LOOP(loop);
  std::string folder = std::filesystem::temp_directory_path() / "loopscope-XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  UnixServerOptions options;
  options.path = folder + "/server";
  {
    auto stale = os::open_socket(AddressFamily::unix_domain, SocketType::stream);
    REQUIRE(stale.ok());
    REQUIRE(os::bind(stale->get(), Endpoint::unix_path(options.path).value()).ok());
  }
  const auto theirs = std::make_shared<Recorder>(), mine = std::make_shared<Recorder>();
  theirs->echo = true;
  const auto server =
      loop->run_until_complete(loop->create_unix_server([&] { return theirs; }, options));
  REQUIRE(server.ok());
  UnixConnectOptions there;
  there.path = options.path;
  const auto link =
      loop->run_until_complete(loop->create_unix_connection([&] { return mine; }, there));
  REQUIRE(link.ok());
  link->transport->write(view("hello"));
  run_until(*loop, [&] { return mine->received == "hello"; });
  const auto second =
      loop->run_until_complete(loop->create_unix_server([&] { return theirs; }, options));
  REQUIRE_FALSE(second.ok());  // Somebody listens there.
  CHECK(second.error().is_errno(EADDRINUSE));
  link->transport->close();
  (*server)->close();
  CHECK(loop->run_until_complete((*server)->wait_closed()).ok());
  CHECK(rmdir(folder.c_str()) == 0);  // It is empty.
  const auto gone =
      loop->run_until_complete(loop->create_unix_connection([&] { return mine; }, there));
  REQUIRE_FALSE(gone.ok());
  CHECK(gone.error().is_errno(ENOENT));
}

TEST_CASE("libuv: names and work come back from the pool, and queued work can be taken back") {
  LIBUV_LOOP(loop);
  const auto addresses = loop->run_until_complete(loop->getaddrinfo("127.0.0.1", "80"));
  REQUIRE(addresses.ok());
  CHECK(addresses->front().to_string() == "127.0.0.1:80");
  const auto unknown =
      loop->run_until_complete(loop->getaddrinfo("not a number", "80", {.numeric_host = true}));
  REQUIRE_FALSE(unknown.ok());
  CHECK(error_name(unknown.error().code) == "EAI_NONAME");
  NameInfoFlags numeric;
  numeric.numeric_host = numeric.numeric_service = true;
  const auto name = loop->run_until_complete(loop->getnameinfo(addresses->front(), numeric));
  REQUIRE(name.ok());
  CHECK(name->host == "127.0.0.1");
  CHECK(name->service == "80");

  const std::thread::id here = std::this_thread::get_id();
  CHECK(*loop->run_until_complete(
      loop->run_in_executor([here] { return std::this_thread::get_id() != here; })));
  CHECK_THROWS_AS((void)loop->run_until_complete(loop->run_in_executor(
                      []() -> int { throw std::runtime_error("from the pool"); })),
                  std::runtime_error);
}

TEST_CASE("libuv: a shutdown waits for the work, which the pool refuses from then on") {
  LIBUV_LOOP(loop);
  std::latch go(1);
  bool ran = false;
  Future<void> working = loop->run_in_executor([&] { go.wait(), ran = true; });
  Future<void> ended = loop->shutdown_default_executor();
  CHECK_FALSE(ended.done());
  CHECK(loop->run_until_complete(loop->run_in_executor([] {})).error().is(Errc::closed));
  go.count_down();
  CHECK(loop->run_until_complete(ended).ok());
  CHECK(ran);
  CHECK(working.done());
}

// As in offload_test.cpp: a token in a callback of each future counts the states that live.
TEST_CASE("libuv: no future outlives its work, however that ends") {
  const auto token = std::make_shared<int>();
  const auto give = [&token](EventLoop& to) {
    Future<int> future = to.run_in_executor([] { return 42; });
    future.add_done_callback([token] {});
    return future;
  };
  {
    LIBUV_LOOP(loop);
    CHECK(loop->run_until_complete(give(*loop)).value() == 42);
    CHECK(token.use_count() == 1);
    for (int i = 0; i < 30; ++i) CHECK(give(*loop).cancel());
    CHECK(loop->run_until_complete(loop->shutdown_default_executor()).ok());
    CHECK(token.use_count() == 1);
  }
  LIBUV_LOOP(loop);
  for (int i = 0; i < 30; ++i) (void)give(*loop);
  CHECK(token.use_count() == 31);
  CHECK(loop->close().ok());
  CHECK(token.use_count() == 1);
}

TEST_CASE("libuv: a loop closes with connections, servers and lookups under way") {
  LIBUV_LOOP(loop);
  Serving serving(*loop);
  const auto mine = std::make_shared<Recorder>();
  REQUIRE(connect(*loop, mine, to({serving.address()})).ok());
  run_until(*loop, [&] { return mine->transport != nullptr; });
  mine->transport->write(Bytes(6'000'000));
  Future<Link> connecting =
      loop->create_connection([] { return std::make_shared<Recorder>(); }, to({serving.address()}));
  Future<std::vector<Endpoint>> resolving = loop->getaddrinfo("127.0.0.1", "80");
  std::vector<Future<int>> working;
  for (int i = 0; i < 10; ++i) working.push_back(loop->run_in_executor([i] { return i; }));
  Future<void> waiting = serving.server->wait_closed();
  const std::string said = mine->said;
  CHECK(loop->close().ok());
  CHECK(mine->said == said);
  CHECK_FALSE(connecting.done());
  CHECK_FALSE(resolving.done());
  CHECK_FALSE(waiting.done());
  CHECK(serving.server->sockets().empty());
  serving.server->close();
  serving.server->close_clients();
  (void)resolving.cancel();
  (void)connecting.cancel();
}

}  // namespace loopscope
