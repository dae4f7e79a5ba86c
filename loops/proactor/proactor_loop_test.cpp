// Tests of the completion loop over a proactor that the test drives.
#include "loops/proactor/proactor_loop.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

#include "loops/common/recorder.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/temp_folder.hpp"

using namespace loopscope;

namespace {

/// Remembers what it was asked and completes what it is told to, one batch a wait.
class ScriptedProactor final : public Proactor {
 public:
  struct Script {
    std::vector<Operation*> submitted, cancelled;  // in the system; asked to end
    std::vector<std::function<void()>> next;       // run by the next wait
    bool alive = true;
    void complete(Operation& operation, Completion completion) {
      if (!completion.more) std::erase(submitted, &operation);
      operation.completed(std::move(completion));
    }
    void soon(Operation& operation, Completion completion) {
      next.push_back(
          [this, &operation, held = std::make_shared<Completion>(std::move(completion))] {
            complete(operation, std::move(*held));
          });
    }
    Operation& only(Operation::Kind kind) {
      const auto of_kind = [kind](const Operation* each) { return each->kind == kind; };
      REQUIRE(std::count_if(submitted.begin(), submitted.end(), of_kind) == 1);
      return **std::find_if(submitted.begin(), submitted.end(), of_kind);
    }
  };
  explicit ScriptedProactor(Script& script) : script_(script) {}
  ~ScriptedProactor() override { script_.alive = false; }
  Result<void> attach(os::NativeSocket) override { return {}; }
  Result<void> submit(Operation& operation) override {
    script_.submitted.push_back(&operation);
    return {};
  }
  void request_cancel(Operation& operation) override { script_.cancelled.push_back(&operation); }
  Result<void> flush() override { return {}; }
  Result<void> wait(std::optional<Duration>) override {
    for (const auto& step : std::exchange(script_.next, {})) step();
    return {};
  }
  void wake() noexcept override {}
  std::string_view mechanism() const override { return "scripted"; }
  std::string version() const override { return {}; }
  os::NativeSocket descriptor() const override { return os::kInvalid; }
  std::vector<os::NativeSocket> internal_descriptors() const override { return {}; }

 private:
  Script& script_;
};

using Script = ScriptedProactor::Script;
using Kind = Operation::Kind;

struct Driven {
  Script script;
  std::unique_ptr<ProactorLoop> loop =
      std::make_unique<ProactorLoop>(LoopOptions{}, std::make_unique<ScriptedProactor>(script));
  void turn(int times = 1) {
    for (int i = 0; i < times; ++i) {
      loop->stop();
      REQUIRE(loop->run_forever().ok());
    }
  }
};

Completion of(std::size_t count) {
  Completion completion;
  completion.count = count;
  return completion;
}
Completion failed(std::errc why) {
  Completion completion;
  completion.error = std::error_code(static_cast<int>(why), errno_category());
  return completion;
}

struct Pair {
  Socket mine;
  os::UniqueFd other;
  Pair() {
    auto pair = os::open_socketpair(SocketType::stream);
    REQUIRE(pair.ok());
    mine = Socket(std::move(pair->first));
    other = std::move(pair->second);
  }
};

void fill(Operation& operation, std::string_view bytes) {
  REQUIRE(operation.into.size() >= bytes.size());
  std::transform(bytes.begin(), bytes.end(), operation.into.begin(),
                 [](char each) { return static_cast<std::byte>(each); });
}

}  // namespace

TEST_CASE("operations on one socket are asked for one at a time, in order") {
  Driven driven;
  Pair pair;
  Future<Bytes> first = driven.loop->sock_recv(pair.mine, 8);
  Future<Bytes> second = driven.loop->sock_recv(pair.mine, 8);
  Operation& operation = driven.script.only(Kind::receive);
  fill(operation, "one");
  driven.script.soon(operation, of(3));
  driven.turn();
  CHECK(text(first.result().value()) == "one");
  CHECK_FALSE(second.done());
  Operation& next = driven.script.only(Kind::receive);
  fill(next, "two");
  driven.script.soon(next, of(3));
  driven.turn();
  CHECK(text(second.result().value()) == "two");
}

