// TCP echo on each loop, beside plain libuv, and what idle things cost in memory.
//
// Echo: the subject serves in this process, plain clients drive it from another one. Processor
// time is that of the serving thread, from the first payload to the last; a second table has the
// echoes a second as time passes. Memory: the heap's own statistics, before and after.
#include "ci/bench/bench_streams.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "ci/bench/posix/clients.hpp"
#include "loops/descriptor.hpp"
#include "loops/event_loop.hpp"

namespace loopscope::bench {
namespace {

std::unique_ptr<EventLoop> make(const LoopDescriptor& row) {
  return std::move(row.make(LoopOptions{}).value());
}

/// Sends back what comes; one object for all connections of a server would not know whose it is.
class Echo final : public Protocol {
 public:
  /// The loop stops when the last of `open` connections has ended: until then its echo may wait.
  Echo(EventLoop& loop, EchoClock& clock, int& open) : loop_(loop), clock_(clock), open_(open) {}
  void connection_made(BaseTransport& transport) override {
    transport_ = dynamic_cast<Transport*>(&transport);
  }
  void data_received(ByteView data) override {
    clock_.begins();
    transport_->write(data);
    (void)clock_.ends(data.size());
  }
  void connection_lost(const Error*) override {
    if (--open_ == 0) loop_.stop();
  }

