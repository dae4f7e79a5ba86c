// Context: what a scenario's body has. Checks throw CheckFailed; only the cell's main catches it.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "harness/outcome.hpp"
#include "harness/peer.hpp"
#include "harness/trace.hpp"
#include "loops/base/here.hpp"
#include "loops/descriptor.hpp"
#include "loops/event_loop.hpp"

namespace loopscope {

struct Scenario;

/// A check failed, or the body ended itself. Leaves a run of the loop like SystemExit would.
class CheckFailed final : public ExitException {
 public:
  const char* reason() const noexcept override { return "a check failed"; }
};

/// What a cell will report. The first thing that is said counts.
struct Finding {
  Outcome outcome = Outcome::pass;
  std::string what;      // what was checked
  std::string variant;   // for diverges: the name of the behaviour
  std::string expected;  // side by side in the report
  std::string observed;
  std::string where;  // "soon.cpp:41"
};

/// A value that is recorded in the report and never judged.
struct Note {
  std::string key;
  std::variant<double, std::string> value;
  std::string unit;
};

/// Text of a value for a report: numbers, strings, bools, enums, Bytes, Endpoint, Error, durations.
std::string show(const std::string& value);
std::string show(std::string_view value);
inline std::string show(const char* value) { return show(std::string_view(value)); }
std::string show(bool value);
std::string show(const Bytes& value);
std::string show(const Endpoint& value);
std::string show(const Error& value);
std::string show(Duration value);
std::string show(TimePoint value);
std::string show(const std::vector<std::string>& value);
template <class T>
requires std::is_arithmetic_v<T> &&(!std::is_same_v<T, bool>)std::string show(T value) {
  std::ostringstream out;
  out << value;
  return out.str();
}
template <class T>
requires std::is_enum_v<T> std::string show(T value) { return show(static_cast<long long>(value)); }
template <class T>
std::string show(const std::vector<T>& values) {
  std::string text = "[";
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i == 24) return text + ", ... " + show(values.size()) + " in all]";
    text += (i == 0 ? "" : ", ") + show(values[i]);
  }
  return text + "]";
}

/// A named sequence of marks that a text allows.
struct NamedTrace {
  std::string_view name;
  std::initializer_list<std::string_view> marks;
};

