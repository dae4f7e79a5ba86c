// Reentrancy of transports: a protocol that ends or changes its transport inside a callback.
#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::reent_transports {
namespace {

// Does one thing in one callback and writes down all of them, whatever kind of protocol it is.
template <class Base, class TransportOf>
class Acting : public Base {
 public:
  using Act = std::function<void(TransportOf&)>;
  Acting(std::string when, Act act) : when_(std::move(when)), act_(std::move(act)) {}

  void connection_made(BaseTransport& transport) override {
    transport_ = &dynamic_cast<TransportOf&>(transport);
    event("connection_made");
  }
  void connection_lost(const Error*) override { ++lost, event("connection_lost"); }
  void pause_writing() override { event("pause_writing"); }
  void resume_writing() override { event("resume_writing"); }

  int lost = 0, after_lost = 0;
  bool acted = false;

 protected:
  void event(std::string_view name) {
    if (lost > 0 && name != "connection_lost") ++after_lost;
    if (name != when_ || acted) return;
    acted = true;
    act_(*transport_);
  }

 private:
  std::string when_;
  Act act_;
  TransportOf* transport_ = nullptr;
};

class ActingStream final : public Acting<Protocol, Transport> {
 public:
  using Acting::Acting;
  void data_received(ByteView) override { event("data_received"); }
  bool eof_received() override {
    event("eof_received");
    return true;
  }
};

class ActingDatagrams final : public Acting<DatagramProtocol, DatagramTransport> {
 public:
  using Acting::Acting;
  void datagram_received(ByteView, const Endpoint&) override { event("datagram_received"); }
  void error_received(const Error&) override { event("error_received"); }
};

template <class P>
void expect_one_end(Context& cx, const P& protocol, const std::string& what) {
  cx.is_true(run_patiently(cx, [&] { return protocol.acted; }), "the callback for " + what);
  turn(cx, 20);
  cx.equal(protocol.lost, 1, "calls of connection_lost after " + what);
  cx.equal(protocol.after_lost, 0, "callbacks after connection_lost after " + what);
}

void end_in_read_pipe(Context& cx, const std::string& when, bool abort) {
  os::Pipe pipe = cx.pipe();
  const auto protocol = std::make_shared<ActingStream>(
      when, [abort](Transport& transport) { abort ? transport.abort() : transport.close(); });
  const auto connecting =
      cx.loop().connect_read_pipe([&] { return protocol; }, std::move(pipe.read));
  ours(os::write(pipe.write.get(), view("some data")));
  pipe.write.reset();
  expect_one_end(cx, *protocol, (abort ? "abort() in " : "close() in ") + when);
  cx.is_true(connecting.done(), "connect_read_pipe ends");
}

void end_in_write_pipe(Context& cx, const std::string& when, bool abort) {
  os::Pipe pipe = cx.pipe();
  const auto protocol = std::make_shared<ActingStream>(
      when, [abort](Transport& transport) { abort ? transport.abort() : transport.close(); });
  const Link link = settle(
      cx, cx.loop().connect_write_pipe([&] { return protocol; }, std::move(pipe.write)), "connect");
  link.transport->write(Bytes(std::size_t{1} << 19, std::byte{'w'}));
  ours(os::set_blocking(pipe.read.get(), false));
  // The rest is read in any case: close() flushes before it ends.
  turn_until(cx, [&] {
    if (when != "pause_writing" || protocol->acted) (void)take(pipe.read.get());
    return protocol->lost > 0;
  });
  expect_one_end(cx, *protocol, (abort ? "abort() in " : "close() in ") + when);
}

void end_in_datagrams(Context& cx, const std::string& when, bool abort) {
  const auto protocol = std::make_shared<ActingDatagrams>(
      when,
      [abort](DatagramTransport& transport) { abort ? transport.abort() : transport.close(); });
  DatagramPeer peer = cx.datagram_peer();
  DatagramOptions options;
  options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
  if (when == "error_received") options.remote_addr = closed_udp_port();
  const DatagramLink link =
      settle(cx, cx.loop().create_datagram_endpoint([&] { return protocol; }, std::move(options)),
             "create_datagram_endpoint");
  if (when == "error_received") {
    cx.ok(link.transport->sendto(view("knock")), "sendto");
  } else if (when == "datagram_received") {
    peer.sendto("datagram", std::get<Endpoint>(link.transport->get_extra_info("sockname")));
  }
  expect_one_end(cx, *protocol, (abort ? "abort() in " : "close() in ") + when);
}

void close_in_callbacks(Context& cx) {
  for (const bool abort : {false, true}) {
    for (const char* when : {"connection_made", "data_received", "eof_received"}) {
      end_in_read_pipe(cx, when, abort);
    }
    for (const char* when : {"pause_writing", "resume_writing"}) end_in_write_pipe(cx, when, abort);
    for (const char* when : {"connection_made", "datagram_received", "error_received"}) {
      end_in_datagrams(cx, when, abort);
    }
  }
}

void use_in_connection_lost(Context& cx) {
  const auto use_stream = [](Transport& transport) {
    transport.write(view("too late"));
    transport.pause_reading();
    transport.resume_reading();
    (void)transport.write_eof();
    transport.close();
    transport.abort();
    (void)transport.is_closing();
    (void)transport.get_write_buffer_size();
  };
  os::Pipe read = cx.pipe(), write = cx.pipe();
  const auto reader = std::make_shared<ActingStream>("connection_lost", use_stream);
  const auto writer = std::make_shared<ActingStream>("connection_lost", use_stream);
  const Link reading = settle(
      cx, cx.loop().connect_read_pipe([&] { return reader; }, std::move(read.read)), "connect");
  const Link writing = settle(
      cx, cx.loop().connect_write_pipe([&] { return writer; }, std::move(write.write)), "connect");
  reading.transport->close();
  writing.transport->close();
  expect_one_end(cx, *reader, "use in connection_lost of a read pipe");
  expect_one_end(cx, *writer, "use in connection_lost of a write pipe");
  cx.equal(take(write.read.get()), "", "bytes written in connection_lost");

  const auto endpoint =
      std::make_shared<ActingDatagrams>("connection_lost", [](DatagramTransport& transport) {
        const Endpoint to = Endpoint::loopback(AddressFamily::ipv4, 9);
        (void)transport.sendto(view("too late"), &to);
        transport.close();
        transport.abort();
      });
  DatagramOptions options;
  options.local_addr = Endpoint::loopback(AddressFamily::ipv4);
  const DatagramLink link =
      settle(cx, cx.loop().create_datagram_endpoint([&] { return endpoint; }, std::move(options)),
             "create_datagram_endpoint");
  link.transport->close();
  expect_one_end(cx, *endpoint, "use in connection_lost of a datagram endpoint");
}

// Both pipes have data in the same batch; whichever protocol runs first closes the other one.
void remove_other_transport(Context& cx) {
  os::Pipe pipes[2] = {cx.pipe(), cx.pipe()};
  std::shared_ptr<Transport> transports[2];
  std::shared_ptr<ActingStream> protocols[2];
  for (int i = 0; i < 2; ++i) {
    protocols[i] = std::make_shared<ActingStream>(
        "data_received", [&transports, i](Transport&) { transports[1 - i]->close(); });
    const Link link = settle(
        cx, cx.loop().connect_read_pipe([&] { return protocols[i]; }, std::move(pipes[i].read)),
        "connect");
    transports[i] = link.transport;
  }
  turn(cx, 2);
  for (const os::Pipe& pipe : pipes) ours(os::write(pipe.write.get(), view("data")));
  turn_until(cx, [&] { return protocols[0]->lost + protocols[1]->lost > 0; });
  turn(cx, 10);
  const bool first_ran = protocols[0]->acted;
  cx.equal(protocols[0]->acted != protocols[1]->acted, true, "exactly one of them gets data");
  cx.equal(protocols[first_ran ? 1 : 0]->lost, 1, "calls of connection_lost of the closed one");
  cx.equal(protocols[first_ran ? 0 : 1]->lost, 0, "calls of connection_lost of the other one");
  for (const auto& transport : transports) transport->close();
  turn(cx, 10);
  cx.equal(protocols[0]->lost + protocols[1]->lost, 2, "calls of connection_lost in the end");
}

class Providing final : public BufferedProtocol {
 public:
  void connection_made(BaseTransport& transport) override { transport_ = &transport; }
  std::span<std::byte> get_buffer(std::ptrdiff_t) override {
    if (act && !std::exchange(acted, true)) act(*transport_);
    return buffer_;
  }
  void buffer_updated(std::size_t count) override {
    received += text(ByteView(buffer_).first(count));
    if (lost > 0) ++after_lost;
  }
  void connection_lost(const Error*) override { ++lost; }

