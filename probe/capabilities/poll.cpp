// poll: its presence and what it reports without being asked.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "loops/base/clock.hpp"
#include "loops/os/posix/close_on_exec.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::poll {

namespace {

FactResult present(ProbeContext& cx) {
  int ends[2];
  if (cx.call(os::kPipeCall, os::own_pipe(ends)) != 0) return cx.unknown();
  const os::UniqueFd read(ends[0]);
  const os::UniqueFd write(ends[1]);
  (void)cx.call("write(pipe)", ::write(write.get(), "x", 1));
  pollfd slot{.fd = read.get(), .events = POLLIN, .revents = 0};
  const int rc = cx.call("poll(readable pipe)", ::poll(&slot, 1, 0));
  if (rc < 0) return cx.refused();
  return rc == 1 && slot.revents == POLLIN ? yes() : no(Reason::failed, "POLLIN did not come");
}

FactResult hup_unasked(ProbeContext& cx) {
  int ends[2];
  if (cx.call(os::kPipeCall, os::own_pipe(ends)) != 0) return cx.unknown();
  const os::UniqueFd read(ends[0]);
  os::UniqueFd write(ends[1]);
  write.reset();
  pollfd slot{.fd = read.get(), .events = 0, .revents = 0};
  const int rc = cx.call("poll(events=0, writer gone)", ::poll(&slot, 1, 0));
  cx.note("revents", std::to_string(slot.revents));
  if (rc < 0) return cx.unknown();
  return (slot.revents & POLLHUP) != 0 ? yes("POLLHUP came with an empty mask")
                                       : no(Reason::none, "an empty mask reports nothing");
}

FactResult nval(ProbeContext& cx) {
  int ends[2];
  if (cx.call(os::kPipeCall, os::own_pipe(ends)) != 0) return cx.unknown();
  os::UniqueFd read(ends[0]);
  const os::UniqueFd write(ends[1]);
  pollfd slots[2] = {{.fd = read.get(), .events = POLLIN, .revents = 0},
                     {.fd = write.get(), .events = POLLOUT, .revents = 0}};
  read.reset();
  const int rc = cx.call("poll(a closed and a writable descriptor)", ::poll(slots, 2, 0));
  if (rc < 0) return cx.unknown();
  if (slots[0].revents == POLLNVAL && (slots[1].revents & POLLOUT) != 0) {
    return yes("the closed one answers POLLNVAL, the other one is reported as usual");
  }
  return no(Reason::none, "the closed descriptor was passed over");
}

FactResult tick(ProbeContext& cx) {
  // The timeout is an int of milliseconds: what is below one must be rounded by the caller.
  double least = 1e9;
  for (int i = 0; i < 5; ++i) {
    const TimePoint start = now();
    if (cx.call("poll(1 ms)", ::poll(nullptr, 0, 1)) != 0) return cx.unknown();
    least = std::min(least, static_cast<double>((now() - start).count()));
  }
  FactResult result = nanoseconds(static_cast<std::int64_t>(least));
  result.note = "the shortest wait above zero that poll can express, as measured";
  return result;
}

FactResult hup_on_fresh_fifo(ProbeContext& cx) {
  const std::string path = cx.temp_path("fifo");
  if (cx.call("mkfifo", ::mkfifo(path.c_str(), 0600)) != 0) return cx.unknown();
  const os::UniqueFd reader(cx.call("open(O_RDONLY|O_NONBLOCK)",
                                    ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)));
  if (!reader) return cx.unknown();
  pollfd slot{.fd = reader.get(), .events = POLLIN, .revents = 0};
  const int rc = cx.call("poll(reader of a FIFO without any writer yet)", ::poll(&slot, 1, 0));
  cx.note("revents", std::to_string(slot.revents));
  if (rc < 0) return cx.unknown();
  return (slot.revents & POLLHUP) != 0 ? yes("a reader spins until the first writer comes")
                                       : no(Reason::none, "quiet until a writer has come and gone");
}

constexpr Fact kFacts[] = {
    {"poll.present", "Does poll report a readable pipe?", "POSIX poll", present,
     "the portable fallback of every loop"},
    {"poll.hup_unasked", "Does POLLHUP arrive although nothing was asked?", "POSIX poll, POLLHUP",
     hup_unasked, "a paused reader can spin"},
    {"poll.nval", "Is a closed descriptor reported for itself, with POLLNVAL?",
     "POSIX poll, POLLNVAL", nval, "the loop must drop it or spin"},
    {"poll.tick", "How long is the shortest wait above zero?", "man 2 poll", tick,
     "timeouts round up to whole milliseconds"},
    {"poll.hup_on_fifo_never_opened", "Does a fresh FIFO report a hang-up before any writer came?",
     "POSIX poll, POLLHUP", hup_on_fresh_fifo, "Linux is quiet, macOS reports"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "poll", .group = "B2", .facts = kFacts};

}  // namespace loopscope::probes::poll