/// How late bare waits of this host were while something was measured. Runs in its own thread
/// from construction to stop(): repeated nanosleep of `period`.
class HostControl {
 public:
  explicit HostControl(Duration period);
  ~HostControl();
  /// Ends the measurement. The greatest lateness seen, and how many waits there were.
  struct Seen {
    Duration worst{0};
    unsigned waits = 0;
  };
  Seen stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Context {
 public:
  Context(const LoopDescriptor& descriptor, const Scenario& scenario, std::uint64_t seed,
          Duration slack, Duration limit);
  ~Context();

  // --- the subject
  EventLoop& loop();
  const LoopDescriptor& descriptor() const { return descriptor_; }
  /// Another loop of the same kind; the caller closes or drops it.
  std::unique_ptr<EventLoop> new_loop();
  /// run_until_complete on the subject; an error of the run or a Failure inside is a failed check.
  void run(Coro<void> main);
  /// run_forever on the subject, checked.
  void run_forever();
  /// Turns the subject until `done` is true: one bounded run after another, no sleeping here. The
  /// cell's limit ends a loop that never gets there (as a hang).
  void run_until(const std::function<bool()>& done);
  /// Runs one iteration without blocking: stop(), then run_forever().
  void run_once();

  // --- the trace
  void mark(std::string_view event);
  const Trace& trace() const { return trace_; }
  void expect_trace(std::initializer_list<std::string_view> want, Here here = Here::now());
  /// The first is the primary legal order; another one gives diverges(name).
  void expect_one_of(std::initializer_list<NamedTrace> legal, Here here = Here::now());

  // --- checks: the first failed one ends the body
  template <class T>
  void ok(const Result<T>& result, std::string_view what, Here here = Here::now()) {
    if (!result.ok()) failed(what, "success", to_string(result.error()), here);
  }
  void ok(const Handle& handle, std::string_view what, Here here = Here::now()) {
    ok(handle.accepted(), what, here);
  }
  /// The call must fail, with this code.
  template <class T>
  void refused(const Result<T>& result, std::error_code code, std::string_view what,
               Here here = Here::now()) {
    if (result.ok()) failed(what, "error " + error_name(code), "success", here);
    if (result.error().code != code) {
      failed(what, "error " + error_name(code), to_string(result.error()), here);
    }
  }
  template <class T>
  void refused(const Result<T>& result, Errc code, std::string_view what, Here here = Here::now()) {
    refused(result, make_error_code(code), what, here);
  }
  /// The call must fail with some error; which one is not promised.
  template <class T>
  void refused(const Result<T>& result, std::string_view what, Here here = Here::now()) {
    if (result.ok()) failed(what, "an error", "success", here);
  }
  template <class A, class B>
  void equal(const A& seen, const B& want, std::string_view what, Here here = Here::now()) {
    if (!same(seen, want)) failed(what, show(want), show(seen), here);
  }
  void is_true(bool seen, std::string_view what, Here here = Here::now()) {
    if (!seen) failed(what, "true", "false", here);
  }
  template <class A, class B>
  void at_least(const A& seen, const B& bound, std::string_view what, Here here = Here::now()) {
    if (seen < bound) failed(what, "at least " + show(bound), show(seen), here);
  }
  /// For counts, CPU time, descriptors, bytes. Never for a duration.
  template <class A, class B>
  void at_most(const A& seen, const B& bound, std::string_view what, Here here = Here::now()) {
    if (bound < seen) failed(what, "at most " + show(bound), show(seen), here);
  }
  /// Hard: a moment before `bound` minus the loop's stated clock resolution fails.
  void not_before(TimePoint seen, TimePoint bound, std::string_view what, Here here = Here::now());
  /// Relative: late by more than the run's slack fails, unless the host's own bare waits were late
  /// beyond the slack meanwhile, which is inconclusive.
  void soon_after(TimePoint seen, TimePoint bound, HostControl& control, std::string_view what,
                  Here here = Here::now());

  // --- other ends of a body; none of these returns
  [[noreturn]] void failed(std::string_view what, std::string expected, std::string observed,
                           Here here = Here::now());
  /// A behaviour that no text settles, or another legal one: named, never red.
  [[noreturn]] void diverges(std::string_view variant, std::string expected, std::string observed,
                             Here here = Here::now());
  [[noreturn]] void skip(std::string_view why, Here here = Here::now());
  [[noreturn]] void inconclusive(std::string_view why, Here here = Here::now());

  // --- the world: all of it goes with the cell
  StreamPair stream_pair();                                         // Unix sockets
  StreamPair tcp_pair(AddressFamily family = AddressFamily::ipv4);  // loopback, port 0
  /// A listening blocking TCP socket of the harness on a loopback port of the system's choice.
  Peer tcp_listener(AddressFamily family = AddressFamily::ipv4, int backlog = 16);
  Endpoint address_of(const Peer& peer);
  Peer accept_from(Peer& listener);
  /// A loopback TCP address on which nobody listens.
  Endpoint closed_port();
  DatagramPeer datagram_peer(AddressFamily family = AddressFamily::ipv4);
  Socket datagram_socket(AddressFamily family = AddressFamily::ipv4);  // bound, for the subject
  os::Pipe pipe();
  os::Pty pty(bool raw = true);
  /// A directory of this cell alone; removed by the parent.
  const std::string& temp_dir() const { return temp_dir_; }
  std::string temp_path(std::string_view leaf) const { return temp_dir_ + "/" + std::string(leaf); }
  /// Runs work in a thread that is joined before the verdict; its failed checks count.
  void thread(std::function<void()> work);
  void join_threads();
  /// Raises the soft descriptor limit to the hard one; the limit in force afterwards.
  std::size_t raise_descriptor_limit();
  void lower_descriptor_limit(std::size_t limit);
  std::vector<os::NativeSocket> open_descriptors() const;
  std::uint64_t seed() const { return seed_; }

  // --- measuring
  /// Wait calls (select, poll, epoll_wait ...) of the calling thread since the cell began.
  std::uint64_t waits() const;
  Duration thread_cpu_time() const;
  /// Recorded in the report, never judged. unit: "ns", "bytes", "count" or "".
  void note(std::string_view key, double value, std::string_view unit);
  void note(std::string_view key, std::string_view value);
  Duration slack() const { return slack_; }
  /// When the cell is killed, as time that it had or could have had a processor.
  Duration limit() const { return limit_; }

  // --- for the cell's main
  /// The first thing that was said; empty while the body has nothing against the subject.
  std::optional<Finding> finding() const;
  /// Records a finding unless there is one already; never throws.
  void conclude(Finding finding);
  std::vector<Note> notes() const;
  std::optional<HostControl::Seen> control() const;
  /// Closes and destroys the subject, if it is still there.
  Result<void> close_subject();

 private:
  template <class A, class B>
  static bool same(const A& a, const B& b) {
    if constexpr (std::is_integral_v<A> && std::is_integral_v<B> && !std::is_same_v<A, bool> &&
                  !std::is_same_v<B, bool>) {
      return std::cmp_equal(a, b);
    } else {
      return a == b;
    }
  }
  [[noreturn]] void end(Finding finding);

  const LoopDescriptor& descriptor_;
  const Scenario& scenario_;
  std::uint64_t seed_;
  Duration slack_, limit_;
  std::unique_ptr<EventLoop> loop_;
  Trace trace_;
  mutable std::mutex mutex_;  // guards all below
  std::optional<Finding> finding_;
  std::vector<Note> notes_;
  std::optional<HostControl::Seen> control_;
  std::vector<std::thread> threads_;
  std::vector<os::UniqueFd> kept_;  // held until the end of the cell: see closed_port
  std::string temp_dir_;
};

}  // namespace loopscope
