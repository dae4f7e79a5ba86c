// Fairness: nothing that is always ready keeps the others from being served.
#include <algorithm>
#include <csignal>

#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::fair_service {
namespace {

// What has to get in while something else never pauses. Set off from inside the storm.
class Others {
 public:
  explicit Others(Context& cx) : cx_(cx), pair_(cx.stream_pair()) {
    cx.ok(cx.loop().add_reader(pair_.subject,
                               [this] { read_ = !take(pair_.subject.native()).empty(); }),
          "add_reader");
  }
  ~Others() { (void)cx_.loop().remove_reader(pair_.subject); }
  Others(const Others&) = delete;
  Others& operator=(const Others&) = delete;

  void set_off() {
    pair_.peer.send("x");
    cx_.loop().call_later(Duration(0), [this] { timer_ = true; });
    cx_.loop().call_soon_threadsafe([this] { posted_ = true; });
  }
  bool all() const { return read_ && timer_ && posted_; }
  std::string missing() const {
    return std::string(read_ ? "" : "reader ") + (timer_ ? "" : "timer ") +
           (posted_ ? "" : "call_soon_threadsafe ");
  }

 private:
  Context& cx_;
  StreamPair pair_;
  bool read_ = false, timer_ = false, posted_ = false;
};

// Callbacks that queue themselves again, for ever: `again` is call_soon or a relative of it.
class Storm {
 public:
  using Again = std::function<void(Callback)>;
  Storm(Context& cx, Others& others, Again again) : cx_(cx), others_(others), again_(again) {}
  static constexpr long kSetOff = 3000, kBudget = 100'000;
  void add() {
    again_([this] { step(); });
  }
  long runs() const { return runs_; }
  /// What had not run when the storm ended; the end of the run may still serve it.
  const std::string& missing() const { return missing_; }

 private:
  void step() {
    if (over_) return;
    if (++runs_ == kSetOff) others_.set_off();
    if (runs_ == kSetOff + kBudget || others_.all()) {
      over_ = true;
      missing_ = others_.missing();
      return cx_.loop().stop();
    }
    add();
  }
  Context& cx_;
  Others& others_;
  Again again_;
  long runs_ = 0;
  bool over_ = false;
  std::string missing_;
};

void ready_vs_io(Context& cx) {
  EventLoop& loop = cx.loop();
  Others others(cx);
  Storm storm(cx, others, [&](Callback step) { loop.call_soon(std::move(step)); });
  for (int i = 0; i < 1000; ++i) storm.add();
  cx.run_forever();
  cx.note("callbacks_until_served", static_cast<double>(storm.runs() - Storm::kSetOff), "count");
  cx.equal(storm.missing(), "", "what 100 000 callbacks kept from running");
  turn(cx, 3);
}

void threadsafe_storm(Context& cx) {
  EventLoop& loop = cx.loop();
  Others others(cx);
  Storm storm(cx, others, [&](Callback step) { loop.call_soon_threadsafe(std::move(step)); });
  cx.thread([&] {
    for (int i = 0; i < 1000; ++i) storm.add();
  });
  cx.run_forever();
  cx.join_threads();
  cx.note("callbacks_until_served", static_cast<double>(storm.runs() - Storm::kSetOff), "count");
  cx.equal(storm.missing(), "", "what 100 000 posted callbacks kept from running");
  turn(cx, 3);
}

void signal_storm(Context& cx) {
  EventLoop& loop = cx.loop();
  Others others(cx);
  int arrivals = 0;
  std::string missing;
  cx.ok(loop.add_signal_handler(tools::kUserSignal,
                                [&] {
                                  if (++arrivals == 50) others.set_off();
                                  if (arrivals == 5050 || others.all()) {
                                    missing = others.missing();
                                    return loop.stop();
                                  }
                                  std::raise(tools::kUserSignal);
                                }),
        "add_signal_handler");
  std::raise(tools::kUserSignal);
  cx.run_forever();
  cx.note("signals_until_served", arrivals - 50, "count");
  cx.equal(missing, "", "what 5000 signals kept from running");
  cx.ok(loop.remove_signal_handler(tools::kUserSignal), "remove_signal_handler");
  turn(cx, 3);
}

void many_ready_fds(Context& cx) {
  EventLoop& loop = cx.loop();
  require_descriptors(cx, 460);
  Crowd crowd(cx, 400);
  std::vector<int> calls(crowd.size());
  for (std::size_t i = 0; i < crowd.size(); ++i) {
    crowd.make_readable(i);
    cx.ok(loop.add_reader(crowd[i], [&calls, i] { ++calls[i]; }), "add_reader");
  }
  int timers = 0;
  for (int i = 0; i < 20; ++i) {
    loop.call_later(Duration(0), [&] { ++timers; });
    turn(cx, 2);
  }
  const auto [least, most] = std::minmax_element(calls.begin(), calls.end());
  cx.note("least_calls", *least, "count");
  cx.note("most_calls", *most, "count");
  cx.at_least(*least * 2, *most, "twice the calls of the least served of 400 ready descriptors");
  cx.at_least(*least, 1, "calls of the least served");
  cx.equal(timers, 20, "timers that ran within two iterations each");
  for (std::size_t i = 0; i < crowd.size(); ++i) cx.ok(loop.remove_reader(crowd[i]), "remove");
}

// A peer without end and without a thread: whatever is delivered is put back into the pipe.
class Refilling final : public Protocol {
 public:
  Refilling(os::NativeSocket feed, std::function<void()> set_off)
      : feed_(feed), set_off_(std::move(set_off)) {}
  void data_received(ByteView data) override {
    if (++deliveries == kSetOff) set_off_();
    if (deliveries < kBudget && !enough) (void)ours(os::write(feed_, data));
  }
  void connection_lost(const Error*) override { lost = true; }
  static constexpr int kSetOff = 10, kBudget = 2000;
  int deliveries = 0;
  bool enough = false, lost = false;

