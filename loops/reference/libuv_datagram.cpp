// Datagram endpoints over uv_udp.
//
// libuv's own behaviour that scenarios meet, and that is left as it is:
//   first error     sends that wait are passed to the system in batches (sendmmsg); an error is
//                   given to every datagram of the batch.
//   Unix names      a Unix address is passed with the size of the whole sockaddr_un, so that an
//                   abstract name is taken for a longer one.
// Sockets on Unix addresses and SO_REUSEPORT are ours: uv_udp_bind knows neither.
// Source: docs.libuv.org, uv_udp_t; 1.44.2.
#include "loops/os/net.hpp"
#include "loops/reference/libuv_system.hpp"
#include "loops/reference/libuv_transport.hpp"

namespace loopscope::libuv {

const sockaddr* raw(const Endpoint& endpoint) {
  return static_cast<const sockaddr*>(endpoint.data());
}

int native(AddressFamily family) {
  if (family == AddressFamily::ipv4) return AF_INET;
  return family == AddressFamily::ipv6 ? AF_INET6 : AF_UNSPEC;
}

Endpoint endpoint_of(const sockaddr* address) {
  if (address == nullptr) return {};
  switch (address->sa_family) {
    case AF_INET:
      return Endpoint::from_raw(address, sizeof(sockaddr_in));
    case AF_INET6:
      return Endpoint::from_raw(address, sizeof(sockaddr_in6));
    default:
      return local_name(address);
  }
}

namespace {

class UdpEndpoint final : public UvTransport<DatagramTransport> {
 public:
  using UvTransport::UvTransport;

  Result<void> open(DatagramOptions&& options) {
    const Result<void> opened =
        options.sock != nullptr ? adopt_socket(std::move(*options.sock)) : make_socket(options);
    if (!opened.ok() && open_) loop_closes();
    if (opened.ok()) remember_names();
    return opened;
  }

  void close() override {
    if (closing_) return;
    closing_ = true;
    if (!open_) return;
    uv_udp_recv_stop(&udp_);
    if (uv_udp_get_send_queue_count(&udp_) == 0) finish(std::nullopt);  // else the last send does
  }

  Result<void> sendto(ByteView data, const Endpoint* to) override {
    if (closing_) return make_error(Errc::closed, "sendto");
    if (connected_ && to != nullptr && !(*to == peer_)) {
      return make_error(Errc::invalid_argument, "sendto", "the endpoint is connected to another");
    }
    if (!connected_ && to == nullptr) {
      return make_error(Errc::invalid_argument, "sendto", "no address given");
    }
    const sockaddr* address = connected_ ? nullptr : raw(*to);
    const uv_buf_t whole = buffer_of(data);
    const int sent = uv_udp_try_send(&udp_, &whole, 1, address);
    if (sent == UV_EAGAIN) {
      queue(data, address);
    } else if (sent < 0) {
      report_soon(uv_error(sent, "uv_udp_try_send"));
    }
    return {};
  }

  std::size_t get_write_buffer_size() const override { return write_buffer_size(); }
  Result<void> set_write_buffer_limits(std::optional<std::size_t> high,
                                       std::optional<std::size_t> low) override {
    return set_limits(high, low);
  }
  ExtraInfo get_extra_info(std::string_view name) const override {
    if (name == "sockname") return local_;
    if (name == "peername" && connected_) return peer_;
    if (name == "socket" && open_) return fd_;
    return std::monostate{};
  }

 protected:
  uv_handle_t* handle() override { return reinterpret_cast<uv_handle_t*>(&udp_); }
  std::size_t queued() const override { return uv_udp_get_send_queue_size(&udp_); }
  void protocol_changed() override {
    datagrams_ = dynamic_cast<DatagramProtocol*>(protocol_.get());
  }
  void start_reading() override {
    const int rc = uv_udp_recv_start(
        &udp_,
        [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
          const std::span<char> shared = of(handle).loop_.read_buffer();
          *buffer = uv_buf_init(shared.data(), static_cast<unsigned>(shared.size()));
        },
        [](uv_udp_t* handle, ssize_t count, const uv_buf_t* buffer, const sockaddr* from,
           unsigned) {
          of(reinterpret_cast<uv_handle_t*>(handle)).on_datagram(count, buffer->base, from);
        });
    if (rc != 0) finish(uv_error(rc, "uv_udp_recv_start"));
  }

 private:
  struct Request {
    uv_udp_send_t uv{};
    std::shared_ptr<UdpEndpoint> endpoint;
    Bytes data;
  };

  static UdpEndpoint& of(uv_handle_t* handle) {
    return static_cast<UdpEndpoint&>(*static_cast<UvTransport*>(handle->data));
  }
  static uv_buf_t buffer_of(ByteView data) {
    // uv_buf_t is one type for both directions; a send does not change the bytes.
    auto* base = const_cast<char*>(reinterpret_cast<const char*>(data.data()));
    return uv_buf_init(base, static_cast<unsigned>(data.size()));
  }

  Result<void> adopt_socket(Socket&& socket) {
    const Result<SocketType> type = os::type_of(socket.native());
    if (!type.ok()) return type.error();
    if (*type != SocketType::datagram) {
      return make_error(Errc::invalid_argument, "create_datagram_endpoint",
                        "a datagram socket was expected");
    }
    uv_udp_init(loop_.uv(), &udp_);
    const os::NativeSocket fd = socket.native();
    take(fd);
    if (const int rc = uv_udp_open(&udp_, static_cast<uv_os_sock_t>(fd)); rc != 0)
      return uv_error(rc, "uv_udp_open");
    (void)socket.release().release();  // libuv closes it with the handle.
    return {};
  }

