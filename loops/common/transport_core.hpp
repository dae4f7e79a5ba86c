// TransportCore: the life of a transport, whatever it carries and however its loop waits.
#pragma once

#include <memory>
#include <string>

#include "loops/common/flow_control.hpp"
#include "loops/common/native_loop.hpp"
#include "loops/common/server_core.hpp"

namespace loopscope {

/// Owns the descriptor and the protocol, and guarantees connection_made first, connection_lost
/// last, each exactly once. Keeps itself alive from begin() until connection_lost returned.
class TransportCore : public LoopResource {
 public:
  TransportCore(NativeLoop& loop, os::UniqueFd fd, std::shared_ptr<BaseProtocol> protocol,
                bool restore_blocking);
  virtual ~TransportCore() = default;

  void loop_closed() override;
  /// Whom to tell of the end. Before begin().
  void set_owner(std::shared_ptr<ConnectionOwner> owner) { owner_ = std::move(owner); }

 protected:
  /// Queues connection_made, then started(). `self` is this transport, held until the end.
  void begin(std::shared_ptr<BaseTransport> self);
  /// The transport may watch its descriptor from here on.
  virtual void started() = 0;
  /// Called once when the connection is lost, before drop_buffer. why: as in connection_lost.
  virtual void ending(const std::optional<Error>& why) { (void)why; }
  /// Does the system still work on the descriptor? Then connection_lost waits for settled().
  virtual bool busy() const { return false; }
  /// A connection that is lost is not busy any more: queues connection_lost. Only the first call
  /// counts: what ends in one wait may say so several times.
  void settled();
  /// What is buffered is not wanted any more.
  virtual void drop_buffer() = 0;
  virtual std::size_t buffered() const = 0;

  /// Stops watching and queues connection_lost. Only the first call counts.
  void lose(std::optional<Error> why);
  /// A callback of the protocol threw: reports it and ends the connection with it.
  void protocol_failed(std::string_view callback);
  /// Calls back into the protocol. false: it threw, and the transport is lost.
  template <class F>
  bool call(F&& callback, std::string_view name) {
    try {
      const auto activity = protocol_call(protocol_.get(), name);
      callback();
      return true;
    } catch (const ExitException&) {
      throw;
    } catch (...) {
      protocol_failed(name);
      return false;
    }
  }
  /// Tells the protocol when the buffer crossed a water mark.
  void update_flow();
  bool watch(Direction direction, std::function<void()> ready);
  void unwatch(Direction direction);
  ExtraInfo describe(std::string_view name) const;

  NativeLoop* loop_;  // null once the loop closed
  os::UniqueFd fd_;
  std::shared_ptr<BaseProtocol> protocol_;
  FlowControl flow_;
  bool closing_ = false;  // close(), abort() or an error: nothing more is taken from the caller
  bool lost_ = false;     // connection_lost is queued or was called

 private:
  void finish();
  void give_back();
  void tell_owner(BaseTransport& transport);

  std::shared_ptr<BaseTransport> self_;
  std::shared_ptr<ConnectionOwner> owner_;
  std::unique_ptr<Error> loss_;  // why the connection was lost, until connection_lost is queued
  Bytes sockname_, peername_;    // raw: an Endpoint is several times as large as most addresses
  bool restore_blocking_;
  bool settled_ = false;
};

/// Hands a link out in the next iteration. A cancellation before that aborts the transport.
template <class LinkType>
void deliver(EventLoop& loop, Future<LinkType> future, LinkType link) {
  future.set_cancel_hook([transport = link.transport] { transport->abort(); });
  loop.call_soon([future, link = std::make_unique<LinkType>(std::move(link))]() mutable {
    future.set_result(std::move(*link));
  });
}

/// The text of the exception in flight.
std::string current_exception_text();

}  // namespace loopscope
