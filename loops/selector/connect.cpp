// create_connection and connect_accepted_socket over readiness.
#include "loops/common/connecting.hpp"
#include "loops/selector/stream.hpp"

namespace loopscope {
namespace {

/// A create_connection under way. Connecting holds it, and it holds Connecting, until the end.
class PendingConnection final : public LoopResource,
                                public std::enable_shared_from_this<PendingConnection> {
 public:
  PendingConnection(SelectorLoop& loop, Future<Link> future, ProtocolFactory factory)
      : loop_(loop), future_(std::move(future)), factory_(std::move(factory)) {}

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
      loop_.open_link(future_, std::move(socket).value().release(), factory_);
    } else {
      future_.set_error(socket.error());
    }
  }

  SelectorLoop& loop_;
  Future<Link> future_;
  ProtocolFactory factory_;
  std::shared_ptr<Connecting> connecting_;
};

/// Errors for what no transport can be made from here.
Result<void> may_adopt(std::string_view op, const Socket& socket,
                       const std::optional<TlsOptions>& tls) {
  if (tls) return make_error(Errc::not_supported, op, "TLS");
  if (Result<void> usable = check_connected_socket(op, socket); !usable.ok()) return usable;
  return os::set_blocking(socket.native(), false);
}

}  // namespace

void SelectorLoop::open_link(Future<Link> future, os::UniqueFd fd, const ProtocolFactory& factory) {
  Link link;
  try {
    link.protocol = factory();
  } catch (const ExitException&) {
    throw;
  } catch (...) {
    future.set_exception(std::current_exception());
    return;
  }
  const auto transport = make_socket_transport(*this, std::move(fd), link.protocol);
  transport->open();
  link.transport = transport;
  deliver(*this, std::move(future), std::move(link));
}

Future<Link> SelectorLoop::connect_accepted_socket(ProtocolFactory factory, Socket& socket,
                                                   std::optional<TlsOptions> tls) {
  const std::string_view op = "connect_accepted_socket";
  if (const std::optional<Errc> why = refuses()) return done_future<Link>(make_error(*why, op));
  if (const Result<void> may = may_adopt(op, socket, tls); !may.ok()) {
    return done_future<Link>(may.error());
  }
  Future<Link> future = create_future<Link>();
  open_link(future, socket.release(), factory);
  return future;
}

Future<Link> SelectorLoop::create_connection(ProtocolFactory factory, ConnectOptions options) {
  const std::string_view op = "create_connection";
  if (const std::optional<Errc> why = refuses()) return done_future<Link>(make_error(*why, op));
  if (const Result<void> sound = check_connect_options(op, options); !sound.ok()) {
    return done_future<Link>(sound.error());
  }
  if (options.sock != nullptr) {
    if (const Result<void> may = may_adopt(op, *options.sock, options.tls); !may.ok()) {
      return done_future<Link>(may.error());
    }
    Future<Link> future = create_future<Link>();
    open_link(future, options.sock->release(), factory);
    return future;
  }
  if (options.tls) return done_future<Link>(make_error(Errc::not_supported, op, "TLS"));
  Future<Link> future = create_future<Link>();
  std::make_shared<PendingConnection>(*this, future, std::move(factory))->begin(std::move(options));
  return future;
}

}  // namespace loopscope
