// Default bodies: a capability that a loop lacks refuses, and does nothing else.
#include "loops/event_loop.hpp"

namespace loopscope {
namespace {
Error refusal(std::string_view op) { return make_error(Errc::not_supported, op); }
}  // namespace

std::string_view name(Family family) {
  switch (family) {
    case Family::selector:
      return "selector";
    case Family::proactor:
      return "proactor";
    case Family::reference:
      return "reference";
    case Family::remote:
      return "remote";
  }
  return "unknown";
}

EventLoop::EventLoop() : link_(std::make_shared<LoopLink>(LoopLink{this})) {}
EventLoop::~EventLoop() { link_->loop = nullptr; }

void EventLoop::abandon_tasks() {
  while (link_->tasks != nullptr) link_->tasks->abandon();
}

#define LOOPSCOPE_REFUSE_FUTURE(type, signature, op) \
  Future<type> EventLoop::signature { return done_future<type>(refusal(op)); }

LOOPSCOPE_REFUSE_FUTURE(void, shutdown_asyncgens(), "shutdown_asyncgens")
LOOPSCOPE_REFUSE_FUTURE(void, shutdown_default_executor(std::optional<Duration>),
                        "shutdown_default_executor")
LOOPSCOPE_REFUSE_FUTURE(std::vector<Endpoint>, getaddrinfo(std::string, std::string, AddressHints),
                        "getaddrinfo")
LOOPSCOPE_REFUSE_FUTURE(NameInfo, getnameinfo(Endpoint, NameInfoFlags), "getnameinfo")
LOOPSCOPE_REFUSE_FUTURE(Link, create_connection(ProtocolFactory, ConnectOptions),
                        "create_connection")
LOOPSCOPE_REFUSE_FUTURE(std::shared_ptr<Server>, create_server(ProtocolFactory, ServerOptions),
                        "create_server")
LOOPSCOPE_REFUSE_FUTURE(Link, create_unix_connection(ProtocolFactory, UnixConnectOptions),
                        "create_unix_connection")
LOOPSCOPE_REFUSE_FUTURE(std::shared_ptr<Server>,
                        create_unix_server(ProtocolFactory, UnixServerOptions),
                        "create_unix_server")
LOOPSCOPE_REFUSE_FUTURE(Link,
                        connect_accepted_socket(ProtocolFactory, Socket&,
                                                std::optional<TlsOptions>),
                        "connect_accepted_socket")
LOOPSCOPE_REFUSE_FUTURE(DatagramLink, create_datagram_endpoint(DatagramFactory, DatagramOptions),
                        "create_datagram_endpoint")
LOOPSCOPE_REFUSE_FUTURE(std::uint64_t, sendfile(std::shared_ptr<Transport>, FileRange), "sendfile")
LOOPSCOPE_REFUSE_FUTURE(Link, start_tls(Link, TlsOptions), "start_tls")
LOOPSCOPE_REFUSE_FUTURE(Link, connect_read_pipe(ProtocolFactory, PipeEnd), "connect_read_pipe")
LOOPSCOPE_REFUSE_FUTURE(Link, connect_write_pipe(ProtocolFactory, PipeEnd), "connect_write_pipe")
LOOPSCOPE_REFUSE_FUTURE(Bytes, sock_recv(Socket&, std::size_t), "sock_recv")
LOOPSCOPE_REFUSE_FUTURE(std::size_t, sock_recv_into(Socket&, std::span<std::byte>),
                        "sock_recv_into")
LOOPSCOPE_REFUSE_FUTURE(Datagram, sock_recvfrom(Socket&, std::size_t), "sock_recvfrom")
using SizedSender = std::pair<std::size_t, Endpoint>;
LOOPSCOPE_REFUSE_FUTURE(SizedSender, sock_recvfrom_into(Socket&, std::span<std::byte>),
                        "sock_recvfrom_into")
LOOPSCOPE_REFUSE_FUTURE(void, sock_sendall(Socket&, Bytes), "sock_sendall")
LOOPSCOPE_REFUSE_FUTURE(std::size_t, sock_sendto(Socket&, Bytes, Endpoint), "sock_sendto")
LOOPSCOPE_REFUSE_FUTURE(void, sock_connect(Socket&, Endpoint), "sock_connect")
LOOPSCOPE_REFUSE_FUTURE(Accepted, sock_accept(Socket&), "sock_accept")
LOOPSCOPE_REFUSE_FUTURE(std::uint64_t, sock_sendfile(Socket&, FileRange), "sock_sendfile")
LOOPSCOPE_REFUSE_FUTURE(ProcessLink, subprocess_exec(ProcessFactory, ProcessOptions),
                        "subprocess_exec")
LOOPSCOPE_REFUSE_FUTURE(ProcessLink, subprocess_shell(ProcessFactory, std::string, ProcessOptions),
                        "subprocess_shell")
#undef LOOPSCOPE_REFUSE_FUTURE

Handle EventLoop::call_soon_threadsafe(Callback) { return Handle(Errc::not_supported); }
Result<EventLoop::JobId> EventLoop::execute(Job, std::shared_ptr<Executor>) {
  return refusal("run_in_executor");
}
void EventLoop::withdraw(JobId) {}
Result<void> EventLoop::set_default_executor(std::shared_ptr<Executor>) {
  return refusal("set_default_executor");
}
Result<void> EventLoop::add_reader(FileObj, std::function<void()>) { return refusal("add_reader"); }
Result<bool> EventLoop::remove_reader(FileObj) { return refusal("remove_reader"); }
Result<void> EventLoop::add_writer(FileObj, std::function<void()>) { return refusal("add_writer"); }
Result<bool> EventLoop::remove_writer(FileObj) { return refusal("remove_writer"); }
Result<void> EventLoop::add_signal_handler(int, std::function<void()>) {
  return refusal("add_signal_handler");
}
Result<bool> EventLoop::remove_signal_handler(int) { return refusal("remove_signal_handler"); }

void EventLoop::set_debug(bool) {}
bool EventLoop::get_debug() const { return false; }
void EventLoop::set_slow_callback_duration(Duration) {}
void EventLoop::set_log_sink(LogSink) {}
void EventLoop::log(LogLevel, std::string_view) {}
void EventLoop::set_task_factory(TaskFactory) {}
TaskFactory EventLoop::get_task_factory() const { return {}; }
void EventLoop::call_exception_handler(const ExceptionContext&) {}
void EventLoop::set_exception_handler(ExceptionHandler) {}
ExceptionHandler EventLoop::get_exception_handler() const { return {}; }
void EventLoop::default_exception_handler(const ExceptionContext&) {}

Future<void> sleep(EventLoop& loop, Delay delay) {
  if (!delay.is_nan() && delay.value() <= Duration::zero() && !loop.is_closed()) {
    const Future<void> turn = loop.done_future<void>({});
    turn.state()->take_a_turn();
    return turn;
  }
  Future<void> done = loop.create_future();
  TimerHandle timer = loop.call_later(delay, [done]() mutable { done.set_result(); });
  if (const Result<void> taken = timer.accepted(); !taken.ok()) {
    return loop.done_future<void>(taken.error());
  }
  done.set_cancel_hook([timer]() mutable { timer.cancel(); });
  return done;
}

}  // namespace loopscope
