// Between: stands between a loop's transport and the user's protocol, and passes everything on.
// A faulty loop overrides what it gets wrong.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "harness/testing/poll_based.hpp"

namespace loopscope::testing {

/// The user's protocol sees it as the transport, the loop's transport as the protocol.
class StreamBetween : public Protocol,
                      public Transport,
                      public std::enable_shared_from_this<StreamBetween> {
 public:
  explicit StreamBetween(SelectorLoop& loop) : loop_(loop) {}
  void set_user(std::shared_ptr<BaseProtocol> user) { user_ = std::move(user); }
  void set_below(std::shared_ptr<Transport> below) {
    kept_below_ = std::move(below);
    below_ = kept_below_.get();
  }
  const std::shared_ptr<BaseProtocol>& user() const { return user_; }

  // --- what the loop's transport calls
  void connection_made(BaseTransport& transport) override;
  void connection_lost(const Error* why) override { user_->connection_lost(why); }
  void pause_writing() override { user_->pause_writing(); }
  void resume_writing() override { user_->resume_writing(); }
  void data_received(ByteView data) override { deliver(*user_, data); }
  bool eof_received() override;

  // --- what the user calls
  void close() override { below_->close(); }
  bool is_closing() const override { return below_->is_closing(); }
  ExtraInfo get_extra_info(std::string_view name) const override {
    return below_->get_extra_info(name);
  }
  void set_protocol(std::shared_ptr<BaseProtocol> user) override { user_ = std::move(user); }
  std::shared_ptr<BaseProtocol> get_protocol() const override { return user_; }
  bool is_reading() const override { return below_->is_reading(); }
  void pause_reading() override { below_->pause_reading(); }
  void resume_reading() override { below_->resume_reading(); }
  void write(ByteView data) override { below_->write(data); }
  void writelines(std::span<const ByteView> chunks) override { below_->writelines(chunks); }
  bool can_write_eof() const override { return below_->can_write_eof(); }
  Result<void> write_eof() override { return below_->write_eof(); }
  void abort() override { below_->abort(); }
  std::size_t get_write_buffer_size() const override { return below_->get_write_buffer_size(); }
  WriteBufferLimits get_write_buffer_limits() const override {
    return below_->get_write_buffer_limits();
  }
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override {
    return below_->set_write_buffer_limits(high, low);
  }

 protected:
  static void deliver(BaseProtocol& to, ByteView data);
  /// Copies into the lent memory as much as fits. How much that was.
  static std::size_t fill(BufferedProtocol& lending, ByteView data);
  os::NativeSocket descriptor() const;

  SelectorLoop& loop_;
  std::shared_ptr<BaseProtocol> user_;
  Transport* below_ = nullptr;

 private:
  std::shared_ptr<Transport> kept_below_;
};

/// The same for datagrams.
class DatagramBetween : public DatagramProtocol,
                        public DatagramTransport,
                        public std::enable_shared_from_this<DatagramBetween> {
 public:
  explicit DatagramBetween(SelectorLoop& loop) : loop_(loop) {}
  void set_user(std::shared_ptr<DatagramProtocol> user) { user_ = std::move(user); }
  void set_below(std::shared_ptr<DatagramTransport> below) { kept_below_ = std::move(below); }
  const std::shared_ptr<DatagramProtocol>& user() const { return user_; }

  void connection_made(BaseTransport& transport) override;
  void connection_lost(const Error* why) override { user_->connection_lost(why); }
  void pause_writing() override { user_->pause_writing(); }
  void resume_writing() override { user_->resume_writing(); }
  void datagram_received(ByteView data, const Endpoint& sender) override {
    user_->datagram_received(data, sender);
  }
  void error_received(const Error& error) override { user_->error_received(error); }

  void close() override { below_->close(); }
  bool is_closing() const override { return below_->is_closing(); }
  ExtraInfo get_extra_info(std::string_view name) const override {
    return below_->get_extra_info(name);
  }
  void set_protocol(std::shared_ptr<BaseProtocol> user) override;
  std::shared_ptr<BaseProtocol> get_protocol() const override { return user_; }
  Result<void> sendto(ByteView data, const Endpoint* to) override {
    return below_->sendto(data, to);
  }
  void abort() override { below_->abort(); }
  std::size_t get_write_buffer_size() const override { return below_->get_write_buffer_size(); }
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override {
    return below_->set_write_buffer_limits(high, low);
  }

 protected:
  os::NativeSocket descriptor() const;

  SelectorLoop& loop_;
  std::shared_ptr<DatagramProtocol> user_;
  DatagramTransport* below_ = nullptr;

 private:
  std::shared_ptr<DatagramTransport> kept_below_;
};

/// Calls `open` with a factory that puts `between` in front of the user's protocol; the link that
/// comes out has it as its transport.
Future<Link> open_between(SelectorLoop& loop, std::shared_ptr<StreamBetween> between,
                          ProtocolFactory user,
                          const std::function<Future<Link>(ProtocolFactory)>& open);

/// Gives each connection of a server one of these, in front of the user's protocol.
ProtocolFactory each_behind(std::function<std::shared_ptr<StreamBetween>()> new_between,
                            ProtocolFactory user);

/// A poll loop whose stream transports all have something in front of them.
class StreamsBehind : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) override;
  Future<Link> connect_write_pipe(ProtocolFactory factory, PipeEnd pipe) override;
  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override;
  Future<Link> connect_accepted_socket(ProtocolFactory factory, Socket& socket,
                                       std::optional<TlsOptions> tls) override;
  Future<std::shared_ptr<Server>> create_server(ProtocolFactory factory,
                                                ServerOptions options) override;

 protected:
  virtual std::shared_ptr<StreamBetween> new_between() = 0;
};

/// Such a loop with a B in front of each.
template <class B>
class StreamsThrough : public StreamsBehind {
 public:
  using StreamsBehind::StreamsBehind;

 protected:
  std::shared_ptr<StreamBetween> new_between() override { return std::make_shared<B>(*this); }
};

/// The row of such a loop. B has kCaughtBy, the scenarios that must catch it, and kKeeps.
template <class B>
constexpr FaultyLoop wrong_stream(std::string_view name, std::string_view defect) {
  return FaultyLoop{.loop = poll_based<StreamsThrough<B>>(name),
                    .defect = defect,
                    .must_fail = B::kCaughtBy,
                    .must_pass = B::kKeeps};
}

/// A poll loop whose datagram endpoints all have something in front of them.
class DatagramsBehind : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<DatagramLink> create_datagram_endpoint(DatagramFactory factory,
                                                DatagramOptions options) override;

 protected:
  virtual std::shared_ptr<DatagramBetween> new_between() = 0;
};

/// Such a loop with a B in front of each.
template <class B>
class DatagramsThrough : public DatagramsBehind {
 public:
  using DatagramsBehind::DatagramsBehind;

 protected:
  std::shared_ptr<DatagramBetween> new_between() override { return std::make_shared<B>(*this); }
};

}  // namespace loopscope::testing
