// Datagram endpoints by operations: one receive and one send at a time.
#include "loops/common/datagram.hpp"

#include "loops/proactor/proactor_loop.hpp"

namespace loopscope {
namespace {

class ProactorDatagram final : public DatagramEndpoint {
 public:
  ProactorDatagram(ProactorLoop& loop, os::UniqueFd fd, std::shared_ptr<DatagramProtocol> protocol,
                   std::optional<Endpoint> remote)
      : DatagramEndpoint(loop, std::move(fd), std::move(protocol), std::move(remote)),
        proactor_loop_(&loop) {}

 private:
  /// An operation of an endpoint, which it keeps while the system works.
  class Step final : public LoopOperation {
   public:
    using Ended = void (ProactorDatagram::*)(const Completion&);
    Step(Kind of, os::NativeSocket socket, Ended ended)
        : LoopOperation(of, socket), ended_(ended) {}
    std::shared_ptr<ProactorDatagram> endpoint;  // while in flight
    Bytes data;

   private:
    void done(Completion completion) override {
      const std::shared_ptr<ProactorDatagram> keep = std::move(endpoint);
      ((*keep).*ended_)(completion);
    }
    void released() override { endpoint.reset(); }
    const Ended ended_;
  };

  void started() override { receive(); }
  void stop_receiving() override {
    if (proactor_loop_ != nullptr && receiving_) proactor_loop_->cancel(*receiving_);
  }
  /// Not in the call: sends are operations, in the order of the queue.
  bool offer(ByteView, const Endpoint*) override { return false; }
  void wait_for_room() override;
  void room_not_needed() override {}
  void ending(const std::optional<Error>&) override {
    if (receiving_) proactor_loop_->cancel(*receiving_);
    if (sending_) proactor_loop_->cancel(*sending_);
  }
  bool busy() const override {
    return (receiving_ && receiving_->in_flight()) || (sending_ && sending_->in_flight());
  }
  void loop_closed() override {
    proactor_loop_ = nullptr;
    DatagramEndpoint::loop_closed();
  }

  void receive();
  void arrived(const Completion& completion);
  void sent(const Completion& completion);
  void start(const std::shared_ptr<Step>& step);
  std::shared_ptr<ProactorDatagram> self() {
    return std::static_pointer_cast<ProactorDatagram>(shared_from_this());
  }

  ProactorLoop* proactor_loop_;  // null once the loop closed
  std::shared_ptr<Step> receiving_, sending_;
};

void ProactorDatagram::start(const std::shared_ptr<Step>& step) {
  step->endpoint = self();
  if (const Result<void> started = proactor_loop_->start(step); !started.ok()) {
    step->endpoint.reset();
    lose(started.error());
  }
}

void ProactorDatagram::receive() {
  if (closing_ || loop_ == nullptr) return;
  if (!receiving_) {
    receiving_ = std::make_shared<Step>(Operation::Kind::receive_from, fd_.get(),
                                        &ProactorDatagram::arrived);
    receiving_->data.resize(kLargest);
    receiving_->into = receiving_->data;
  }
  start(receiving_);
}

/// Inside the wait. The next one is asked for when the protocol has had this one.
void ProactorDatagram::arrived(const Completion& completion) {
  if (lost_) {
    if (!busy()) settled();
    return;
  }
  if (closing_) return;
  proactor_loop_->queue([keep = self(), error = completion.error, count = completion.count] {
    if (keep->closing_ || keep->loop_ == nullptr) return;
    if (error) {
      // An error queue that nobody asked for would keep the socket ready.
      os::drain_error_queue(keep->fd_.get());
      keep->report(Error{error, "recvfrom", {}});
    } else if (!keep->received(ByteView(keep->receiving_->data).first(count),
                               keep->receiving_->address)) {
      return;
    }
    if (!keep->lost_) keep->receive();
  });
}

void ProactorDatagram::wait_for_room() {
  if (queue_.empty() || proactor_loop_ == nullptr) return;
  if (!sending_) {
    sending_ = std::make_shared<Step>(Operation::Kind::send, fd_.get(), &ProactorDatagram::sent);
  }
  if (sending_->in_flight()) return;
  sending_->data = queue_.front().data;
  sending_->pieces.assign(1, ByteView(sending_->data));
  sending_->address = queue_.front().to.value_or(Endpoint());
  start(sending_);
}

/// Inside the wait.
void ProactorDatagram::sent(const Completion& completion) {
  if (lost_) {
    if (!busy()) settled();
    return;
  }
  proactor_loop_->queue([keep = self(), error = completion.error] {
    if (keep->lost_ || keep->loop_ == nullptr) return;
    if (error) os::drain_error_queue(keep->fd_.get());
    const Result<void> outcome = error ? Result<void>(Error{error, "sendto", {}}) : Result<void>();
    if (!keep->sent_first(outcome)) return;
    keep->wait_for_room();
    if (!keep->lost_) keep->moved();
  });
}

}  // namespace

std::shared_ptr<DatagramEndpoint> ProactorLoop::new_datagram_endpoint(
    os::UniqueFd fd, std::shared_ptr<DatagramProtocol> protocol, std::optional<Endpoint> remote) {
  return std::make_shared<ProactorDatagram>(*this, std::move(fd), std::move(protocol),
                                            std::move(remote));
}

}  // namespace loopscope
