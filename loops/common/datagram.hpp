// DatagramEndpoint: what a datagram transport is to its user, however its loop waits.
#pragma once

#include <deque>
#include <optional>

#include "loops/common/transport_core.hpp"

namespace loopscope {

/// A derived class moves the datagrams: whole, in order, each with its sender.
class DatagramEndpoint : public DatagramTransport,
                         public TransportCore,
                         public std::enable_shared_from_this<DatagramEndpoint> {
 public:
  DatagramEndpoint(NativeLoop& loop, os::UniqueFd fd, std::shared_ptr<DatagramProtocol> protocol,
                   std::optional<Endpoint> remote);
  void open() { begin(shared_from_this()); }

  void close() override;
  void abort() override { lose({}); }
  bool is_closing() const override { return closing_; }
  ExtraInfo get_extra_info(std::string_view name) const override { return describe(name); }
  void set_protocol(std::shared_ptr<BaseProtocol> protocol) override;
  std::shared_ptr<BaseProtocol> get_protocol() const override { return protocol_; }
  std::size_t get_write_buffer_size() const override { return queued_bytes_; }
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override;
  Result<void> sendto(ByteView data, const Endpoint* to) override;

 protected:
  static constexpr std::size_t kLargest = 64 * 1024;  // no datagram is longer: none is cut short
  struct Queued {
    Bytes data;
    std::optional<Endpoint> to;
  };

  // --- how datagrams are moved
  virtual void stop_receiving() = 0;
  /// Sends one now if that is possible; nothing is queued. true: it is gone, one way or the other.
  virtual bool offer(ByteView data, const Endpoint* to) = 0;
  /// Something is queued: sends it in order, and calls sent_first() for each.
  virtual void wait_for_room() = 0;
  virtual void room_not_needed() = 0;

  void drop_buffer() override;
  std::size_t buffered() const override { return queued_bytes_; }
  /// Tells the protocol of what failed, or ends the endpoint where it cannot live on.
  void report(const Error& error);
  void report_soon(const Error& error);
  /// false: the endpoint has ended.
  bool received(ByteView data, Endpoint sender);
  /// The first of the queue is gone. false: the endpoint has ended.
  bool sent_first(const Result<void>& sent);
  /// After as many as could be sent.
  void moved();

  std::deque<Queued> queue_;

 private:
  /// Errors that the endpoint cannot outlive; all others concern one datagram.
  static bool is_fatal(const Error& error);

  std::shared_ptr<DatagramProtocol> datagrams_;
  std::optional<Endpoint> remote_;
  std::size_t queued_bytes_ = 0;
};

}  // namespace loopscope
