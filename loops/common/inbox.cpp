// Moving posted callbacks to the loop, and finding one again to cancel it.
#include "loops/common/inbox.hpp"

#include <utility>

namespace loopscope {

void Inbox::drain(ReadyQueue& ready) {
  {
    const std::lock_guard lock(mutex_);
    asleep_ = false;
    if (waiting_.empty()) return;
    has_mail_.store(false, std::memory_order_relaxed);
    spare_.swap(waiting_);
    while (!drained_.empty() &&
           drained_.front().first_ready + drained_.front().count <= ready.head()) {
      drained_.pop_front();
    }
    drained_.push_back({first_id_, spare_.size(), ready.tail()});
    first_id_ += spare_.size();
  }
  for (Callback& callback : spare_) ready.push(std::move(callback));
  spare_.clear();
}

bool Inbox::cancel(std::uint64_t id, ReadyQueue* ready) {
  Callback dropped;  // declared before the lock: its captures are destroyed after the unlock
  const std::lock_guard lock(mutex_);
  if (id >= first_id_) {
    if (id - first_id_ >= waiting_.size()) return false;
    dropped = std::move(waiting_[static_cast<std::size_t>(id - first_id_)]);
    return static_cast<bool>(dropped);
  }
  if (ready == nullptr) return false;
  for (const Drained& batch : drained_) {
    if (id >= batch.first_id && id - batch.first_id < batch.count) {
      dropped = ready->take(batch.first_ready + (id - batch.first_id));
      return static_cast<bool>(dropped);
    }
  }
  return false;
}

void Inbox::close() {
  std::vector<Callback> dropped;  // destroyed after the unlock
  const std::lock_guard lock(mutex_);
  closed_ = true;
  dropped.swap(waiting_);
}

}  // namespace loopscope