  Result<void> make_socket(const DatagramOptions& options) {
    const Endpoint& first = options.local_addr ? *options.local_addr : *options.remote_addr;
    if (first.family() == AddressFamily::unix_domain) return make_unix_socket(options);
    if (const int rc = uv_udp_init_ex(loop_.uv(), &udp_, raw(first)->sa_family); rc != 0) {
      return uv_error(rc, "uv_udp_init_ex");
    }
    const os::NativeSocket fd = descriptor_of(handle());
    take(fd);
    if (options.reuse_port) {
      if (Result<void> set = os::set_reuse_port(fd, true); !set.ok()) return set;
    }
    if (options.allow_broadcast) {
      const int rc = uv_udp_set_broadcast(&udp_, 1);
      if (rc != 0) return uv_error(rc, "uv_udp_set_broadcast");
    }
    if (options.local_addr) {
      const int rc = uv_udp_bind(&udp_, raw(*options.local_addr), 0);
      if (rc != 0) return uv_error(rc, "uv_udp_bind");
    }
    if (options.remote_addr) {
      const int rc = uv_udp_connect(&udp_, raw(*options.remote_addr));
      if (rc != 0) return uv_error(rc, "uv_udp_connect");
    }
    return {};
  }

  Result<void> make_unix_socket(const DatagramOptions& options) {
    Result<os::UniqueFd> made = os::open_socket(AddressFamily::unix_domain, SocketType::datagram);
    if (!made.ok()) return made.error();
    Socket socket(std::move(made).value());
    if (options.local_addr) {
      const Result<void> bound = os::bind(socket.native(), *options.local_addr);
      if (!bound.ok()) return bound;
    }
    if (options.remote_addr) {
      const Result<bool> connected = os::connect(socket.native(), *options.remote_addr);
      if (!connected.ok()) return connected.error();
    }
    return adopt_socket(std::move(socket));
  }

  void remember_names() {
    if (Result<Endpoint> local = os::local_address(fd_); local.ok()) local_ = local.value();
    if (Result<Endpoint> peer = os::peer_address(fd_); peer.ok()) {
      peer_ = peer.value();
      connected_ = true;
    }
  }

  void queue(ByteView data, const sockaddr* address) {
    auto request = std::make_unique<Request>();
    request->endpoint = std::static_pointer_cast<UdpEndpoint>(shared_from_this());
    request->data.assign(data.begin(), data.end());
    request->uv.data = request.get();
    const uv_buf_t buffer = buffer_of(request->data);
    const int rc =
        uv_udp_send(&request->uv, &udp_, &buffer, 1, address, [](uv_udp_send_t* done, int status) {
          const std::unique_ptr<Request> finished(static_cast<Request*>(done->data));
          finished->endpoint->on_sent(status);
        });
    if (rc != 0) {
      report_soon(uv_error(rc, "uv_udp_send"));
      return;
    }
    (void)request.release();  // libuv's until its callback
    update_flow();
  }

  void on_sent(int status) {
    if (lost_) return;
    loop_.enter([&] {
      if (status < 0) report(uv_error(status, "uv_udp_send"));
      update_flow();
      if (closing_ && !lost_ && uv_udp_get_send_queue_count(&udp_) == 0) finish(std::nullopt);
    });
  }

  void on_datagram(ssize_t count, const char* data, const sockaddr* from) {
    if (closing_ || datagrams_ == nullptr) return;
    if (count == 0 && from == nullptr) return;  // nothing more to read
    const auto protocol = protocol_;
    if (count < 0) {
      loop_.enter([&] { report(uv_error(static_cast<int>(count), "uv_udp_recv")); });
      return;
    }
    Endpoint sender = endpoint_of(from);
    if (sender.size() == 0 && connected_) sender = peer_;
    const auto bytes = std::as_bytes(std::span(data, static_cast<std::size_t>(count)));
    deliver([&] { datagrams_->datagram_received(bytes, sender); }, "datagram_received");
  }

  void report(const Error& error) {
    if (datagrams_ == nullptr) return;
    const auto protocol = protocol_;
    (void)call([&] { datagrams_->error_received(error); }, "error_received");
  }
  void report_soon(Error error) {
    const auto self = shared_from_this();
    (void)loop_.call_soon([self, this, error = std::move(error)] {
      if (!closing_) report(error);
    });
  }

  uv_udp_t udp_{};
  DatagramProtocol* datagrams_ = nullptr;
  Endpoint local_, peer_;
  bool connected_ = false;
};

/// What asyncio refuses with a ValueError.
Result<void> check(const DatagramOptions& options) {
  const auto refuse = [](std::string_view why) {
    return make_error(Errc::invalid_argument, "create_datagram_endpoint", std::string(why));
  };
  if (options.sock != nullptr) {
    const bool more =
        options.local_addr || options.remote_addr || options.allow_broadcast || options.reuse_port;
    if (more) return refuse("options beside an existing socket");
    return {};
  }
  if (!options.local_addr && !options.remote_addr) return refuse("no address and no socket");
  if (options.local_addr && options.remote_addr &&
      options.local_addr->family() != options.remote_addr->family()) {
    return refuse("addresses of different families");
  }
  return {};
}

}  // namespace

Future<DatagramLink> LibuvLoop::create_datagram_endpoint(DatagramFactory factory,
                                                         DatagramOptions options) {
  const std::string_view op = "create_datagram_endpoint";
  if (const std::optional<Errc> why = refuses()) {
    return done_future<DatagramLink>(make_error(*why, op));
  }
  if (const Result<void> sound = check(options); !sound.ok()) {
    return done_future<DatagramLink>(sound.error());
  }
  const auto open = [&](UdpEndpoint& end) { return end.open(std::move(options)); };
  return link_up<DatagramLink, UdpEndpoint>(*this, factory, op, open);
}

}  // namespace loopscope::libuv
