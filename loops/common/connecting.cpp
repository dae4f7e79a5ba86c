// Connecting: which address is tried when, and what becomes of those that lose.
#include "loops/common/connecting.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace loopscope {

// --- pure

std::vector<Endpoint> interleave(std::vector<Endpoint> addresses, unsigned first_family_count) {
  std::vector<std::vector<Endpoint>> families;  // in the order of their first address
  for (Endpoint& address : addresses) {
    const auto same = [&](const auto& known) { return known[0].family() == address.family(); };
    const auto found = std::find_if(families.begin(), families.end(), same);
    if (found == families.end()) {
      families.push_back({std::move(address)});
    } else {
      found->push_back(std::move(address));
    }
  }
  std::vector<Endpoint> ordered;
  std::vector<std::size_t> used(families.size(), 0);
  const auto take = [&](std::size_t family) {
    if (used[family] < families[family].size()) ordered.push_back(families[family][used[family]++]);
  };
  for (unsigned i = 1; i < first_family_count && !families.empty(); ++i) take(0);
  while (ordered.size() < addresses.size()) {
    for (std::size_t family = 0; family < families.size(); ++family) take(family);
  }
  return ordered;
}

std::optional<Endpoint> literal_address(std::string_view host, std::string_view service,
                                        AddressFamily family) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(service.data(), service.data() + service.size(), port);
  if (error != std::errc() || end != service.data() + service.size()) return std::nullopt;
  const Result<Endpoint> address = Endpoint::ip(host, port);
  if (!address.ok()) return std::nullopt;
  if (family != AddressFamily::unspecified && address->family() != family) return std::nullopt;
  return *address;
}

Result<void> check_connect_options(std::string_view op, const ConnectOptions& options) {
  const bool named = !options.host.empty() || !options.service.empty();
  const int ways = int{named} + int{!options.addresses.empty()} + int{options.sock != nullptr};
  if (ways != 1) {
    return make_error(Errc::invalid_argument, op,
                      "one of host with service, addresses and sock is needed");
  }
  if (named && options.service.empty()) {
    return make_error(Errc::invalid_argument, op, "a host without a service");
  }
  const bool about_addresses = options.local_addr || options.happy_eyeballs_delay ||
                               options.interleave || options.family != AddressFamily::unspecified;
  if (options.sock != nullptr && about_addresses) {
    return make_error(Errc::invalid_argument, op, "a connected socket and options for a new one");
  }
  if (options.happy_eyeballs_delay && *options.happy_eyeballs_delay < Duration::zero()) {
    return make_error(Errc::invalid_argument, op, "a negative happy_eyeballs_delay");
  }
  return {};
}

Result<void> check_connected_socket(std::string_view op, const Socket& socket) {
  if (!socket) return errno_error_of(EBADF, op, "the socket is closed");
  const Result<SocketType> type = os::type_of(socket.native());
  if (!type.ok()) return type.error();
  if (*type != SocketType::stream) {
    return make_error(Errc::invalid_argument, op, "a stream socket was expected");
  }
  if (os::is_listening(socket.native())) {
    return make_error(Errc::invalid_argument, op, "the socket listens");
  }
  const Result<Endpoint> peer = os::peer_address(socket.native());
  if (!peer.ok()) return peer.error();
  return {};
}

// --- addresses

std::shared_ptr<Connecting> Connecting::start(EventLoop& loop, ConnectOptions options, Then then) {
  auto connecting = std::make_shared<Connecting>(loop, std::move(options), std::move(then));
  connecting->resolve();
  return connecting;
}

Connecting::Connecting(EventLoop& loop, ConnectOptions options, Then then)
    : loop_(loop), options_(std::move(options)), then_(std::move(then)) {}

void Connecting::resolve() {
  if (!options_.addresses.empty()) {
    try_addresses(std::move(options_.addresses));
    return;
  }
  if (auto literal = literal_address(options_.host, options_.service, options_.family)) {
    try_addresses({*literal});
    return;
  }
  resolving_ = loop_.getaddrinfo(options_.host, options_.service, {.family = options_.family});
  resolving_.add_done_callback([weak = weak_from_this()] {
    const std::shared_ptr<Connecting> self = weak.lock();
    if (!self || !self->then_) return;
    Result<std::vector<Endpoint>> addresses = self->resolving_.result();
    if (!addresses.ok()) {
      self->finish(addresses.error());
    } else {
      self->try_addresses(std::move(addresses).value());
    }
  });
}

void Connecting::try_addresses(std::vector<Endpoint> addresses) {
  const unsigned first_count =
      options_.interleave.value_or(options_.happy_eyeballs_delay.has_value() ? 1 : 0);
  addresses_ =
      first_count > 0 ? interleave(std::move(addresses), first_count) : std::move(addresses);
  if (addresses_.empty()) {
    finish(errno_error_of(EADDRNOTAVAIL, "getaddrinfo", options_.host + " has no address"));
    return;
  }
  try_next();
}

