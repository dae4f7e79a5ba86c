// Pipes and FIFOs: capacity, when they become writable, and how their ends open and hang up.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::pipes {

namespace {

struct Ends {
  os::UniqueFd read, write;
};

std::optional<Ends> make(ProbeContext& cx) {
  int ends[2];
  if (cx.call("pipe2(O_CLOEXEC|O_NONBLOCK)", ::pipe2(ends, O_CLOEXEC | O_NONBLOCK)) != 0) {
    return std::nullopt;
  }
  return Ends{os::UniqueFd(ends[0]), os::UniqueFd(ends[1])};
}

/// Writes until EAGAIN; how many octets went in.
std::int64_t fill(int fd) {
  static constexpr std::array<char, 4096> kBlock{};
  std::int64_t total = 0;
  constexpr std::int64_t kEnough = 64 << 20;
  for (std::size_t size = kBlock.size(); size >= 1;) {
    const ssize_t n = ::write(fd, kBlock.data(), size);
    if (n > 0) total += n;
    if (n <= 0) size = size == 1 ? 0 : 1;  // The rest octet by octet.
    if (total > kEnough) break;
  }
  return total;
}

short poll_now(int fd, short events) {
  pollfd slot{.fd = fd, .events = events, .revents = 0};
  return ::poll(&slot, 1, 0) < 0 ? short{0} : slot.revents;
}

FactResult pipe2_flags(ProbeContext& cx) {
  const auto pipe = make(cx);
  if (!pipe) return cx.refused();
  const int own = cx.call("fcntl(F_GETFD)", ::fcntl(pipe->read.get(), F_GETFD));
  const int mode = cx.call("fcntl(F_GETFL)", ::fcntl(pipe->read.get(), F_GETFL));
  if ((own & FD_CLOEXEC) != 0 && (mode & O_NONBLOCK) != 0) return yes();
  return no(Reason::failed, "a flag was ignored");
}

FactResult capacity(ProbeContext& cx) {
  const auto pipe = make(cx);
  if (!pipe) return cx.unknown();
  const std::int64_t total = fill(pipe->write.get());
  const int declared = cx.call("fcntl(F_GETPIPE_SZ)", ::fcntl(pipe->write.get(), F_GETPIPE_SZ));
  cx.note("write until EAGAIN", std::to_string(total) + " bytes");
  if (declared > 0 && total != declared) {
    cx.disagree("F_GETPIPE_SZ", std::to_string(declared), "write until EAGAIN",
                std::to_string(total));
  }
  return byte_count(
      total, total == declared ? "as F_GETPIPE_SZ says" : "F_GETPIPE_SZ says something else");
}

FactResult capacity_settable(ProbeContext& cx) {
  constexpr int kSmall = 4096;
  const auto pipe = make(cx);
  if (!pipe) return cx.unknown();
  const int set =
      cx.call("fcntl(F_SETPIPE_SZ, 4096)", ::fcntl(pipe->write.get(), F_SETPIPE_SZ, kSmall));
  if (set < 0) return cx.refused();
  const std::int64_t total = fill(pipe->write.get());
  cx.note("write until EAGAIN", std::to_string(total) + " bytes");
  if (total == set) return yes("from one page on");
  return no(Reason::failed, "the pipe took " + std::to_string(total) + " bytes");
}

FactResult from_proc(ProbeContext& cx, const std::string& path, Unit unit) {
  const auto value = read_number(path);
  cx.call("read(" + path + ")", value ? 0 : -1);
  if (!value) return cx.unknown();
  return {.value = *value, .unit = unit, .method = Method::sysctl};
}
FactResult pages_soft(ProbeContext& cx) {
  return from_proc(cx, "/proc/sys/fs/pipe-user-pages-soft", Unit::count);
}
FactResult pages_hard(ProbeContext& cx) {
  return from_proc(cx, "/proc/sys/fs/pipe-user-pages-hard", Unit::count);
}
FactResult user_limits(ProbeContext& cx) {
  const auto soft = read_number("/proc/sys/fs/pipe-user-pages-soft");
  cx.call("read(/proc/sys/fs/pipe-user-pages-soft)", soft ? 0 : -1);
  const auto hard = read_number("/proc/sys/fs/pipe-user-pages-hard");
  cx.call("read(/proc/sys/fs/pipe-user-pages-hard)", hard ? 0 : -1);
  if (!soft || !hard) return cx.unknown();
  FactResult result = word_set({"soft: " + std::to_string(*soft), "hard: " + std::to_string(*hard)},
                               "pages of one user; 0 is no limit");
  result.method = Method::sysctl;
  return result;
}
FactResult max_size(ProbeContext& cx) {
  return from_proc(cx, "/proc/sys/fs/pipe-max-size", Unit::bytes);
}

FactResult pollout_granularity(ProbeContext& cx) {
  const auto pipe = make(cx);
  if (!pipe) return cx.unknown();
  const std::int64_t total = fill(pipe->write.get());
  char octet = 0;
  for (std::int64_t taken = 1; taken <= total; ++taken) {
    if (::read(pipe->read.get(), &octet, 1) != 1) break;
    if ((poll_now(pipe->write.get(), POLLOUT) & POLLOUT) == 0) continue;
    cx.note("read one octet at a time from a full pipe", "POLLOUT after " + std::to_string(taken));
    return byte_count(taken, "that much must be read from a full pipe before POLLOUT");
  }
  return null(Reason::failed, "POLLOUT did not come back");
}

FactResult fifo_without_reader(ProbeContext& cx) {
  const std::string path = cx.temp_path("no-reader");
  if (cx.call("mkfifo", ::mkfifo(path.c_str(), 0600)) != 0) return cx.unknown();
  const os::UniqueFd writer(cx.call("open(O_WRONLY|O_NONBLOCK)",
                                    ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)));
  const int error = cx.last_error();
  if (writer) return words("opened");
  return words(error_name(std::error_code(error, std::system_category())));
}

