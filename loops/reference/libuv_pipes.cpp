// Pipe transports over uv_pipe, uv_tty and uv_tcp, whichever uv_guess_handle names.
#include "loops/reference/libuv_stream_end.hpp"

namespace loopscope::libuv {
namespace {

Future<Link> connect_pipe(LibuvLoop& loop, const ProtocolFactory& factory, PipeEnd pipe,
                          std::string_view op, Sides sides) {
  const auto open = [&](StreamEnd& end) { return end.open_pipe(std::move(pipe), sides); };
  return link_up<Link, StreamEnd>(loop, factory, op, open);
}

}  // namespace

Future<Link> LibuvLoop::connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) {
  const std::string_view op = "connect_read_pipe";
  if (const std::optional<Errc> why = refuses()) return done_future<Link>(make_error(*why, op));
  return connect_pipe(*this, factory, std::move(pipe), op, {.read = true, .write = false});
}

Future<Link> LibuvLoop::connect_write_pipe(ProtocolFactory factory, PipeEnd pipe) {
  const std::string_view op = "connect_write_pipe";
  if (const std::optional<Errc> why = refuses()) return done_future<Link>(make_error(*why, op));
  return connect_pipe(*this, factory, std::move(pipe), op, {.read = false, .write = true});
}

}  // namespace loopscope::libuv
