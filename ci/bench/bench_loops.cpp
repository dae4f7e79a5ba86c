// loopscope_bench: what an operation costs on each loop, beside plain libuv, in one alternating
// run.
//
// Processor time, but for the wake-up, which is time as it passes. Figures hold for this machine in
// this minute; compare the ratios. Nothing here is a test.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ci/bench/bench_streams.hpp"
#include "loops/descriptor.hpp"
#include "loops/event_loop.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::bench {
namespace {

using LoopMeasure = double (*)(const LoopDescriptor&);

std::unique_ptr<EventLoop> make(const LoopDescriptor& row) {
  return std::move(row.make(LoopOptions{}).value());
}

double soon_batch(const LoopDescriptor& row) {
  const auto loop = make(row);
  int calls = 0;
  const ProcessorTime time;
  for (int batch = 0; batch < kBatches; ++batch) {
    for (int i = 0; i < kBatch; ++i) loop->call_soon([&calls] { ++calls; });
    loop->stop();
    loop->run_forever().value();
  }
  return time.per_operation(calls);
}

struct Chain {
  EventLoop& loop;
  int left;
  void step() {
    if (--left == 0) {
      loop.stop();
    } else {
      loop.call_soon([this] { step(); });
    }
  }
};

double soon_chain(const LoopDescriptor& row) {
  const auto loop = make(row);
  Chain chain{*loop, kChain};
  loop->call_soon([&chain] { chain.step(); });
  const ProcessorTime time;
  loop->run_forever().value();
  return time.per_operation(kChain);
}

std::vector<TimerHandle> arm(EventLoop& loop) {
  Delays delays;
  std::vector<TimerHandle> timers;
  timers.reserve(kTimers);
  for (std::size_t i = 0; i < kTimers; ++i) {
    timers.push_back(loop.call_later(delays.next(), [] {}));
  }
  return timers;
}

double timers_arm(const LoopDescriptor& row) {
  const auto loop = make(row);
  const ProcessorTime time;
  const auto timers = arm(*loop);
  return time.per_operation(static_cast<double>(timers.size()));
}

double timers_cancel(const LoopDescriptor& row) {
  const auto loop = make(row);
  auto timers = arm(*loop);
  const ProcessorTime time;
  for (TimerHandle& timer : timers) timer.cancel();
  return time.per_operation(static_cast<double>(timers.size()));
}

double timers_fire(const LoopDescriptor& row) {
  const auto loop = make(row);
  Delays delays;
  std::size_t fired = 0;
  for (std::size_t i = 0; i < kTimers; ++i) {
    loop->call_later(delays.next() % 100, [&fired, &loop] {
      if (++fired == kTimers) loop->stop();
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(110));
  const ProcessorTime time;
  loop->run_forever().value();
  return time.per_operation(static_cast<double>(fired));
}

/// Two loops on two threads that wake each other in turn.
struct Pinger {
  EventLoop& mine;
  EventLoop& theirs;
  Pinger* other = nullptr;
  int left = kWakes;
  void step() {
    const bool last = --left == 0;
    theirs.call_soon_threadsafe([this] { other->step(); });
    if (last) mine.stop();
  }
};

double wake(const LoopDescriptor& row) {
  const auto first = make(row);
  const auto second = make(row);
  Pinger here{*first, *second}, there{*second, *first};
  here.other = &there;
  there.other = &here;
  std::thread thread([&] { second->run_forever().value(); });
  const WallTime time;
  second->call_soon_threadsafe([&there] { there.step(); });
  first->run_forever().value();
  thread.join();
  return time.per_operation(2.0 * kWakes);
}

class DatagramEcho final : public DatagramProtocol {
 public:
  DatagramEcho(EventLoop& loop, int left) : loop_(loop), left_(left) {}
  void connection_made(BaseTransport& transport) override {
    transport_ = dynamic_cast<DatagramTransport*>(&transport);
  }
  void datagram_received(ByteView data, const Endpoint& sender) override {
    if (--left_ == 0) {
      loop_.stop();
    } else {
      (void)transport_->sendto(data, &sender);
    }
  }

 private:
  EventLoop& loop_;
  int left_;
  DatagramTransport* transport_ = nullptr;
};

double udp_echo(const LoopDescriptor& row) {
  const auto loop = make(row);
  std::vector<DatagramLink> ends;
  for (const int left : {kEchoes + 1, kEchoes}) {
    DatagramOptions options;
    options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
    const auto factory = [&] { return std::make_shared<DatagramEcho>(*loop, left); };
    auto made = loop->create_datagram_endpoint(factory, std::move(options));
    ends.push_back(loop->run_until_complete(made).value());
  }
  const auto server = std::get<Endpoint>(ends[0].transport->get_extra_info("sockname"));
  const Bytes payload(kPayload);
  const ProcessorTime time;
  (void)ends[1].transport->sendto(payload, &server);
  loop->run_forever().value();
  return time.per_operation(kEchoes);
}

class StreamEcho final : public Protocol {
 public:
  StreamEcho(EventLoop& loop, int left) : loop_(loop), left_(left) {}
  void answer_on(std::shared_ptr<Transport> transport) { transport_ = std::move(transport); }
  void data_received(ByteView data) override {
    if (--left_ == 0) {
      loop_.stop();
    } else {
      transport_->write(data);
    }
  }

 private:
  EventLoop& loop_;
  int left_;
  std::shared_ptr<Transport> transport_;
};

double pipe_echo(const LoopDescriptor& row) {
  const auto loop = make(row);
  os::Pipe there = std::move(os::open_pipe().value());
  os::Pipe back = std::move(os::open_pipe().value());
  const auto server = std::make_shared<StreamEcho>(*loop, kEchoes + 1);
  const auto client = std::make_shared<StreamEcho>(*loop, kEchoes);
  const auto reader = [&](const std::shared_ptr<StreamEcho>& protocol, PipeEnd end) {
    auto made = loop->connect_read_pipe([&] { return protocol; }, std::move(end));
    return loop->run_until_complete(made).value();
  };
  const auto writer = [&](PipeEnd end) {
    const auto nobody = [] { return std::make_shared<Protocol>(); };
    auto made = loop->connect_write_pipe(nobody, std::move(end));
    return loop->run_until_complete(made).value().transport;
  };
  const Link first = reader(server, std::move(there.read));
  const Link second = reader(client, std::move(back.read));
  client->answer_on(writer(std::move(there.write)));
  server->answer_on(writer(std::move(back.write)));
  const Bytes payload(kPayload);
  const ProcessorTime time;
  std::static_pointer_cast<StreamEcho>(second.protocol)->data_received(payload);  // the first ping
  loop->run_forever().value();
  return time.per_operation(kEchoes);
}

struct Workload {
  std::string_view name;
  LoopMeasure loop;
  Measure raw;
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void say(const std::string& line) {
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

void run(int rounds) {
  const RawLibuv raw = raw_libuv();
  const Workload workloads[] = {{"call_soon, batch of 10 000", soon_batch, raw.soon_batch},
                                {"call_soon, chain", soon_chain, raw.soon_chain},
                                {"timer, arm (1 000 000 pending)", timers_arm, raw.timers_arm},
                                {"timer, cancel", timers_cancel, raw.timers_cancel},
                                {"timer, fire", timers_fire, raw.timers_fire},
                                {"wake-up of another thread's loop", wake, raw.wake},
                                {"UDP echo, 64 bytes", udp_echo, raw.udp_echo},
                                {"pipe echo, 64 bytes", pipe_echo, raw.pipe_echo}};
  std::vector<const LoopDescriptor*> rows;
  for (const LoopDescriptor* row : all_loops()) {
    if (row->make != nullptr) rows.push_back(row);
  }
  std::string page = fmt::format("{:<36}", "ns per operation (times raw libuv)");
  for (const LoopDescriptor* row : rows) page += fmt::format("{:>18}", row->name);
  page += fmt::format("{:>12}\n", "raw libuv");
  say(page);
  for (const Workload& workload : workloads) {
    std::vector<std::vector<double>> seen(rows.size());
    std::vector<double> plain;
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < rows.size(); ++i) seen[i].push_back(workload.loop(*rows[i]));
      if (workload.raw != nullptr) plain.push_back(workload.raw());
    }
    const double base = plain.empty() ? 0 : median(plain);
    page = fmt::format("{:<36}", workload.name);
    for (const auto& values : seen) {
      const double value = median(values);
      page += fmt::format("{:>9.1f}", value);
      page += base > 0 ? fmt::format(" ({:>5.2f})", value / base) : std::string(8, ' ');
    }
    page += fmt::format("{:>12.1f}\n", base);
    say(page);
  }
}

}  // namespace
}  // namespace loopscope::bench

// loopscope_bench [ROUNDS [loops|echo|memory|serve=LOOP]...]: three rounds of everything.
int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 3;
  const std::vector<std::string_view> parts(argv + std::min(argc, 2), argv + argc);
  const auto wanted = [&](std::string_view part) {
    return parts.empty() || std::ranges::count(parts, part) > 0;
  };
  if (wanted("memory")) loopscope::bench::run_memory();
  if (wanted("loops")) loopscope::bench::run(rounds);
  for (const std::string_view part : parts) {
    if (part.substr(0, 6) == "serve=") loopscope::bench::run_serve(part.substr(6));
  }
  if (wanted("echo")) loopscope::bench::run_echo(rounds);
  return 0;
}
