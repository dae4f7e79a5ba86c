// Measuring select and WSAPoll.
#include <array>
#include <vector>

#include "loops/base/clock.hpp"
#include "loops/os/net.hpp"
#include "loops/os/windows/winsock.hpp"
#include "probe/probe_context.hpp"
#include "probe/windows/answers.hpp"

namespace loopscope::windows {
namespace {

/// Makes it so many bound datagram sockets, the last of which alone has a datagram to read; fewer
/// when the time runs out.
Result<void> grow(const ProbeContext& cx, std::vector<os::UniqueFd>& sockets, std::size_t size) {
  if (!sockets.empty()) {
    std::array<std::byte, 8> bytes;
    if (auto taken = os::recv(sockets.back().get(), bytes); !taken.ok()) return taken.error();
  }
  while (sockets.size() < size && !cx.is_late()) {
    auto one = os::open_socket(AddressFamily::ipv4, SocketType::datagram);
    if (!one.ok()) return one.error();
    auto bound = os::bind(one->get(), Endpoint::loopback(AddressFamily::ipv4));
    if (!bound.ok()) return bound.error();
    sockets.push_back(std::move(one).value());
  }
  if (sockets.size() < size) return {};
  const auto last = os::local_address(sockets.back().get());
  if (!last.ok()) return last.error();
  auto sent = os::sendto(sockets.front().get(), std::as_bytes(std::span("x", 1)), &*last);
  if (!sent.ok()) return sent.error();
  return {};
}

constexpr std::size_t kSizes[] = {1, 64, 65, 512, 513, 1024, 2000, 4000};

/// The greatest size for which `wait` finds the one socket that is ready, and how long it takes.
template <class Wait>
FactResult greatest(ProbeContext& cx, const char* call, Wait wait) {
  std::int64_t most = 0;
  std::vector<os::UniqueFd> sockets;
  for (const std::size_t size : kSizes) {
    const std::string what = std::string(call) + ", " + std::to_string(size) + " sockets";
    if (const Result<void> grown = grow(cx, sockets, size); !grown.ok()) {
      cx.note(what, to_string(grown.error()));
      break;
    }
    if (sockets.size() < size) return count(most, "as many as there was time for");
    const TimePoint begin = now();
    const bool found = wait(sockets);
    const Duration took = now() - begin;
    cx.note(what, (found ? "the ready one, " : "not the ready one, ") +
                      std::to_string(took.count()) + " ns");
    if (!found) break;
    most = static_cast<std::int64_t>(size);
  }
  return count(most, most == 4000 ? "as many as were tried" : "");
}

FactResult select_sockets(ProbeContext& cx) {
  return greatest(cx, "select", [](const std::vector<os::UniqueFd>& sockets) {
    std::vector<SOCKET> memory(sockets.size() + 1);
    auto* set = reinterpret_cast<fd_set*>(memory.data());
    set->fd_count = static_cast<u_int>(sockets.size());
    for (std::size_t i = 0; i < sockets.size(); ++i) memory[i + 1] = sockets[i].get();
    const timeval limit{1, 0};
    return ::select(0, set, nullptr, nullptr, &limit) == 1 && memory[1] == sockets.back().get();
  });
}

FactResult wsapoll_sockets(ProbeContext& cx) {
  return greatest(cx, "WSAPoll", [](const std::vector<os::UniqueFd>& sockets) {
    std::vector<WSAPOLLFD> slots;
    for (const os::UniqueFd& one : sockets) slots.push_back({one.get(), POLLRDNORM, 0});
    return ::WSAPoll(slots.data(), static_cast<ULONG>(slots.size()), 1000) == 1 &&
           (slots.back().revents & POLLRDNORM) != 0;
  });
}

FactResult connect_failure(ProbeContext& cx) {
  // Bound and never listening: connecting is refused.
  auto closed = os::open_socket(AddressFamily::ipv4, SocketType::stream);
  auto client = os::open_socket(AddressFamily::ipv4, SocketType::stream);
  if (!closed.ok() || !client.ok()) return null(Reason::failed);
  if (!os::bind(closed->get(), Endpoint::loopback(AddressFamily::ipv4)).ok()) {
    return null(Reason::failed);
  }
  const auto where = os::local_address(closed->get());
  if (!where.ok()) return null(Reason::failed, to_string(where.error()));
  const auto connecting = os::connect(client->get(), *where);
  if (!connecting.ok()) return null(Reason::failed, "refused at once");
  WSAPOLLFD slot{client->get(), POLLWRNORM, 0};
  const TimePoint begin = now();
  const int seen = ::WSAPoll(&slot, 1, 4000);  // Windows tries for two seconds before it gives up
  cx.note("WSAPoll", std::to_string(seen) + ", revents " + std::to_string(slot.revents));
  cx.note("time until then", std::to_string((now() - begin).count()) + " ns");
  return seen == 1 ? yes() : no(Reason::timeout);
}

constexpr PlatformAnswer kReadinessAnswers[] = {
    {"select.win.max_sockets", select_sockets},
    {"poll.win.WSAPoll", wsapoll_sockets},
    {"poll.win.connect_failure_reported", connect_failure},
};

}  // namespace

std::span<const PlatformAnswer> readiness_answers() { return kReadinessAnswers; }

}  // namespace loopscope::windows
