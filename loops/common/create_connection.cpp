// create_connection and connect_accepted_socket.
#include "loops/common/connecting.hpp"
#include "loops/common/stream.hpp"
#include "loops/common/tls_transport.hpp"

namespace loopscope {
namespace {

/// A create_connection under way. Connecting holds it, and it holds Connecting, until the end.
class PendingConnection final : public LoopResource,
                                public std::enable_shared_from_this<PendingConnection> {
 public:
  PendingConnection(NativeLoop& loop, Future<Link> future, ProtocolFactory factory,
                    std::optional<TlsOptions> tls)
      : loop_(loop),
        future_(std::move(future)),
        factory_(std::move(factory)),
        tls_(std::move(tls)) {}

  void begin(ConnectOptions options) {
    loop_.adopt(os::kInvalid, this);
    future_.set_cancel_hook([weak = weak_from_this()] {
      if (const std::shared_ptr<PendingConnection> self = weak.lock()) self->cancel();
    });
    const auto finish = [self = shared_from_this()](Result<Socket> socket) {
      self->finish(std::move(socket));
    };
    connecting_ = Connecting::start(loop_, std::move(options), finish);
  }
  void loop_closed() override {
    const std::shared_ptr<PendingConnection> keep = shared_from_this();
    connecting_->stop();
  }

 private:
  void cancel() {
    loop_.release(os::kInvalid, this);
    connecting_->stop();
  }
  void finish(Result<Socket> socket) {
    loop_.release(os::kInvalid, this);
    if (socket.ok()) {
      loop_.open_link(future_, std::move(socket).value().release(), factory_, tls_, false);
    } else {
      future_.set_error(socket.error());
    }
  }

  NativeLoop& loop_;
  Future<Link> future_;
  ProtocolFactory factory_;
  std::optional<TlsOptions> tls_;
  std::shared_ptr<Connecting> connecting_;
};

/// Errors for what no transport can be made from here.
Result<void> may_adopt(std::string_view op, const Socket& socket,
                       const std::optional<TlsOptions>& tls, bool server_side) {
  if (Result<void> sound = check_tls(tls, server_side); !sound.ok()) return sound;
  if (Result<void> usable = check_connected_socket(op, socket); !usable.ok()) return usable;
  return os::set_blocking(socket.native(), false);
}

}  // namespace

std::shared_ptr<StreamTransport> NativeLoop::new_socket_stream(
    os::UniqueFd fd, std::shared_ptr<BaseProtocol> protocol) {
  StreamOptions options;
  options.socket = true;
  // Refused where there is no TCP, and on connections that have ended already.
  (void)os::set_nodelay(fd.get(), true);
  return new_stream(std::move(fd), std::move(protocol), options);
}

void NativeLoop::open_link(Future<Link> future, os::UniqueFd fd, const ProtocolFactory& factory,
                           const std::optional<TlsOptions>& tls, bool server_side) {
  Link link;
  try {
    link.protocol = factory();
  } catch (const ExitException&) {
    throw;
  } catch (...) {
    future.set_exception(std::current_exception());
    return;
  }
  if (tls) {
    if (const Result<void> opened =
            open_tls(future, std::move(fd), std::move(link.protocol), *tls, server_side);
        !opened.ok()) {
      future.set_error(opened.error());
    }
    return;
  }
  const auto transport = new_socket_stream(std::move(fd), link.protocol);
  transport->open();
  link.transport = transport;
  deliver(*this, std::move(future), std::move(link));
}

/// The future is done with the handshake: what it gives can be talked over.
Result<void> NativeLoop::open_tls(const Future<Link>& future, os::UniqueFd fd,
                                  std::shared_ptr<BaseProtocol> protocol, const TlsOptions& options,
                                  bool server_side) {
  const auto tls = make_tls(std::move(protocol), options, server_side);
  if (!tls.ok()) return tls.error();
  const auto below = new_socket_stream(std::move(fd), *tls);
  if (Result<void> attached = (*tls)->attach(below); !attached.ok()) return attached;
  complete_when_ready(*tls, future);
  below->open();
  return {};
}

Future<Link> NativeLoop::connect_accepted_socket(ProtocolFactory factory, Socket& socket,
                                                 std::optional<TlsOptions> tls) {
  const std::string_view op = "connect_accepted_socket";
  if (const std::optional<Errc> why = refuses()) return done_future<Link>(make_error(*why, op));
  if (const Result<void> may = may_adopt(op, socket, tls, true); !may.ok()) {
    return done_future<Link>(may.error());
  }
  Future<Link> future = create_future<Link>();
  open_link(future, socket.release(), factory, tls, true);
  return future;
}

Future<Link> NativeLoop::create_connection(ProtocolFactory factory, ConnectOptions options) {
  const std::string_view op = "create_connection";
  if (const std::optional<Errc> why = refuses()) return done_future<Link>(make_error(*why, op));
  if (const Result<void> sound = check_connect_options(op, options); !sound.ok()) {
    return done_future<Link>(sound.error());
  }
  if (options.tls && options.tls->server_hostname.empty()) {
    options.tls->server_hostname = options.host;
  }
  if (options.sock != nullptr) {
    if (const Result<void> may = may_adopt(op, *options.sock, options.tls, false); !may.ok()) {
      return done_future<Link>(may.error());
    }
    Future<Link> future = create_future<Link>();
    open_link(future, options.sock->release(), factory, options.tls, false);
    return future;
  }
  if (const Result<void> sound = check_tls(options.tls, false); !sound.ok()) {
    return done_future<Link>(sound.error());
  }
  Future<Link> future = create_future<Link>();
  auto tls = std::move(options.tls);
  std::make_shared<PendingConnection>(*this, future, std::move(factory), std::move(tls))
      ->begin(std::move(options));
  return future;
}

}  // namespace loopscope
