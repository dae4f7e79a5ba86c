// Datagram endpoints over readiness.
#include "loops/common/datagram.hpp"

#include "loops/common/backoff.hpp"
#include "loops/selector/selector_loop.hpp"

namespace loopscope {
namespace {

constexpr int kReadsPerEvent = 16;  // a flood must not keep the loop here

class SelectorDatagram final : public DatagramEndpoint {
 public:
  using DatagramEndpoint::DatagramEndpoint;

 private:
  void started() override {
    watch(Direction::read, [this] { on_readable(); });
  }
  void stop_receiving() override { unwatch(Direction::read); }
  bool offer(ByteView data, const Endpoint* to) override;
  void wait_for_room() override {
    watch(Direction::write, [this] { on_writable(); });
  }
  void room_not_needed() override {
    unwatch(Direction::write);
    pause_over_.cancel();
  }
  void ending(const std::optional<Error>&) override { pause_over_.cancel(); }
  void on_readable();
  void on_writable();
  void pause();

  Backoff backoff_;
  Handle pause_over_;
};

void SelectorDatagram::on_readable() {
  const std::shared_ptr<DatagramEndpoint> keep = shared_from_this();
  for (int i = 0; i < kReadsPerEvent && !closing_ && loop_ != nullptr; ++i) {
    const std::span<std::byte> buffer = loop_->scratch(kLargest);
    Endpoint sender;
    const Result<os::Transfer> got = os::recvfrom(fd_.get(), buffer, sender);
    if (!got.ok()) {
      report(got.error());
      return;
    }
    if (!*got) {
      // Ready, but no datagram: an error queue that nobody asked for would keep it ready.
      if (i == 0) os::drain_error_queue(fd_.get());
      return;
    }
    if (!received(buffer.first(**got), sender)) return;
  }
}

bool SelectorDatagram::offer(ByteView data, const Endpoint* to) {
  const Result<os::Transfer> sent = os::sendto(fd_.get(), data, to);
  if (!sent.ok()) report_soon(sent.error());
  return !sent.ok() || sent->has_value();
}

void SelectorDatagram::on_writable() {
  const std::shared_ptr<DatagramEndpoint> keep = shared_from_this();
  bool sends = false;
  while (!queue_.empty()) {
    const Queued& first = queue_.front();
    const Result<os::Transfer> sent =
        os::sendto(fd_.get(), first.data, first.to ? &*first.to : nullptr);
    if (sent.ok() && !*sent) break;
    sends = true;
    if (!sent_first(sent.ok() ? Result<void>() : Result<void>(sent.error()))) return;
  }
  if (sends) {
    backoff_.reset();
  } else if (!queue_.empty()) {
    pause();
  }
  moved();
}

// Writable, and yet it would block: the socket has room, and the receiver's queue has not (unix(7),
// an endpoint without a peer). The system never tells when that one moves on.
void SelectorDatagram::pause() {
  unwatch(Direction::write);
  const std::weak_ptr<DatagramEndpoint> self = weak_from_this();
  pause_over_ = loop_->call_later(backoff_.next(), [this, self] {
    const std::shared_ptr<DatagramEndpoint> keep = self.lock();
    if (keep != nullptr && !lost_ && loop_ != nullptr) wait_for_room();
  });
}

}  // namespace

std::shared_ptr<DatagramEndpoint> SelectorLoop::new_datagram_endpoint(
    os::UniqueFd fd, std::shared_ptr<DatagramProtocol> protocol, std::optional<Endpoint> remote) {
  return std::make_shared<SelectorDatagram>(*this, std::move(fd), std::move(protocol),
                                            std::move(remote));
}

}  // namespace loopscope
