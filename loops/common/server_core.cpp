// The life of a server: listening, resting while the system is out of descriptors, ending.
#include "loops/common/server_core.hpp"

#include <algorithm>

#include "loops/common/accept_failure.hpp"
#include "loops/common/tls_transport.hpp"

namespace loopscope {
namespace {
/// As long as asyncio rests (constants.ACCEPT_RETRY_DELAY).
constexpr std::chrono::seconds kRest{1};
}  // namespace

ServerCore::ServerCore(EventLoop& loop, std::vector<Listener> listeners, ServerRules rules)
    : link_(loop.link()), listeners_(std::move(listeners)), rules_(std::move(rules)) {}

EventLoop* ServerCore::loop() const {
  EventLoop* loop = link_->loop;
  return loop == nullptr || loop->is_closed() ? nullptr : loop;
}

int ServerCore::at_once() const { return std::clamp(rules_.backlog, 1, kMostAtOnce); }

// --- listening

Result<void> ServerCore::start_serving() {
  if (closed_ || loop() == nullptr) {
    return make_error(Errc::closed, "start_serving", "the server is closed");
  }
  if (serving_) return {};
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    Result<void> began = os::listen(listener(i), rules_.backlog);
    if (began.ok()) began = begin_accepting(i);
    if (began.ok()) continue;
    for (std::size_t k = 0; k < i; ++k) end_accepting(k);
    return Error{began.error().code, began.error().op, listeners_[i].address.to_string()};
  }
  serving_ = true;
  return {};
}

void ServerCore::close() {
  // What watches the listeners may be all that holds this server.
  const std::shared_ptr<ServerCore> keep = shared_from_this();
  end();
  tell_waiters();
}

void ServerCore::end() {
  if (closed_) return;
  closed_ = true;
  if (loop() != nullptr && rest_timer_) (void)rest_timer_.cancel();
  if (serving_ && !resting_) {
    for (std::size_t i = 0; i < listeners_.size(); ++i) end_accepting(i);
  }
  serving_ = false;
  listeners_end();
  // While the socket is open nobody else's file can have its number.
  if (rules_.file) (void)os::remove_socket_file(*rules_.file);  // E7: nobody to tell.
  listeners_.clear();
}

std::vector<Endpoint> ServerCore::sockets() const {
  std::vector<Endpoint> all;
  for (const Listener& one : listeners_) all.push_back(one.address);
  return all;
}

std::vector<os::NativeSocket> ServerCore::descriptors() const {
  std::vector<os::NativeSocket> all;
  for (const Listener& one : listeners_) all.push_back(one.fd.get());
  return all;
}

// --- accepting

void ServerCore::admit(os::UniqueFd connection) {
  want_reported_ = false;
  std::shared_ptr<BaseProtocol> protocol;
  try {
    protocol = rules_.factory();
  } catch (const ExitException&) {
    throw;
  } catch (...) {
    report("Error on transport creation for incoming connection", std::nullopt);
    return;
  }
  if (protocol == nullptr) {
    report("Error on transport creation for incoming connection",
           make_error(Errc::invalid_argument, "factory", "it made no protocol"));
    return;
  }
  // The peer may have gone already, and then there is nothing to set.
  if (rules_.keep_alive) (void)os::set_keep_alive(connection.get(), true);
  if (!rules_.secure) {
    Transport& plain = *open_connection(std::move(connection), std::move(protocol));
    connections_.emplace(&plain, &plain);
    return;
  }
  const auto tls = rules_.secure(std::move(protocol));
  if (!tls.ok()) {
    report("Error on transport creation for incoming connection", tls.error());
    return;
  }
  const std::shared_ptr<Transport> below = open_connection(std::move(connection), *tls);
  // Refused only for what does not write. connection_made comes in a later iteration.
  (void)(*tls)->attach(below);
  connections_.emplace(below.get(), tls->get());
}

bool ServerCore::accept_failed(std::size_t index, const Error& error) {
  switch (classify_accept(error)) {
    case AcceptFailure::transient:
      return true;
    case AcceptFailure::exhausted:
      rest();
      break;
    case AcceptFailure::broken:
      end_accepting(index);
      break;
  }
  if (!want_reported_) {
    want_reported_ = true;
    report("accept() failed", error);  // The handler may close this server.
  }
  return false;
}

void ServerCore::rest() {
  if (resting_) return;
  resting_ = true;
  for (std::size_t i = 0; i < listeners_.size(); ++i) end_accepting(i);
  rest_timer_ = loop()->call_later(kRest, [keep = shared_from_this()] { keep->go_on(); });
}

void ServerCore::go_on() {
  if (!resting_ || closed_ || loop() == nullptr) return;
  (void)rest_timer_.cancel();  // It may be what calls this.
  resting_ = false;
  for (std::size_t i = 0; i < listeners_.size() && accepting(); ++i) {
    const Result<void> began = begin_accepting(i);
    if (!began.ok()) report("listening again failed", began.error());
  }
}

void ServerCore::report(std::string message, std::optional<Error> error) {
  EventLoop* target = loop();
  if (target == nullptr) return;
  ExceptionContext context;
  context.message = std::move(message);
  if (!error) context.exception = std::current_exception();
  context.error = std::move(error);
  context.source = "server";
  target->call_exception_handler(context);
}

// --- connections

void ServerCore::connection_ended(BaseTransport& transport) {
  connections_.erase(&transport);
  if (loop() == nullptr) return;
  go_on();  // A descriptor has become free.
  tell_waiters();
}

template <class Act>
void ServerCore::each_connection(Act act) {
  const std::shared_ptr<ServerCore> keep = shared_from_this();
  std::vector<const BaseTransport*> now;
  for (const auto& [key, transport] : connections_) now.push_back(key);
  for (const BaseTransport* key : now) {  // Each act may end others.
    if (const auto found = connections_.find(key); found != connections_.end()) {
      act(*found->second);
    }
  }
}
void ServerCore::close_clients() {
  each_connection([](Transport& transport) { transport.close(); });
}
void ServerCore::abort_clients() {
  each_connection([](Transport& transport) { transport.abort(); });
}

// --- waiting for the end

Future<void> ServerCore::wait_closed() {
  if (closed_ && connections_.empty()) return Future<void>::ready({}, link_);
  EventLoop* target = loop();
  if (target == nullptr) return Future<void>::ready(make_error(Errc::closed, "wait_closed"), link_);
  std::erase_if(waiters_, [](const Future<void>& each) { return each.done(); });
  waiters_.push_back(target->create_future<void>());
  return waiters_.back();
}

void ServerCore::tell_waiters() {
  if (!closed_ || !connections_.empty()) return;
  for (Future<void>& waiter : std::exchange(waiters_, {})) waiter.set_result();
}

}  // namespace loopscope
