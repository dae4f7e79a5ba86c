// What libuv's stream and datagram transports share: protocol, end of life, flow control.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "loops/common/flow_control.hpp"
#include "loops/reference/libuv_loop.hpp"

namespace loopscope::libuv {

/// Interface: Transport or DatagramTransport.
///
/// lifetime  Holds itself from open to the callback of uv_close, so that libuv's handle, which is
///           part of the object, outlives all that libuv does with it.
template <class Interface>
class UvTransport : public Interface,
                    public TransportEnd,
                    public std::enable_shared_from_this<UvTransport<Interface>> {
 public:
  explicit UvTransport(LibuvLoop& loop) : loop_(loop) {}

  bool is_closing() const override { return closing_; }
  void set_protocol(std::shared_ptr<BaseProtocol> protocol) override {
    protocol_ = std::move(protocol);
    protocol_changed();
  }
  std::shared_ptr<BaseProtocol> get_protocol() const override { return protocol_; }
  void abort() override { finish(std::nullopt); }
  void loop_closes() final {
    lost_ = closing_ = true;
    close_handle();
    protocol_.reset();
    after_lost();
  }

  /// Tells the protocol, starts to read and completes the future, each by a callback of its own.
  template <class LinkType>
  void begin(Future<LinkType> made, LinkType link) {
    const auto self = this->shared_from_this();
    made.set_cancel_hook([self] { self->abort(); });
    tell_made_soon();
    (void)loop_.call_soon([self, made, link]() mutable {
      if (!self->closing_) self->start_reading();
      made.set_result(std::move(link));
    });
  }

 protected:
  virtual uv_handle_t* handle() = 0;
  virtual void protocol_changed() {}
  virtual void start_reading() = 0;
  /// Bytes that libuv has and the system has not.
  virtual std::size_t queued() const = 0;
  virtual void before_close() {}
  /// When connection_lost has returned, or the loop closed.
  virtual void after_lost() {}

  /// After the handle was initialised: from here on it has to be closed. Again when a handle that
  /// was made without a descriptor has got one.
  void take(os::NativeSocket fd) {
    fd_ = fd;
    open_ = true;
    keep_ = this->shared_from_this();
    handle()->data = this;
    loop_.adopt(*this, fd_);
  }
  void tell_made_soon() {
    const auto self = this->shared_from_this();
    (void)loop_.call_soon([self] { self->tell_made(); });
  }
  /// Ends the transport now; connection_lost follows through call_soon, once.
  void finish(std::optional<Error> why) {
    if (lost_) return;
    lost_ = closing_ = true;
    if (!handle_busy_) close_handle();
    Farewell farewell{this->shared_from_this()};
    (void)loop_.call_soon([farewell = std::move(farewell), why = std::move(why)] {
      farewell.self->tell_lost(why ? &*why : nullptr);
    });
  }
  void close_handle() {
    if (!open_) return;
    open_ = false;
    before_close();
    loop_.release(*this, fd_);
    uv_close(handle(), [](uv_handle_t* closed) {
      const auto last = std::move(static_cast<UvTransport*>(closed->data)->keep_);
    });
  }
  /// A call into the protocol; an exception ends the connection with it. false: it threw.
  template <class F>
  bool call(F&& work, std::string_view method) {
    const std::string name = "protocol." + std::string(method) + "()";
    const auto activity = protocol_call(protocol_.get(), method);
    if (loop_.call_protocol(work, "Fatal error: " + name + " call failed.")) return true;
    finish(make_error(Errc::protocol, "protocol", name + " threw an exception"));
    return false;
  }
  /// The same from one of libuv's callbacks.
  template <class F>
  void deliver(F&& work, std::string_view method) {
    const auto self = this->shared_from_this();
    loop_.enter([&] { (void)call(work, method); });
  }

  std::size_t write_buffer_size() const { return open_ ? queued() : 0; }
  WriteBufferLimits limits() const { return flow_.limits(); }
  Result<void> set_limits(std::optional<std::size_t> high, std::optional<std::size_t> low) {
    Result<void> set = flow_.set_limits(high, low);
    if (set.ok()) update_flow();
    return set;
  }
  /// After every change of what is queued.
  void update_flow() {
    const auto protocol = protocol_;
    if (lost_ || !protocol) return;
    const FlowControl::Change change = flow_.update(write_buffer_size());
    if (change == FlowControl::Change::pause) {
      const auto activity = protocol_call(protocol.get(), "pause_writing");
      (void)loop_.call_protocol([&] { protocol->pause_writing(); },
                                "protocol.pause_writing() failed");
    } else if (change == FlowControl::Change::resume) {
      const auto activity = protocol_call(protocol.get(), "resume_writing");
      (void)loop_.call_protocol([&] { protocol->resume_writing(); },
                                "protocol.resume_writing() failed");
    }
  }

  LibuvLoop& loop_;  // valid while !lost_
  std::shared_ptr<BaseProtocol> protocol_;
  os::NativeSocket fd_ = os::kInvalid;
  bool open_ = false;         // the handle is libuv's
  bool closing_ = false;      // close(), abort(), the end of the stream, an error
  bool lost_ = false;         // connection_lost is on its way, or the loop has closed
  bool handle_busy_ = false;  // inside a callback of libuv that must not close the handle

 private:
  /// The protocol is let go of with the last callback, also where a loop that closes drops it: the
  /// protocol may hold the transport.
  struct Farewell {
    std::shared_ptr<UvTransport> self;
    explicit Farewell(std::shared_ptr<UvTransport> end) : self(std::move(end)) {}
    Farewell(Farewell&&) noexcept = default;
    Farewell& operator=(Farewell&&) = delete;
    ~Farewell() {
      if (self) self->set_protocol(nullptr);
    }
  };
  void tell_made() {
    const auto protocol = protocol_;
    if (!protocol) return;
    (void)call([&] { protocol->connection_made(*this); }, "connection_made");
  }
  void tell_lost(const Error* why) {
    const auto protocol = std::exchange(protocol_, nullptr);
    protocol_changed();
    if (protocol) {
      const auto activity = protocol_call(protocol.get(), "connection_lost");
      (void)loop_.call_protocol([&] { protocol->connection_lost(why); },
                                "Exception in connection_lost()");
    }
    after_lost();
  }
  std::shared_ptr<UvTransport> keep_;
  FlowControl flow_;
};

/// Makes the protocol of a link. false: the factory failed, and `made` says how.
template <class LinkType, class Factory>
bool give_protocol(Future<LinkType>& made, LinkType& link, const Factory& factory,
                   std::string_view op) {
  try {
    link.protocol = factory();
  } catch (const ExitException&) {
    throw;
  } catch (...) {
    made.set_exception(std::current_exception());
    return false;
  }
  if (link.protocol) return true;
  made.set_error(make_error(Errc::invalid_argument, op, "the factory returned no protocol"));
  return false;
}

/// Opens a transport for a new protocol. open(transport): whatever makes its handle.
template <class LinkType, class End, class Factory, class Open>
Future<LinkType> link_up(LibuvLoop& loop, const Factory& factory, std::string_view op, Open open) {
  Future<LinkType> made = loop.create_future<LinkType>();
  LinkType link;
  if (!give_protocol(made, link, factory, op)) return made;
  const auto end = std::make_shared<End>(loop);
  if (const Result<void> opened = open(*end); !opened.ok()) {
    return loop.done_future<LinkType>(opened.error());
  }
  end->set_protocol(link.protocol);
  link.transport = end;
  end->begin(made, link);
  return made;
}

}  // namespace loopscope::libuv
