// Limits of watching: descriptors by number and by count, up to FD_SETSIZE and far beyond.
#include <algorithm>

#include "harness/scenario.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::limit_watching {
namespace {

// Watches a crowd and checks that exactly those made readable are served, each once. A loop over
// select may refuse descriptors from FD_SETSIZE on, and nothing else may be refused.
void serve_crowd(Context& cx, std::size_t count, std::size_t ready_ones) {
  EventLoop& loop = cx.loop();
  Crowd crowd(cx, count);
  std::vector<std::size_t> watched;
  std::vector<int> calls(crowd.size());
  for (std::size_t i = 0; i < crowd.size(); ++i) {
    const auto serve = [&, i] { ++calls[i], crowd.empty(i); };
    const Result<void> added = loop.add_reader(crowd[i], serve);
    if (added.ok()) {
      watched.push_back(i);
    } else if (!bounded_by_fd_setsize(cx) || crowd[i].native() < kFdSetSize) {
      cx.ok(added, "add_reader on descriptor " + show(crowd[i].native()));
    }
  }
  cx.note("descriptors_watched", static_cast<double>(watched.size()), "count");
  cx.note("descriptors_refused", static_cast<double>(crowd.size() - watched.size()), "count");

  std::size_t served = 0, wrong = 0;
  const std::size_t step = std::max<std::size_t>(1, watched.size() / ready_ones);
  for (std::size_t n = 0; n < watched.size(); n += step) crowd.make_readable(watched[n]);
  const std::size_t expected = (watched.size() + step - 1) / step;
  turn_until(cx, [&] {
    served = static_cast<std::size_t>(
        std::count_if(calls.begin(), calls.end(), [](int each) { return each > 0; }));
    return served >= expected;
  });
  turn(cx, 2);
  cx.equal(served, expected, "ready descriptors served");
  for (std::size_t n = 0; n < watched.size(); ++n) {
    if (calls[watched[n]] != (n % step == 0 ? 1 : 0)) ++wrong;
    if (!loop.remove_reader(crowd[watched[n]]).value()) ++wrong;
  }
  cx.equal(wrong, 0, "descriptors not served as often as they were ready, or not registered");
}

template <std::size_t count>
void count_of(Context& cx) {
  require_descriptors(cx, count + 40);
  serve_crowd(cx, count, count <= 1024 ? count : 100);
}

// As many as the limit on descriptors honestly allows; how many that were is in the notes.
template <std::size_t count>
void up_to_count_of(Context& cx) {
  const std::size_t limit = cx.raise_descriptor_limit();
  cx.note("descriptor_limit", static_cast<double>(limit), "count");
  if (limit < 2100) cx.skip("the hard limit of RLIMIT_NOFILE is " + show(limit));
  serve_crowd(cx, std::min(count, limit - 60), 100);
}

void full_set(Context& cx) {
  require_descriptors(cx, kFdSetSize + 40);
  // Up to the last number below FD_SETSIZE, whatever is open already.
  serve_crowd(cx, static_cast<std::size_t>(kFdSetSize) - cx.open_descriptors().size(), 1024);
}

// Watches a socket under a given number; false when the loop refused it, cleanly.
bool serves_number(Context& cx, int wanted) {
  const auto number = static_cast<os::NativeSocket>(wanted);
  EventLoop& loop = cx.loop();
  StreamPair pair = cx.stream_pair();
  const os::UniqueFd watched = duplicate_at(cx, pair.subject.native(), number);
  int reads = 0, writes = 0;
  const Result<void> reader = loop.add_reader(watched, [&] { ++reads, take(number, 1); });
  const Result<void> writer = loop.add_writer(watched, [&] { ++writes; });
  cx.equal(writer.ok(), reader.ok(), "the writer is taken exactly if the reader is");
  pair.peer.send("x");
  turn(cx, 5);
  cx.equal(reads, reader.ok() ? 1 : 0, "calls of the reader for one byte");
  cx.equal(writes > 0, writer.ok(), "the writer runs exactly if it was taken");
  cx.equal(loop.remove_reader(watched).value(), reader.ok(), "a reader was registered");
  cx.equal(loop.remove_writer(watched).value(), writer.ok(), "a writer was registered");
  if (!reader.ok()) cx.note("refusal_of_" + show(number), to_string(reader.error()));
  return reader.ok();
}

void last_below_setsize(Context& cx) {
  require_descriptors(cx, kFdSetSize + 40);
  cx.is_true(serves_number(cx, kFdSetSize - 2), "descriptor 1022 is served");
  cx.is_true(serves_number(cx, kFdSetSize - 1), "descriptor 1023 is served");
}

void fd_setsize_value(Context& cx) {
  require_descriptors(cx, kFdSetSize + 200);
  EventLoop& loop = cx.loop();
  StreamPair other = cx.stream_pair();
  std::string seen;
  cx.ok(loop.add_reader(other.subject, [&] { seen += take(other.subject.native()); }),
        "add_reader");
  std::string answers;
  for (const int number : {kFdSetSize, kFdSetSize + 63, kFdSetSize + 150}) {
    answers += show(number) + (serves_number(cx, number) ? " served " : " refused ");
  }
  cx.note("descriptors_from_fd_setsize_on", answers);
  other.peer.send("still served");
  turn_until(cx, [&] { return !seen.empty(); });
  cx.equal(seen, "still served", "what another descriptor receives afterwards");
  cx.ok(loop.remove_reader(other.subject), "remove_reader");
}

void fd_above_1024(Context& cx) {
  if (bounded_by_fd_setsize(cx)) {
    cx.skip("select(2) cannot name them; limit.select.fd_setsize_value judges the refusal");
  }
  require_descriptors(cx, 2100);
  const std::size_t limit = cx.raise_descriptor_limit();
  for (const int number : {1024, 2000, 4000, 9000}) {
    if (static_cast<std::size_t>(number) + 10 > limit) {
      cx.note("not_tried_from", number, "count");
      break;
    }
    cx.is_true(serves_number(cx, number), "descriptor " + show(number) + " is served");
  }
}

void maxevents(Context& cx) {
  const std::size_t limit = cx.raise_descriptor_limit();
  if (limit < 600) cx.skip("the hard limit of RLIMIT_NOFILE is " + show(limit));
  const std::size_t count = std::min<std::size_t>(3000, limit - 60);
  serve_crowd(cx, count, count);
}

void idle_connections(Context& cx) {
  EventLoop& loop = cx.loop();
  const std::size_t limit = cx.raise_descriptor_limit();
  Crowd crowd(cx, std::min<std::size_t>(10'000, limit - 60));
  std::size_t watched = 0;
  int ghosts = 0;
  for (std::size_t i = 0; i < crowd.size(); ++i) {
    if (loop.add_reader(crowd[i], [&] { ++ghosts; }).ok()) ++watched;
  }
  constexpr int kTicks = 30;
  int ticks = 0;
  std::function<void()> tick = [&] {
    if (++ticks == kTicks) return loop.stop();
    loop.call_later(Duration(1), [&] { tick(); });
  };
  turn(cx, 1);
  const Duration before = cx.thread_cpu_time();
  loop.call_soon([&] { tick(); });
  cx.run_forever();
  const Duration spent = cx.thread_cpu_time() - before;
  for (std::size_t i = 0; i < crowd.size(); ++i) (void)loop.remove_reader(crowd[i]);
  cx.note("idle_descriptors_watched", static_cast<double>(watched), "count");
  cx.note("cpu_per_tick", static_cast<double>(spent.count()) / kTicks, "ns");
  cx.equal(ticks, kTicks, "timer ticks");
  cx.equal(ghosts, 0, "calls of readers on idle descriptors");
}

constexpr std::string_view kReader[] = {"add_reader", "remove_reader"};
constexpr std::string_view kBoth[] = {"add_reader", "remove_reader", "add_writer", "remove_writer"};
constexpr std::string_view kTimer[] = {"add_reader", "call_later"};
constexpr std::string_view kSelect =
    "man 2 select: file descriptors less than FD_SETSIZE (1024) only";
constexpr CapSet kNeeds{Cap::add_reader, Cap::add_writer, Cap::native_socket};

constexpr Scenario kScenarios[] = {
    {.id = "limit.select.count_64",
     .promise = "64 descriptors that are ready at the same time are all served.",
     .source = kSelect,
     .needs = kNeeds,
     .body = count_of<64>,
     .authority = Authority::man_page,
     .api = kReader},
    {.id = "limit.select.count_512",
     .promise = "512 descriptors that are ready at the same time are all served.",
     .source = kSelect,
     .needs = kNeeds,
     .body = count_of<512>,
     .authority = Authority::man_page,
     .api = kReader},
    {.id = "limit.select.full_set",
     .promise = "All descriptors below FD_SETSIZE can be watched at once, and all are served.",
     .source = kSelect,
     .needs = kNeeds,
     .body = full_set,
     .authority = Authority::man_page,
     .api = kReader},
    {.id = "limit.select.last_below_setsize",
     .promise = "The descriptors with the last numbers below FD_SETSIZE are watched and served.",
     .source = kSelect,
     .needs = kNeeds,
     .body = last_below_setsize,
     .authority = Authority::man_page,
     .api = kBoth},
    {.id = "limit.select.fd_setsize_value",
     .promise = "A descriptor at or above FD_SETSIZE is either served or refused at its "
                "registration, which leaves the loop and its other descriptors working.",
     .source = "man 2 select, BUGS: FD_SET() of a value of FD_SETSIZE or larger is undefined "
               "behaviour",
     .needs = kNeeds,
     .body = fd_setsize_value,
     .authority = Authority::man_page,
     .api = kBoth},
    {.id = "limit.select.fd_above_1024_others",
     .promise = "A loop that does not wait in select serves descriptors of any number that the "
                "process may have.",
     .source = "man 2 poll; man 2 epoll_ctl: no bound on the number of a descriptor",
     .needs = kNeeds,
     .body = fd_above_1024,
     .authority = Authority::man_page,
     .api = kBoth,
     .exclusive = Resource::descriptors},
    {.id = "limit.watched_2000",
     .promise = "2000 descriptors are watched and those that are ready are served; a loop over "
                "select refuses what it cannot name and serves the rest.",
     .source = "man 2 poll; man 7 epoll; man 2 select, BUGS",
     .needs = kNeeds,
     .body = count_of<2000>,
     .authority = Authority::man_page,
     .api = kReader,
     .exclusive = Resource::descriptors},
    {.id = "limit.watched_10000",
     .promise = "10 000 descriptors, or as many as the process may have, are watched and those "
                "that are ready are served; a loop over select refuses what it cannot name.",
     .source = "man 2 poll; man 7 epoll; man 2 select, BUGS",
     .needs = kNeeds,
     .body = up_to_count_of<10'000>,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kReader,
     .exclusive = Resource::descriptors},
    {.id = "limit.maxevents",
     .promise = "When far more descriptors are ready than one wait can report, all are served, "
                "each once.",
     .source = "man 2 epoll_wait, NOTES: successive calls go round the set of ready descriptors",
     .needs = kNeeds,
     .body = maxevents,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kReader,
     .exclusive = Resource::descriptors},
    {.id = "limit.10k_idle_connections",
     .promise = "10 000 idle descriptors, or as many as can be watched, do not run and do not stop "
                "timers; what one tick costs is in the notes.",
     .source = "libev ev.pod, backends: select and poll are linear in the number of descriptors",
     .needs = {Cap::add_reader, Cap::call_later, Cap::native_socket},
     .body = idle_connections,
     .level = Level::info,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kTimer,
     .exclusive = Resource::descriptors}};

}  // namespace

extern const ScenarioFile file{"A23", "Limits and scale", kScenarios};
}  // namespace loopscope::scenarios::limit_watching
