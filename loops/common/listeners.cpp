// Names to addresses, addresses to bound sockets.
#include "loops/common/listeners.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "loops/os/socket_file.hpp"

namespace loopscope {
namespace {

constexpr std::string_view kOp = "create_server";

/// The port that a service of digits names; nullopt for a name.
Result<std::optional<std::uint16_t>> numeric_port(const std::string& service) {
  if (service.empty()) return std::optional<std::uint16_t>(std::uint16_t{0});
  if (!std::all_of(service.begin(), service.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::optional<std::uint16_t>();
  }
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(service.data(), service.data() + service.size(), port);
  if (parsed.ec != std::errc()) {
    return make_error(Errc::invalid_argument, kOp, "there is no port " + service);
  }
  return std::optional<std::uint16_t>(port);
}

bool wanted(AddressFamily asked, AddressFamily family) {
  return asked == AddressFamily::unspecified || asked == family;
}

/// The addresses of a literal host, or of all interfaces for an empty one; none for a name.
std::vector<Endpoint> literal(const std::string& host, std::uint16_t port, AddressFamily family) {
  std::vector<Endpoint> found;
  for (const std::string& one :
       host.empty() ? std::vector<std::string>{"0.0.0.0", "::"} : std::vector<std::string>{host}) {
    const Result<Endpoint> address = Endpoint::ip(one, port);
    if (address.ok() && wanted(family, address->family())) found.push_back(*address);
  }
  return found;
}

void add_once(std::vector<Endpoint>& all, const std::vector<Endpoint>& more) {
  for (const Endpoint& one : more) {
    if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(one);
  }
}

/// The hosts' addresses in the order of the hosts, once the last one is known.
class Resolution : public std::enable_shared_from_this<Resolution> {
 public:
  Resolution(EventLoop& loop, std::size_t hosts)
      : future_(loop.create_future<std::vector<Endpoint>>()), found_(hosts) {}

  Future<std::vector<Endpoint>> future() const { return future_; }
  void know(std::size_t index, std::vector<Endpoint> addresses) {
    found_[index] = std::move(addresses);
  }
  void ask(std::size_t index, const Future<std::vector<Endpoint>>& answer) {
    ++pending_;
    asked_.push_back(answer);
    asked_.back().add_done_callback(
        [keep = shared_from_this(), index, answer] { keep->answered(index, answer); });
  }
  void all_asked() {
    if (pending_ == 0) {
      complete();
    } else {
      future_.set_cancel_hook([keep = shared_from_this()] { keep->give_up(); });
    }
  }

 private:
  void answered(std::size_t index, const Future<std::vector<Endpoint>>& answer) {
    --pending_;
    const Result<std::vector<Endpoint>> addresses = answer.result();
    if (future_.done()) return;
    if (!addresses.ok()) {
      future_.set_error(addresses.error());
      give_up();
      return;
    }
    found_[index] = *addresses;
    if (pending_ == 0) complete();
  }
  void give_up() {
    for (auto& answer : asked_) (void)answer.cancel();
    asked_.clear();
  }
  void complete() {
    std::vector<Endpoint> all;
    for (const std::vector<Endpoint>& some : found_) add_once(all, some);
    asked_.clear();
    future_.set_result(std::move(all));
  }

  Future<std::vector<Endpoint>> future_;
  std::vector<std::vector<Endpoint>> found_;
  std::vector<Future<std::vector<Endpoint>>> asked_;
  std::size_t pending_ = 0;
};

Result<Listener> bind_one(const Endpoint& address, const ServerOptions& options) {
  Result<os::UniqueFd> fd = os::open_socket(address.family(), SocketType::stream);
  if (!fd.ok()) {
    Error error = fd.error();
    error.detail = address.to_string();
    return error;
  }
  if (options.reuse_address.value_or(os::kReuseAddress)) {
    if (auto set = os::set_reuse_address(fd->get(), true); !set.ok()) return set.error();
  }
  if (options.reuse_port) {
    if (auto set = os::set_reuse_port(fd->get(), true); !set.ok()) return set.error();
  }
  // Otherwise "::" takes the IPv4 side as well, and the bind of 0.0.0.0 fails.
  if (address.family() == AddressFamily::ipv6) {
    if (auto set = os::set_v6_only(fd->get(), true); !set.ok()) return set.error();
  }
  if (auto bound = os::bind(fd->get(), address); !bound.ok()) return bound.error();
  const Result<Endpoint> name = os::local_address(fd->get());
  if (!name.ok()) return name.error();
  return Listener{std::move(fd).value(), *name};
}

/// IPv6 that is compiled in and switched off, or an address that was taken away meanwhile.
bool not_here(const Error& error) {
  return error.is_errno(EADDRNOTAVAIL) || error.is_errno(EAFNOSUPPORT);
}

Result<Listeners> bind_all(const std::vector<Endpoint>& addresses, const ServerOptions& options) {
  Listeners bound;
  std::uint16_t shared_port = 0;
  for (Endpoint address : addresses) {
    if (address.port() == 0 && shared_port != 0) {
      const Result<Endpoint> same_port = Endpoint::ip(address.host(), shared_port);
      if (!same_port.ok()) return same_port.error();
      address = *same_port;
    }
    Result<Listener> one = bind_one(address, options);
    if (one.ok()) {
      if (shared_port == 0) shared_port = one->address.port();
      bound.sockets.push_back(std::move(one).value());
    } else if (not_here(one.error())) {
      bound.skipped.push_back(one.error());
    } else {
      return one.error();
    }
  }
  if (bound.sockets.empty() && !bound.skipped.empty()) return bound.skipped.front();
  return bound;
}

}  // namespace

Result<void> check_server_options(const ServerOptions& options) {
  const bool by_host = !options.hosts.empty() || options.service != "0";
  const bool by_address = !options.addresses.empty();
  const bool by_socket = options.sock != nullptr;
  if (by_host + by_address + by_socket > 1) {
    return make_error(Errc::invalid_argument, kOp,
                      "hosts with a service, addresses and a socket exclude each other");
  }
  if (options.backlog < 0) {
    return make_error(Errc::invalid_argument, kOp, "the backlog must not be negative");
  }
  return {};
}

Future<std::vector<Endpoint>> resolve_hosts(EventLoop& loop, const ServerOptions& options) {
  using Addresses = std::vector<Endpoint>;
  if (!options.addresses.empty()) {
    Addresses all;
    add_once(all, options.addresses);
    return loop.done_future<Addresses>(std::move(all));
  }
  const Result<std::optional<std::uint16_t>> port = numeric_port(options.service);
  if (!port.ok()) return loop.done_future<Addresses>(port.error());
  const std::vector<std::string> hosts =
      options.hosts.empty() ? std::vector<std::string>{""} : options.hosts;
  const auto resolution = std::make_shared<Resolution>(loop, hosts.size());
  AddressHints hints;
  hints.family = options.family;
  hints.passive = true;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    Addresses known = *port ? literal(hosts[i], **port, options.family) : Addresses{};
    if (known.empty()) {
      resolution->ask(i, loop.getaddrinfo(hosts[i], options.service, hints));
    } else {
      resolution->know(i, std::move(known));
    }
  }
  resolution->all_asked();
  return resolution->future();
}

Result<Listeners> bind_listeners(const std::vector<Endpoint>& addresses,
                                 const ServerOptions& options) {
  // The system's choice for the first address can be taken on the next one.
  constexpr int kAttempts = 20;
  const bool choice = std::any_of(addresses.begin(), addresses.end(),
                                  [](const Endpoint& address) { return address.port() == 0; });
  Result<Listeners> bound = bind_all(addresses, options);
  for (int i = 1; i < kAttempts && choice && !bound.ok(); ++i) {
    if (!bound.error().is_errno(EADDRINUSE)) break;
    bound = bind_all(addresses, options);
  }
  return bound;
}

Result<bool> remove_stale_socket(const Endpoint& address) {
  const std::optional<os::SocketFile> file = os::socket_file_at(address.path());
  if (!file) return false;
  const Result<os::UniqueFd> asking =
      os::open_socket(AddressFamily::unix_domain, SocketType::stream);
  if (!asking.ok()) return asking.error();
  const Result<bool> answered = os::connect(asking->get(), address);
  if (answered.ok() || !answered.error().is_errno(ECONNREFUSED)) return false;
  if (const Result<void> removed = os::remove_socket_file(*file); !removed.ok()) {
    return removed.error();
  }
  return true;
}

Result<Listener> adopt_listener(std::string_view op, Socket& socket, bool unix_domain, bool start,
                                int backlog) {
  const os::NativeSocket fd = socket.native();
  const Result<SocketType> type = os::type_of(fd);
  if (!type.ok()) return Error{type.error().code, op, to_string(type.error())};
  const Result<Endpoint> address = os::local_address(fd);
  if (!address.ok()) return address.error();
  if (*type != SocketType::stream) {
    return make_error(Errc::invalid_argument, op, "a stream socket was expected");
  }
  if (unix_domain && address->family() != AddressFamily::unix_domain) {
    return make_error(Errc::invalid_argument, op, "a Unix socket was expected");
  }
  if (os::peer_address(fd).ok()) {
    return make_error(Errc::invalid_argument, op, "the socket is connected");
  }
  if (start) {
    if (auto listens = os::listen(fd, backlog); !listens.ok()) return listens.error();
  }
  if (auto set = os::set_blocking(fd, false); !set.ok()) return set.error();
  return Listener{socket.release(), *address};
}

}  // namespace loopscope
