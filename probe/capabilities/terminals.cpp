// Terminals: pseudo-terminals of our own, and the controlling terminal without touching it.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <array>

#include "probe/probe_context.hpp"

namespace loopscope::probes::terminals {

namespace {

struct Pty {
  os::UniqueFd master, slave;
  bool open() const { return master && slave; }
};

/// A pair of non-blocking ends; raw: without line editing.
Pty make_pty(ProbeContext& cx, bool raw) {
  Pty pty;
  pty.master = os::UniqueFd(
      cx.call("posix_openpt", ::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)));
  if (!pty.master) return pty;
  if (cx.call("grantpt", ::grantpt(pty.master.get())) != 0 ||
      cx.call("unlockpt", ::unlockpt(pty.master.get())) != 0) {
    return pty;
  }
  char name[64];
  if (cx.call_status("ptsname_r", ::ptsname_r(pty.master.get(), name, sizeof name)) != 0) {
    return pty;
  }
  pty.slave = os::UniqueFd(cx.call(std::string("open(") + name + ")",
                                   ::open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)));
  termios modes{};
  if (raw && pty.slave && ::tcgetattr(pty.slave.get(), &modes) == 0) {
    ::cfmakeraw(&modes);
    (void)cx.call("tcsetattr(raw)", ::tcsetattr(pty.slave.get(), TCSANOW, &modes));
  }
  return pty;
}

FactResult ptmx(ProbeContext& cx) {
  return make_pty(cx, false).open() ? yes("master and slave were opened") : cx.refused();
}

FactResult openpty_works(ProbeContext& cx) {
  int master = -1;
  int slave = -1;
  if (cx.call("openpty", ::openpty(&master, &slave, nullptr, nullptr, nullptr)) != 0) {
    return cx.refused();
  }
  const os::UniqueFd one(master);
  const os::UniqueFd two(slave);
  return ::isatty(slave) == 1 ? yes() : no(Reason::failed, "the slave is no terminal");
}

FactResult devtty(ProbeContext& cx) {
  const os::UniqueFd tty(
      cx.call("open(/dev/tty)", ::open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)));
  if (tty) return yes("this process has a controlling terminal");
  return cx.refused(cx.last_error() == ENXIO ? "this process has no controlling terminal" : "");
}

std::string poll_words(int fd) {
  pollfd slot{.fd = fd, .events = POLLIN, .revents = 0};
  if (::poll(&slot, 1, 0) < 0) return "error";
  std::string words;
  if ((slot.revents & POLLIN) != 0) words += "IN ";
  if ((slot.revents & POLLHUP) != 0) words += "HUP ";
  if (words.empty()) return "-";
  words.pop_back();
  return words;
}

FactResult pty_eof(ProbeContext& cx) {
  Pty pty = make_pty(cx, true);
  if (!pty.open()) return cx.unknown();
  (void)cx.call("write(slave)", ::write(pty.slave.get(), "x", 1));
  pty.slave.reset();
  cx.note("poll(master) with data left", poll_words(pty.master.get()));
  std::array<char, 8> data{};
  const ssize_t first =
      cx.call("read(master), first", ::read(pty.master.get(), data.data(), data.size()));
  cx.note("poll(master) afterwards", poll_words(pty.master.get()));
  const ssize_t second =
      cx.call("read(master), second", ::read(pty.master.get(), data.data(), data.size()));
  const int error = errno;
  const std::string before = first == 1 ? "after the data that was left" : "the data is lost";
  if (second == 0) return words("0", before);
  return words(error_name(std::error_code(error, std::system_category())), before);
}

std::int64_t fill(int fd) {
  static constexpr std::array<char, 1024> kBlock{};
  constexpr std::int64_t kEnough = 8 << 20;
  std::int64_t total = 0;
  while (total < kEnough) {
    const ssize_t n = ::write(fd, kBlock.data(), kBlock.size());
    if (n <= 0) break;
    total += n;
  }
  return total;
}

