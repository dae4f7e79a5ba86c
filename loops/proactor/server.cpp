// Servers by operations: an accept that stays in force for each listener.
#include <deque>

#include "loops/common/native_server.hpp"
#include "loops/proactor/proactor_loop.hpp"

namespace loopscope {
namespace {

class ProactorServer final : public NativeServer {
 public:
  ProactorServer(ProactorLoop& loop, std::vector<Listener> listeners, ServerRules rules)
      : NativeServer(loop, std::move(listeners), std::move(rules)),
        proactor_loop_(loop),
        accepting_(descriptors().size()) {}
  ~ProactorServer() override { end(); }

 private:
  class Accepting final : public LoopOperation {
   public:
    Accepting(os::NativeSocket listener, std::size_t at)
        : LoopOperation(Kind::accept, listener), index(at) {
      repeats = true;
    }
    const std::size_t index;
    std::shared_ptr<ProactorServer> server;  // while in flight

   private:
    void done(Completion completion) override {
      const std::shared_ptr<ProactorServer> keep = completion.more ? server : std::move(server);
      keep->arrived(*this, std::move(completion));
    }
    void released() override { server.reset(); }
  };
  struct Arrival {
    std::size_t index;
    os::UniqueFd connection;
    std::error_code error;
  };

  Result<void> begin_accepting(std::size_t index) override;
  void end_accepting(std::size_t index) override;
  void arrived(const Accepting& operation, Completion completion);
  void admit_soon();
  void admit_some();

  ProactorLoop& proactor_loop_;  // gone before this server, perhaps: only behind loop()
  std::vector<std::shared_ptr<Accepting>> accepting_;  // by listener
  std::deque<Arrival> arrivals_;
  bool admission_queued_ = false;
};

Result<void> ProactorServer::begin_accepting(std::size_t index) {
  std::shared_ptr<Accepting>& operation = accepting_[index];
  // One that was cancelled is not over yet, and still ends without a client or with one.
  if (operation && operation->in_flight()) operation.reset();
  if (!operation) operation = std::make_shared<Accepting>(listener(index), index);
  operation->server = std::static_pointer_cast<ProactorServer>(shared_from_this());
  Result<void> started = proactor_loop_.start(operation);
  if (!started.ok()) operation->server.reset();
  return started;
}

void ProactorServer::end_accepting(std::size_t index) {
  if (loop() != nullptr && accepting_[index]) proactor_loop_.cancel(*accepting_[index]);
}

/// Inside the wait. A client that the system has accepted is served also while the server rests.
void ProactorServer::arrived(const Accepting& operation, Completion completion) {
  if (completion.error == std::errc::operation_canceled || !is_open()) return;
  const bool newest = accepting_[operation.index].get() == &operation;
  arrivals_.push_back({operation.index, std::move(completion.accepted), completion.error});
  admit_soon();
  // Ended by itself, after one client or with an error that concerned one.
  if (!completion.more && newest && accepting() && completion.ok()) {
    (void)begin_accepting(operation.index);
  }
}

void ProactorServer::admit_soon() {
  if (std::exchange(admission_queued_, true)) return;
  const auto self = std::static_pointer_cast<ProactorServer>(shared_from_this());
  proactor_loop_.queue([self] { self->admit_some(); });
}

void ProactorServer::admit_some() {
  admission_queued_ = false;
  for (int left = at_once(); left > 0 && !arrivals_.empty() && is_open(); --left) {
    Arrival arrival = std::move(arrivals_.front());
    arrivals_.pop_front();
    if (!arrival.error) {
      admit(std::move(arrival.connection));
    } else if (accept_failed(arrival.index, Error{arrival.error, "accept", {}}) && accepting() &&
               !accepting_[arrival.index]->in_flight()) {
      (void)begin_accepting(arrival.index);
    }
  }
  if (!is_open()) {
    arrivals_.clear();
  } else if (!arrivals_.empty()) {
    admit_soon();
  }
}

}  // namespace

std::shared_ptr<ServerCore> ProactorLoop::new_server(std::vector<Listener> listeners,
                                                     ServerRules rules) {
  return std::make_shared<ProactorServer>(*this, std::move(listeners), std::move(rules));
}

}  // namespace loopscope