 private:
  os::NativeSocket feed_;
  std::function<void()> set_off_;
};

void fast_reader(Context& cx) {
  EventLoop& loop = cx.loop();
  os::Pipe pipe = cx.pipe();
  StreamPair other = cx.stream_pair();
  const auto protocol =
      std::make_shared<Refilling>(pipe.write.get(), [&] { other.peer.send("x"); });
  const Link link =
      settle(cx, loop.connect_read_pipe([&] { return protocol; }, std::move(pipe.read)), "connect");
  int waited = -1;
  cx.ok(loop.add_reader(other.subject,
                        [&] {
                          waited = protocol->deliveries - Refilling::kSetOff;
                          protocol->enough = true;
                          (void)loop.remove_reader(other.subject);
                        }),
        "add_reader");
  ours(os::write(pipe.write.get(), Bytes(1024, std::byte{'r'})));
  turn_until(cx, [&] { return waited >= 0; });
  cx.note("deliveries_before_the_other_descriptor", waited, "count");
  cx.at_least(waited, 0, "deliveries before the other descriptor is served");
  cx.at_most(waited, 64, "deliveries of an endless peer before the other descriptor is served");
  link.transport->close();
  turn_until(cx, [&] { return protocol->lost; });
}

// A consumer that is never too slow: the pipe is emptied whenever the transport has filled it.
class Overflowing final : public Protocol {
 public:
  Overflowing(os::NativeSocket drain, std::size_t capacity, std::function<void()> set_off)
      : drain_(drain), capacity_(capacity), set_off_(std::move(set_off)) {}
  void connection_made(BaseTransport& transport) override {
    transport_ = &dynamic_cast<Transport&>(transport);
  }
  void pause_writing() override { (void)take(drain_, capacity_); }
  void resume_writing() override {
    if (++rounds == kSetOff) set_off_();
    if (rounds < kBudget && !enough) transport_->write(Bytes(capacity_));
  }
  void connection_lost(const Error*) override { lost = true; }
  static constexpr int kSetOff = 10, kBudget = 500;
  int rounds = 0;
  bool enough = false, lost = false;

 private:
  os::NativeSocket drain_;
  std::size_t capacity_;
  std::function<void()> set_off_;
  Transport* transport_ = nullptr;
};

void fast_writer(Context& cx) {
  EventLoop& loop = cx.loop();
  os::Pipe pipe = cx.pipe();
  ours(os::set_blocking(pipe.read.get(), false));
  const std::size_t capacity = fill(pipe.write.get());
  (void)take(pipe.read.get(), capacity);
  StreamPair other = cx.stream_pair();
  const auto protocol =
      std::make_shared<Overflowing>(pipe.read.get(), capacity, [&] { other.peer.send("x"); });
  const Link link = settle(
      cx, loop.connect_write_pipe([&] { return protocol; }, std::move(pipe.write)), "connect");
  cx.ok(link.transport->set_write_buffer_limits(0, 0), "set_write_buffer_limits");
  int waited = -1;
  cx.ok(loop.add_reader(other.subject,
                        [&] {
                          waited = protocol->rounds - Overflowing::kSetOff;
                          protocol->enough = true;
                          (void)loop.remove_reader(other.subject);
                        }),
        "add_reader");
  link.transport->write(Bytes(2 * capacity));
  turn_until(cx, [&] {
    (void)take(pipe.read.get(), capacity);  // What a loop has written that writes between turns.
    return waited >= 0;
  });
  cx.note("rounds_before_the_other_descriptor", waited, "count");
  cx.at_least(waited, 0, "rounds before the other descriptor is served");
  cx.at_most(waited, 64, "rounds of an endless write before the other descriptor is served");
  link.transport->abort();
  turn_until(cx, [&] { return protocol->lost; });
}

// Accepts as a server does that is written with callbacks: each client starts the next accept.
class Acceptor {
 public:
  Acceptor(EventLoop& loop, Socket& listener) : loop_(loop), listener_(listener) {}
  void accept_until(std::size_t count) {
    Future<Accepted> accepting = loop_.sock_accept(listener_);
    accepting.add_done_callback([this, accepting, count] {
      clients_.push_back(ours(accepting.result()));
      if (clients_.size() < count) accept_until(count);
    });
  }
  std::size_t accepted() const { return clients_.size(); }

