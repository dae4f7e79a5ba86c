// Regular files: what readiness says of them, and which asynchronous interfaces read them.
#include <aio.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstring>

#include "probe/capabilities/raw_ring.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::files {

namespace {

constexpr std::size_t kBlock = 4096;

std::string outcome(int rc) {
  if (rc < 0) return error_name(std::error_code(errno, std::system_category()));
  return rc > 0 ? "always ready" : "never ready";
}

FactResult readiness(ProbeContext& cx) {
  // At its end, where a read would find nothing: a mechanism that knew files would not be ready.
  const os::UniqueFd file = cx.temp_file();
  if (!file) return cx.unknown();
  std::vector<std::string> outcomes;
  if (file.get() < FD_SETSIZE) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(file.get(), &set);
    timeval none{};
    outcomes.push_back("select: " +
                       outcome(cx.call("select(empty file)",
                                       ::select(file.get() + 1, &set, nullptr, nullptr, &none))));
  }
  pollfd slot{.fd = file.get(), .events = POLLIN, .revents = 0};
  outcomes.push_back("poll: " + outcome(cx.call("poll(empty file)", ::poll(&slot, 1, 0))));
  const os::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  int rc = cx.call("epoll_ctl(ADD, empty file)",
                   ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, file.get(), &event));
  if (rc == 0) rc = ::epoll_wait(epoll.get(), &event, 1, 0);
  outcomes.push_back("epoll: " + outcome(rc));
  RawRing ring;
  if (ring.open(cx)) {
    const auto mask = ring.poll_now(file.get(), POLLIN);
    if (mask && *mask < 0) errno = -*mask;
    outcomes.push_back("io_uring: " + outcome(mask ? (*mask < 0 ? -1 : 1) : 0));
  } else {
    outcomes.push_back("io_uring: no ring");
  }
  return word_set(std::move(outcomes), "of an empty file: nothing could be read");
}

FactResult aio_posix(ProbeContext& cx) {
  const std::string text(kBlock, 'a');
  const os::UniqueFd file = cx.temp_file(text);
  if (!file) return cx.unknown();
  std::string read(kBlock, '\0');
  aiocb block{};
  block.aio_fildes = file.get();
  block.aio_buf = read.data();
  block.aio_nbytes = kBlock;
  if (cx.call("aio_read(4096)", ::aio_read(&block)) != 0) return cx.refused();
  const aiocb* const list[] = {&block};
  const timespec limit{.tv_sec = 0, .tv_nsec = 300'000'000};
  if (cx.call("aio_suspend", ::aio_suspend(list, 1, &limit)) != 0) return cx.unknown();
  const int error = ::aio_error(&block);
  (void)cx.call_status("aio_error", error);
  const ssize_t n = cx.call("aio_return", ::aio_return(&block));
  if (error != 0) return cx.refused();
  if (n != static_cast<ssize_t>(kBlock) || read != text) {
    return no(Reason::failed, "short or wrong data");
  }
  return yes("the C library does it with threads of its own");
}

/// struct iocb of linux/aio_abi.h, little-endian order of key and flags does not matter at zero.
struct NativeBlock {
  std::uint64_t data;
  std::uint32_t key, rw_flags;
  std::uint16_t opcode;
  std::int16_t priority;
  std::uint32_t fd;
  std::uint64_t buffer, size, offset, reserved;
  std::uint32_t flags, event_fd;
};
static_assert(sizeof(NativeBlock) == 64);
struct NativeEvent {
  std::uint64_t data, object;
  std::int64_t result, result2;
};

FactResult aio_native(ProbeContext& cx) {
  const std::string text(kBlock, 'n');
  const os::UniqueFd file = cx.temp_file(text);
  if (!file) return cx.unknown();
  unsigned long context = 0;
  if (cx.call("io_setup(1)", ::syscall(SYS_io_setup, 1, &context)) != 0) return cx.refused();
  std::string read(kBlock, '\0');
  NativeBlock block{};
  block.fd = static_cast<std::uint32_t>(file.get());
  block.buffer = reinterpret_cast<std::uintptr_t>(read.data());
  block.size = kBlock;  // Opcode 0 is IOCB_CMD_PREAD.
  NativeBlock* list[] = {&block};
  NativeEvent event{};
  const long sent = cx.call("io_submit(pread 4096)", ::syscall(SYS_io_submit, context, 1, list));
  long got = -1;
  if (sent == 1) {
    got = cx.call("io_getevents", ::syscall(SYS_io_getevents, context, 1, 1, &event, nullptr));
  }
  (void)::syscall(SYS_io_destroy, context);
  if (sent != 1 || got != 1) return cx.refused();
  if (event.result != static_cast<std::int64_t>(kBlock) || read != text) {
    return no(Reason::failed, "short or wrong data");
  }
  return yes("without O_DIRECT the read happens inside of io_submit");
}

