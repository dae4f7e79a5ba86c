// Steps that many bodies share.
#include "harness/scenarios/steps.hpp"

#include <array>
#include <chrono>

#include "harness/scenarios/works.hpp"
#include "loops/base/clock.hpp"

namespace loopscope::scenarios {

bool turn_until(Context& cx, const std::function<bool()>& done, int turns) {
  for (int i = 0; i < turns && !done(); ++i) cx.run_once();
  return done();
}

void turn(Context& cx, int turns) {
  for (int i = 0; i < turns; ++i) cx.run_once();
}

bool run_patiently(Context& cx, const std::function<bool()>& done) {
  constexpr int kMost = 1500, kLeast = 60;
  const TimePoint half = saturating_add(now(), cx.limit() / 2);
  int runs = 0;
  bool reached = false;
  cx.run_until(
      [&] { return (reached = done()) || ++runs > kMost || (runs > kLeast && now() > half); });
  return reached;
}

std::uint64_t waits_while_idle(Context& cx, Duration idle) {
  turn(cx, 2);  // What was queued before is not idleness.
  const std::uint64_t before = cx.waits();
  cx.loop().call_later(idle, [&cx] { cx.loop().stop(); });
  cx.run_forever();
  return cx.waits() - before;
}

std::string take(os::NativeSocket fd, std::size_t max) {
  Bytes buffer(max);
  const Result<os::Transfer> got = os::read(fd, buffer);
  if (!got.ok() || !got.value()) return {};
  return text(ByteView(buffer).first(*got.value()));
}

std::size_t fill(os::NativeSocket fd) {
  ours(os::set_blocking(fd, false));
  const Bytes block(4096, std::byte{'f'});
  std::size_t written = 0;
  for (;;) {
    const os::Transfer put = ours(os::write(fd, block));
    if (!put) return written;
    written += *put;
  }
}

os::UniqueFd duplicate_at(Context& cx, os::NativeSocket of, os::NativeSocket number) {
  constexpr os::NativeSocket kOneMore = 1;
  if (os::index_of(kOneMore) == 0 && number % 4 != 0) {
    harness_failed(make_error(Errc::not_supported, "duplicate", "handles are multiples of four"));
  }
  std::vector<os::UniqueFd> below;
  for (;;) {
    os::UniqueFd next = ours(os::duplicate(of));
    if (next.get() == number) return next;
    if (next.get() > number) cx.inconclusive("descriptor " + show(number) + " is taken");
    below.push_back(std::move(next));
  }
}

bool bounded_by_fd_setsize(const Context& cx) {
  for (const std::string_view call : cx.descriptor().wait_calls) {
    if (call.find("select") != std::string_view::npos) return true;
  }
  return false;
}

void require_descriptors(Context& cx, std::size_t wanted) {
  const std::size_t limit = cx.raise_descriptor_limit();
  if (limit < wanted) {
    cx.skip("needs " + show(wanted) + " descriptors; the hard limit of RLIMIT_NOFILE is " +
            show(limit));
  }
}

std::vector<os::UniqueFd> exhaust_descriptors(os::NativeSocket of) {
  std::vector<os::UniqueFd> all;
  for (;;) {
    Result<os::UniqueFd> next = os::duplicate(of);
    if (!next.ok()) return all;
    all.push_back(std::move(next).value());
  }
}

Socket listening_socket(int backlog) {
  Socket listener = ours(Socket::make(AddressFamily::ipv4, SocketType::stream));
  ours(os::bind(listener.native(), Endpoint::loopback(AddressFamily::ipv4)));
  ours(os::listen(listener.native(), backlog));
  return listener;
}

Peer connect_to(const Endpoint& address) {
  os::UniqueFd fd = ours(os::open_socket(address.family(), SocketType::stream, true));
  (void)ours(os::connect(fd.get(), address));  // A blocking socket: connected at once.
  return Peer(std::move(fd));
}

Endpoint closed_udp_port() {
  const Socket briefly = ours(Socket::make(AddressFamily::ipv4, SocketType::datagram));
  ours(os::bind(briefly.native(), Endpoint::loopback(AddressFamily::ipv4)));
  return ours(os::local_address(briefly.native()));
}

bool family_available(AddressFamily family) {
  const Result<Socket> made = Socket::make(family, SocketType::datagram);
  return made.ok() && os::bind(made.value().native(), Endpoint::loopback(family)).ok();
}

Receiver::Receiver(Context& cx, StreamPair& pair) : cx_(cx), pair_(pair) {
  cx_.thread([this] { received_ = pair_.peer.recv_until_eof(); });
}

const Bytes& Receiver::finish() {
  pair_.subject.close();
  cx_.join_threads();
  return received_;
}

Crowd::Crowd(Context& cx, std::size_t count) : prefix_('\0' + cx.temp_dir() + '.') {
  members_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Result<Socket> made = Socket::make(family_, SocketType::datagram);
    if (!made.ok() && made.error().is_errno(EMFILE)) break;
    if (!made.ok() && made.error().is_errno(EAFNOSUPPORT) && i == 0) {
      family_ = AddressFamily::ipv4;  // No Unix sockets here.
      made = Socket::make(family_, SocketType::datagram);
    }
    members_.push_back(ours(std::move(made)));
  }
  named_.resize(members_.size());
}

void Crowd::make_readable(std::size_t index) {
  // Each sends to itself: a common sender would run out of buffer after a few hundred. Abstract
  // names leave no file to remove.
  const os::NativeSocket member = members_[index].native();
  const bool local = family_ == AddressFamily::unix_domain;
  Endpoint name =
      local ? ours(Endpoint::unix_path(prefix_ + show(index))) : Endpoint::loopback(family_);
  if (!named_[index]) ours(os::bind(member, name));
  named_[index] = true;
  if (!local) name = ours(os::local_address(member));
  if (!ours(os::sendto(member, view("x"), &name))) {
    throw PeerFailure(make_error(Errc::invalid_state, "sendto", "would block"));
  }
}

int works(EventLoop& loop) {
  bool timed = false, posted = false, read = false;
  Result<os::Pipe> pipe = os::open_pipe();
  if (!pipe.ok() || !os::write(pipe->write.get(), view("x")).ok()) return 10;
  const auto reader = [&] {
    read = true;
    (void)loop.remove_reader(pipe->read.get());  // Registered: it just ran.
    if (timed && posted) loop.stop();
  };
  if (!loop.add_reader(pipe->read.get(), reader).ok()) return 11;
  loop.call_later(std::chrono::milliseconds(2), [&] {
    timed = true;
    loop.call_soon_threadsafe([&] {
      posted = true;
      if (read) loop.stop();
    });
  });
  if (!loop.run_forever().ok()) return 12;
  return timed && posted && read ? 0 : 13;
}

}  // namespace loopscope::scenarios
