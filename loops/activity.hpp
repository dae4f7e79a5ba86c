// Activity: what the callback that runs on this thread is at, for debug mode's slow ones.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

#include "loops/base/clock.hpp"
#include "loops/protocol.hpp"

namespace loopscope {

/// A callback under the eyes of debug mode.
struct TimedCallback {
  Duration threshold;
  std::string slow_part;  // of its activities the innermost that took too long
};
/// Null outside of such a callback.
inline constinit thread_local TimedCallback* t_timed_callback = nullptr;

/// A part of a callback that has a name. describe: std::string(), called at the end if it was slow.
template <class Describe>
class [[nodiscard]] Activity {
 public:
  explicit Activity(Describe describe)
      : describe_(std::move(describe)),
        timed_(t_timed_callback),
        begin_(timed_ ? now() : TimePoint()) {}
  ~Activity() {
    if (timed_ == nullptr || !timed_->slow_part.empty()) return;
    if (now() - begin_ >= timed_->threshold) timed_->slow_part = describe_();
  }
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

 private:
  Describe describe_;
  TimedCallback* timed_;
  TimePoint begin_;
};

namespace detail {
std::string callback_text(std::string_view kind, long long number, const std::type_info& type);
std::string method_text(const std::type_info& type, std::string_view method);
std::string task_text(const std::string& name);
}  // namespace detail

/// Runs the callback of "reader of descriptor" 7, or of "handler of signal" 15.
inline void run_as(std::string_view kind, long long number, const std::function<void()>& callback) {
  const Activity activity(
      [&] { return detail::callback_text(kind, number, callback.target_type()); });
  callback();
}

/// For the scope of a call into a protocol, which need not live to its end. method: a literal.
inline auto protocol_call(const BaseProtocol* protocol, std::string_view method) {
  const std::type_info& type = protocol == nullptr ? typeid(void) : typeid(*protocol);
  return Activity([&type, method] { return detail::method_text(type, method); });
}

}  // namespace loopscope