FactResult inotify_sees(ProbeContext& cx) {
  const os::UniqueFd watcher(cx.call("inotify_init1", ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)));
  if (!watcher) return cx.refused();
  if (cx.call("inotify_add_watch(temporary folder)",
              ::inotify_add_watch(watcher.get(), cx.temp_dir().c_str(), IN_CREATE)) < 0) {
    return cx.refused();
  }
  const os::UniqueFd file = cx.temp_file();
  if (!file) return cx.unknown();
  alignas(inotify_event) char buffer[1024];
  const ssize_t n = cx.call("read(inotify)", ::read(watcher.get(), buffer, sizeof buffer));
  if (n < static_cast<ssize_t>(sizeof(inotify_event))) {
    return no(Reason::failed, "the new file was not reported");
  }
  inotify_event event{};
  std::memcpy(&event, buffer, sizeof event);
  return (event.mask & IN_CREATE) != 0 ? yes() : no(Reason::failed, "another event came");
}

/// fanotify through its system calls: the masks are numbers of linux/fanotify.h.
FactResult fanotify_sees(ProbeContext& cx) {
  constexpr unsigned kCloexecNonblock = 0x1 | 0x2;
  constexpr unsigned kReportFid = 0x200;
  constexpr std::uint64_t kOpened = 0x20;  // FAN_OPEN
  const os::UniqueFd file = cx.temp_file("text");
  if (!file) return cx.unknown();
  const std::string path = cx.temp_path("file-1");
  // Reporting file ids instead of open descriptors is what unprivileged listeners may do.
  long made = cx.call("fanotify_init(FAN_REPORT_FID)",
                      ::syscall(SYS_fanotify_init, kCloexecNonblock | kReportFid, O_RDONLY));
  if (made < 0) {
    made = cx.call("fanotify_init", ::syscall(SYS_fanotify_init, kCloexecNonblock, O_RDONLY));
  }
  const os::UniqueFd watcher(static_cast<int>(made));
  if (!watcher) return cx.refused();
  constexpr unsigned kMarkAdd = 1;
  if (cx.call("fanotify_mark(a temporary file, FAN_OPEN)",
              ::syscall(SYS_fanotify_mark, watcher.get(), kMarkAdd, kOpened, AT_FDCWD,
                        path.c_str())) != 0) {
    return cx.refused();
  }
  const os::UniqueFd again(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  alignas(8) char buffer[1024];
  const ssize_t n = cx.call("read(fanotify)", ::read(watcher.get(), buffer, sizeof buffer));
  return n > 0 ? yes("opening a marked file was reported")
               : no(Reason::failed, "the open was not reported");
}

constexpr Fact kFacts[] = {
    {"fs.async.readiness_of_regular", "What does each mechanism say of a file without data?",
     "POSIX poll: regular files always poll true", readiness,
     "why add_reader cannot monitor files"},
    {"aio.posix", "Does POSIX aio read a file?", "man 7 aio", aio_posix,
     "file I/O off the loop's thread"},
    {"aio.linux_native", "Does Linux's own io_submit read a file?", "man 2 io_submit", aio_native,
     "file I/O before io_uring"},
    {"inotify", "Does inotify report a new file?", "man 7 inotify", inotify_sees,
     "file watching as ordinary readiness"},
    {.id = "fanotify",
     .question = "Does fanotify report that a file was opened?",
     .source = "man 7 fanotify",
     .ask = fanotify_sees,
     .why = "file watching with privileges or, since Linux 5.13, without",
     .privilege = "CAP_SYS_ADMIN"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "files", .group = "B4", .facts = kFacts};

}  // namespace loopscope::probes::files
