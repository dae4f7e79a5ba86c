// Operations of a completion loop, and readers and writers through poll operations.
#include "loops/proactor/proactor_loop.hpp"

#include <cerrno>

namespace loopscope {

// --- operations

void LoopOperation::completed(Completion completion) {
  std::shared_ptr<LoopOperation> keep;
  if (!completion.more) keep = loop_->take(*this);
  done(std::move(completion));
}

ProactorLoop::ProactorLoop(const LoopOptions& options, std::unique_ptr<Proactor> proactor)
    : NativeLoop(options), proactor_(std::move(proactor)), ops_(*this) {}

Result<void> ProactorLoop::start(std::shared_ptr<LoopOperation> operation) {
  if (!proactor_) return make_error(Errc::closed, "submit");
  LoopOperation& started = *operation;
  started.loop_ = this;
  started.slot_ = in_flight_.size();
  in_flight_.push_back(std::move(operation));
  const Result<void> submitted = proactor_->submit(started);
  if (!submitted.ok()) (void)take(started);
  return submitted;
}

std::shared_ptr<LoopOperation> ProactorLoop::take(LoopOperation& operation) {
  const std::size_t slot = std::exchange(operation.slot_, LoopOperation::kNoSlot);
  std::shared_ptr<LoopOperation> taken = std::move(in_flight_[slot]);
  if (slot + 1 < in_flight_.size()) {
    in_flight_[slot] = std::move(in_flight_.back());
    in_flight_[slot]->slot_ = slot;
  }
  in_flight_.pop_back();
  return taken;
}

void ProactorLoop::cancel(LoopOperation& operation) {
  if (!proactor_ || !operation.in_flight()) return;
  proactor_->request_cancel(operation);
  // An error of the ring shows in the next wait.
  (void)proactor_->flush();
}

BackendInfo ProactorLoop::backend() const {
  BackendInfo info;
  if (!proactor_) return info;  // closed
  info.mechanism = proactor_->mechanism();
  info.version = proactor_->version();
  info.wait_descriptor = proactor_->descriptor();
  info.internal_descriptors = proactor_->internal_descriptors();
  return info;
}

Result<void> ProactorLoop::poll(std::optional<Duration> timeout) {
  if (Result<void> armed = rearm(); !armed.ok()) return armed;
  if (Result<void> waited = proactor_->wait(timeout); !waited.ok()) return waited;
  collect_signals();
  return {};
}

// --- readers and writers

/// Asks once whether a descriptor is ready. The answer stands for as long as nobody asks again,
/// so that readers and writers are level-triggered: it is asked for anew after they have run.
class ProactorLoop::PollOperation final : public LoopOperation {
 public:
  PollOperation(ProactorLoop& loop, os::NativeSocket watched, Interest interest)
      : LoopOperation(Kind::poll, watched), loop_of_(loop) {
    readable = interest.read;
    writable = interest.write;
  }

 private:
  void done(Completion completion) override { loop_of_.polled(*this, completion); }
  void released() override {}
  ProactorLoop& loop_of_;
};

Result<void> ProactorLoop::arm(os::NativeSocket fd, Interest interest) {
  const std::size_t index = os::index_of(fd);
  if (index >= polls_.size()) polls_.resize(index + 1);
  auto operation = std::make_shared<PollOperation>(*this, fd, interest);
  if (Result<void> started = start(operation); !started.ok()) return started;
  polls_[index] = std::move(operation);
  return {};
}

Result<void> ProactorLoop::set_interest(os::NativeSocket fd, Interest, Interest after) {
  if (os::index_of(fd) < polls_.size()) {
    // Its late answer is for a question that nobody asks any more.
    if (const auto old = std::exchange(polls_[os::index_of(fd)], nullptr)) cancel(*old);
  }
  return after == Interest{} ? Result<void>() : arm(fd, after);
}

void ProactorLoop::polled(PollOperation& operation, const Completion& completion) {
  const os::NativeSocket fd = operation.fd;
  std::shared_ptr<PollOperation>& current = polls_[os::index_of(fd)];
  if (current.get() != &operation) return;
  current = nullptr;
  if (!completion.ok()) {
    descriptor_gone(fd);
    return;
  }
  if (operation.readable) dispatch(fd, Direction::read);
  if (operation.writable) dispatch(fd, Direction::write);
  to_rearm_.push_back(fd);
}

Result<void> ProactorLoop::rearm() {
  const std::vector<os::NativeSocket> due = std::exchange(to_rearm_, {});
  for (const os::NativeSocket fd : due) {
    const Interest interest = interest_in(fd);
    if (interest == Interest{} || polls_[os::index_of(fd)]) continue;
    if (Result<void> armed = arm(fd, interest); !armed.ok()) return armed;
  }
  return {};
}

// --- sockets

Future<Bytes> ProactorLoop::sock_recv(Socket& socket, std::size_t max_bytes) {
  return ops_.recv(socket, max_bytes);
}
Future<std::size_t> ProactorLoop::sock_recv_into(Socket& socket, std::span<std::byte> buffer) {
  return ops_.recv_into(socket, buffer);
}
Future<Datagram> ProactorLoop::sock_recvfrom(Socket& socket, std::size_t max_bytes) {
  return ops_.recvfrom(socket, max_bytes);
}
Future<std::pair<std::size_t, Endpoint>> ProactorLoop::sock_recvfrom_into(
    Socket& socket, std::span<std::byte> buffer) {
  return ops_.recvfrom_into(socket, buffer);
}
Future<void> ProactorLoop::sock_sendall(Socket& socket, Bytes data) {
  return ops_.sendall(socket, std::move(data));
}
Future<std::size_t> ProactorLoop::sock_sendto(Socket& socket, Bytes data, Endpoint peer) {
  return ops_.sendto(socket, std::move(data), peer);
}
Future<void> ProactorLoop::sock_connect(Socket& socket, Endpoint peer) {
  return ops_.connect(socket, peer);
}
Future<Accepted> ProactorLoop::sock_accept(Socket& listener) { return ops_.accept(listener); }
Future<std::uint64_t> ProactorLoop::sock_sendfile(Socket& socket, FileRange range) {
  return ops_.sendfile(socket, range);
}

// --- the end

void ProactorLoop::close_backend() {
  NativeLoop::close_backend();
  // The system is done with all operations when this returns; only then may their memory go.
  proactor_.reset();
  ops_.clear();
  polls_.clear();
  const std::vector<std::shared_ptr<LoopOperation>> dropped = std::exchange(in_flight_, {});
  for (const auto& operation : dropped) {
    operation->slot_ = LoopOperation::kNoSlot;
    operation->released();
  }
}

}  // namespace loopscope
