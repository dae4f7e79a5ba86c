// Serving: a server of the subject whose connections are counted; its clients are plain peers.
#pragma once

#include <cerrno>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/scenarios/steps.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::scenarios {

class Serving {
 public:
  explicit Serving(Context& cx) : cx_(cx) {}

  /// create_server and create_unix_server that have to succeed.
  void open(ServerOptions options) {
    server = settle(cx_, cx_.loop().create_server(factory(), std::move(options)), "create_server");
  }
  void open() {
    ServerOptions options;
    options.addresses = {Endpoint::loopback(AddressFamily::ipv4)};
    open(std::move(options));
  }
  void open_unix(UnixServerOptions options) {
    server = settle(cx_, cx_.loop().create_unix_server(factory(), std::move(options)),
                    "create_unix_server");
  }
  void open_unix(const std::string& path) {
    UnixServerOptions options;
    options.path = path;
    open_unix(std::move(options));
  }
  /// Makes a protocol that counts, and echoes while `echo` is set.
  ProtocolFactory factory() {
    return [this] {
      ++asked;
      if (on_asked) on_asked();
      return std::make_shared<Member>(*this);
    };
  }
  Endpoint address() const { return server->sockets().front(); }
  std::size_t alive() const { return made - lost; }

  std::shared_ptr<Server> server;
  std::size_t asked = 0, made = 0, lost = 0;  // calls of the factory, and of the protocols
  std::string received;                       // by all connections together
  bool echo = true;
  std::function<void()> on_asked;
  std::function<void(Transport&)> on_made;

 private:
  class Member final : public Protocol {
   public:
    explicit Member(Serving& all) : all_(all) {}
    void connection_made(BaseTransport& made_for) override {
      ++all_.made;
      transport_ = dynamic_cast<Transport*>(&made_for);
      if (all_.on_made) all_.on_made(*transport_);
    }
    void data_received(ByteView data) override {
      all_.received += text(data);
      if (all_.echo) transport_->write(data);
    }
    void connection_lost(const Error*) override { ++all_.lost; }

   private:
    Serving& all_;
    Transport* transport_ = nullptr;
  };

  Context& cx_;
};

/// What a peer finds next, turning the loop until there is something: "end", "reset" or the data.
/// "nothing" when nothing came in spite of patience.
inline std::string find(Context& cx, Peer& peer) {
  if (!run_patiently(cx, [&] { return tools::readable(peer.native()); })) return "nothing";
  Bytes buffer(65536);
  const Result<os::Transfer> got = os::recv(peer.native(), buffer);
  if (!got.ok()) return got.error().is_errno(ECONNRESET) ? "reset" : to_string(got.error());
  return *got && **got > 0 ? text(ByteView(buffer).first(**got)) : "end";
}
/// Sends a word and finds its echo.
inline std::string ask(Context& cx, Peer& peer, std::string_view word) {
  peer.send(word);
  return find(cx, peer);
}
/// The outcome of a connect of the harness that may fail.
inline Result<void> try_connect(const Endpoint& address) {
  const os::UniqueFd fd = ours(os::open_socket(address.family(), SocketType::stream, true));
  const Result<bool> connected = os::connect(fd.get(), address);
  if (!connected.ok()) return connected.error();
  return {};
}
/// Counts what happens between two iterations of the loop, at most: see most().
class PerIteration {
 public:
  PerIteration(Context& cx, const std::size_t& counted) : loop_(cx.loop()), counted_(counted) {
    tick();
  }
  ~PerIteration() { (void)next_.cancel(); }
  PerIteration(const PerIteration&) = delete;
  PerIteration& operator=(const PerIteration&) = delete;
  std::size_t most() const { return most_; }

 private:
  void tick() {
    most_ = std::max(most_, counted_ - seen_);
    seen_ = counted_;
    next_ = loop_.call_soon([this] { tick(); });
  }
  EventLoop& loop_;
  const std::size_t& counted_;
  std::size_t seen_ = 0, most_ = 0;
  Handle next_;
};

}  // namespace loopscope::scenarios