 private:
  EventLoop& loop_;
  Socket& listener_;
  std::vector<Accepted> clients_;
};

void accept_storm(Context& cx) {
  EventLoop& loop = cx.loop();
  constexpr std::size_t kClients = 100;
  require_descriptors(cx, 2 * kClients + 64);
  Socket listener = listening_socket(128);
  const Endpoint address = ours(os::local_address(listener.native()));
  std::vector<Peer> clients;
  for (std::size_t i = 0; i < kClients; ++i) clients.push_back(connect_to(address));
  StreamPair established = cx.stream_pair();
  Acceptor acceptor(loop, listener);
  std::size_t before_served = kClients + 1;
  cx.ok(loop.add_reader(established.subject,
                        [&] {
                          before_served = acceptor.accepted();
                          (void)loop.remove_reader(established.subject);
                        }),
        "add_reader");
  established.peer.send("x");
  acceptor.accept_until(kClients);
  run_patiently(cx, [&] { return acceptor.accepted() == kClients && before_served <= kClients; });
  cx.equal(acceptor.accepted(), kClients, "clients accepted");
  cx.note("accepts_before_the_established_client", static_cast<double>(before_served), "count");
  cx.at_most(before_served, std::size_t{64}, "clients accepted before the established one");
}

constexpr std::string_view kSoon[] = {"call_soon", "add_reader", "call_later"};
constexpr std::string_view kThreadsafe[] = {"call_soon_threadsafe", "add_reader", "call_later"};
constexpr std::string_view kSignal[] = {"add_signal_handler", "add_reader", "call_later"};
constexpr std::string_view kReader[] = {"add_reader"};
constexpr std::string_view kPipe[] = {"connect_read_pipe", "Protocol.data_received"};
constexpr std::string_view kWritePipe[] = {"connect_write_pipe", "Transport.write",
                                           "Protocol.resume_writing"};
constexpr std::string_view kAccept[] = {"sock_accept", "add_reader"};
constexpr CapSet kEverything{Cap::call_soon, Cap::call_later, Cap::call_soon_threadsafe,
                             Cap::add_reader, Cap::native_socket};

constexpr Scenario kScenarios[] = {
    {.id = "fair.ready_vs_io",
     .promise = "1000 callbacks that queue themselves again and again keep no reader, no timer and "
                "no posted callback from running.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_soon: called "
               "at the next iteration of the event loop",
     .needs = kEverything,
     .body = ready_vs_io,
     .api = kSoon},
    {.id = "fair.threadsafe_storm",
     .promise = "Callbacks that are posted from another thread and post themselves again keep no "
                "reader and no timer from running.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop."
               "call_soon_threadsafe: a variant of call_soon",
     .needs = kEverything,
     .body = threadsafe_storm,
     .severity = Severity::common,
     .api = kThreadsafe},
    {.id = "fair.signal_storm",
     .promise = "A signal that is raised again in each of its callbacks keeps no reader, no timer "
                "and no posted callback from running.",
     .source = "libuv src/unix/linux.c: signal watchers run last in an iteration",
     .needs = kEverything | CapSet{Cap::signals},
     .body = signal_storm,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kSignal},
    {.id = "fair.many_ready_fds",
     .promise = "400 descriptors that are always ready are served equally often, within a factor "
                "of two, and timers run in between.",
     .source = "man 2 epoll_wait, NOTES: round robin avoids starvation; man 2 poll",
     .needs = {Cap::add_reader, Cap::call_later, Cap::native_socket},
     .body = many_ready_fds,
     .authority = Authority::man_page,
     .api = kReader},
    {.id = "fair.fast_reader",
     .promise = "A pipe whose other end never stops writing does not keep another descriptor from "
                "being served.",
     .source = "libuv src/unix/stream.c: at most 32 reads per event",
     .needs = {Cap::pipes, Cap::add_reader, Cap::native_socket},
     .body = fast_reader,
     .level = Level::should,
     .authority = Authority::de_facto,
     .api = kPipe},
    {.id = "fair.fast_writer",
     .promise = "A pipe whose other end never stops reading does not keep another descriptor from "
                "being served.",
     .source = "libuv src/unix/stream.c: at most 32 writes per event",
     .needs = {Cap::pipes, Cap::flow_control, Cap::add_reader, Cap::native_socket},
     .body = fast_writer,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kWritePipe},
    {.id = "fair.accept_storm",
     .promise = "Accepting a crowd of clients one after the other does not starve a connection "
                "that exists.",
     .source = "github.com/python/cpython/issues/91780",
     .needs = {Cap::sock_stream, Cap::add_reader, Cap::native_socket},
     .body = accept_storm,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kAccept}};

}  // namespace

extern const ScenarioFile file{"A25", "Fairness and starvation", kScenarios};
}  // namespace loopscope::scenarios::fair_service
