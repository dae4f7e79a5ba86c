// UvServer: listening handles of libuv, and the connections that came in through them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "loops/os/socket_file.hpp"
#include "loops/reference/libuv_stream_end.hpp"

namespace loopscope::libuv {

class UvServer;

/// One uv_tcp_t or uv_pipe_t that listens.
///
/// lifetime  Holds itself from open to the callback of uv_close, and its server while it listens.
class ListeningHandle final : public TransportEnd,
                              public std::enable_shared_from_this<ListeningHandle> {
 public:
  explicit ListeningHandle(LibuvLoop& loop) : loop_(loop) {}

  // --- opening: one of these; what fails leaves nothing behind
  Result<void> bind_tcp(const Endpoint& address, bool reuse_port);
  Result<void> bind_pipe(const std::string& path);
  /// Takes a bound socket over, unless it refuses.
  Result<void> adopt(Socket& socket);

  /// libuv tells of EADDRINUSE here and not when it binds.
  Result<void> listen(int backlog, std::shared_ptr<UvServer> server);
  void close();
  void loop_closes() override;

  uv_stream_t* stream() { return &handle_.stream; }
  bool is_tcp() const { return handle_.handle.type == UV_TCP; }
  os::NativeSocket descriptor() const { return fd_; }
  const Endpoint& address() const { return address_; }

 private:
  void opened(os::NativeSocket fd);
  Result<void> named(int rc, std::string_view op);

  LibuvLoop& loop_;
  union Handle {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
  Handle handle_{};
  bool open_ = false;
  os::NativeSocket fd_ = os::kInvalid;
  Endpoint address_;
  std::shared_ptr<ListeningHandle> keep_;
  std::shared_ptr<UvServer> server_;
};

struct UvServerRules {
  ProtocolFactory factory;
  int backlog = 100;
  bool keep_alive = false;
  std::optional<os::SocketFile> file{};  // of a socket of the caller: libuv does not know it
};

class UvServer final : public Server, public std::enable_shared_from_this<UvServer> {
 public:
  using Handles = std::vector<std::shared_ptr<ListeningHandle>>;
  UvServer(LibuvLoop& loop, Handles handles, UvServerRules rules)
      : link_(loop.link()), handles_(std::move(handles)), rules_(std::move(rules)) {}
  ~UvServer() override;

  void close() override;
  void close_clients() override;
  void abort_clients() override;
  Result<void> start_serving() override;
  bool is_serving() const override { return serving_; }
  std::vector<Endpoint> sockets() const override;
  std::vector<os::NativeSocket> descriptors() const override;
  Future<void> wait_closed() override;

  /// libuv has a connection, or says why it could not be accepted.
  void on_connection(ListeningHandle& handle, int status);
  /// A listening handle is closed by the loop.
  void loop_closes();

 private:
  LibuvLoop* loop() const;
  void admit(LibuvLoop& loop, ListeningHandle& handle);
  void report(LibuvLoop& loop, std::string message, std::optional<Error> error);
  void ended(StreamEnd* end);
  void tell_waiters();
  void close_handles();

  std::shared_ptr<LoopLink> link_;
  Handles handles_;
  UvServerRules rules_;
  std::unordered_set<StreamEnd*> connections_;
  std::vector<Future<void>> waiters_;
  bool serving_ = false, closed_ = false;
};

}  // namespace loopscope::libuv
