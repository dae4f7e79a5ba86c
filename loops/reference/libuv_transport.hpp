// What libuv's stream and datagram transports share: protocol, end of life, flow control.
#pragma once

#include <memory>
#include <optional>
#include <utility>

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
  }

  /// Tells the protocol, starts to read and completes the future, each by a callback of its own.
  template <class LinkType>
  void begin(Future<LinkType> made, LinkType link) {
    const auto self = this->shared_from_this();
    made.set_cancel_hook([self] { self->abort(); });
    (void)loop_.call_soon([self] { self->tell_made(); });
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

  /// After the handle was initialised: from here on it has to be closed.
  void take(os::NativeSocket fd) {
    fd_ = fd;
    open_ = true;
    keep_ = this->shared_from_this();
    handle()->data = this;
    loop_.adopt(*this, fd_);
  }
  /// Ends the transport now; connection_lost follows through call_soon, once.
  void finish(std::optional<Error> why) {
    if (lost_) return;
    lost_ = closing_ = true;
    close_handle();
    const auto self = this->shared_from_this();
    (void)loop_.call_soon([self, why = std::move(why)] { self->tell_lost(why ? &*why : nullptr); });
  }
  /// A call into the protocol from one of libuv's callbacks; an exception ends the connection.
  template <class F>
  void deliver(F&& work, std::string_view method, std::string_view message) {
    const auto self = this->shared_from_this();
    loop_.enter([&] {
      if (loop_.call_protocol(work, message)) return;
      finish(make_error(Errc::protocol, method, "the protocol threw an exception"));
    });
  }

  std::size_t write_buffer_size() const { return open_ ? queued() : 0; }
  WriteBufferLimits limits() const { return {low_, high_}; }
  Result<void> set_limits(std::optional<std::size_t> high, std::optional<std::size_t> low) {
    const std::size_t new_high = high ? *high : low ? 4 * *low : kHighWater;
    const std::size_t new_low = low ? *low : new_high / 4;
    if (new_high < new_low) {
      return make_error(Errc::invalid_argument, "set_write_buffer_limits", "high is below low");
    }
    high_ = new_high;
    low_ = new_low;
    pause_if_full();
    return {};
  }
  void pause_if_full() {
    if (writing_paused_ || !protocol_ || write_buffer_size() <= high_) return;
    writing_paused_ = true;
    const auto protocol = protocol_;
    (void)loop_.call_protocol([&] { protocol->pause_writing(); },
                              "protocol.pause_writing() failed");
  }
  void resume_if_drained() {
    if (!writing_paused_ || lost_ || !protocol_ || write_buffer_size() > low_) return;
    writing_paused_ = false;
    const auto protocol = protocol_;
    (void)loop_.call_protocol([&] { protocol->resume_writing(); },
                              "protocol.resume_writing() failed");
  }

  LibuvLoop& loop_;  // valid while !lost_
  std::shared_ptr<BaseProtocol> protocol_;
  os::NativeSocket fd_ = os::kInvalid;
  bool open_ = false;     // the handle is libuv's
  bool closing_ = false;  // close(), abort(), the end of the stream, an error
  bool lost_ = false;     // connection_lost is on its way, or the loop has closed

 private:
  static constexpr std::size_t kHighWater = 64 * 1024;

  void tell_made() {
    const auto protocol = protocol_;
    if (!protocol) return;
    const bool returned = loop_.call_protocol([&] { protocol->connection_made(*this); },
                                              "protocol.connection_made() call failed");
    if (!returned) {
      finish(make_error(Errc::protocol, "connection_made", "the protocol threw an exception"));
    }
  }
  void tell_lost(const Error* why) {
    const auto protocol = std::exchange(protocol_, nullptr);
    protocol_changed();
    if (!protocol) return;
    (void)loop_.call_protocol([&] { protocol->connection_lost(why); },
                              "protocol.connection_lost() call failed");
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

  std::shared_ptr<UvTransport> keep_;
  std::size_t high_ = kHighWater, low_ = kHighWater / 4;
  bool writing_paused_ = false;
};

/// What create_* answer when the factory gave nothing.
inline Error no_protocol(std::string_view op) {
  return make_error(Errc::invalid_argument, op, "the factory returned no protocol");
}

}  // namespace loopscope::libuv
