// Flow control of sockets: several who wait for room, and reading that stops and goes on at random.
#include <random>

#include "harness/scenario.hpp"
#include "harness/scenarios/serving.hpp"

namespace loopscope::scenarios::flow_sockets {
namespace {

/// A protocol with the waiting for room that asyncio's StreamWriter.drain() is built from.
class Draining final : public Protocol {
 public:
  explicit Draining(EventLoop& loop) : loop_(loop) {}
  void connection_made(BaseTransport& made_for) override {
    transport = dynamic_cast<Transport*>(&made_for);
  }
  void pause_writing() override { paused = true; }
  void resume_writing() override {
    paused = false;
    for (Future<void>& waiter : std::exchange(waiters_, {})) waiter.set_result();
  }
  void connection_lost(const Error*) override {
    for (Future<void>& waiter : std::exchange(waiters_, {})) {
      waiter.set_error(make_error(Errc::closed, "drain", "connection lost"));
    }
  }
  Future<void> drain() {
    Future<void> waiter = loop_.create_future<void>();
    if (!paused) {
      waiter.set_result();
    } else {
      waiters_.push_back(waiter);
    }
    return waiter;
  }
  Transport* transport = nullptr;
  bool paused = false;

 private:
  EventLoop& loop_;
  std::vector<Future<void>> waiters_;
};

Coro<void> write_after_drain(Draining& protocol, std::string_view word, unsigned& failed) {
  const Future<void> room = protocol.drain();
  const Result<void> drained = co_await room;
  if (drained.ok()) {
    protocol.transport->write(view(word));
  } else {
    ++failed;
  }
}

void several_wait(Context& cx) {
  for (const bool lose : {false, true}) {
    const auto protocol = std::make_shared<Draining>(cx.loop());
    ServerOptions options;
    options.addresses = {Endpoint::loopback(AddressFamily::ipv4)};
    const auto server = settle(
        cx, cx.loop().create_server([&] { return protocol; }, std::move(options)), "create_server");
    Peer client = connect_to(server->sockets().front());
    cx.is_true(run_patiently(cx, [&] { return protocol->transport != nullptr; }), "it is accepted");
    const std::string big(20'000'000, 'b');
    protocol->transport->write(view(big));
    cx.is_true(protocol->paused, "pause_writing");
    unsigned failed = 0;
    std::vector<Task<void>> tasks;
    for (const std::string_view word : {"[one]", "[two]", "[three]"}) {
      tasks.push_back(cx.loop().create_task(write_after_drain(*protocol, word, failed)));
    }
    turn(cx, 5);
    for (const Task<void>& task : tasks) cx.is_true(!task.done(), "a writer waits for room");
    std::string got;
    if (lose) {
      client.reset();
    } else {
      cx.is_true(run_patiently(cx,
                               [&] {
                                 if (tools::readable(client.native()))
                                   got += text(client.recv(1 << 20));
                                 return got.size() >= big.size() + 17;
                               }),
                 "all arrives");
      cx.equal(got.substr(big.size()), "[one][two][three]", "what the writers wrote");
    }
    for (const Task<void>& task : tasks) cx.ok(await_outcome(cx, task), "a writer ends");
    cx.equal(failed, lose ? 3u : 0u, "writers that were told of the loss");
  }
}

void random_pauses(Context& cx) {
  constexpr unsigned kCycles = 5'000;
  std::mt19937_64 random(cx.seed());
  Serving serving(cx);
  serving.echo = false;
  serving.open();
  Transport* transport = nullptr;
  serving.on_made = [&](Transport& made) { transport = &made; };
  Peer client = connect_to(serving.address());
  cx.is_true(run_patiently(cx, [&] { return transport != nullptr; }), "the client is accepted");
  std::string sent;
  std::size_t seen_at_pause = 0;
  for (unsigned cycle = 0; cycle < kCycles; ++cycle) {
    const std::string word = show(cycle) + ";";
    client.send(word);
    sent += word;
    if (random() % 2 == 0) {
      transport->pause_reading();
      seen_at_pause = serving.received.size();
      if (random() % 2 == 0) cx.run_once();
      cx.equal(serving.received.size(), seen_at_pause, "bytes delivered in a pause");
      transport->resume_reading();
    }
    if (random() % 4 != 0) cx.run_once();
  }
  cx.is_true(run_patiently(cx, [&] { return serving.received.size() >= sent.size(); }),
             "all that was sent arrives");
  cx.is_true(serving.received == sent, "in its order, and once");
}

constexpr CapSet kWriting{Cap::create_server, Cap::flow_control, Cap::futures};
constexpr CapSet kReading{Cap::create_server};
constexpr std::string_view kWritingApi[] = {"create_server", "Protocol.pause_writing",
                                            "Protocol.resume_writing", "create_future",
                                            "create_task"};
constexpr std::string_view kReadingApi[] = {"create_server", "Transport.pause_reading",
                                            "Transport.resume_reading"};

constexpr Scenario kScenarios[] = {
    {.id = "flow.drain.concurrent",
     .promise = "All who wait for room in one transport go on when there is room, and all learn of "
                "its loss.",
     .source = "github.com/python/cpython/issues/74116; docs.python.org/3/library/"
               "asyncio-protocol.html#flow-control-callbacks",
     .needs = kWriting,
     .body = several_wait,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kWritingApi},
    {.id = "flow.pause_reading_no_loss",
     .promise = "Thousands of pauses at random lose nothing, reorder nothing and deliver nothing "
                "while they last.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.ReadTransport.pause_reading",
     .needs = kReading,
     .body = random_pauses,
     .api = kReadingApi},
};

}  // namespace

extern const ScenarioFile file{"A9", "Flow control", kScenarios};
}  // namespace loopscope::scenarios::flow_sockets
