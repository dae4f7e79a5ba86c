// SelectorLoop: the EventLoop over any Selector.
#pragma once

#include <memory>
#include <vector>

#include "loops/common/native_loop.hpp"
#include "loops/common/readiness_ops.hpp"
#include "loops/os/waker.hpp"
#include "loops/selector/selector.hpp"

namespace loopscope {

inline constexpr CapSet kSelectorCaps = kNativeCaps;

class SelectorLoop : public NativeLoop {
 public:
  SelectorLoop(const LoopOptions& options, std::unique_ptr<Selector> selector,
               std::unique_ptr<os::Waker> waker);
  ~SelectorLoop() override { close_unclosed(); }
  /// errors  those of the waker and of Selector::add.
  static Result<std::unique_ptr<SelectorLoop>> make(const LoopOptions& options,
                                                    std::unique_ptr<Selector> selector);
  /// The second half of construction, for classes derived from this one.
  Result<void> open();

  Future<Bytes> sock_recv(Socket& socket, std::size_t max_bytes) override;
  Future<std::size_t> sock_recv_into(Socket& socket, std::span<std::byte> buffer) override;
  Future<Datagram> sock_recvfrom(Socket& socket, std::size_t max_bytes) override;
  Future<std::pair<std::size_t, Endpoint>> sock_recvfrom_into(Socket& socket,
                                                              std::span<std::byte> buffer) override;
  Future<void> sock_sendall(Socket& socket, Bytes data) override;
  Future<std::size_t> sock_sendto(Socket& socket, Bytes data, Endpoint peer) override;
  Future<void> sock_connect(Socket& socket, Endpoint peer) override;
  Future<Accepted> sock_accept(Socket& listener) override;
  Future<std::uint64_t> sock_sendfile(Socket& socket, FileRange range) override;

  BackendInfo backend() const override;

 protected:
  void wake() noexcept override { waker_->wake(); }
  Result<void> poll(std::optional<Duration> timeout) override;
  void close_backend() override;
  Result<void> set_interest(os::NativeSocket fd, Interest before, Interest after) override;
  std::shared_ptr<StreamTransport> new_stream(os::UniqueFd fd,
                                              std::shared_ptr<BaseProtocol> protocol,
                                              const StreamOptions& options) override;
  std::shared_ptr<DatagramEndpoint> new_datagram_endpoint(
      os::UniqueFd fd, std::shared_ptr<DatagramProtocol> protocol,
      std::optional<Endpoint> remote) override;
  std::shared_ptr<ServerCore> new_server(std::vector<Listener> listeners,
                                         ServerRules rules) override;
  Selector& selector() { return *selector_; }

 private:
  /// In a forked child: a wake channel of its own. The inherited one is the parent's.
  Result<void> take_over();

  std::unique_ptr<Selector> selector_;
  std::unique_ptr<os::Waker> waker_;
  unsigned generation_;  // of the process whose waker it is, see os::fork_generation
  ReadinessOps ops_;
  std::vector<Ready> events_;  // of the current wait; kept for its capacity
};

/// What a row of the registry has as its `make`: a Loop over what make_part() makes, a selector for
/// most. errors  those of make_part and of Loop::make.
template <auto make_part, class Loop = SelectorLoop>
Result<std::unique_ptr<EventLoop>> make_selector_loop(const LoopOptions& options) {
  auto part = make_part();
  if (!part.ok()) return part.error();
  auto loop = Loop::make(options, std::move(part).value());
  if (!loop.ok()) return loop.error();
  return std::unique_ptr<EventLoop>(std::move(loop).value());
}

}  // namespace loopscope
