// ProactorLoop: the EventLoop over any Proactor.
#pragma once

#include <memory>
#include <vector>

#include "loops/common/native_loop.hpp"
#include "loops/proactor/operation.hpp"
#include "loops/proactor/socket_ops.hpp"

namespace loopscope {

inline constexpr CapSet kProactorCaps = kNativeCaps;

class ProactorLoop : public NativeLoop {
 public:
  ProactorLoop(const LoopOptions& options, std::unique_ptr<Proactor> proactor);
  ~ProactorLoop() override { close_unclosed(); }

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

  // --- for what runs on this loop
  /// Submits and holds it until it is over. Precondition: it is not in flight.
  /// errors  closed; those of Proactor::submit. It is not in flight then.
  Result<void> start(std::shared_ptr<LoopOperation> operation);
  /// Asks for its end and lets the system know at once: what it can cancel has let go of its
  /// descriptor afterwards. done() still comes. No effect on one that is not in flight.
  void cancel(LoopOperation& operation);
  /// As Proactor::transmits_files; false when the loop has closed.
  bool transmits_files() const { return proactor_ && proactor_->transmits_files(); }
  /// Queues a callback behind what became ready before. For done().
  void queue(Callback callback) { ready_.push(std::move(callback)); }

 protected:
  void wake() noexcept override { proactor_->wake(); }
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
  Proactor& proactor() { return *proactor_; }

 private:
  friend class LoopOperation;
  class PollOperation;

  std::shared_ptr<LoopOperation> take(LoopOperation& operation);
  void polled(PollOperation& operation, const Completion& completion);
  Result<void> rearm();
  Result<void> arm(os::NativeSocket fd, Interest interest);

  std::unique_ptr<Proactor> proactor_;
  std::vector<std::shared_ptr<LoopOperation>> in_flight_;
  std::vector<std::shared_ptr<PollOperation>> polls_;  // by descriptor; null: not watched now
  std::vector<os::NativeSocket> to_rearm_;             // watched, and their event was delivered
  SocketOps ops_;
};

template <Result<std::unique_ptr<Proactor>> (*make_proactor)(const LoopOptions&)>
Result<std::unique_ptr<EventLoop>> make_proactor_loop(const LoopOptions& options) {
  Result<std::unique_ptr<Proactor>> proactor = make_proactor(options);
  if (!proactor.ok()) return proactor.error();
  return std::unique_ptr<EventLoop>(
      std::make_unique<ProactorLoop>(options, std::move(proactor).value()));
}

}  // namespace loopscope
