// Tests of the proof of the effective backend: what is claimed, what was seen.
#include "harness/backend_proof.hpp"

#include <doctest/doctest.h>

#include "harness/snapshot.hpp"

namespace loopscope {
namespace {

constexpr std::string_view kEpollCalls[] = {"epoll_pwait2", "epoll_wait"};
constexpr std::string_view kPollCalls[] = {"ppoll"};
const LoopDescriptor kEpoll{.name = "epoll",
                            .family = Family::selector,
                            .wait_calls = kEpollCalls,
                            .wait_descriptor_kind = "anon_inode:[eventpoll]"};
const LoopDescriptor kPoll{.name = "poll", .family = Family::selector, .wait_calls = kPollCalls};

waits::Tally tally(waits::Call call, std::uint64_t count) {
  waits::Tally tally;
  tally.calls[static_cast<std::size_t>(call)] = count;
  return tally;
}

BackendEvidence epoll_evidence() {
  return {.seen = true,
          .mechanism = "epoll",
          .wait_descriptor = 5,
          .wait_link = "anon_inode:[eventpoll]",
          .opened_by_make = {{5, "anon_inode:[eventpoll]"}, {6, "anon_inode:[eventfd]"}},
          .monitored = true,
          .waits = tally(waits::Call::epoll_pwait2, 3)};
}

TEST_CASE("a loop that waits as it declares is proved") {
  const BackendProof proof = judge_backend(kEpoll, epoll_evidence());
  CHECK(proof.proved);
  CHECK(proof.fallback.empty());
  CHECK(proof.effective == "epoll");
}

TEST_CASE("a wait that is not declared is a fallback, and names what was used") {
  BackendEvidence evidence = epoll_evidence();
  evidence.waits = tally(waits::Call::poll, 1);
  const BackendProof proof = judge_backend(kEpoll, evidence);
  CHECK_FALSE(proof.proved);
  CHECK(proof.effective == "poll");
  CHECK(proof.fallback.rfind("fallback:", 0) == 0);
}

TEST_CASE("entering a ring is a wait like any other, and a fallback where it is not declared") {
  BackendEvidence evidence = epoll_evidence();
  evidence.waits = tally(waits::Call::io_uring_enter, 2);
  const BackendProof proof = judge_backend(kEpoll, evidence);
  CHECK_FALSE(proof.proved);
  CHECK(proof.effective == "io_uring");
}

TEST_CASE("a wait descriptor of another kind is a fallback") {
  BackendEvidence evidence = epoll_evidence();
  evidence.wait_link = "anon_inode:[io_uring]";
  CHECK_FALSE(judge_backend(kEpoll, evidence).fallback.empty());
}

TEST_CASE("a queue that the loop does not declare is a fallback, in a library it is not") {
  BackendEvidence evidence{.seen = true,
                           .opened_by_make = {{4, "anon_inode:[eventpoll]"}},
                           .monitored = true,
                           .waits = tally(waits::Call::ppoll, 1)};
  CHECK_FALSE(judge_backend(kPoll, evidence).fallback.empty());
  LoopDescriptor library = kPoll;
  library.family = Family::reference;
  CHECK(judge_backend(library, evidence).fallback.empty());
}

TEST_CASE("without a source nothing is proved, and nothing is held against the loop") {
  const BackendEvidence blind{.seen = true, .mechanism = "poll"};
  const BackendProof proof = judge_backend(kPoll, blind);
  CHECK_FALSE(proof.proved);
  CHECK(proof.effective.empty());
  CHECK(proof.fallback.empty());
}

TEST_CASE("a loop that never waited is proved by a second instance") {
  BackendEvidence evidence{.seen = true, .monitored = true};
  CHECK_FALSE(judge_backend(kPoll, evidence).proved);
  evidence.sibling_waits = tally(waits::Call::ppoll, 1);
  CHECK(judge_backend(kPoll, evidence).proved);
}

TEST_CASE("differences: what appeared, what went, what changed") {
  const Snapshot before = {{"descriptor", "1 -> a", "present"},
                           {"descriptor", "2 -> b", "present"},
                           {"signal", "SIGINT", "default"}};
  const Snapshot after = {{"descriptor", "1 -> a", "present"},
                          {"descriptor", "3 -> c", "present"},
                          {"signal", "SIGINT", "ignored"}};
  const std::vector<Leak> leaks = differences(before, after);
  REQUIRE(leaks.size() == 3);
  CHECK(leaks[0].what == "2 -> b");
  CHECK(leaks[0].after == "absent");
  CHECK(leaks[1].what == "3 -> c");
  CHECK(leaks[1].before == "absent");
  CHECK(leaks[2].before == "default");
  CHECK(leaks[2].after == "ignored");
  CHECK(differences(before, before).empty());
}

TEST_CASE("a snapshot of this process is stable, and sees a descriptor") {
  const Snapshot before = take_snapshot();
  CHECK(differences(before, take_snapshot()).empty());
  const Result<os::Pipe> pipe = os::open_pipe();
  REQUIRE(pipe.ok());
  const std::vector<Leak> leaks = differences(before, take_snapshot());
  CHECK(leaks.size() == 2);
}

}  // namespace
}  // namespace loopscope
