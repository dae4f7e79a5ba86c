// connect_read_pipe and connect_write_pipe.
#include <cerrno>

#include "loops/common/stream.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope {
namespace {

/// What may be one end of a pipe transport: pipes, FIFOs, sockets, terminals and other character
/// devices. Everything else is always ready, and a transport over it would block its loop.
Result<StreamOptions> options_for(std::string_view op, os::NativeSocket fd, Direction direction) {
  const Result<os::FdKind> kind = os::kind_of(fd);
  if (!kind.ok()) return kind.error();
  const bool usable = *kind == os::FdKind::pipe || *kind == os::FdKind::socket ||
                      *kind == os::FdKind::terminal || *kind == os::FdKind::character;
  if (!usable) {
    return make_error(Errc::invalid_argument, op,
                      "only pipes, sockets and character devices are supported");
  }
  if (*kind == os::FdKind::pipe) {
    // The wrong end says EBADF to a transfer of nothing, which has no other effect.
    const bool reading = direction == Direction::read;
    const Result<os::Transfer> nothing = reading ? os::read(fd, {}) : os::write(fd, {});
    if (!nothing.ok() && nothing.error().is_errno(EBADF)) {
      return errno_error_of(EBADF, op, reading ? "not open for reading" : "not open for writing");
    }
  }
  const Result<bool> blocking = os::is_blocking(fd);
  if (!blocking.ok()) return blocking.error();
  StreamOptions options;
  options.socket = *kind == os::FdKind::socket;
  options.eio_is_end = *kind == os::FdKind::terminal;
  options.restore_blocking = *blocking;
  return options;
}

}  // namespace

Future<Link> NativeLoop::connect_pipe(std::string_view op, ProtocolFactory factory, PipeEnd pipe,
                                      Direction direction) {
  if (const std::optional<Errc> why = refuses()) return done_future<Link>(make_error(*why, op));
  Result<StreamOptions> options = options_for(op, pipe.get(), direction);
  if (!options.ok()) return done_future<Link>(options.error());
  options->readable = direction == Direction::read;
  options->writable = direction == Direction::write;
  if (options->writable && !options->socket && !options->eio_is_end) {
    const Result<bool> write_only = os::is_write_only(pipe.get());
    options->watch_reader_gone = write_only.ok() && *write_only;
  }
  Future<Link> future = create_future<Link>();
  Link link;
  try {
    link.protocol = factory();
  } catch (const ExitException&) {
    throw;
  } catch (...) {
    future.set_exception(std::current_exception());
    return future;
  }
  if (const Result<void> set = os::set_blocking(pipe.get(), false); !set.ok()) {
    return done_future<Link>(set.error());
  }
  auto transport = new_stream(std::move(pipe), link.protocol, *options);
  transport->open();
  link.transport = std::move(transport);
  deliver(*this, future, std::move(link));
  return future;
}

Future<Link> NativeLoop::connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) {
  return connect_pipe("connect_read_pipe", std::move(factory), std::move(pipe), Direction::read);
}

Future<Link> NativeLoop::connect_write_pipe(ProtocolFactory factory, PipeEnd pipe) {
  return connect_pipe("connect_write_pipe", std::move(factory), std::move(pipe), Direction::write);
}

}  // namespace loopscope
