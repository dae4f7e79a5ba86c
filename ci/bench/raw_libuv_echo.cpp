// The echo server by plain calls of libuv, as a C program would make them.
#include <uv.h>

#include <array>
#include <memory>
#include <vector>

#include "ci/bench/bench_streams.hpp"

namespace loopscope::bench {
namespace {

struct Server {
  explicit Server(int echoes) : clock(echoes) {}
  EchoClock clock;
  uv_loop_t loop{};
  uv_tcp_t listener{};
  std::vector<std::unique_ptr<uv_tcp_t>> connections;
  std::array<char, 65536> buffer{};
};
struct Rest {  // what the system did not take at once
  uv_write_t request{};
  std::vector<char> data;
};

void send_back(uv_stream_t* stream, const char* data, std::size_t size) {
  uv_buf_t out = uv_buf_init(const_cast<char*>(data), static_cast<unsigned>(size));
  const int taken = uv_try_write(stream, &out, 1);
  const std::size_t sent = taken > 0 ? static_cast<std::size_t>(taken) : 0;
  if (sent == size) return;
  auto rest = std::make_unique<Rest>();
  rest->data.assign(data + sent, data + size);
  out = uv_buf_init(rest->data.data(), static_cast<unsigned>(rest->data.size()));
  rest->request.data = rest.get();
  uv_write(&rest.release()->request, stream, &out, 1, [](uv_write_t* request, int) {
    const std::unique_ptr<Rest> owned(static_cast<Rest*>(request->data));
  });
}

void lend(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
  auto& server = *static_cast<Server*>(handle->data);
  *buffer = uv_buf_init(server.buffer.data(), static_cast<unsigned>(server.buffer.size()));
}
void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  if (count < 0) uv_read_stop(stream);
  if (count <= 0) return;
  auto& server = *static_cast<Server*>(stream->data);
  server.clock.begins();
  send_back(stream, buffer->base, static_cast<std::size_t>(count));
  if (server.clock.ends(static_cast<std::size_t>(count))) uv_stop(stream->loop);
}
void on_connection(uv_stream_t* listener, int status) {
  if (status < 0) return;
  auto& server = *static_cast<Server*>(listener->data);
  server.connections.push_back(std::make_unique<uv_tcp_t>());
  uv_tcp_t* connection = server.connections.back().get();
  uv_tcp_init(&server.loop, connection);
  connection->data = &server;
  uv_accept(listener, reinterpret_cast<uv_stream_t*>(connection));
  uv_tcp_nodelay(connection, 1);
  uv_read_start(reinterpret_cast<uv_stream_t*>(connection), lend, on_read);
}

EchoFigures serve(int connections, int echoes) {
  EchoClients clients(connections, echoes, kPayload);
  const auto server = std::make_unique<Server>(echoes);
  uv_loop_init(&server->loop);
  uv_tcp_init(&server->loop, &server->listener);
  server->listener.data = server.get();
  sockaddr_in address{};
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_tcp_bind(&server->listener, reinterpret_cast<const sockaddr*>(&address), 0);
  uv_listen(reinterpret_cast<uv_stream_t*>(&server->listener), 1024, on_connection);
  int size = sizeof address;
  uv_tcp_getsockname(&server->listener, reinterpret_cast<sockaddr*>(&address), &size);
  const auto* port = reinterpret_cast<const unsigned char*>(&address.sin_port);  // network order
  clients.begin(static_cast<std::uint16_t>(port[0] << 8 | port[1]));
  uv_run(&server->loop, UV_RUN_DEFAULT);
  const auto close = [](uv_handle_t* handle, void*) { uv_close(handle, nullptr); };
  uv_walk(&server->loop, close, nullptr);
  uv_run(&server->loop, UV_RUN_DEFAULT);
  uv_loop_close(&server->loop);
  return server->clock.figures();
}

}  // namespace

RawEcho raw_libuv_echo() { return serve; }

}  // namespace loopscope::bench