  std::function<void(BaseTransport&)> act;
  std::string received;
  bool acted = false;
  int lost = 0, after_lost = 0;

 private:
  BaseTransport* transport_ = nullptr;
  Bytes buffer_ = Bytes(64);
};

void buffer_provider(Context& cx) {
  os::Pipe closing = cx.pipe(), changing = cx.pipe();
  const auto ending = std::make_shared<Providing>();
  ending->act = [](BaseTransport& transport) { transport.close(); };
  const auto first = std::make_shared<Providing>(), second = std::make_shared<Providing>();
  first->act = [&](BaseTransport& transport) { transport.set_protocol(second); };

  const Link ended = settle(
      cx, cx.loop().connect_read_pipe([&] { return ending; }, std::move(closing.read)), "connect");
  ours(os::write(closing.write.get(), view("data")));
  expect_one_end(cx, *ending, "close() in get_buffer");

  const Link changed = settle(
      cx, cx.loop().connect_read_pipe([&] { return first; }, std::move(changing.read)), "connect");
  ours(os::write(changing.write.get(), view("one")));
  turn_until(cx, [&] { return !first->received.empty() || !second->received.empty(); });
  ours(os::write(changing.write.get(), view("two")));
  turn_until(cx, [&] { return (first->received + second->received).size() == 6; });
  cx.equal(first->received + second->received, "onetwo", "what the two protocols received");
  cx.is_true(second->received.ends_with("two"), "the new protocol receives what comes later");
  changed.transport->close();
  turn(cx, 5);
  cx.equal(first->lost, 0, "calls of connection_lost of the replaced protocol");
  cx.equal(second->lost, 1, "calls of connection_lost of the protocol in place");
}

constexpr std::string_view kEnds[] = {"Transport.close",
                                      "Transport.abort",
                                      "DatagramTransport.abort",
                                      "Protocol.connection_made",
                                      "Protocol.data_received",
                                      "Protocol.eof_received",
                                      "Protocol.pause_writing",
                                      "Protocol.resume_writing",
                                      "Protocol.connection_lost",
                                      "DatagramProtocol.datagram_received",
                                      "DatagramProtocol.error_received"};
constexpr std::string_view kUse[] = {"Protocol.connection_lost", "Transport.write",
                                     "Transport.write_eof",      "Transport.pause_reading",
                                     "Transport.resume_reading", "DatagramTransport.sendto"};
constexpr std::string_view kClose[] = {"Transport.close", "Protocol.connection_lost"};
constexpr std::string_view kBuffered[] = {
    "BufferedProtocol.get_buffer", "BufferedProtocol.buffer_updated", "Transport.set_protocol"};
constexpr std::string_view kProtocols =
    "docs.python.org/3/library/asyncio-protocol.html#base-protocol: connection_made and "
    "connection_lost are called exactly once per connection";

constexpr Scenario kScenarios[] = {
    {.id = "reent.close_in_callbacks",
     .promise = "A protocol that closes or aborts its transport inside any of its callbacks gets "
                "connection_lost once, and nothing after it.",
     .source = kProtocols,
     .needs = {Cap::pipes, Cap::flow_control, Cap::create_datagram_endpoint, Cap::native_socket},
     .body = close_in_callbacks,
     .api = kEnds},
    {.id = "reent.use_in_connection_lost",
     .promise = "Writing, closing, aborting and pausing inside connection_lost do nothing.",
     .source = kProtocols,
     .needs = {Cap::pipes, Cap::create_datagram_endpoint, Cap::native_socket},
     .body = use_in_connection_lost,
     .api = kUse},
    {.id = "reent.remove_other_transport",
     .promise = "A transport that is closed by a callback of the same batch gets connection_lost "
                "and no data any more.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.close: no "
               "more data will be received",
     .needs = {Cap::pipes, Cap::native_socket},
     .body = remove_other_transport,
     .api = kClose},
    {.id = "reent.buffer_provider",
     .promise = "A protocol that closes its transport or hands over to another protocol inside "
                "get_buffer loses no byte that is delivered and ends once.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#buffered-streaming-protocols",
     .needs = {Cap::pipes, Cap::native_socket},
     .body = buffer_provider,
     .level = Level::should,
     .severity = Severity::edge,
     .api = kBuffered}};

}  // namespace

extern const ScenarioFile file{"A26", "Reentrancy", kScenarios};
}  // namespace loopscope::scenarios::reent_transports
