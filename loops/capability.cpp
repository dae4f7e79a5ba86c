// The table of capabilities.
#include "loops/capability.hpp"

#include <iterator>

namespace loopscope {
namespace {

#define LOOPSCOPE_DOCS "docs.python.org/3/library/"
constexpr CapInfo kCaps[] = {
    {Cap::call_soon, "call_soon", "FIFO callbacks",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.call_soon"},
    {Cap::call_later, "call_later", "timers",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.call_later"},
    {Cap::call_soon_threadsafe, "call_soon_threadsafe", "wake-up from another thread",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.call_soon_threadsafe"},
    {Cap::run_in_executor, "run_in_executor", "work in a thread pool",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.run_in_executor"},
    {Cap::exception_handler, "exception_handler", "exception handlers",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#error-handling-api"},
    {Cap::debug_mode, "debug_mode", "debug mode", LOOPSCOPE_DOCS "asyncio-dev.html#debug-mode"},
    {Cap::futures, "futures", "futures and tasks",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#creating-futures-and-tasks"},
    {Cap::add_reader, "add_reader", "readiness to read",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.add_reader"},
    {Cap::add_writer, "add_writer", "readiness to write",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.add_writer"},
    {Cap::sock_stream, "sock_stream", "stream socket operations",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.sock_recv"},
    {Cap::sock_datagram, "sock_datagram", "datagram socket operations",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.sock_recvfrom"},
    {Cap::sock_sendfile, "sock_sendfile", "file to socket",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.sock_sendfile"},
    {Cap::sendfile, "sendfile", "file to transport",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.sendfile"},
    {Cap::create_connection, "create_connection", "outgoing stream connections",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.create_connection"},
    {Cap::create_server, "create_server", "stream servers",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.create_server"},
    {Cap::unix_sockets, "unix_sockets", "Unix sockets",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.create_unix_connection"},
    {Cap::flow_control, "flow_control", "write flow control",
     LOOPSCOPE_DOCS "asyncio-protocol.html#flow-control-callbacks"},
    {Cap::start_tls, "start_tls", "TLS upgrade",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.start_tls"},
    {Cap::create_datagram_endpoint, "create_datagram_endpoint", "datagram endpoints",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.create_datagram_endpoint"},
    {Cap::pipes, "pipes", "pipe transports",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#working-with-pipes"},
    {Cap::subprocess, "subprocess", "child processes",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#running-subprocesses"},
    {Cap::signals, "signals", "signal handlers",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#unix-signals"},
    {Cap::getaddrinfo, "getaddrinfo", "name resolution",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#asyncio.loop.getaddrinfo"},
    {Cap::native_socket, "native_socket", "sockets of this process",
     LOOPSCOPE_DOCS "asyncio-eventloop.html#working-with-socket-objects-directly"},
};
#undef LOOPSCOPE_DOCS
static_assert(std::size(kCaps) == static_cast<std::size_t>(Cap::count_));

}  // namespace

std::string_view name(Support support) {
  switch (support) {
    case Support::absent:
      return "absent";
    case Support::emulated:
      return "emulated";
    case Support::native:
      return "native";
  }
  return "absent";
}

std::span<const CapInfo> all_caps() { return kCaps; }
const CapInfo& info(Cap cap) { return kCaps[static_cast<std::size_t>(cap)]; }

std::optional<Cap> cap_by_id(std::string_view id) {
  for (const CapInfo& row : kCaps) {
    if (row.id == id) return row.cap;
  }
  return std::nullopt;
}

}  // namespace loopscope