 private:
  EventLoop& loop_;
  EchoClock& clock_;
  int& open_;
  Transport* transport_ = nullptr;
};

EchoFigures serve(const LoopDescriptor& row, int connections, int echoes) {
  EchoClients clients(connections, echoes, kPayload);
  const auto loop = make(row);
  EchoClock clock(echoes);
  ServerOptions options;
  options.addresses = {Endpoint::loopback(AddressFamily::ipv4)};
  options.backlog = 1024;
  int open = connections;
  const auto factory = [&] { return std::make_shared<Echo>(*loop, clock, open); };
  const auto server = loop->run_until_complete(loop->create_server(factory, options)).value();
  clients.begin(server->sockets().at(0).port());
  loop->run_forever().value();
  return clock.figures();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void say(const std::string& line) {
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

std::vector<const LoopDescriptor*> offering(Cap cap) {
  std::vector<const LoopDescriptor*> rows;
  for (const LoopDescriptor* row : all_loops()) {
    if (row->make != nullptr && row->support(cap) != Support::absent) rows.push_back(row);
  }
  return rows;
}

struct Column {
  std::vector<double> processor, rate;
  void add(const EchoFigures& figures) {
    processor.push_back(figures.processor_ns);
    rate.push_back(figures.per_second);
  }
};

std::string line(const std::string& title, const std::vector<Column>& columns,
                 std::vector<double> Column::*which) {
  const auto& plain = columns.back().*which;
  const double base = plain.empty() ? 0 : median(plain);
  std::string text = fmt::format("{:<36}", title);
  for (std::size_t i = 0; i + 1 < columns.size(); ++i) {
    const double value = median(columns[i].*which);
    text += fmt::format("{:>10.0f}", value);
    text += base > 0 ? fmt::format(" ({:>5.2f})", value / base) : std::string(8, ' ');
  }
  return text + fmt::format("{:>12.0f}\n", base);
}

// --- memory

/// Bytes of heap for each of `count` things that `add` makes; nullopt where nobody counts.
template <class Add>
std::optional<double> each(std::size_t count, Add&& add) {
  const auto before = heap_bytes();
  for (std::size_t i = 0; i < count; ++i) add();
  const auto after = heap_bytes();
  if (!before || !after) return std::nullopt;
  return (static_cast<double>(*after) - static_cast<double>(*before)) / static_cast<double>(count);
}

constexpr std::size_t kTransports = 400;  // two descriptors each, and select takes 1024

/// Connections whose near ends belong to transports of the loop.
struct Connections {
  explicit Connections(EventLoop& on) : loop(on) {
    os::UniqueFd listener =
        std::move(os::open_socket(AddressFamily::ipv4, SocketType::stream, true).value());
    os::bind(listener.get(), Endpoint::loopback(AddressFamily::ipv4)).value();
    os::listen(listener.get(), 16).value();
    const Endpoint address = os::local_address(listener.get()).value();
    near.reserve(kTransports), far.reserve(kTransports), links.reserve(kTransports);
    for (std::size_t i = 0; i < kTransports; ++i) {
      far.push_back(
          std::move(os::open_socket(AddressFamily::ipv4, SocketType::stream, true).value()));
      (void)os::connect(far.back().get(), address).value();
      near.emplace_back(std::move(os::accept(listener.get()).value()->first));
    }
  }
  void adopt() {
    const auto shared = std::make_shared<Protocol>();
    for (Socket& socket : near) {
      auto made = loop.connect_accepted_socket([&] { return shared; }, socket);
      links.push_back(loop.run_until_complete(made).value());
    }
  }
  /// Every connection takes in and sends out far more than fits a socket's buffers.
  void burst() {
    const Bytes block(6'000'000);
    Bytes sink(block.size());
    for (std::size_t i = 0; i < kTransports; ++i) {
      links[i].transport->write(block);
      os::set_blocking(far[i].get(), false).value();
      std::size_t got = 0;
      while (got < block.size()) {
        got += os::recv(far[i].get(), sink).value().value_or(0);
        loop.stop();
        loop.run_forever().value();
      }
    }
  }
  EventLoop& loop;
  std::vector<Socket> near;
  std::vector<os::UniqueFd> far;
  std::vector<Link> links;
};

std::optional<double> idle_transport(const LoopDescriptor& row, bool after_a_burst) {
  const auto loop = make(row);
  Connections connections(*loop);
  bool done = false;
  const auto both = each(1, [&] {
    connections.adopt();
    if (after_a_burst) connections.burst();
    done = true;
  });
  if (!both || !done) return std::nullopt;
  return *both / static_cast<double>(kTransports);
}

/// The worst of several counts: tables that double cost most just after they did.
template <class Fill>
std::optional<double> worst(Fill&& fill) {
  std::optional<double> result;
  for (const std::size_t count : {1'100u, 70'000u, 140'000u, 1'000'000u, 1'100'000u}) {
    const std::optional<double> one = fill(count);
    if (one && (!result || *one > *result)) result = one;
  }
  return result;
}
std::optional<double> pending_timer(const LoopDescriptor& row) {
  return worst([&row](std::size_t count) {
    const auto loop = make(row);
    Delays delays;
    return each(count, [&] { loop->call_later(delays.next(), [] {}); });
  });
}
std::optional<double> pending_callback(const LoopDescriptor& row) {
  return worst([&row](std::size_t count) {
    const auto loop = make(row);
    return each(count, [&] { loop->call_soon([] {}); });
  });
}

}  // namespace

void run_echo(int rounds) {
  allow_descriptors(4096);
  const std::vector<const LoopDescriptor*> rows = offering(Cap::create_server);
  const RawEcho raw = raw_libuv_echo();
  std::string head = fmt::format("{:<36}", "TCP echo, 64 bytes");
  for (const LoopDescriptor* row : rows) head += fmt::format("{:>18}", row->name);
  say(head + fmt::format("{:>12}\n", "raw libuv"));
  for (const auto& [connections, echoes] :
       {std::pair{1, 30'000}, std::pair{64, 64 * 2'000}, std::pair{1'000, 1'000 * 150}}) {
    std::vector<Column> columns(rows.size() + 1);
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        columns[i].add(serve(*rows[i], connections, echoes));
      }
      if (raw != nullptr) columns.back().add(raw(connections, echoes));
    }
    const std::string title = fmt::format("{} connections", connections);
    say(line(title + ", ns an echo", columns, &Column::processor));
    say(line(title + ", echoes a second", columns, &Column::rate));
  }
}

void run_serve(std::string_view loop) {
  for (const LoopDescriptor* row : offering(Cap::create_server)) {
    if (row->name != loop) continue;
    std::vector<Column> column(1);
    column.front().add(serve(*row, 64, 64 * 2'000));
    say(line(fmt::format("64 connections, {}, ns an echo", loop), column, &Column::processor));
  }
}

void run_memory() {
  std::vector<const LoopDescriptor*> rows = offering(Cap::call_later);
  std::string page = fmt::format("{:<36}", "bytes of heap each, at worst");
  for (const LoopDescriptor* row : rows) page += fmt::format("{:>12}", row->name);
  page += fmt::format("{:>12}\n", "target");
  const auto add = [&](const char* title, Cap cap, int target, auto&& measure) {
    page += fmt::format("{:<36}", title);
    for (const LoopDescriptor* row : rows) {
      const bool has = row->support(cap) != Support::absent;
      const std::optional<double> value = has ? measure(*row) : std::nullopt;
      page += value ? fmt::format("{:>12.1f}", *value) : fmt::format("{:>12}", "-");
    }
    page += fmt::format("{:>12}\n", target);
  };
  const auto fresh = [](const LoopDescriptor& row) { return idle_transport(row, false); };
  const auto used = [](const LoopDescriptor& row) { return idle_transport(row, true); };
  add("idle TCP transport", Cap::create_connection, 2048, fresh);
  add("idle TCP transport after 6 MB each", Cap::create_connection, 2048, used);
  add("pending timer", Cap::call_later, 128, pending_timer);
  add("pending callback", Cap::call_soon, 64, pending_callback);
  say(page);
}

}  // namespace loopscope::bench
