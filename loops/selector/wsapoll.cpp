// WSAPoll selector: level-triggered, no limit, O(n) per wait.
//
// Quirks handled here; those with an id have a probe of the same id:
//   poll.win.connect_failure_reported  before Windows 10 2004 a failed connect never is. Whether it
//                            is, is found out: while a connection is under way, waits are cut into
//                            pieces and select is asked as well. The first failure tells which of
//                            both says it; where WSAPoll does, nothing is cut from then on.
//   closed sockets           one fails the call, or reports POLLNVAL for ever.
// Source: WSAPoll, remarks; github.com/MicrosoftDocs/sdk-api issue 764.
#include <algorithm>
#include <atomic>

#include "loops/os/windows/winsock.hpp"
#include "loops/selector/winsock.hpp"

namespace loopscope {
namespace {

constexpr std::size_t kNoSlot = ~std::size_t{0};
constexpr int kPieceMs = 50;

/// What this system's WSAPoll does with a failed connect. Of the process: one kernel, one answer.
enum class Tells : std::uint8_t { unknown, yes, no };
std::atomic<Tells> g_tells_failures{Tells::unknown};

SHORT mask_of(Interest interest) {
  return static_cast<SHORT>((interest.read ? POLLRDNORM : 0) | (interest.write ? POLLWRNORM : 0));
}

Interest interest_of(SHORT events) {
  const bool broken = (events & (POLLHUP | POLLERR)) != 0;  // unasked
  return {(events & POLLRDNORM) != 0 || broken, (events & POLLWRNORM) != 0 || broken};
}

bool is_connected(SOCKET socket) {
  sockaddr_storage peer{};
  int size = sizeof peer;
  return ::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) == 0 ||
         ::WSAGetLastError() != WSAENOTCONN;
}

/// Does select put it into its third set now?
bool select_tells_failure(SOCKET socket) {
  fd_set one;
  one.fd_count = 1;
  one.fd_array[0] = socket;
  const timeval at_once{};
  return ::select(0, nullptr, nullptr, &one, &at_once) == 1;
}

class WsapollSelector final : public Selector {
 public:
  Result<void> add(os::NativeSocket fd, Interest interest) override {
    if (!os::may_exist(fd)) return errno_error_of(EBADF, "WSAPoll(add)");
    if (!os::is_socket(fd)) return errno_error_of(ENOTSOCK, "WSAPoll(add)");
    const std::size_t index = os::index_of(fd);
    if (index >= slot_of_.size()) slot_of_.resize(index + 1, kNoSlot);
    if (slot_of_[index] == kNoSlot) {
      slot_of_[index] = slots_.size();
      slots_.push_back({});
      slots_.back().fd = static_cast<SOCKET>(fd);
    }
    slots_[slot_of_[index]].events = mask_of(interest);
    std::erase(connecting_, static_cast<SOCKET>(fd));
    if (interest.write && g_tells_failures.load() != Tells::yes &&
        !is_connected(static_cast<SOCKET>(fd))) {
      connecting_.push_back(static_cast<SOCKET>(fd));
    }
    return {};
  }
  Result<void> modify(os::NativeSocket fd, Interest interest) override { return add(fd, interest); }
  Result<void> remove(os::NativeSocket fd) override {
    if (!os::may_exist(fd) || os::index_of(fd) >= slot_of_.size()) return {};
    std::erase(connecting_, static_cast<SOCKET>(fd));
    const std::size_t slot = std::exchange(slot_of_[os::index_of(fd)], kNoSlot);
    if (slot == kNoSlot) return {};
    if (slot + 1 != slots_.size()) {
      slots_[slot] = slots_.back();
      slot_of_[os::index_of(slots_[slot].fd)] = slot;
    }
    slots_.pop_back();
    return {};
  }

  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    int limit = whole_milliseconds(timeout);
    // What is left of a longer wait is the loop's to ask for again.
    if (!connecting_.empty() && (limit < 0 || limit > kPieceMs)) limit = kPieceMs;
    if (slots_.empty()) {  // WSAEINVAL. The waker's channel has broken: nothing could wake us.
      constexpr int kWhile = 100;
      ::Sleep(static_cast<DWORD>(limit < 0 ? kWhile : std::min(limit, kWhile)));
      return {};
    }
    const std::size_t before = ready.size();
    const int count = ::WSAPoll(slots_.data(), static_cast<ULONG>(slots_.size()), limit);
    // WSAENOTSOCK: every socket is a closed one; they are marked like a single one.
    if (count == SOCKET_ERROR && ::WSAGetLastError() != WSAENOTSOCK) {
      return os::windows_error("WSAPoll");
    }
    if (count != 0) collect(ready);
    for (std::size_t i = before; i < ready.size(); ++i) {
      if (ready[i].gone) (void)remove(ready[i].socket);
    }
    if (!connecting_.empty()) find_failures(ready);
    return {};
  }
  std::string_view mechanism() const override {
    return g_tells_failures.load() == Tells::no ? "WSAPoll + select" : "WSAPoll";
  }

 private:
  void collect(std::vector<Ready>& ready) {
    for (const WSAPOLLFD& slot : slots_) {
      if (slot.revents == 0) continue;
      const bool closed = (slot.revents & POLLNVAL) != 0 && !os::is_socket(slot.fd);
      ready.push_back({slot.fd, interest_of(slot.revents), closed});
    }
  }
  void find_failures(std::vector<Ready>& ready) {
    const std::vector<SOCKET> asked = connecting_;
    for (const SOCKET socket : asked) {
      const auto told = std::find_if(ready.begin(), ready.end(), [socket](const Ready& entry) {
        return entry.socket == socket;
      });
      if (told == ready.end() && !select_tells_failure(socket)) continue;
      std::erase(connecting_, socket);
      if (told == ready.end()) {
        g_tells_failures = Tells::no;
        ready.push_back({socket, {true, true}, false});
      } else if (!is_connected(socket) && g_tells_failures.load() == Tells::unknown) {
        g_tells_failures = Tells::yes;
      }
    }
  }

  std::vector<WSAPOLLFD> slots_;
  std::vector<std::size_t> slot_of_;  // by descriptor
  std::vector<SOCKET> connecting_;    // whose failure WSAPoll may keep to itself
};

SelectorResult make_wsapoll_selector() { return std::make_unique<WsapollSelector>(); }

}  // namespace

namespace loops {
extern const LoopDescriptor wsapoll_loop{.name = "wsapoll",
                                         .family = Family::selector,
                                         .mechanism = "WSAPoll",
                                         .native = kWinsockSelectorCaps | kTlsCaps,
                                         .absences = winsock_absences(),
                                         .make = make_selector_loop<make_wsapoll_selector>};
}  // namespace loops
}  // namespace loopscope
