// The facts of kqueue: its filters, and what they do where the manuals are silent or differ.
#include <sys/types.h>
// After the types: event.h of some systems uses them.
#include <fcntl.h>
#include <signal.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#if __has_include(<sys/procdesc.h>)
#include <sys/procdesc.h>
#endif

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>

#include "loops/base/clock.hpp"
#include "loops/os/posix/close_on_exec.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::kqueue {

namespace {

using Kevent = struct kevent;
using namespace std::chrono_literals;

os::UniqueFd make(ProbeContext& cx) { return os::UniqueFd(cx.call("kqueue", ::kqueue())); }

Kevent event_of(std::intptr_t ident, int filter, unsigned flags, unsigned notes = 0,
                std::int64_t data = 0) {
  Kevent event{};
  event.ident = static_cast<decltype(event.ident)>(ident);
  event.filter = static_cast<decltype(event.filter)>(filter);
  event.flags = static_cast<decltype(event.flags)>(flags);
  event.fflags = static_cast<decltype(event.fflags)>(notes);
  event.data = static_cast<decltype(event.data)>(data);
  return event;
}

/// Makes a change; 0 or -1.
int change(ProbeContext& cx, std::string_view what, int queue, const Kevent& event) {
  return cx.call(what, ::kevent(queue, &event, 1, nullptr, 0, nullptr));
}

/// The next event; nullopt when there is none until the timeout.
std::optional<Kevent> next(ProbeContext& cx, int queue, Duration timeout) {
  Kevent event{};
  const timespec limit = to_timespec(timeout);
  if (cx.call("kevent", ::kevent(queue, nullptr, 0, &event, 1, &limit)) != 1) return std::nullopt;
  return event;
}

struct PipeEnds {
  os::UniqueFd read, write;
};
std::optional<PipeEnds> pipe_of(ProbeContext& cx) {
  int ends[2];
  if (cx.call(os::kPipeCall, os::own_pipe(ends)) != 0) return std::nullopt;
  return PipeEnds{os::UniqueFd(ends[0]), os::UniqueFd(ends[1])};
}

/// A child that ends when the pipe does, and that has a copy of the queue where that is possible.
template <class Work>
pid_t child_that(ProbeContext& cx, Work&& work) {
  const pid_t pid = cx.call("fork", ::fork());
  if (pid == 0) ::_exit(work());
  return pid;
}

int status_of(ProbeContext& cx, pid_t pid) {
  int status = 0;
  (void)cx.call("waitpid", ::waitpid(pid, &status, 0));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

FactResult filters(ProbeContext& cx) {
  const os::UniqueFd queue = make(cx);
  const std::optional<PipeEnds> pipe = pipe_of(cx);
  if (!queue || !pipe) return cx.unknown();
  const os::UniqueFd file = cx.temp_file();
  std::vector<std::string> known;
  const auto try_one = [&](const char* name, std::intptr_t ident, int filter, unsigned flags,
                           unsigned notes, std::int64_t data) {
    const Kevent event = event_of(ident, filter, flags, notes, data);
    if (change(cx, name, queue.get(), event) == 0) known.emplace_back(name);
  };
  try_one("READ", pipe->read.get(), EVFILT_READ, EV_ADD, 0, 0);
  try_one("WRITE", pipe->write.get(), EVFILT_WRITE, EV_ADD, 0, 0);
  try_one("VNODE", file.get(), EVFILT_VNODE, EV_ADD | EV_CLEAR, NOTE_WRITE, 0);
  try_one("PROC", ::getpid(), EVFILT_PROC, EV_ADD, NOTE_EXIT, 0);
  try_one("SIGNAL", SIGUSR1, EVFILT_SIGNAL, EV_ADD, 0, 0);
  try_one("TIMER", 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, 60'000);
  try_one("USER", 1, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0);
#if defined(EVFILT_EXCEPT)
  try_one("EXCEPT", pipe->read.get(), EVFILT_EXCEPT, EV_ADD, 0, 0);
#endif
#if defined(EVFILT_EMPTY)
  try_one("EMPTY", pipe->write.get(), EVFILT_EMPTY, EV_ADD, 0, 0);
#endif
  return word_set(std::move(known), "those that could be registered");
}

FactResult user_multishot(ProbeContext& cx) {
  const os::UniqueFd queue = make(cx);
  if (!queue) return cx.unknown();
  if (change(cx, "EV_ADD EVFILT_USER", queue.get(), event_of(1, EVFILT_USER, EV_ADD | EV_CLEAR)) !=
      0) {
    return cx.refused();
  }
  const Kevent trigger = event_of(1, EVFILT_USER, 0, NOTE_TRIGGER);
  const timespec none{};
  Kevent got{};
  for (int i = 0; i < 1000; ++i) {
    if (::kevent(queue.get(), &trigger, 1, nullptr, 0, nullptr) != 0 ||
        ::kevent(queue.get(), nullptr, 0, &got, 1, &none) != 1) {
      return no(Reason::failed, "trigger " + std::to_string(i) + " was not reported");
    }
    if (::kevent(queue.get(), nullptr, 0, &got, 1, &none) != 0) {
      return no(Reason::failed, "trigger " + std::to_string(i) + " was reported twice");
    }
  }
  return yes("1000 triggers, each reported once");
}

FactResult exit_before_reap(ProbeContext& cx) {
  const os::UniqueFd queue = make(cx);
  std::optional<PipeEnds> pipe = pipe_of(cx);
  if (!queue || !pipe) return cx.unknown();
  const pid_t child = child_that(cx, [&] {
    char byte;
    pipe->write.reset();
    return static_cast<int>(::read(pipe->read.get(), &byte, 1));
  });
  if (child < 0) return cx.unknown();
  const bool watched = change(cx, "EV_ADD EVFILT_PROC NOTE_EXIT", queue.get(),
                              event_of(child, EVFILT_PROC, EV_ADD, NOTE_EXIT)) == 0;
  pipe->write.reset();
  if (!watched) {
    (void)status_of(cx, child);
    return cx.refused();
  }
  const std::optional<Kevent> told = next(cx, queue.get(), 5s);
  int status = 0;
  const pid_t got = cx.call("waitpid(WNOHANG)", ::waitpid(child, &status, WNOHANG));
  if (got != child) (void)status_of(cx, child);
  if (!told) return no(Reason::failed, "no event within 5 s");
  if (got == child) return yes("collected at once");
  return no(Reason::failed, "the event came before the child could be collected");
}

FactResult kinds(ProbeContext& cx) {
  const os::UniqueFd queue = make(cx);
  if (!queue) return cx.unknown();
  std::vector<std::string> taken;
  const auto try_one = [&](const char* name, int fd) {
    if (fd < 0) return;
    const Kevent event = event_of(fd, EVFILT_READ, EV_ADD);
    if (change(cx, name, queue.get(), event) == 0) taken.emplace_back(name);
  };
  const os::UniqueFd file = cx.temp_file();
  const std::optional<PipeEnds> pipe = pipe_of(cx);
  const os::UniqueFd tcp(os::own_socket(AF_INET, SOCK_STREAM, false));
  const os::UniqueFd other = make(cx);
  try_one("regular file", file.get());
  if (pipe) try_one("pipe", pipe->read.get());
  try_one("socket", tcp.get());
  try_one("kqueue", other.get());
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/random", "/dev/tty", "/"}) {
    const os::UniqueFd opened(cx.call(path, ::open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)));
    try_one(path, opened.get());
  }
  return word_set(std::move(taken), "those that EVFILT_READ takes");
}

FactResult fork_inherited(ProbeContext& cx) {
  const os::UniqueFd queue = make(cx);
  if (!queue) return cx.unknown();
  const pid_t child = child_that(cx, [&] {
    const timespec none{};
    Kevent got{};
    return ::kevent(queue.get(), nullptr, 0, &got, 1, &none) < 0 && errno == EBADF ? 1 : 0;
  });
  if (child < 0) return cx.unknown();
  switch (status_of(cx, child)) {
    case 0:
      return yes("kevent worked in the child");
    case 1:
      return no(Reason::failed, "EBADF in the child");
    default:
      return cx.unknown("the child died");
  }
}

FactResult timeout_cap(ProbeContext& cx) {
  const os::UniqueFd queue = make(cx);
  if (!queue) return cx.unknown();
  return null(Reason::not_asked, "FreeBSD documents 24 hours: it would take as long to see");
}

FactResult nested(ProbeContext& cx) {
  const os::UniqueFd outer = make(cx), inner = make(cx);
  const std::optional<PipeEnds> pipe = pipe_of(cx);
  if (!outer || !inner || !pipe) return cx.unknown();
  if (change(cx, "EV_ADD of a queue", outer.get(), event_of(inner.get(), EVFILT_READ, EV_ADD)) !=
          0 ||
      change(cx, "EV_ADD of a pipe", inner.get(),
             event_of(pipe->read.get(), EVFILT_READ, EV_ADD)) != 0) {
    return cx.refused();
  }
  if (next(cx, outer.get(), 0s)) return no(Reason::failed, "readable although nothing is ready");
  (void)cx.call("write(2)", ::write(pipe->write.get(), "x", 1));
  if (next(cx, outer.get(), 1s)) return yes("quiet, and readable when the pipe is");
  return no(Reason::failed, "quiet also when the pipe is readable");
}

FactResult limits(ProbeContext& cx) {
  constexpr int kEnough = 4096;
  std::vector<os::UniqueFd> queues;
  while (static_cast<int>(queues.size()) < kEnough) {
    os::UniqueFd one(::kqueue());
    if (!one) break;
    queues.push_back(std::move(one));
  }
  const int error = errno;
  const auto made = static_cast<std::int64_t>(queues.size());
  if (made < kEnough) cx.note("kqueue", "-1", error);
  queues.clear();
  return count(made, made < kEnough ? "queues, then it was refused" : "queues, and perhaps more");
}

FactResult timer_units(ProbeContext& cx) {
  const os::UniqueFd queue = make(cx);
  if (!queue) return cx.unknown();
  std::vector<std::string> known;
  const auto try_one = [&](const char* name, unsigned notes, std::int64_t data) {
    const Kevent event = event_of(1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, notes, data);
    if (change(cx, name, queue.get(), event) != 0) return;
    if (next(cx, queue.get(), 1s)) known.emplace_back(name);
  };
  try_one("milliseconds", 0, 1);
#if defined(NOTE_SECONDS)
  try_one("NOTE_SECONDS", NOTE_SECONDS, 0);
#endif
#if defined(NOTE_USECONDS)
  try_one("NOTE_USECONDS", NOTE_USECONDS, 500);
#endif
#if defined(NOTE_NSECONDS)
  try_one("NOTE_NSECONDS", NOTE_NSECONDS, 500'000);
#endif
#if defined(NOTE_CRITICAL)
  try_one("NOTE_CRITICAL", NOTE_CRITICAL, 1);
#endif
  return word_set(std::move(known), "registered, and fired within a second");
}

FactResult wait_300us(ProbeContext& cx) {
  const os::UniqueFd queue = make(cx);
  if (!queue) return cx.unknown();
  const timespec limit = to_timespec(300us);
  std::vector<double> took;
  Kevent got{};
  for (int i = 0; i < cx.rounds(20, 200); ++i) {
    const TimePoint began = now();
    if (::kevent(queue.get(), nullptr, 0, &got, 1, &limit) != 0) continue;
    took.push_back(static_cast<double>((now() - began).count()));
  }
  cx.note("kevent, 300 us", std::to_string(took.size()) + " times");
  if (took.empty()) return cx.unknown();
  return median_of(std::move(took), Unit::nanoseconds, "median");
}

FactResult longest_timeout(ProbeContext& cx) {
  const os::UniqueFd queue = make(cx);
  if (!queue) return cx.unknown();
  if (change(cx, "EV_ADD EVFILT_USER", queue.get(), event_of(1, EVFILT_USER, EV_ADD)) != 0 ||
      change(cx, "NOTE_TRIGGER", queue.get(), event_of(1, EVFILT_USER, 0, NOTE_TRIGGER)) != 0) {
    return cx.unknown();
  }
  std::int64_t accepted = 0;
  for (std::int64_t seconds = 1; seconds <= (std::int64_t{1} << 60); seconds *= 4) {
    timespec limit{};
    limit.tv_sec = static_cast<decltype(limit.tv_sec)>(seconds);
    Kevent got{};
    if (::kevent(queue.get(), nullptr, 0, &got, 1, &limit) != 1) break;
    accepted = seconds;
  }
  cx.note("kevent with something to report", std::to_string(accepted) + " s accepted");
  return count(accepted, "seconds, a power of four");
}

FactResult signal_counts(ProbeContext& cx) {
  const os::UniqueFd queue = make(cx);
  if (!queue) return cx.unknown();
  ::signal(SIGUSR1, SIG_IGN);
  if (change(cx, "EV_ADD EVFILT_SIGNAL", queue.get(), event_of(SIGUSR1, EVFILT_SIGNAL, EV_ADD)) !=
      0) {
    return cx.refused();
  }
  for (int i = 0; i < 5; ++i) (void)cx.call("kill(self)", ::kill(::getpid(), SIGUSR1));
  const std::optional<Kevent> told = next(cx, queue.get(), 1s);
  if (!told) return no(Reason::failed, "an ignored signal was not reported");
  if (told->data == 5) return yes("5 of 5");
  return no(Reason::failed, std::to_string(told->data) + " of 5");
}

FactResult aio(ProbeContext& cx) {
#if defined(SIGEV_KEVENT)
  const os::UniqueFd queue = make(cx);
  if (!queue) return cx.unknown();
  return null(Reason::not_asked, "SIGEV_KEVENT is there; reading by it is not tried");
#else
  (void)cx;
  return no(Reason::not_compiled_in, "this system's headers have no SIGEV_KEVENT");
#endif
}

FactResult process_descriptors(ProbeContext& cx) {
#if defined(PD_CLOEXEC)
  int descriptor = -1;
  const pid_t pid = cx.call("pdfork", ::pdfork(&descriptor, PD_CLOEXEC));
  if (pid == 0) ::_exit(0);
  if (pid < 0) return cx.refused();
  const os::UniqueFd child(descriptor);
  return yes("a descriptor for the child");
#else
  (void)cx;
  return no(Reason::not_compiled_in, "this system's headers have no pdfork");
#endif
}

constexpr Fact kFacts[] = {
    {"kqueue.filters", "Which filters can be registered?", "FreeBSD man 2 kqueue", filters,
     "what a loop over kqueue can watch"},
    {"kqueue.user_multishot", "Does EVFILT_USER with EV_CLEAR survive 1000 triggers?",
     "FreeBSD man 2 kqueue, EVFILT_USER", user_multishot, "a wake-up channel without descriptors"},
    {"kqueue.proc_exit_before_reap", "Is a child reapable when NOTE_EXIT arrives?",
     "FreeBSD man 2 kqueue, EVFILT_PROC", exit_before_reap, "watching children without SIGCHLD"},
    {"kqueue.kinds", "Which kinds of descriptor can kqueue watch?",
     "FreeBSD man 2 kqueue, EVFILT_READ", kinds, "devices and FIFOs differ on Darwin"},
    {"kqueue.fork_inherited", "Does a forked child inherit the queue?",
     "FreeBSD man 2 kqueue, DESCRIPTION", fork_inherited, "a loop must be rebuilt after fork"},
    {"kqueue.timeout_cap", "What is the longest wait before it is cut?", "FreeBSD man 2 kqueue",
     timeout_cap, "far deadlines must be cut into pieces"},
    {"kqueue.nested_accuracy", "Is an idle queue inside a queue quiet?", "FreeBSD man 2 kqueue",
     nested, "running a loop as a guest of another loop"},
    {"kqueue.limits", "How many queues and timers may there be?",
     "FreeBSD man 2 kqueue; sysctl kern.kq_calloutmax", limits, "creation failures at scale"},
    {"timer.kqueue_units", "Which units and flags does EVFILT_TIMER know?",
     "FreeBSD man 2 kqueue, EVFILT_TIMER", timer_units, "precision of timers"},
    {"wait.ns.kevent", "How long does a kevent of 300 us take?", "FreeBSD man 2 kqueue", wait_300us,
     "what a sub-millisecond timer costs in lateness"},
    {"wait.max_timeout.kevent", "What is the longest wait that kevent accepts?",
     "FreeBSD man 2 kqueue", longest_timeout, "far deadlines must be cut into pieces"},
    {"signal.kqueue_counts", "Does EVFILT_SIGNAL count how often a signal was raised?",
     "FreeBSD man 2 kqueue, EVFILT_SIGNAL", signal_counts, "counting signals"},
    {"aio.kqueue", "Does a finished aio_read arrive on the queue?", "FreeBSD man 4 aio", aio,
     "file I/O off the loop's thread"},
    {"procdesc", "Does pdfork give a descriptor for the child?", "FreeBSD man 2 pdfork",
     process_descriptors, "watching children without SIGCHLD"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "kqueue", .group = "B2", .facts = kFacts};

}  // namespace loopscope::probes::kqueue
