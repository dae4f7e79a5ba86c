// io_uring and kinds of descriptor: what each kind answers to a poll, a read, a write, a cancel,
// and which operations do not wait on descriptors that are non-blocking.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "probe/capabilities/subjects.hpp"
#include "probe/capabilities/uring_ops.hpp"

namespace loopscope::probes::uring_kinds {

namespace {

using abi::Op;
using MaybeDone = std::optional<abi::Completion>;

constexpr const char* kWaits = "waits";

/// "4", "EAGAIN", "waits"
std::string outcome(const MaybeDone& done) {
  if (!done) return kWaits;
  return done->result < 0 ? errno_word(-done->result) : completion_text(*done);
}

/// Submits, and looks for at most `patience`; not recorded.
MaybeDone ask_quietly(RawRing& ring, const abi::Request& request, Duration patience,
                      std::uint64_t* id = nullptr) {
  const std::uint64_t pushed = ring.push(request);
  if (id != nullptr) *id = pushed;
  if (!ring.submit()) return abi::Completion{pushed, -errno, 0};
  return ring.take(pushed, patience);
}

/// Ends a request. returns what became of it.
MaybeDone end_quietly(RawRing& ring, std::uint64_t id) {
  abi::Request request;
  request.opcode = Op::async_cancel;
  request.address = id;
  (void)ask_quietly(ring, request, kRingPatience);
  return ring.take(id);
}

// --- polls

constexpr std::uint32_t kAsked = POLLIN | POLLPRI | POLLOUT | POLLRDHUP;

std::string poll_outcome(const MaybeDone& done) {
  if (!done) return "-";
  if (done->result < 0) return errno_word(-done->result);
  std::string words = mask_words(static_cast<std::uint32_t>(done->result));
  return (done->flags & abi::kMore) != 0 ? words + " MORE" : words;
}

FactResult poll_kinds(ProbeContext& cx, RawRing& ring) {
  FactResult result;
  for (const Kind& kind : all_kinds()) {
    const Subject subject = kind.open(cx);
    const std::string refusal = subject ? "" : "open: " + errno_word(errno);
    FactRow row{std::string(kind.name), {}};
    for (const bool multishot : {false, true}) {
      const char* column = multishot ? "POLL_ADD MULTI" : "POLL_ADD";
      if (!subject) {
        row.cells.emplace_back(column, refusal);
        continue;
      }
      abi::Request request =
          request_for(Op::poll_add, subject.fd.get(), nullptr, multishot ? abi::kPollMultishot : 0);
      request.op_flags = abi::poll_word(kAsked);
      std::uint64_t id = 0;
      const MaybeDone done = ask_quietly(ring, request, Duration::zero(), &id);
      row.cells.emplace_back(column, poll_outcome(done));
      if (!done || (done->flags & abi::kMore) != 0) (void)end_quietly(ring, id);
    }
    result.table.push_back(std::move(row));
  }
  result.value = static_cast<std::int64_t>(result.table.size());
  result.unit = Unit::count;
  result.note = "asked for IN PRI OUT RDHUP; '-' is not ready, a name in capitals an error";
  return result;
}

// --- reads and writes

/// What became of bytes: moved, the end, an error, or that it waits. What waits is cancelled, and
/// stands beside it when it did not end like that.
std::string transfer_outcome(RawRing& ring, const Subject& subject, Op op, void* memory,
                             std::uint32_t size) {
  const bool reads = op == Op::read || op == Op::recv;
  const short events = reads ? POLLIN : POLLOUT;
  pollfd slot{.fd = subject.fd.get(), .events = events, .revents = 0};
  // What is ready, or knows no readiness, ends by itself, perhaps after a worker has started.
  const Duration patience = ::poll(&slot, 1, 0) != 0 ? Duration(kRingPatience) : Duration(kSettle);
  std::uint64_t id = 0;
  MaybeDone done =
      ask_quietly(ring, request_for(op, subject.fd.get(), memory, size), patience, &id);
  const bool waits = !done;
  if (waits) done = end_quietly(ring, id);
  if (!done) return "waits, and cannot be cancelled";
  if (waits && done->result == -ECANCELED) return kWaits;
  const std::string text = done->result > 0    ? "bytes"
                           : done->result == 0 ? "end"
                                               : errno_word(-done->result);
  return waits ? "waits, cancelled: " + text : text;
}

FactResult rw_kinds(ProbeContext& cx, RawRing& ring) {
  struct sigaction before {};
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  (void)::sigaction(SIGPIPE, &ignore, &before);  // A valid signal: cannot fail.
  constexpr std::pair<const char*, Op> kTransfers[] = {
      {"READ", Op::read}, {"WRITE", Op::write}, {"RECV", Op::recv}, {"SEND", Op::send}};
  FactResult result;
  for (const Kind& kind : all_kinds()) {
    if (kind.name == "/dev/tty") continue;  // It is somebody's, with what they type.
    const Subject subject = kind.open(cx);
    const std::string refusal = subject ? "" : "open: " + errno_word(errno);
    if (subject) set_blocking(subject.fd, true);
    FactRow row{std::string(kind.name), {}};
    for (const auto& [column, op] : kTransfers) {
      const bool reads = op == Op::read || op == Op::recv;
      std::array<char, 4096> buffer{1};  // As eight bytes to write: a number that an eventfd takes.
      row.cells.emplace_back(column, !subject ? refusal
                                              : transfer_outcome(ring, subject, op, buffer.data(),
                                                                 reads ? sizeof buffer : 8));
    }
    result.table.push_back(std::move(row));
  }
  (void)::sigaction(SIGPIPE, &before, nullptr);
  result.value = static_cast<std::int64_t>(result.table.size());
  result.unit = Unit::count;
  result.note = "on blocking descriptors; what waits was cancelled afterwards";
  return result;
}

// --- who waits on a non-blocking descriptor

/// Something that an operation has to wait for, and how it comes.
struct Situation {
  os::UniqueFd fd{}, other{}, third{};
  SocketName name{};
  explicit operator bool() const { return static_cast<bool>(fd); }
};

Situation of(Subject subject) { return {std::move(subject.fd), std::move(subject.other), {}, {}}; }

Situation empty_pipe() { return of(make_pipe(false)); }
Situation empty_stream() { return of(make_unix_pair(SOCK_STREAM)); }
Situation empty_pty_slave() { return of(make_pty(true, true)); }
Situation empty_pty_master() { return of(make_pty(false, true)); }
Situation zero_event() {
  Situation one;
  one.fd = os::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  one.other = os::UniqueFd(one.fd ? ::fcntl(one.fd.get(), F_DUPFD_CLOEXEC, 0) : -1);
  return one;
}
Situation far_timer() {
  Situation one;
  one.fd = os::UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  one.other = os::UniqueFd(one.fd ? ::fcntl(one.fd.get(), F_DUPFD_CLOEXEC, 0) : -1);
  return one;
}
Situation idle_listener() {
  Situation one;
  one.fd = make_unix_listener(8);
  if (one) one.name = name_of(one.fd);
  return one;
}

/// Writes until there is no room.
void fill(const os::UniqueFd& fd) {
  const std::array<char, 4096> block{};
  while (::write(fd.get(), block.data(), block.size()) > 0) {
  }
}
Situation full_pipe() {
  Situation one = of(make_pipe(true));
  if (one) fill(one.fd);
  return one;
}
Situation full_stream() {
  Situation one = empty_stream();
  if (one) fill(one.fd);
  return one;
}
/// A pipe to take from, and where to put what it will hold.
Situation pipe_to_nowhere() {
  Situation one = empty_pipe();
  one.third = os::UniqueFd(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  return one;
}
/// A socket to put into, and a pipe with what it will take.
Situation pipe_to_full_stream() {
  Situation one = full_stream();
  Subject source = make_pipe(false);
  if (!one || !source) return {};
  (void)!::write(source.other.get(), "wake", 4);  // An empty pipe of ours: it has room.
  one.third = std::move(source.fd);
  return one;
}
/// A socket whose listener's queue is full.
Situation full_queue() {
  Situation one;
  one.other = make_unix_listener(0);
  one.fd = os::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!one.other || !one.fd) return {};
  one.name = name_of(one.other);
  one.third = connect_to(one.other, SOCK_NONBLOCK);  // A queue of 0 has room for one.
  return one;
}

void write_to_other(Situation& s) { (void)!::write(s.other.get(), "wake", 4); }
void add_to_event(Situation& s) {
  const std::uint64_t one = 1;
  (void)!::write(s.other.get(), &one, sizeof one);
}
void fire_timer(Situation& s) {
  itimerspec soon{};
  soon.it_value.tv_nsec = 1;
  (void)::timerfd_settime(s.other.get(), 0, &soon, nullptr);
}
void drain_other(Situation& s) {
  std::array<char, 4096> block;
  while (::read(s.other.get(), block.data(), block.size()) > 0) {
  }
}
void connect_client(Situation& s) { s.third = connect_to(s.fd, SOCK_NONBLOCK); }
void accept_one(Situation& s) {
  s.third = os::UniqueFd(::accept4(s.other.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

struct Wait {
  const char* name;
  Op op;
  Situation (*make)();
  void (*come)(Situation&);  // what it waits for
  bool into = false;         // SPLICE: into it rather than from it
};
constexpr Wait kWaitsFor[] = {
    {"READ of a pipe", Op::read, empty_pipe, write_to_other},
    {"READ of a socket", Op::read, empty_stream, write_to_other},
    {"READ of a pty slave", Op::read, empty_pty_slave, write_to_other},
    {"READ of a pty master", Op::read, empty_pty_master, write_to_other},
    {"READ of an eventfd", Op::read, zero_event, add_to_event},
    {"READ of a timerfd", Op::read, far_timer, fire_timer},
    {"RECV of a socket", Op::recv, empty_stream, write_to_other},
    {"WRITE to a full pipe", Op::write, full_pipe, drain_other},
    {"WRITE to a full socket", Op::write, full_stream, drain_other},
    {"SEND to a full socket", Op::send, full_stream, drain_other},
    {"ACCEPT", Op::accept, idle_listener, connect_client},
    {"CONNECT, full queue (Unix)", Op::connect, full_queue, accept_one},
    {"SPLICE from a pipe", Op::splice, pipe_to_nowhere, write_to_other},
    {"SPLICE to a full socket", Op::splice, pipe_to_full_stream, drain_other, true},
    {"POLL_ADD of a pipe", Op::poll_add, empty_pipe, write_to_other},
};

abi::Request request_of(const Wait& wait, Situation& situation, std::span<char> memory) {
  abi::Request request = request_for(wait.op, situation.fd.get());
  switch (wait.op) {
    case Op::accept:
      break;
    case Op::connect:
      request.address = abi::at(&situation.name.address);
      request.offset = situation.name.size;
      break;
    case Op::poll_add:
      request.op_flags = abi::poll_word(POLLIN);
      break;
    case Op::splice:
      request.other_fd = situation.third.get();
      if (!wait.into) std::swap(request.fd, request.other_fd);
      request.offset = request.address = ~std::uint64_t{0};  // no positions
      request.length = 4;
      break;
    default:
      request.address = abi::at(memory.data());
      request.length = static_cast<std::uint32_t>(memory.size());
  }
  return request;
}

/// Does it answer at once, or wait until what it waits for comes?
std::string try_wait(RawRing& ring, const Wait& wait, bool blocking) {
  Situation situation = wait.make();
  if (!situation) return "open: " + errno_word(errno);
  set_blocking(situation.fd, blocking);
  std::array<char, 4096> buffer{};
  std::uint64_t id = 0;
  // These are a worker's, and one that starts late must not find what was to come.
  const bool by_worker = wait.op == Op::splice || wait.op == Op::connect;
  const Duration patience =
      by_worker && !blocking ? Duration(kRingPatience) / 2 : Duration(kSettle);
  MaybeDone done = ask_quietly(ring, request_of(wait, situation, buffer), patience, &id);
  if (done) return outcome(done);
  wait.come(situation);
  done = ring.take(id);
  if (done && wait.op == Op::accept) situation.other = os::UniqueFd(done->result);
  if (done && done->result >= 0) return kWaits;
  if (done) return "waits, then " + outcome(done);
  return "stuck, cancelled: " + outcome(end_quietly(ring, id));
}

FactResult nonblock_eagain(ProbeContext& cx, RawRing& ring) {
  std::vector<std::string> impatient;
  std::vector<FactRow> table;
  for (const Wait& wait : kWaitsFor) {
    const std::string blocking = try_wait(ring, wait, true);
    const std::string nonblocking = try_wait(ring, wait, false);
    cx.note(std::string(wait.name) + ", O_NONBLOCK", nonblocking);
    if (nonblocking == "EAGAIN") impatient.emplace_back(wait.name);
    table.push_back({wait.name, {{"blocking", blocking}, {"O_NONBLOCK", nonblocking}}});
  }
  FactResult result = word_set(std::move(impatient),
                               "these say EAGAIN at once where O_NONBLOCK is "
                               "set; the others wait");
  result.table = std::move(table);
  return result;
}

// --- cancelling a read of a terminal

FactResult cancel_read_pty(ProbeContext& cx, RawRing& ring) {
  bool every = true;
  for (const bool worker : {false, true}) {
    const Subject pty = make_pty(true, true);
    if (!pty) return no_subject(cx);
    set_blocking(pty.fd, true);
    std::array<char, 16> buffer{};
    abi::Request request = request_for(Op::read, pty.fd.get(), buffer.data(), buffer.size());
    if (worker) request.flags = abi::kAsync;
    const std::uint64_t id = ring.push(request);
    if (!ring.submit(cx)) return cx.unknown();
    // A worker needs a moment to be where it waits; without one there is nothing to wait for.
    if (const MaybeDone early = ring.take(id, worker ? 5 * kSettle : Duration::zero())) {
      note_completion(cx, "IORING_OP_READ(pty slave), at once", early);
      return verdict(early, false);
    }
    cx.note(worker ? "IORING_OP_READ(pty slave), given to a worker" : "IORING_OP_READ(pty slave)",
            kWaits);
    const MaybeDone ended = ring.cancel(cx, id);
    every = every && ended && (ended->result == -ECANCELED || ended->result == -EINTR);
    (void)cx.call("write(pty master, 4)", ::write(pty.other.get(), "typed", 4));
    const MaybeDone next =
        ring.ask(cx, "IORING_OP_READ(pty slave), the next one",
                 request_for(Op::read, pty.fd.get(), buffer.data(), buffer.size()));
    every = every && next && next->result == 4;
  }
  if (every) return yes("the read ends, and takes nothing of what is typed later");
  return no(Reason::failed, "the read goes on, or took what was typed later");
}

constexpr Fact kFacts[] = {
    {"uring.poll_kinds", "What does a poll request say of each kind of descriptor?",
     "man 2 io_uring_enter, IORING_OP_POLL_ADD", with_ring<poll_kinds>,
     "what add_reader can honestly accept on a proactor"},
    {"uring.rw_kinds", "What do reads and writes do on each kind of descriptor?",
     "man 2 io_uring_enter, IORING_OP_READ", with_ring<rw_kinds>,
     "which transports are plain reads and writes"},
    {"uring.nonblock_eagain", "Which operations do not wait on non-blocking descriptors?",
     "man 2 io_uring_enter, IORING_OP_READ; man 2 open, O_NONBLOCK", with_ring<nonblock_eagain>,
     "these need a poll first, or a blocking descriptor"},
    {"uring.cancel_read_pty", "Can a read of a blocking terminal be cancelled?",
     "man 7 io_uring_cancelation", with_ring<cancel_read_pty>,
     "closing a terminal's transport must not wait for a key"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "io_uring", .group = "B7", .facts = kFacts, .effect = Effect::traffic};

}  // namespace loopscope::probes::uring_kinds