TEST_CASE("what a cancelled receive has taken is for the next one, and its memory stays lent") {
  Driven driven;
  Pair pair;
  {
    Future<Bytes> cancelled = driven.loop->sock_recv(pair.mine, 8);
    REQUIRE(cancelled.cancel());
  }
  Operation& operation = driven.script.only(Kind::receive);
  CHECK(driven.script.cancelled == std::vector<Operation*>{&operation});
  fill(operation, "late");  // AddressSanitizer: the memory is there
  Future<Bytes> next = driven.loop->sock_recv(pair.mine, 2);
  driven.script.soon(operation, of(4));
  driven.turn();
  CHECK(text(next.result().value()) == "la");
  CHECK(text(driven.loop->sock_recv(pair.mine, 8).result().value()) == "te");
  CHECK(driven.script.submitted.empty());
}

TEST_CASE("a reader is asked for anew only when it has run, and not when it was removed") {
  Driven driven;
  Pair pair;
  int runs = 0;
  REQUIRE(driven.loop->add_reader(pair.mine, [&] { ++runs; }).ok());
  Operation& first = driven.script.only(Kind::poll);
  CHECK((first.readable && !first.writable));
  driven.script.soon(first, of(0));
  driven.turn();
  CHECK(runs == 1);
  CHECK(driven.script.submitted.empty());
  driven.turn();
  CHECK(driven.script.submitted.size() == 1);
  Operation& second = driven.script.only(Kind::poll);
  REQUIRE(driven.loop->remove_reader(pair.mine).value());
  CHECK(driven.script.cancelled == std::vector<Operation*>{&second});
  driven.script.soon(second, of(0));  // too late to be cancelled
  driven.turn(2);
  CHECK(runs == 1);
  CHECK(driven.script.submitted.empty());
}

TEST_CASE("connection_lost and the close of the descriptor wait for the system") {
  Driven driven;
  Pair pair;
  const auto protocol = std::make_shared<testing::Recorder>();
  Future<Link> linked =
      driven.loop->connect_accepted_socket([protocol] { return protocol; }, pair.mine);
  driven.turn(2);
  REQUIRE(linked.done());
  const std::shared_ptr<Transport> transport = linked.result().value().transport;
  Operation& receiving = driven.script.only(Kind::receive);
  transport->write(view("bytes"));
  Operation& sending = driven.script.only(Kind::send);
  CHECK(transport->get_write_buffer_size() == 5);
  transport->abort();
  driven.turn(2);
  CHECK(protocol->trace == "made ");
  CHECK(text(sending.pieces[0]) == "bytes");  // lent as long as the system may look at it
  driven.script.soon(sending, failed(std::errc::operation_canceled));
  driven.turn(2);
  CHECK(protocol->trace == "made ");
  driven.script.soon(receiving, failed(std::errc::operation_canceled));
  driven.turn(2);
  CHECK(protocol->trace == "made lost");
  std::array<std::byte, 1> byte;
  const auto end = os::recv(pair.other.get(), byte);
  REQUIRE((end.ok() && end->has_value()));
  CHECK(**end == 0);
}

TEST_CASE("a receive and a piece of a file that end in one wait end their transport once") {
  Driven driven;
  Pair pair;
  const auto protocol = std::make_shared<testing::Recorder>();
  Future<Link> linked =
      driven.loop->connect_accepted_socket([protocol] { return protocol; }, pair.mine);
  driven.turn(2);
  const std::shared_ptr<Transport> transport = linked.result().value().transport;
  const Result<std::string> folder = os::make_temp_folder("loopscope-piece-");
  REQUIRE(folder.ok());
  std::ofstream(*folder + "/file") << "bytes";
  const Result<os::UniqueFd> opened = os::open_path(*folder + "/file", false);
  REQUIRE(opened.ok());
  std::filesystem::remove_all(*folder);
  const os::UniqueFd& file = *opened;
  const Future<std::uint64_t> sending = driven.loop->sendfile(transport, {.file = file.get()});
  driven.turn(2);
  Operation& receiving = driven.script.only(Kind::receive);
  Operation& piece = driven.script.only(Kind::splice);
  transport->abort();
  driven.script.soon(piece, failed(std::errc::operation_canceled));
  driven.script.soon(receiving, failed(std::errc::operation_canceled));
  driven.turn(4);
  CHECK(protocol->trace == "made lost");
  REQUIRE(sending.done());
  CHECK_FALSE(sending.result().ok());
}