/// A worker of the kernel moves what was written while we write: it differs a little each time.
FactResult pty_buffer(ProbeContext& cx) {
  std::vector<double> down;
  std::int64_t up = 0;
  for (int i = cx.rounds(3, 30); i > 0; --i) {
    const Pty pty = make_pty(cx, true);
    if (!pty.open()) return cx.unknown();
    down.push_back(static_cast<double>(fill(pty.master.get())));
    up = fill(pty.slave.get());
  }
  cx.note("write(slave) until EAGAIN", std::to_string(up) + " bytes");
  return median_of(std::move(down), Unit::bytes, "towards the slave, until EAGAIN");
}

FactResult canonical_line(ProbeContext& cx) {
  const Pty pty = make_pty(cx, false);
  if (!pty.open()) return cx.unknown();
  termios modes{};
  if (::tcgetattr(pty.slave.get(), &modes) != 0) return cx.unknown();
  modes.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);  // An echo would fill the way back.
  (void)cx.call("tcsetattr(no echo)", ::tcsetattr(pty.slave.get(), TCSANOW, &modes));
  const std::string line(6'000, 'a');
  (void)cx.call("write(master, 6000 octets)", ::write(pty.master.get(), line.data(), line.size()));
  (void)cx.call("write(master, line end)", ::write(pty.master.get(), "\n", 1));
  std::array<char, 16384> data{};
  pollfd slot{.fd = pty.slave.get(), .events = POLLIN, .revents = 0};
  (void)cx.call("poll(slave)", ::poll(&slot, 1, 100));
  const ssize_t n = cx.call("read(slave)", ::read(pty.slave.get(), data.data(), data.size()));
  if (n <= 0) return cx.unknown("no line arrived");
  const bool ended = data[static_cast<std::size_t>(n) - 1] == '\n';
  return byte_count(ended ? n - 1 : n, "of a line of 6000 octets; the rest is lost");
}

FactResult reopen(ProbeContext& cx) {
  const Pty pty = make_pty(cx, true);
  if (!pty.open()) return cx.unknown();
  char name[64];
  if (cx.call_status("ttyname_r", ::ttyname_r(pty.slave.get(), name, sizeof name)) != 0) {
    return cx.refused("the terminal has no name here");
  }
  const os::UniqueFd again(cx.call("open(ttyname)", ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)));
  if (!again) return cx.refused();
  const int flags = ::fcntl(again.get(), F_GETFL);
  return (flags & O_NONBLOCK) == 0 ? yes("with flags of its own")
                                   : no(Reason::failed, "the flags are shared");
}

constexpr Fact kFacts[] = {
    {"tty.ptmx", "Can a pseudo-terminal pair be opened?", "POSIX posix_openpt", ptmx,
     "terminals for tests and for interactive subprocesses"},
    {"tty.openpty", "Does openpty work?", "man 3 openpty", openpty_works,
     "the call that most programs use for it"},
    {"tty.devtty", "Does this process have a controlling terminal?", "man 4 tty", devtty,
     "asking the user although stdin is redirected"},
    {"tty.pty_eof_errno", "What does a master read once the slave is closed?",
     "man 4 pts; POSIX read", pty_eof, "EIO here is an end of file, not a failure"},
    {"tty.pty_buffer", "How much does a raw pseudo-terminal hold?", "man 7 pty", pty_buffer,
     "when a write to a terminal would block"},
    {"tty.pty_canonical_line", "How long may a line be before it is cut?",
     "man 3 termios, canonical mode", canonical_line, "long lines to interactive subprocesses"},
    {"tty.reopen_possible", "Can a terminal be opened again by its name?", "man 3 ttyname", reopen,
     "O_NONBLOCK without changing the terminal of others"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "terminals", .group = "B4", .facts = kFacts};

}  // namespace loopscope::probes::terminals
