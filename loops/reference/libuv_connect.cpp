// Connections of the libuv row: uv_tcp_connect and uv_pipe_connect, and sockets of the caller.
//
// libuv connects one handle to one address. Which address is tried when is ours: one after the
// other, or with a head start for each, as programs over libuv do it for themselves.
//
// libuv's own behaviour that scenarios meet, and that is left as it is:
//   local address   uv_tcp_bind sets SO_REUSEADDR, and tells of EADDRINUSE when it connects.
//   Unix paths      before 1.46 a path that is too long is cut, and there are no abstract names.
// Source: docs.libuv.org, uv_tcp_t, uv_pipe_t; 1.44.2.
#include <algorithm>
#include <cerrno>

#include "loops/common/connecting.hpp"
#include "loops/reference/libuv_stream_end.hpp"

namespace loopscope::libuv {
namespace {

/// Gives a connected end its protocol and completes the link; the factory may throw.
void hand_over(Future<Link>& made, const std::shared_ptr<StreamEnd>& end,
               const ProtocolFactory& factory, std::string_view op) {
  StreamEnd::Discarding discarding(*end);
  Link link;
  if (!give_protocol(made, link, factory, op)) return;
  discarding.keep();
  end->set_protocol(link.protocol);
  link.transport = end;
  end->begin(made, link);
}

/// One create_connection or create_unix_connection.
///
/// lifetime  Held by what it waits for: a lookup, the requests of libuv.
class Connector : public std::enable_shared_from_this<Connector> {
 public:
  Connector(LibuvLoop& loop, std::string_view op, ProtocolFactory factory, ConnectOptions options)
      : loop_(loop), op_(op), factory_(std::move(factory)), options_(std::move(options)) {}

  Future<Link> start() {
    watch_cancel();
    resolve();
    return future_;
  }
  Future<Link> start_at(const std::string& path) {
    watch_cancel();
    if (const Result<void> begun = connect_pipe(path); !begun.ok()) {
      future_.set_error(begun.error());
    }
    return future_;
  }

 private:
  /// libuv's from the call to its callback, which always comes.
  struct Request {
    uv_connect_t uv{};
    std::shared_ptr<Connector> connector;
    std::shared_ptr<StreamEnd> end;
    std::string name;
  };

  void watch_cancel() {
    future_.set_cancel_hook([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->stop();
    });
  }
  void resolve();
  void try_addresses(std::vector<Endpoint> addresses);
  void try_next();
  Result<void> begin(const Endpoint& address);
  Result<void> connect_pipe(const std::string& path);
  std::unique_ptr<Request> request_for(const std::shared_ptr<StreamEnd>& end, std::string name);
  static void on_connect(uv_connect_t* uv, int status);
  void ended(const Request& request, int status);
  void arm_head_start();
  void record(const std::string& name, const Error& error);
  void give_up();
  void succeed(const std::shared_ptr<StreamEnd>& end);
  void stop();

