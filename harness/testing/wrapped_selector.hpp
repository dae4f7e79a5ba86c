// A Selector around another one: passes everything on, and lets a faulty loop get one thing wrong.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "harness/testing/poll_based.hpp"

namespace loopscope::testing {

class WrappedSelector : public Selector {
 public:
  explicit WrappedSelector(std::unique_ptr<Selector> inner) : inner_(std::move(inner)) {}

  Result<void> add(os::NativeSocket fd, Interest interest) override {
    Result<void> added = inner_->add(fd, interest);
    if (waker_ == os::kInvalid) waker_ = fd;  // The first one is the loop's own.
    if (added.ok()) interests_[fd] = interest;
    return added;
  }
  Result<void> modify(os::NativeSocket fd, Interest interest) override {
    Result<void> modified = inner_->modify(fd, interest);
    if (modified.ok()) interests_[fd] = interest;
    return modified;
  }
  Result<void> remove(os::NativeSocket fd) override {
    interests_.erase(fd);
    return inner_->remove(fd);
  }
  Result<void> wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    if (Result<void> waited = inner_->wait(timeout, ready); !waited.ok()) return waited;
    distort(ready);
    std::erase_if(ready, [](const Ready& each) { return each.what == Interest{} && !each.gone; });
    return {};
  }
  os::NativeSocket descriptor() const override { return inner_->descriptor(); }

 protected:
  /// Changes what was found. Entries without any readiness are dropped afterwards.
  virtual void distort(std::vector<Ready>& ready) { (void)ready; }
  bool is_waker(const Ready& each) const { return each.socket == waker_; }

  std::unique_ptr<Selector> inner_;
  std::map<os::NativeSocket, Interest> interests_;
  os::NativeSocket waker_ = os::kInvalid;
};

/// Makes a SelectorLoop over an S around the selector that `make_inner` makes.
template <class S, SelectorResult (*make_inner)()>
Result<std::unique_ptr<EventLoop>> make_wrapped(const LoopOptions& options) {
  SelectorResult inner = make_inner();
  if (!inner.ok()) return inner.error();
  auto loop = SelectorLoop::make(options, std::make_unique<S>(std::move(inner).value()));
  if (!loop.ok()) return loop.error();
  return std::unique_ptr<EventLoop>(std::move(loop).value());
}

/// The row of a loop over an S around the poll selector.
template <class S>
constexpr LoopDescriptor poll_wrapped(std::string_view name) {
  return LoopDescriptor{.name = name,
                        .family = Family::selector,
                        .mechanism = "ppoll, wrong on purpose",
                        .native = kSelectorCaps,
                        .wait_calls = kPollBasedWaits,
                        .make = make_wrapped<S, make_poll_selector>};
}

inline constexpr std::string_view kEpollBasedWaits[] = {"epoll_pwait2", "epoll_wait"};

/// The row of a loop over an S around the epoll selector.
template <class S>
constexpr LoopDescriptor epoll_wrapped(std::string_view name) {
  return LoopDescriptor{.name = name,
                        .family = Family::selector,
                        .mechanism = "epoll_pwait2, wrong on purpose",
                        .native = kSelectorCaps,
                        .wait_calls = kEpollBasedWaits,
                        .wait_descriptor_kind = "anon_inode:[eventpoll]",
                        .make = make_wrapped<S, make_epoll_selector>};
}

}  // namespace loopscope::testing
