// Limits of scale: as many connections as the process may have, all of them talking.
#include <atomic>

#include "harness/scenario.hpp"
#include "harness/scenarios/serving.hpp"

namespace loopscope::scenarios::limit_echo {
namespace {

constexpr std::size_t kWanted = 10'000;
constexpr std::size_t kOthers = 200;  // descriptors for all the rest

/// Plain blocking clients in a thread of their own, which all talk in each round.
class Talkers {
 public:
  Talkers(Context& cx, Endpoint server, std::size_t count, unsigned rounds) {
    cx.thread([all = state_, server, count, rounds] {
      std::vector<Peer> peers;
      peers.reserve(count);
      for (std::size_t i = 0; i < count; ++i) peers.push_back(connect_to(server));
      for (unsigned round = 1; round <= rounds; ++round) {
        for (Peer& peer : peers) peer.send("ping");
        for (Peer& peer : peers) {
          if (text(peer.recv_exactly(4)) == "ping") ++all->echoes;
        }
        all->done = round;
        all->go_on.wait(round - 1);  // until the subject has measured
      }
    });
  }
  ~Talkers() { release(1'000); }
  Talkers(const Talkers&) = delete;
  Talkers& operator=(const Talkers&) = delete;
  unsigned done() const { return state_->done; }
  std::size_t echoes() const { return state_->echoes; }
  void release(unsigned round) {
    state_->go_on = round;
    state_->go_on.notify_all();
  }

 private:
  /// The thread's too: it may look once more when this has gone.
  struct State {
    std::atomic<unsigned> done{0}, go_on{0};
    std::atomic<std::size_t> echoes{0};
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

void ten_thousand(Context& cx) {
  if (bounded_by_fd_setsize(cx)) {
    cx.skip("select(2) cannot name descriptors from FD_SETSIZE, 1024, on");
  }
  require_descriptors(cx, 2'000);
  const std::size_t limit = cx.raise_descriptor_limit();
  const std::size_t count = std::min(kWanted, (limit - kOthers) / 2);  // both ends are ours
  cx.note("connections", static_cast<double>(count), "count");
  if (count < kWanted) {
    cx.note("why_not_10000", "the hard limit of RLIMIT_NOFILE is " + show(limit));
  }
  Serving serving(cx);
  serving.open_unix('\0' + cx.temp_dir());  // Unix: no port is used up, none lingers
  serving.received.reserve(4 * 4 * count);
  const std::size_t empty = tools::heap_in_use();
  {
    constexpr unsigned kRounds = 3;
    Talkers talkers(cx, serving.address(), count, kRounds);
    std::size_t used[kRounds + 1] = {empty};
    for (unsigned round = 1; round <= kRounds; ++round) {
      cx.run_until([&] { return talkers.done() >= round; });
      cx.equal(talkers.echoes(), round * count, "echoes after round " + show(round));
      cx.equal(serving.made, count, "connections");
      used[round] = tools::heap_in_use();
      talkers.release(round);
    }
    const auto grown = [&](unsigned from, unsigned to) {
      return static_cast<double>(used[to]) - static_cast<double>(used[from]);
    };
    cx.note("bytes_per_connection", grown(0, 1) / static_cast<double>(count), "bytes");
    cx.note("growth_in_round_2", grown(1, 2), "bytes");
    cx.note("growth_in_round_3", grown(2, 3), "bytes");
    // The control is what a connection takes at all: a round that keeps a hundredth of that for
    // each connection keeps something of every one of them. Room that the loop makes once, for
    // more events in one wait than before, is no such thing: it grows in one round and not in all.
    cx.at_most(std::min(grown(1, 2), grown(2, 3)), grown(0, 1) / 100,
               "bytes that every further round of echoes keeps");
  }
  cx.run_until([&] { return serving.alive() == 0; });
  cx.join_threads();
  serving.server->close();
  turn(cx, 3);
  cx.note("growth_at_the_end",
          static_cast<double>(tools::heap_in_use()) - static_cast<double>(empty), "bytes");
}

constexpr std::string_view kApi[] = {"create_unix_server", "Protocol.data_received",
                                     "Transport.write"};

constexpr Scenario kScenarios[] = {
    {.id = "limit.echo_10k_connections",
     .promise = "Ten thousand connections of one server are all echoed, again and again, in the "
                "memory of the first time.",
     .source = "www.kegel.com/c10k.html; docs.python.org/3/library/"
               "asyncio-eventloop.html#asyncio.loop.create_unix_server",
     .needs = {Cap::unix_sockets},
     .body = ten_thousand,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kApi,
     .exclusive = Resource::descriptors,
     .limit = std::chrono::milliseconds{60'000}},
};

}  // namespace

extern const ScenarioFile file{"A23", "Limits and scale", kScenarios};
}  // namespace loopscope::scenarios::limit_echo