TEST_CASE("bytes that arrive for a paused transport are kept in order and given later") {
  Driven driven;
  Pair pair;
  const auto protocol = std::make_shared<testing::Recorder>();
  Future<Link> linked =
      driven.loop->connect_accepted_socket([protocol] { return protocol; }, pair.mine);
  driven.turn(2);
  const std::shared_ptr<Transport> transport = linked.result().value().transport;
  Operation& receiving = driven.script.only(Kind::receive);
  struct OneBuffer final : LentBytes::Pool {
    Bytes memory = Bytes(16);
    int out = 0;
    void give_back(std::uint32_t) noexcept override { --out; }
    LentBytes lend(const std::shared_ptr<Pool>& self, std::string_view bytes) {
      ++out;
      std::transform(bytes.begin(), bytes.end(), memory.begin(),
                     [](char each) { return static_cast<std::byte>(each); });
      return LentBytes(self, 0, std::span(memory).first(bytes.size()));
    }
  };
  const auto pool = std::make_shared<OneBuffer>();
  transport->pause_reading();
  Completion one = of(3);
  one.more = true;
  one.data = pool->lend(pool, "one");
  driven.script.soon(receiving, std::move(one));
  driven.turn();
  CHECK(pool->out == 0);  // A transport that does not read keeps no memory of the pool.
  CHECK(protocol->trace == "made ");
  Completion two = of(3);
  two.data = pool->lend(pool, "two");
  driven.script.soon(receiving, std::move(two));
  driven.turn();
  transport->resume_reading();
  driven.turn(3);
  CHECK(protocol->trace == "made data:one data:two ");
  CHECK(&driven.script.only(Kind::receive) == &receiving);
  transport->abort();
}

TEST_CASE("a loop that closes frees what it lent only when the proactor has ended") {
  Driven driven;
  Pair pair;
  Future<Bytes> received = driven.loop->sock_recv(pair.mine, 8);
  struct Watched final : LoopOperation {
    explicit Watched(Script& script) : LoopOperation(Kind::poll, 0), script_(script) {}
    ~Watched() override { CHECK_FALSE(script_.alive); }
    void done(Completion) override { FAIL("completed after the loop's end"); }
    void released() override {}
    Script& script_;
  };
  REQUIRE(driven.loop->start(std::make_shared<Watched>(driven.script)).ok());
  REQUIRE(driven.loop->close().ok());
  CHECK_FALSE(driven.script.alive);
  CHECK_FALSE(received.done());
}

TEST_CASE("a client that was accepted for a cancelled call is the next call's") {
  Driven driven;
  Pair listener, client;
  Future<Accepted> cancelled = driven.loop->sock_accept(listener.mine);
  REQUIRE(cancelled.cancel());
  Operation& operation = driven.script.only(Kind::accept);
  Completion accepted;
  accepted.accepted = client.mine.release();
  const os::NativeSocket number = accepted.accepted.get();
  driven.script.soon(operation, std::move(accepted));
  driven.turn();
  Future<Accepted> next = driven.loop->sock_accept(listener.mine);
  REQUIRE(next.done());
  CHECK(next.result().value().connection.native() == number);
}

// The harness cannot make an accept of the kernel fail: here is where the server's answer is held.
TEST_CASE("errors of accept that belong to one connection do not stop a server") {
  Driven driven;
  Socket listener(std::move(os::open_socket(AddressFamily::ipv4, SocketType::stream).value()));
  REQUIRE(os::bind(listener.native(), Endpoint::loopback(AddressFamily::ipv4)).ok());
  REQUIRE(os::listen(listener.native(), 8).ok());
  const auto seen = std::make_shared<testing::Recorder>();
  ServerOptions options;
  options.sock = &listener;
  const auto server = driven.loop->create_server([&] { return seen; }, options);
  driven.turn(2);
  REQUIRE(server.done());
  for (const std::errc why :
       {std::errc::connection_aborted, std::errc::operation_not_permitted,
        std::errc::protocol_error, std::errc::network_down, std::errc::host_unreachable}) {
    driven.script.soon(driven.script.only(Kind::accept), failed(why));
    driven.turn(2);
    CHECK(server.result().value()->is_serving());
  }
  Pair client;
  Completion accepted;
  accepted.accepted = client.mine.release();
  accepted.more = true;
  driven.script.soon(driven.script.only(Kind::accept), std::move(accepted));
  driven.turn(3);
  CHECK(seen->trace == "made ");
}
