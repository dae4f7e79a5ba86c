// The loop that is set for a thread, and the policy of the process.
#include "loops/policy.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "loops/current.hpp"
#include "loops/event_loop.hpp"
#include "loops/os/process_id.hpp"

namespace loopscope {
namespace {

/// What one policy has set for one thread.
struct Slot {
  std::uint64_t policy;
  long process;  // a forked child inherits the slot, but the loop is not its own
  std::shared_ptr<LoopLink> link;
};
thread_local std::vector<Slot> t_slots;

std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

struct InForce {
  std::mutex mutex;
  std::shared_ptr<EventLoopPolicy> policy;
};
InForce& in_force() {
  static InForce one;
  return one;
}

const LoopDescriptor* row_of(std::string_view name) {
  for (const LoopDescriptor* row : all_loops()) {
    if (row->name == name) return row;
  }
  return nullptr;
}

/// The system has the mechanism and does not let us use it: the next one may do.
bool is_forbidden(const Error& error) {
  return error.is(Errc::not_supported) || error.code == std::errc::function_not_supported ||
         error.code == std::errc::operation_not_permitted;
}

}  // namespace

LoopFactory factory_of(std::string_view loop_name) {
  const LoopDescriptor* row = row_of(loop_name);
  return [row, name = std::string(loop_name)]() -> Result<std::unique_ptr<EventLoop>> {
    if (row == nullptr) {
      return make_error(Errc::invalid_argument, "factory_of", "there is no loop " + name);
    }
    if (row->make == nullptr) {
      return make_error(Errc::not_supported, "factory_of",
                        name + " " + std::string(row->absent_because));
    }
    return row->make(LoopOptions{});
  };
}

Result<std::unique_ptr<EventLoop>> new_selector_loop() {
  Error refused = make_error(Errc::not_supported, "new_selector_loop", "no selector loop");
  for (const std::string_view name : {"kqueue", "epoll", "poll", "select"}) {
    const LoopDescriptor* row = row_of(name);
    if (row == nullptr || row->make == nullptr) continue;
    Result<std::unique_ptr<EventLoop>> made = row->make(LoopOptions{});
    if (made.ok() || !is_forbidden(made.error())) return made;
    refused = made.error();
  }
  return refused;
}

// --- the default policy

DefaultEventLoopPolicy::DefaultEventLoopPolicy(LoopFactory factory)
    : serial_(next_serial()), factory_(std::move(factory)) {}

Result<EventLoop*> DefaultEventLoopPolicy::get_event_loop() {
  for (const Slot& slot : t_slots) {
    const bool mine = slot.policy == serial_ && slot.process == os::process_id();
    if (mine && slot.link->loop != nullptr) return slot.link->loop;
  }
  return make_error(Errc::invalid_state, "get_event_loop", "no loop is set for this thread");
}

Result<void> DefaultEventLoopPolicy::set_event_loop(EventLoop* loop) {
  std::erase_if(t_slots, [this](const Slot& slot) {
    return slot.policy == serial_ || slot.link->loop == nullptr;
  });
  if (loop != nullptr) t_slots.push_back({serial_, os::process_id(), loop->link()});
  return {};
}

Result<std::unique_ptr<EventLoop>> DefaultEventLoopPolicy::new_event_loop() {
  return factory_ ? factory_() : new_selector_loop();
}

// --- the policy in force

std::shared_ptr<EventLoopPolicy> get_event_loop_policy() {
  InForce& here = in_force();
  const std::lock_guard lock(here.mutex);
  if (here.policy == nullptr) here.policy = std::make_shared<DefaultEventLoopPolicy>();
  return here.policy;
}

void set_event_loop_policy(std::shared_ptr<EventLoopPolicy> policy) {
  InForce& here = in_force();
  {
    const std::lock_guard lock(here.mutex);
    here.policy.swap(policy);
  }
  // The old one goes here, after the unlock: its destructor may ask for the new one.
}

Result<EventLoop*> get_event_loop() {
  if (EventLoop* loop = running_loop()) return loop;
  Result<EventLoop*> given = get_event_loop_policy()->get_event_loop();
  if (given.ok() && *given == nullptr) {
    return make_error(Errc::invalid_state, "get_event_loop", "the policy gave no loop");
  }
  return given;
}

Result<void> set_event_loop(EventLoop* loop) {
  return get_event_loop_policy()->set_event_loop(loop);
}

Result<std::unique_ptr<EventLoop>> new_event_loop() {
  Result<std::unique_ptr<EventLoop>> made = get_event_loop_policy()->new_event_loop();
  if (made.ok() && *made == nullptr) {
    return make_error(Errc::invalid_state, "new_event_loop", "the policy made no loop");
  }
  return made;
}

}  // namespace loopscope
