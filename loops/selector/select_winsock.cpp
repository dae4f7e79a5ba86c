// select of Winsock: a counted array of sockets, in two sizes. `select` refuses more than 512, as
// asyncio documents for its own; `select_grow` has sets of whatever size is needed.
//
// Quirks handled here; those with an id have a probe of the same id:
//   select.win.max_sockets  FD_SETSIZE is 64 unless a program says otherwise; the call itself goes
//                           by the count, and has no limit.
//   failed connects         are in the third set, and in no other.
//   three empty sets        are WSAEINVAL: that is slept through.
// Source: select, learn.microsoft.com; CPython, PC/pyconfig.h and Modules/selectmodule.c (512).
#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "loops/os/windows/winsock.hpp"
#include "loops/selector/winsock.hpp"

namespace loopscope {
namespace {

/// An fd_set of any size: its memory is a count, and then the sockets.
class SocketSet {
 public:
  void clear() { sockets_.clear(); }
  void push(SOCKET socket) { sockets_.push_back(socket); }
  /// The set as the call takes and changes it; null for an empty one.
  fd_set* raw() {
    if (sockets_.empty()) return nullptr;
    memory_.resize(sockets_.size() + 1);
    memory_[0] = 0;
    auto* set = reinterpret_cast<fd_set*>(memory_.data());
    set->fd_count = static_cast<u_int>(sockets_.size());
    std::copy(sockets_.begin(), sockets_.end(), memory_.begin() + 1);
    return set;
  }
  /// The sockets that the call has left in the set.
  std::span<const SOCKET> left() const {
    if (sockets_.empty()) return {};
    const auto* set = reinterpret_cast<const fd_set*>(memory_.data());
    return std::span(memory_).subspan(1, set->fd_count);
  }

 private:
  static_assert(offsetof(fd_set, fd_array) == sizeof(SOCKET));
  std::vector<SOCKET> sockets_, memory_;
};

constexpr std::size_t kNoSlot = ~std::size_t{0};

class WinsockSelector final : public Selector {
 public:
  explicit WinsockSelector(std::size_t most) : most_(most) {}

  Result<void> add(os::NativeSocket fd, Interest interest) override {
    if (!os::may_exist(fd)) return errno_error_of(EBADF, "select(add)");
    if (!os::is_socket(fd)) return errno_error_of(ENOTSOCK, "select(add)");
    const std::size_t index = os::index_of(fd);
    if (index >= slot_of_.size()) slot_of_.resize(index + 1, kNoSlot);
    if (slot_of_[index] == kNoSlot) {
      if (slots_.size() >= most_) {
        return make_error(Errc::invalid_argument, "select(add)",
                          "there are " + std::to_string(most_) + " sockets in the set already");
      }
      slot_of_[index] = slots_.size();
      slots_.push_back({fd, {}, {}});
    }
    slots_[slot_of_[index]].interest = interest;
    return {};
  }
  Result<void> modify(os::NativeSocket fd, Interest interest) override { return add(fd, interest); }
  Result<void> remove(os::NativeSocket fd) override {
    if (!os::may_exist(fd) || os::index_of(fd) >= slot_of_.size()) return {};
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
    read_.clear();
    write_.clear();
    except_.clear();
    for (const Slot& slot : slots_) {
      const auto socket = static_cast<SOCKET>(slot.fd);
      if (slot.interest.read) read_.push(socket);
      if (slot.interest.write) {
        write_.push(socket);
        except_.push(socket);
      }
    }
    const int limit = whole_milliseconds(timeout);
    if (slots_.empty()) {  // The waker's channel has broken: nothing is left that could wake us.
      constexpr int kWhile = 100;
      ::Sleep(static_cast<DWORD>(limit < 0 ? kWhile : std::min(limit, kWhile)));
      return {};
    }
    const timeval rest{limit / 1000, (limit % 1000) * 1000};
    const int count =
        ::select(0, read_.raw(), write_.raw(), except_.raw(), timeout ? &rest : nullptr);
    if (count == SOCKET_ERROR) {
      if (::WSAGetLastError() == WSAENOTSOCK) return drop_closed(ready);
      return os::windows_error("select");
    }
    if (count == 0) return {};
    collect(ready);
    return {};
  }
  std::string_view mechanism() const override { return "select"; }

 private:
  struct Slot {
    os::NativeSocket fd;
    Interest interest, seen;
  };
  Slot& slot_of(SOCKET socket) { return slots_[slot_of_[os::index_of(socket)]]; }

  void collect(std::vector<Ready>& ready) {
    for (const SOCKET socket : read_.left()) slot_of(socket).seen.read = true;
    for (const SOCKET socket : write_.left()) slot_of(socket).seen.write = true;
    // Urgent data is in the third set as well, of which a writer is told needlessly.
    for (const SOCKET socket : except_.left()) slot_of(socket).seen = {true, true};
    for (Slot& slot : slots_) {
      const Interest seen = std::exchange(slot.seen, {});
      if (seen.read || seen.write) ready.push_back({slot.fd, seen, false});
    }
  }
  /// Some socket was closed behind our back: finds each such one and reports it once.
  Result<void> drop_closed(std::vector<Ready>& ready) {
    const std::size_t before = ready.size();
    for (const Slot& slot : slots_) {
      if (!os::is_socket(slot.fd)) ready.push_back({slot.fd, {true, true}, true});
    }
    for (std::size_t i = before; i < ready.size(); ++i) (void)remove(ready[i].socket);
    if (ready.size() == before) return errno_error_of(ENOTSOCK, "select", "no closed socket");
    return {};
  }

  std::size_t most_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> slot_of_;  // by descriptor
  SocketSet read_, write_, except_;   // of the current wait; kept for their memory
};

constexpr std::size_t kDocumented = 512;

SelectorResult make_growing_selector() {
  return std::make_unique<WinsockSelector>(~std::size_t{0});
}

}  // namespace

SelectorResult make_select_selector() { return std::make_unique<WinsockSelector>(kDocumented); }

namespace loops {
extern const LoopDescriptor select_loop{.name = "select",
                                        .family = Family::selector,
                                        .mechanism = "select of Winsock, at most 512 sockets",
                                        .native = kWinsockSelectorCaps | kTlsCaps,
                                        .absences = winsock_absences(),
                                        .make = make_selector_loop<make_select_selector>};
extern const LoopDescriptor select_grow_loop{.name = "select_grow",
                                             .family = Family::selector,
                                             .mechanism = "select of Winsock, sets of any size",
                                             .native = kWinsockSelectorCaps | kTlsCaps,
                                             .absences = winsock_absences(),
                                             .make = make_selector_loop<make_growing_selector>};
}  // namespace loops
}  // namespace loopscope