  LibuvLoop& loop_;
  std::string_view op_;
  ProtocolFactory factory_;
  ConnectOptions options_;
  Future<Link> future_ = loop_.create_future<Link>();
  Future<std::vector<Endpoint>> resolving_;
  std::vector<Endpoint> addresses_;
  std::size_t next_ = 0;
  std::vector<std::shared_ptr<StreamEnd>> running_;
  TimerHandle head_start_;
  std::optional<Error> last_error_;
  std::string failures_;
  int failed_ = 0;
};

void Connector::resolve() {
  if (!options_.addresses.empty()) {
    try_addresses(std::move(options_.addresses));
    return;
  }
  if (auto literal = literal_address(options_.host, options_.service, options_.family)) {
    try_addresses({*literal});
    return;
  }
  resolving_ = loop_.getaddrinfo(options_.host, options_.service, {.family = options_.family});
  resolving_.add_done_callback([self = shared_from_this()] {
    if (self->future_.done()) return;
    Result<std::vector<Endpoint>> addresses = self->resolving_.result();
    if (addresses.ok()) {
      self->try_addresses(std::move(addresses).value());
    } else {
      self->future_.set_error(addresses.error());
    }
  });
}

void Connector::try_addresses(std::vector<Endpoint> addresses) {
  const unsigned first_count =
      options_.interleave.value_or(options_.happy_eyeballs_delay.has_value() ? 1 : 0);
  addresses_ =
      first_count > 0 ? interleave(std::move(addresses), first_count) : std::move(addresses);
  try_next();
}

void Connector::try_next() {
  (void)head_start_.cancel();
  while (next_ < addresses_.size()) {
    const Endpoint address = addresses_[next_++];
    const Result<void> begun = begin(address);
    if (begun.ok()) {
      arm_head_start();
      return;
    }
    record(address.to_string(), begun.error());
  }
  if (running_.empty()) give_up();
}

void Connector::arm_head_start() {
  if (!options_.happy_eyeballs_delay || next_ == addresses_.size()) return;
  head_start_ = loop_.call_later(*options_.happy_eyeballs_delay, [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && !self->future_.done()) self->try_next();
  });
}

Result<void> Connector::begin(const Endpoint& address) {
  const std::optional<Endpoint>& local = options_.local_addr;
  if (local && local->family() != address.family()) {
    return errno_error_of(EAFNOSUPPORT, "uv_tcp_bind",
                          local->to_string() + " is of another family");
  }
  if (address.family() == AddressFamily::unix_domain) return connect_pipe(address.path());
  const auto end = std::make_shared<StreamEnd>(loop_);
  if (Result<void> made = end->init_tcp(address.family()); !made.ok()) return made;
  StreamEnd::Discarding discarding(*end);
  if (local) {
    const int rc = uv_tcp_bind(end->tcp(), raw(*local), 0);
    if (rc != 0) {
      Error error = uv_error(rc, "uv_tcp_bind");
      error.detail = local->to_string();
      return error;
    }
  }
  auto request = request_for(end, address.to_string());
  const int rc = uv_tcp_connect(&request->uv, end->tcp(), raw(address), &on_connect);
  if (rc != 0) return uv_error(rc, "uv_tcp_connect");
  (void)request.release();
  running_.push_back(end);
  discarding.keep();
  return {};
}

Result<void> Connector::connect_pipe(const std::string& path) {
  if (Result<void> taken = check_pipe_name(op_, path); !taken.ok()) return taken;
  const auto end = std::make_shared<StreamEnd>(loop_);
  end->init_pipe();
  auto request = request_for(end, path);
#if UV_VERSION_HEX >= 0x012E00
  const int rc = uv_pipe_connect2(&request->uv, end->pipe(), path.data(), path.size(),
                                  UV_PIPE_NO_TRUNCATE, &on_connect);
  if (rc != 0) {
    end->discard();
    return uv_error(rc, "uv_pipe_connect2");
  }
#else
  uv_pipe_connect(&request->uv, end->pipe(), path.c_str(), &on_connect);
#endif
  (void)request.release();
  running_.push_back(end);
  return {};
}

std::unique_ptr<Connector::Request> Connector::request_for(const std::shared_ptr<StreamEnd>& end,
                                                           std::string name) {
  auto request = std::make_unique<Request>();
  request->uv.data = request.get();
  request->connector = shared_from_this();
  request->end = end;
  request->name = std::move(name);
  return request;
}

void Connector::on_connect(uv_connect_t* uv, int status) {
  const std::unique_ptr<Request> request(static_cast<Request*>(uv->data));
  request->connector->ended(*request, status);
}

void Connector::ended(const Request& request, int status) {
  const auto found = std::find(running_.begin(), running_.end(), request.end);
  if (found == running_.end()) return;  // It was given up before.
  running_.erase(found);
  if (loop_.is_closed()) return;
  loop_.enter([&] {
    if (status == 0) {
      succeed(request.end);
      return;
    }
    request.end->discard();
    record(request.name, uv_error(status, request.end->connect_call()));
    // A head start that still runs is over when the one it was for has failed.
    if (running_.empty() || !options_.happy_eyeballs_delay) try_next();
  });
}

void Connector::record(const std::string& name, const Error& error) {
  last_error_ = error;
  last_error_->detail = error.detail.empty() ? name : name + ": " + error.detail;
  if (failed_++ > 0) failures_ += "; ";
  failures_ += name + ": " + error_name(error.code);
}

void Connector::give_up() {
  if (!last_error_) {
    last_error_ =
        errno_error_of(EADDRNOTAVAIL, "uv_getaddrinfo", options_.host + " has no address");
  }
  if (failed_ > 1) last_error_->detail = failures_;
  future_.set_error(*last_error_);
}

void Connector::succeed(const std::shared_ptr<StreamEnd>& end) {
  stop();
  end->connected();
  hand_over(future_, end, factory_, op_);
}

void Connector::stop() {
  (void)head_start_.cancel();
  if (resolving_.valid()) (void)resolving_.cancel();
  for (const auto& loser : std::exchange(running_, {})) loser->discard();
}

Future<Link> take_over(LibuvLoop& loop, const ProtocolFactory& factory, Socket& socket,
                       std::string_view op, bool tls) {
  if (tls) return loop.done_future<Link>(make_error(Errc::not_supported, op, "libuv has no TLS"));
  if (const Result<void> may = check_connected_socket(op, socket); !may.ok()) {
    return loop.done_future<Link>(may.error());
  }
  const auto end = std::make_shared<StreamEnd>(loop);
  if (const Result<void> opened = end->open_socket(socket, op); !opened.ok()) {
    return loop.done_future<Link>(opened.error());
  }
  Future<Link> made = loop.create_future<Link>();
  hand_over(made, end, factory, op);
  return made;
}

}  // namespace

