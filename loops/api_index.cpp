// The entries of asyncio's Low-level API Index, under the same names.
#include "loops/api_index.hpp"

namespace loopscope {
namespace {

using Entries = std::string_view;
constexpr Entries kObtaining[] = {"get_running_loop", "get_event_loop", "set_event_loop",
                                  "new_event_loop"};
constexpr Entries kLifecycle[] = {"run_until_complete", "run_forever", "stop", "close",
                                  "is_running", "is_closed", "shutdown_asyncgens",
                                  "shutdown_default_executor"};
constexpr Entries kDebugging[] = {"set_debug", "get_debug"};
constexpr Entries kScheduling[] = {"call_soon", "call_soon_threadsafe", "call_later", "call_at",
                                   "time", "Handle.cancel", "TimerHandle.when"};
constexpr Entries kPool[] = {"run_in_executor", "set_default_executor"};
constexpr Entries kFutures[] = {"create_future", "create_task", "set_task_factory",
                                "get_task_factory"};
constexpr Entries kDns[] = {"getaddrinfo", "getnameinfo"};
constexpr Entries kNetworking[] = {
    "create_connection",       "create_server",            "create_unix_connection",
    "create_unix_server",      "connect_accepted_socket",  "create_datagram_endpoint",
    "sendfile",                "start_tls",                "connect_read_pipe",
    "connect_write_pipe"};
constexpr Entries kSockets[] = {"sock_recv",     "sock_recv_into", "sock_recvfrom",
                                "sock_recvfrom_into", "sock_sendall", "sock_sendto",
                                "sock_connect",  "sock_accept",    "sock_sendfile",
                                "add_reader",    "remove_reader",  "add_writer",
                                "remove_writer"};
constexpr Entries kSignals[] = {"add_signal_handler", "remove_signal_handler"};
constexpr Entries kSubprocesses[] = {"subprocess_exec", "subprocess_shell"};
constexpr Entries kErrors[] = {"call_exception_handler", "set_exception_handler",
                               "get_exception_handler", "default_exception_handler"};
constexpr Entries kTransports[] = {
    "Transport.close",
    "Transport.is_closing",
    "Transport.get_extra_info",
    "Transport.set_protocol",
    "Transport.get_protocol",
    "Transport.is_reading",
    "Transport.pause_reading",
    "Transport.resume_reading",
    "Transport.write",
    "Transport.writelines",
    "Transport.can_write_eof",
    "Transport.write_eof",
    "Transport.abort",
    "Transport.get_write_buffer_size",
    "Transport.get_write_buffer_limits",
    "Transport.set_write_buffer_limits",
    "DatagramTransport.sendto",
    "DatagramTransport.abort",
    "SubprocessTransport.get_pid",
    "SubprocessTransport.get_pipe_transport",
    "SubprocessTransport.get_returncode",
    "SubprocessTransport.kill",
    "SubprocessTransport.send_signal",
    "SubprocessTransport.terminate",
    "SubprocessTransport.close"};
constexpr Entries kProtocols[] = {"Protocol.connection_made",
                                  "Protocol.connection_lost",
                                  "Protocol.pause_writing",
                                  "Protocol.resume_writing",
                                  "Protocol.data_received",
                                  "Protocol.eof_received",
                                  "BufferedProtocol.get_buffer",
                                  "BufferedProtocol.buffer_updated",
                                  "DatagramProtocol.datagram_received",
                                  "DatagramProtocol.error_received",
                                  "SubprocessProtocol.pipe_data_received",
                                  "SubprocessProtocol.pipe_connection_lost",
                                  "SubprocessProtocol.process_exited"};
constexpr Entries kPolicies[] = {"get_event_loop_policy", "set_event_loop_policy",
                                 "EventLoopPolicy", "Runner", "run"};

constexpr ApiGroup kIndex[] = {
    {"Obtaining the event loop", kObtaining},
    {"Lifecycle", kLifecycle},
    {"Debugging", kDebugging},
    {"Scheduling callbacks", kScheduling},
    {"Thread pool", kPool},
    {"Tasks and futures", kFutures},
    {"DNS", kDns},
    {"Networking and IPC", kNetworking},
    {"Sockets", kSockets},
    {"Unix signals", kSignals},
    {"Subprocesses", kSubprocesses},
    {"Error handling", kErrors},
    {"Transports", kTransports},
    {"Protocols", kProtocols},
    {"Policies", kPolicies},
};

}  // namespace

std::span<const ApiGroup> api_index() { return kIndex; }

bool is_api_entry(std::string_view entry) {
  for (const ApiGroup& group : kIndex) {
    for (const std::string_view known : group.entries) {
      if (known == entry) return true;
    }
  }
  return false;
}

}  // namespace loopscope
