// Judging which mechanism a loop really used.
#include "harness/backend_proof.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "harness/host.hpp"
#include "loops/event_loop.hpp"

namespace loopscope {
namespace {

using namespace std::chrono_literals;

/// The mechanism behind a wait call or a descriptor, in the words of the loops' names.
std::string_view mechanism_of(waits::Call call) {
  switch (call) {
    case waits::Call::select:
    case waits::Call::pselect:
      return "select";
    case waits::Call::poll:
    case waits::Call::ppoll:
      return "poll";
    case waits::Call::io_uring_enter:
      return "io_uring";
    default:
      return "epoll";
  }
}

bool is_wait_queue(std::string_view link) {
  return link == "anon_inode:[eventpoll]" || link == "anon_inode:[io_uring]";
}

std::string describe(const waits::Tally& tally) {
  std::string text;
  for (std::size_t i = 0; i < waits::kCalls; ++i) {
    if (tally.calls[i] == 0) continue;
    text += fmt::format("{}{} x {}", text.empty() ? "" : ", ",
                        waits::name(static_cast<waits::Call>(i)), tally.calls[i]);
  }
  return text.empty() ? "none" : text;
}

/// The first wait that the loop does not declare.
std::optional<waits::Call> undeclared(const LoopDescriptor& descriptor, const waits::Tally& tally) {
  for (std::size_t i = 0; i < waits::kCalls; ++i) {
    const auto call = static_cast<waits::Call>(i);
    const auto& declared = descriptor.wait_calls;
    if (tally.calls[i] != 0 &&
        std::find(declared.begin(), declared.end(), waits::name(call)) == declared.end()) {
      return call;
    }
  }
  return std::nullopt;
}

void judge_waits(const LoopDescriptor& descriptor, const BackendEvidence& evidence,
                 BackendProof& proof) {
  if (!evidence.monitored || descriptor.wait_calls.empty()) return;
  const bool waited = evidence.waits.total() != 0;
  const waits::Tally& tally = waited ? evidence.waits : evidence.sibling_waits;
  proof.proof.push_back(
      {waited ? "wait calls" : "wait calls of a second instance", describe(tally)});
  if (const std::optional<waits::Call> call = undeclared(descriptor, tally)) {
    proof.effective = std::string(mechanism_of(*call));
    proof.fallback = fmt::format("fallback: {} waits with {}, which it does not declare",
                                 descriptor.name, waits::name(*call));
  } else if (tally.total() != 0) {
    proof.proved = true;
  }
}

void judge_descriptor(const LoopDescriptor& descriptor, const BackendEvidence& evidence,
                      BackendProof& proof) {
  const std::string_view kind = descriptor.wait_descriptor_kind;
  if (!kind.empty() && !evidence.wait_link.empty()) {
    proof.proof.push_back(
        {fmt::format("/proc/self/fd/{}", evidence.wait_descriptor), evidence.wait_link});
    if (!evidence.wait_details.empty()) {
      proof.proof.push_back(
          {fmt::format("/proc/self/fdinfo/{}", evidence.wait_descriptor), evidence.wait_details});
    }
    if (evidence.wait_link == kind) {
      proof.proved = true;
    } else {
      proof.fallback = fmt::format("fallback: the wait descriptor of {} is {}, not {}",
                                   descriptor.name, evidence.wait_link, kind);
    }
  }
  for (const auto& [fd, link] : evidence.opened_by_make) {
    if (!is_wait_queue(link) || fd == evidence.wait_descriptor) continue;
    proof.proof.push_back({fmt::format("make() opened descriptor {}", fd), link});
    // A library may keep a second queue for other work; a selector of ours has no use for one.
    if (descriptor.family == Family::selector && link != kind) {
      proof.fallback =
          fmt::format("fallback: {} opened {}, which it does not declare", descriptor.name, link);
    }
  }
}

/// What the sibling's thread shares with its caller, which may leave before it.
struct SiblingTurn {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
};

void turn_once(const LoopDescriptor& descriptor) {
  Result<std::unique_ptr<EventLoop>> made = descriptor.make(LoopOptions{});
  if (!made.ok()) return;  // No evidence then; the verdict says so.
  EventLoop& loop = *made.value();
  try {
    loop.stop();
    (void)loop.run_forever();
    (void)loop.close();
  } catch (...) {
    // The cell's own loop was judged; this one only shows how it waits.
  }
}

}  // namespace

std::map<os::NativeSocket, std::string> descriptor_links() {
  std::map<os::NativeSocket, std::string> links;
  for (const os::NativeSocket fd : host::open_descriptors()) {
    links[fd] = host::describe_descriptor(fd);
  }
  return links;
}

BackendEvidence look_at(EventLoop& loop,
                        const std::map<os::NativeSocket, std::string>& before_make) {
  const BackendInfo info = loop.backend();
  BackendEvidence evidence{.seen = true, .mechanism = info.mechanism, .version = info.version};
  for (auto& [fd, link] : descriptor_links()) {
    const auto old = before_make.find(fd);
    if (old == before_make.end() || old->second != link) evidence.opened_by_make[fd] = link;
  }
  if (info.wait_descriptor != os::kInvalid) {
    evidence.wait_descriptor = info.wait_descriptor;
    evidence.wait_link = host::describe_descriptor(evidence.wait_descriptor);
    evidence.wait_details = host::describe_wait_queue(evidence.wait_descriptor);
  }
  evidence.monitored = waits::present();
  return evidence;
}

bool turn_sibling(const LoopDescriptor& descriptor) {
  const auto turn = std::make_shared<SiblingTurn>();
  std::thread thread([turn, &descriptor] {
    turn_once(descriptor);
    const std::lock_guard lock(turn->mutex);
    turn->over = true;
    turn->changed.notify_all();
  });
  std::unique_lock lock(turn->mutex);
  const bool over = turn->changed.wait_for(lock, 1s, [&] { return turn->over; });
  lock.unlock();
  if (over) {
    thread.join();
  } else {
    thread.detach();
  }
  return over;
}

BackendProof judge_backend(const LoopDescriptor& descriptor, const BackendEvidence& evidence) {
  BackendProof proof{.requested = std::string(descriptor.name)};
  if (!evidence.seen) return proof;
  proof.proof.push_back(
      {"the loop's own words",
       evidence.mechanism + (evidence.version.empty() ? "" : ", version " + evidence.version)});
  judge_waits(descriptor, evidence, proof);
  judge_descriptor(descriptor, evidence, proof);
  if (!proof.fallback.empty()) {
    proof.proved = false;
  } else if (proof.proved) {
    proof.effective = proof.requested;
  }
  return proof;
}

}  // namespace loopscope
