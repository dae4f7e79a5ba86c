// Comparing two snapshots of a process.
#include "harness/snapshot.hpp"

#include <algorithm>
#include <thread>
#include <tuple>

namespace loopscope {

std::vector<Leak> differences(const Snapshot& before, const Snapshot& after) {
  const auto key = [](const StateItem& item) { return std::tie(item.kind, item.what); };
  std::vector<Leak> result;
  auto old_item = before.begin();
  auto new_item = after.begin();
  while (old_item != before.end() || new_item != after.end()) {
    const bool only_old =
        new_item == after.end() || (old_item != before.end() && key(*old_item) < key(*new_item));
    const bool only_new =
        !only_old && (old_item == before.end() || key(*new_item) < key(*old_item));
    if (only_old) {
      result.push_back({old_item->kind, old_item->what, old_item->value, "absent"});
      ++old_item;
    } else if (only_new) {
      result.push_back({new_item->kind, new_item->what, "absent", new_item->value});
      ++new_item;
    } else {
      if (old_item->value != new_item->value) {
        result.push_back({old_item->kind, old_item->what, old_item->value, new_item->value});
      }
      ++old_item, ++new_item;
    }
  }
  return result;
}

Snapshot settle_snapshot(const Snapshot& before, Duration patience) {
  const TimePoint end = now() + patience;
  // On a processor that is slow enough one look may take as long.
  constexpr int kLooks = 5;
  for (int looks = 1;; ++looks) {
    Snapshot after = take_snapshot();
    if (differences(before, after).empty() || (looks >= kLooks && now() >= end)) return after;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace loopscope