// --- attempts

void Connecting::try_next() {
  const std::shared_ptr<Connecting> keep = shared_from_this();
  (void)head_start_.cancel();
  while (then_ && next_ < addresses_.size()) {
    if (begin(addresses_[next_++])) {
      arm_head_start();
      return;
    }
  }
  if (!then_ || !running_.empty()) return;
  Error error = *last_error_;
  if (failures_.size() > 1) {
    error.detail.clear();
    for (const std::string& failure : failures_) {
      error.detail += (error.detail.empty() ? "" : "; ") + failure;
    }
  }
  finish(std::move(error));
}

void Connecting::arm_head_start() {
  if (!options_.happy_eyeballs_delay || next_ == addresses_.size()) return;
  head_start_ = loop_.call_later(*options_.happy_eyeballs_delay, [weak = weak_from_this()] {
    if (const std::shared_ptr<Connecting> self = weak.lock(); self && self->then_) self->try_next();
  });
}

Result<Socket> Connecting::open(const Endpoint& address) const {
  const std::optional<Endpoint>& local = options_.local_addr;
  if (local && local->family() != address.family()) {
    return errno_error_of(EAFNOSUPPORT, "bind",
                          local->to_string() + " is of another family than " + address.to_string());
  }
  Result<Socket> socket = Socket::make(address.family(), SocketType::stream);
  if (!socket.ok() || !local) return socket;
  if (const Result<void> bound = os::bind(socket->native(), *local); !bound.ok()) {
    return bound.error();
  }
  return socket;
}

bool Connecting::begin(const Endpoint& address, bool repeated) {
  Result<Socket> socket = open(address);
  if (!socket.ok()) {
    record(address, socket.error());
    return false;
  }
  Attempt attempt{++last_id_, address, repeated, std::move(socket).value(), {}};
  attempt.connecting = loop_.sock_connect(attempt.socket, address);
  if (attempt.connecting.done()) {
    const Result<void> outcome = attempt.connecting.result();
    return settle(std::move(attempt), outcome);
  }
  attempt.connecting.add_done_callback([weak = weak_from_this(), id = attempt.id] {
    if (const std::shared_ptr<Connecting> self = weak.lock(); self && self->then_) self->ended(id);
  });
  running_.push_back(std::move(attempt));
  return true;
}

void Connecting::ended(std::uint64_t id) {
  const auto found = std::find_if(running_.begin(), running_.end(),
                                  [id](const Attempt& attempt) { return attempt.id == id; });
  if (found == running_.end()) return;
  Attempt attempt = std::move(*found);
  running_.erase(found);
  const Result<void> outcome = attempt.connecting.result();
  // The next address need not wait for its turn when the one before it has failed.
  const bool newest = id == last_id_;
  if (settle(std::move(attempt), outcome) || !then_) return;
  if (newest || running_.empty()) try_next();
}

/// What an attempt came to. true: it goes on in another one; false: it is over, and `then_` tells
/// whether it was the last.
bool Connecting::settle(Attempt attempt, const Result<void>& outcome) {
  if (!outcome.ok()) {
    Error error = outcome.error();
    if (error.detail.empty()) error.detail = attempt.address.to_string();
    record(attempt.address, std::move(error));
    return false;
  }
  // A client may be given the very port that it connects to, and then TCP connects it to itself.
  const Result<Endpoint> local = os::local_address(attempt.socket.native());
  const Result<Endpoint> peer = os::peer_address(attempt.socket.native());
  const bool ip = attempt.address.family() != AddressFamily::unix_domain;
  if (ip && local.ok() && peer.ok() && *local == *peer) {
    attempt.socket.close();
    const bool chosen = options_.local_addr && options_.local_addr->port() != 0;
    if (!chosen && !attempt.repeated) return begin(attempt.address, true);
    const std::string detail = attempt.address.to_string() + ": connected to itself";
    record(attempt.address, errno_error_of(ECONNREFUSED, "connect", detail));
    return false;
  }
  finish(std::move(attempt.socket));
  return false;
}

void Connecting::record(const Endpoint& address, Error error) {
  std::string text =
      address.to_string() + ": " + std::string(error.op) + " " + error_name(error.code);
  if (!error.detail.empty() && error.detail != address.to_string()) text += " " + error.detail;
  failures_.push_back(std::move(text));
  last_error_ = std::move(error);
}

void Connecting::finish(Result<Socket> outcome) {
  const Then then = std::exchange(then_, nullptr);
  stop();
  then(std::move(outcome));
}

void Connecting::stop() {
  then_ = nullptr;
  (void)head_start_.cancel();
  if (resolving_.valid()) (void)resolving_.cancel();
  std::vector<Attempt> losers = std::move(running_);
  running_.clear();
  // Unwatched before they are closed: the number may belong to somebody else right after.
  for (Attempt& loser : losers) (void)loser.connecting.cancel();
}

}  // namespace loopscope
