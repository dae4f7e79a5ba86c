// Servers of the libuv row: uv_listen, uv_accept, and what becomes of the connections.
//
// libuv's own behaviour that scenarios meet, and that is left as it is:
//   late bind errors   EADDRINUSE is told by uv_listen: a server that does not serve yet has it.
//   SO_REUSEADDR       uv_tcp_bind always sets it.
//   no descriptors     at EMFILE libuv accepts and closes every client that waits, in silence.
//   accepting          1.44 accepts until nobody waits; 1.45 and later one client an iteration.
//   Unix paths         uv_pipe_close removes the path that was bound, whatever lies there by then.
// SO_REUSEPORT is ours: uv_tcp_bind knows it from 1.49 on.
// Source: docs.libuv.org, uv_stream_t, uv_tcp_t, uv_pipe_t; 1.44.2.
#include "loops/reference/libuv_server.hpp"

#include "loops/os/net.hpp"
#include "loops/reference/libuv_system.hpp"

namespace loopscope::libuv {
namespace {

// uv_tcp_keepalive asks for the idle time too. The system's own default: RFC 1122, 4.2.3.6.
constexpr unsigned kKeepAliveSeconds = 7200;

}  // namespace

// --- one listening handle

void ListeningHandle::opened(os::NativeSocket fd) {
  open_ = true;
  fd_ = fd;
  keep_ = shared_from_this();
  handle_.handle.data = this;
  loop_.adopt(*this, fd_);
}

Result<void> ListeningHandle::named(int rc, std::string_view op) {
  if (rc != 0) {
    loop_closes();
    return uv_error(rc, op);
  }
  const os::NativeSocket fd = descriptor_of(&handle_.handle);
  opened(fd);
  Result<Endpoint> name = os::local_address(fd);
  if (!name.ok()) {
    loop_closes();
    return name.error();
  }
  address_ = *name;
  return {};
}

Result<void> ListeningHandle::bind_tcp(const Endpoint& address, bool reuse_port) {
  const unsigned family = raw(address)->sa_family;
  if (const int rc = uv_tcp_init_ex(loop_.uv(), &handle_.tcp, family); rc != 0) {
    Error error = uv_error(rc, "uv_tcp_init_ex");
    error.detail = address.to_string();
    return error;
  }
  const os::NativeSocket fd = descriptor_of(&handle_.handle);
  opened(fd);
  if (reuse_port) {
    if (Result<void> set = os::set_reuse_port(fd, true); !set.ok()) {
      loop_closes();
      return set;
    }
  }
  // Otherwise "::" takes the IPv4 side as well, and 0.0.0.0 cannot be bound.
  const unsigned flags = family == AF_INET6 ? static_cast<unsigned>(UV_TCP_IPV6ONLY) : 0;
  if (const int rc = uv_tcp_bind(&handle_.tcp, raw(address), flags); rc != 0) {
    loop_closes();
    return Error{code_of(rc), "uv_tcp_bind", address.to_string()};
  }
  // One without a name is in use, which libuv tells later: it has port 0 then, or on Windows none.
  const Result<Endpoint> name = os::local_address(fd);
  address_ = name.ok() && name->port() != 0 ? *name : address;
  return {};
}

Result<void> ListeningHandle::bind_pipe(const std::string& path) {
  uv_pipe_init(loop_.uv(), &handle_.pipe, 0);
  opened(os::kInvalid);
#if UV_VERSION_HEX >= 0x012E00
  const int rc = uv_pipe_bind2(&handle_.pipe, path.data(), path.size(), UV_PIPE_NO_TRUNCATE);
#else
  const int rc = uv_pipe_bind(&handle_.pipe, path.c_str());
#endif
  Result<void> bound = named(rc, "uv_pipe_bind");
  if (!bound.ok()) return Error{bound.error().code, bound.error().op, path};
  return bound;
}

Result<void> ListeningHandle::adopt(Socket& socket) {
  const os::NativeSocket fd = socket.native();
  int rc = 0;
  if (handle_type_of(fd) == UV_TCP) {
    uv_tcp_init(loop_.uv(), &handle_.tcp);
    opened(os::kInvalid);
    rc = uv_tcp_open(&handle_.tcp, static_cast<uv_os_sock_t>(fd));
  } else {
    uv_pipe_init(loop_.uv(), &handle_.pipe, 0);
    opened(os::kInvalid);
    FileNumber file(fd);
    rc = uv_pipe_open(&handle_.pipe, file.get());
    if (rc == 0) file.release();
  }
  if (rc == 0) (void)socket.release().release();  // libuv closes it with the handle.
  return named(rc, is_tcp() ? "uv_tcp_open" : "uv_pipe_open");
}

Result<void> ListeningHandle::listen(int backlog, std::shared_ptr<UvServer> server) {
  handle_.handle.data = this;
  const int rc = uv_listen(stream(), backlog, [](uv_stream_t* stream, int status) {
    auto& self = *static_cast<ListeningHandle*>(stream->data);
    const auto keep = self.server_;
    if (keep) keep->on_connection(self, status);
  });
  if (rc != 0) {
    Error error = uv_error(rc, "uv_listen");
    error.detail = address_.to_string();
    return error;
  }
  server_ = std::move(server);
  return {};
}

void ListeningHandle::close() {
  if (!open_) return;
  open_ = false;
  loop_.release(*this, fd_);
  fd_ = os::kInvalid;
  uv_close(&handle_.handle, [](uv_handle_t* closed) {
    auto& self = *static_cast<ListeningHandle*>(closed->data);
    const auto server = std::move(self.server_);
    const auto last = std::move(self.keep_);
  });
}

void ListeningHandle::loop_closes() {
  if (server_) server_->loop_closes();
  close();
}

// --- listening

UvServer::~UvServer() { close_handles(); }

LibuvLoop* UvServer::loop() const {
  EventLoop* loop = link_->loop;
  // A loop whose destructor runs is no LibuvLoop any more, and closed.
  return loop != nullptr && !loop->is_closed() ? static_cast<LibuvLoop*>(loop) : nullptr;
}

Result<void> UvServer::start_serving() {
  if (closed_ || loop() == nullptr) return make_error(Errc::closed, "start_serving");
  if (serving_) return {};
  for (const auto& handle : handles_) {
    Result<void> began = handle->listen(rules_.backlog, shared_from_this());
    if (began.ok()) continue;
    // There is no way back from uv_listen but uv_close.
    close();
    return began;
  }
  serving_ = true;
  return {};
}

void UvServer::close() {
  const auto keep = shared_from_this();
  close_handles();
  tell_waiters();
}

void UvServer::close_handles() {
  if (std::exchange(closed_, true)) return;
  serving_ = false;
  if (loop() != nullptr) {
    // While the socket is open nobody else's file can have its number.
    if (rules_.file) (void)os::remove_socket_file(*rules_.file);  // E7: nobody to tell.
    for (const auto& handle : handles_) handle->close();
  }
  handles_.clear();
}

void UvServer::loop_closes() {
  // A handle of this server is being closed, the others follow: the loop walks over all.
  closed_ = true;
  serving_ = false;
  if (rules_.file) (void)os::remove_socket_file(*rules_.file);  // E7: nobody to tell.
  rules_.file.reset();
  handles_.clear();
}

std::vector<Endpoint> UvServer::sockets() const {
  std::vector<Endpoint> all;
  for (const auto& handle : handles_) {
    if (handle->descriptor() != os::kInvalid) all.push_back(handle->address());
  }
  return all;
}

std::vector<os::NativeSocket> UvServer::descriptors() const {
  std::vector<os::NativeSocket> all;
  for (const auto& handle : handles_) {
    if (handle->descriptor() != os::kInvalid) all.push_back(handle->descriptor());
  }
  return all;
}

// --- connections

void UvServer::on_connection(ListeningHandle& handle, int status) {
  LibuvLoop* const target = loop();
  if (target == nullptr) return;
  target->enter([&] {
    if (status < 0) {
      report(*target, "accept() failed", uv_error(status, "uv_listen"));
    } else {
      admit(*target, handle);
    }
  });
}

void UvServer::admit(LibuvLoop& loop, ListeningHandle& handle) {
  const auto end = std::make_shared<StreamEnd>(loop);
  if (handle.is_tcp()) {
    if (const Result<void> made = end->init_tcp(); !made.ok()) {
      report(loop, "accept() failed", made.error());
      return;
    }
  } else {
    end->init_pipe();
  }
  StreamEnd::Discarding discarding(*end);
  if (const int rc = uv_accept(handle.stream(), end->stream()); rc != 0) {
    report(loop, "accept() failed", uv_error(rc, "uv_accept"));
    return;
  }
  std::shared_ptr<BaseProtocol> protocol;
  const std::string failed = "Error on transport creation for incoming connection";
  if (!loop.call_protocol([&] { protocol = rules_.factory(); }, failed)) return;
  if (protocol == nullptr) {
    report(loop, failed,
           make_error(Errc::invalid_argument, "factory", "the factory returned no protocol"));
    return;
  }
  discarding.keep();
  end->connected();
  // The peer may have gone already, and then there is nothing to set.
  if (rules_.keep_alive && handle.is_tcp()) {
    (void)uv_tcp_keepalive(end->tcp(), 1, kKeepAliveSeconds);
  }
  end->set_protocol(std::move(protocol));
  connections_.insert(end.get());
  end->on_end([self = shared_from_this(), raw_end = end.get()] { self->ended(raw_end); });
  end->begin_unasked();
}

void UvServer::report(LibuvLoop& loop, std::string message, std::optional<Error> error) {
  ExceptionContext context;
  context.message = std::move(message);
  context.error = std::move(error);
  context.source = "server";
  loop.call_exception_handler(context);
}

void UvServer::ended(StreamEnd* end) {
  connections_.erase(end);
  if (loop() != nullptr) tell_waiters();
}

void UvServer::close_clients() {
  const auto now = connections_;
  for (StreamEnd* end : now) {
    if (connections_.contains(end)) end->close();
  }
}

void UvServer::abort_clients() {
  const auto now = connections_;
  for (StreamEnd* end : now) {
    if (connections_.contains(end)) end->abort();
  }
}

Future<void> UvServer::wait_closed() {
  if (closed_ && connections_.empty()) return Future<void>::ready({}, link_);
  LibuvLoop* const target = loop();
  if (target == nullptr) return Future<void>::ready(make_error(Errc::closed, "wait_closed"), link_);
  std::erase_if(waiters_, [](const Future<void>& each) { return each.done(); });
  waiters_.push_back(target->create_future<void>());
  return waiters_.back();
}

void UvServer::tell_waiters() {
  if (!closed_ || !connections_.empty()) return;
  for (Future<void>& waiter : std::exchange(waiters_, {})) waiter.set_result();
}

}  // namespace loopscope::libuv