Future<Link> LibuvLoop::create_connection(ProtocolFactory factory, ConnectOptions options) {
  const std::string_view op = "create_connection";
  const auto refused = [this](Error why) { return done_future<Link>(std::move(why)); };
  if (const std::optional<Errc> why = refuses()) return refused(make_error(*why, op));
  if (const Result<void> sound = check_connect_options(op, options); !sound.ok()) {
    return refused(sound.error());
  }
  const bool tls = options.tls.has_value();
  if (options.sock != nullptr) return take_over(*this, factory, *options.sock, op, tls);
  if (tls) return refused(make_error(Errc::not_supported, op, "libuv has no TLS"));
  return std::make_shared<Connector>(*this, op, std::move(factory), std::move(options))->start();
}

Future<Link> LibuvLoop::connect_accepted_socket(ProtocolFactory factory, Socket& socket,
                                                std::optional<TlsOptions> tls) {
  const std::string_view op = "connect_accepted_socket";
  if (const std::optional<Errc> why = refuses()) return done_future<Link>(make_error(*why, op));
  return take_over(*this, factory, socket, op, tls.has_value());
}

Future<Link> LibuvLoop::create_unix_connection(ProtocolFactory factory,
                                               UnixConnectOptions options) {
  const std::string_view op = "create_unix_connection";
  const auto refused = [this](Error why) { return done_future<Link>(std::move(why)); };
  if (const std::optional<Errc> why = refuses()) return refused(make_error(*why, op));
  if ((options.sock != nullptr) == !options.path.empty()) {
    return refused(make_error(Errc::invalid_argument, op, "one of path and sock is needed"));
  }
  const bool tls = options.tls.has_value();
  if (options.sock != nullptr) {
    const Result<Endpoint> name = os::local_address(options.sock->native());
    if (!name.ok()) return refused(name.error());
    if (name->family() != AddressFamily::unix_domain) {
      return refused(make_error(Errc::invalid_argument, op, "a Unix socket was expected"));
    }
    return take_over(*this, factory, *options.sock, op, tls);
  }
  if (tls) return refused(make_error(Errc::not_supported, op, "libuv has no TLS"));
  return std::make_shared<Connector>(*this, op, std::move(factory), ConnectOptions{})
      ->start_at(options.path);
}

}  // namespace loopscope::libuv