FactResult fifo_hup_cleared(ProbeContext& cx) {
  const std::string path = cx.temp_path("hup");
  if (cx.call("mkfifo", ::mkfifo(path.c_str(), 0600)) != 0) return cx.unknown();
  const os::UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  os::UniqueFd writer(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (!reader || !writer) {
    cx.call("open(FIFO)", -1);
    return cx.unknown();
  }
  writer.reset();
  const short gone = poll_now(reader.get(), POLLIN);
  cx.note("poll after the writer left", std::to_string(gone));
  writer = os::UniqueFd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  const short back = poll_now(reader.get(), POLLIN);
  cx.note("poll after a new writer came", std::to_string(back));
  if ((gone & POLLHUP) == 0) return null(Reason::failed, "no POLLHUP to be cleared");
  return (back & POLLHUP) == 0 ? yes() : no(Reason::none, "POLLHUP stays");
}

constexpr Fact kFacts[] = {
    {"pipe2", "Does pipe2 set close-on-exec and non-blocking at once?", "man 2 pipe2", pipe2_flags,
     "no window in which a subprocess inherits the ends"},
    {"pipe.capacity", "How much does a fresh pipe hold?", "man 7 pipe, Pipe capacity", capacity,
     "when a write transport pauses"},
    {"pipe.capacity_settable", "Can the capacity be changed?", "man 2 fcntl, F_SETPIPE_SZ",
     capacity_settable, "tests of flow control with small pipes"},
    {"pipe.max_size", "How large may an ordinary user make a pipe?",
     "man 7 pipe, /proc/sys/fs/pipe-max-size", max_size, "throughput of pipes"},
    {"pipe.user_limits", "How many pages may the pipes of one user have?",
     "man 7 pipe, /proc files", user_limits, "pipes that suddenly hold one page"},
    {"pipe.user_limits.soft", "How many pages of pipes until new ones get one page only?",
     "man 7 pipe, pipe-user-pages-soft", pages_soft, "pipes that suddenly hold 4096 bytes"},
    {"pipe.user_limits.hard", "How many pages of pipes until creation fails (0: no limit)?",
     "man 7 pipe, pipe-user-pages-hard", pages_hard, "EPERM and ENFILE of pipe at scale"},
    {"pipe.pollout_granularity", "How much must be read before a full pipe is writable?",
     "man 7 pipe, PIPE_BUF", pollout_granularity, "a writer wakes later than a reader reads"},
    {"fifo.open_write_without_reader", "What does opening a FIFO to write say without a reader?",
     "POSIX open, ENXIO", fifo_without_reader, "the writer must retry"},
    {"fifo.hup_cleared_by_new_writer", "Does a new writer clear the hang-up of a FIFO?",
     "POSIX poll, POLLHUP", fifo_hup_cleared, "whether a reader may stay on the same descriptor"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "pipes", .group = "B3", .facts = kFacts};

}  // namespace loopscope::probes::pipes
