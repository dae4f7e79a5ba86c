// The ring by hand: set-up, the two queues, and what a completion means for a fact.
// Source: man 2 io_uring_setup, man 2 io_uring_enter, man 7 io_uring.
#include "probe/capabilities/raw_ring.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>

#include "probe/capabilities/linux_calls.hpp"
#include "probe/posix/text_file.hpp"

namespace loopscope::probes {

namespace {

std::uint32_t* word_at(void* base, std::uint32_t offset) {
  return reinterpret_cast<std::uint32_t*>(static_cast<std::byte*>(base) + offset);
}

std::uint32_t load(std::uint32_t* word) {
  return std::atomic_ref<std::uint32_t>(*word).load(std::memory_order_acquire);
}

void store(std::uint32_t* word, std::uint32_t value) {
  std::atomic_ref<std::uint32_t>(*word).store(value, std::memory_order_release);
}

std::size_t request_size(std::uint32_t flags) {
  return sizeof(abi::Request) << ((flags & abi::kSetupSqe128) != 0 ? 1 : 0);
}
std::size_t completion_size(std::uint32_t flags) {
  return sizeof(abi::Completion) << ((flags & abi::kSetupCqe32) != 0 ? 1 : 0);
}

}  // namespace

int RawRing::refusal_ = 0;

RawRing::~RawRing() {
  for (const Mapping* mapping : {&submissions_, &completions_, &requests_}) {
    if (mapping->address != nullptr) (void)::munmap(mapping->address, mapping->size);
  }
}

bool RawRing::map(ProbeContext& cx, Mapping& mapping, std::size_t size, long offset) {
  const bool ours = fd_.get() < 0;
  void* address =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
             MAP_POPULATE | (ours ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED), fd_.get(), offset);
  if (address == MAP_FAILED) {
    cx.call("mmap(ring)", -1);
    return false;
  }
  mapping = {address, size};
  return true;
}

/// One page for both queues and one for the requests: a few entries fit, and older kernels want
/// each of them in one piece.
bool RawRing::lend_memory(ProbeContext& cx, abi::Parameters& parameters) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  if (!map(cx, completions_, page, 0) || !map(cx, requests_, page, 0)) return false;
  parameters.cq.user_address = abi::at(completions_.address);
  parameters.sq.user_address = abi::at(requests_.address);
  return true;
}

bool RawRing::map_all(ProbeContext& cx, const abi::Parameters& parameters) {
  // Three mappings work on every kernel; that two of them may be one is an optimisation.
  return map(cx, submissions_, parameters.sq.array + parameters.sq_entries * sizeof(std::uint32_t),
             abi::kSubmissionOffset) &&
         map(cx, completions_, parameters.cq.cqes + parameters.cq_entries * completion_size(flags_),
             abi::kCompletionOffset) &&
         map(cx, requests_, parameters.sq_entries * request_size(flags_), abi::kRequestOffset);
}

bool RawRing::open(ProbeContext& cx, const Options& options) {
  abi::Parameters parameters{};
  parameters.flags = flags_ = options.flags;
  parameters.cq_entries = options.cq_entries;
  parameters.sq_thread_idle = 1;  // milliseconds, with kSetupSqpoll
  parameters.wq_fd = static_cast<std::uint32_t>(options.attach_to);
  const bool lent = (flags_ & abi::kSetupNoMmap) != 0;
  if (lent && !lend_memory(cx, parameters)) return false;
  std::string what = "io_uring_setup(" + std::to_string(options.entries);
  if (!options.label.empty()) what += ", " + std::string(options.label);
  const int made =
      static_cast<int>(cx.call(what + ")", ::syscall(kIoUringSetup, options.entries, &parameters)));
  if (made < 0) return false;
  const bool by_index = (flags_ & abi::kSetupRegisteredFdOnly) != 0;
  if (by_index) registered_ = made;
  if (!by_index) fd_ = os::UniqueFd(made);
  features_ = parameters.features;
  if (!lent && !map_all(cx, parameters)) return false;
  void* sq = lent ? completions_.address : submissions_.address;
  sq_tail_ = word_at(sq, parameters.sq.tail);
  sq_flags_ = word_at(sq, parameters.sq.flags);
  sq_mask_ = *word_at(sq, parameters.sq.ring_mask);
  if ((flags_ & abi::kSetupNoSqarray) == 0) sq_array_ = word_at(sq, parameters.sq.array);
  cq_head_ = word_at(completions_.address, parameters.cq.head);
  cq_tail_ = word_at(completions_.address, parameters.cq.tail);
  cq_mask_ = *word_at(completions_.address, parameters.cq.ring_mask);
  cqes_ = static_cast<std::byte*>(completions_.address) + parameters.cq.cqes;
  return true;
}

void RawRing::note_refusal() {
  if (errno == EPERM || errno == EACCES || errno == ENOSYS) refusal_ = errno;
}

long RawRing::enter(unsigned count, unsigned wait_for, unsigned flags) {
  const bool by_index = registered_ >= 0;
  const long entered = ::syscall(kIoUringEnter, by_index ? registered_ : fd_.get(), count, wait_for,
                                 flags | (by_index ? abi::kEnterRegisteredRing : 0), nullptr, 0);
  if (entered < 0) note_refusal();
  return entered;
}

std::uint64_t RawRing::push(abi::Request request) {
  for (int tries = 0; queued_ > sq_mask_; ++tries) {
    if (submit()) continue;
    // EBUSY: some kernels want their overflow taken first. Else it can never be submitted.
    if (errno != EBUSY || tries > 2) return next_id_++;
    collect();
    (void)enter(0, 0, abi::kEnterGetEvents);
  }
  if (request.user_data == 0) request.user_data = next_id_++;
  const std::uint32_t tail = *sq_tail_;
  const std::uint32_t slot = tail & sq_mask_;
  std::memcpy(static_cast<std::byte*>(requests_.address) + slot * request_size(flags_), &request,
              sizeof request);
  if (sq_array_ != nullptr) sq_array_[slot] = slot;
  store(sq_tail_, tail + 1);
  ++queued_;
  return request.user_data;
}

bool RawRing::submit() {
  const bool by_thread = (flags_ & abi::kSetupSqpoll) != 0;
  const long entered = enter(queued_, 0, by_thread ? abi::kEnterWakeup : 0);
  if (entered < 0) return false;
  queued_ -= std::min(queued_, static_cast<std::uint32_t>(entered));
  return true;
}

bool RawRing::submit(ProbeContext& cx) {
  const bool submitted = submit();
  if (!submitted) cx.call("io_uring_enter", -1);
  return submitted;
}

void RawRing::collect() {
  std::uint32_t head = *cq_head_;
  while (head != load(cq_tail_)) {
    abi::Completion done;
    std::memcpy(&done, cqes_ + (head & cq_mask_) * completion_size(flags_), sizeof done);
    arrived_.push_back(done);
    ++head;
  }
  store(cq_head_, head);
}

std::optional<abi::Completion> RawRing::find(std::uint64_t user_data) {
  collect();
  const auto found = std::find_if(arrived_.begin(), arrived_.end(),
                                  [&](const auto& done) { return done.user_data == user_data; });
  if (found == arrived_.end()) return std::nullopt;
  const abi::Completion done = *found;
  arrived_.erase(found);
  return done;
}

std::optional<abi::Completion> RawRing::take(std::uint64_t user_data, Duration patience) {
  const TimePoint limit = now() + patience;
  while (true) {
    if (auto done = find(user_data)) return done;
    // Without anything to wait for: runs what the kernel has put off, and empties its overflow.
    if (enter(0, 0, abi::kEnterGetEvents) < 0 && errno != EINTR && errno != EBUSY) return {};
    if (auto done = find(user_data)) return done;
    const Duration left = limit - now();
    if (left <= Duration::zero()) return std::nullopt;
    // Every kernel with io_uring can wait like this; not every one can wait in io_uring_enter.
    pollfd ring{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    const timespec timeout = to_timespec(left);
    (void)::ppoll(&ring, 1, &timeout, nullptr);  // Whatever it says, the queue decides.
  }
}

std::optional<abi::Completion> RawRing::ask(ProbeContext& cx, std::string_view what,
                                            abi::Request request, Duration patience) {
  const std::uint64_t id = push(request);
  if (!submit()) {
    cx.call("io_uring_enter for " + std::string(what), -1);
    return std::nullopt;
  }
  const auto done = take(id, patience);
  note_completion(cx, what, done);
  return done;
}

std::optional<abi::Completion> RawRing::cancel(ProbeContext& cx, std::uint64_t user_data) {
  abi::Request request;
  request.opcode = abi::Op::async_cancel;
  request.address = user_data;
  (void)ask(cx, "IORING_OP_ASYNC_CANCEL", request);
  const auto done = take(user_data);
  note_completion(cx, "the request, afterwards", done);
  return done;
}

std::uint32_t RawRing::visible() const { return load(cq_tail_) - *cq_head_; }

bool RawRing::overflown() const { return (load(sq_flags_) & abi::kCqOverflow) != 0; }

long RawRing::wait(ProbeContext& cx, std::string_view what, Duration timeout) {
  const std::timespec left = to_timespec(timeout);
  const abi::Timespec wide{left.tv_sec, left.tv_nsec};
  abi::WaitArgument argument;
  argument.timeout = abi::at(&wide);
  const long entered = cx.call(
      what, ::syscall(kIoUringEnter, fd_.get(), 0, 1, abi::kEnterGetEvents | abi::kEnterExtArg,
                      &argument, sizeof argument));
  if (entered < 0) note_refusal();
  return entered;
}

std::optional<std::int32_t> RawRing::poll_now(int fd, std::uint32_t events) {
  abi::Request request;
  request.opcode = abi::Op::poll_add;
  request.fd = fd;
  request.op_flags = abi::poll_word(events);
  const std::uint64_t id = push(request);
  if (!submit()) return -errno;
  const auto done = take(id, Duration::zero());
  if (!done) return std::nullopt;
  return done->result;
}

int RawRing::configure(ProbeContext& cx, std::string_view what, abi::Register operation,
                       void* argument, unsigned count) {
  const long done = cx.call(what, ::syscall(kIoUringRegister, fd_.get(),
                                            static_cast<unsigned>(operation), argument, count));
  // EACCES is a restricted ring's own answer.
  if (done < 0 && errno != EACCES) note_refusal();
  return static_cast<int>(done);
}

std::string completion_text(const abi::Completion& done) {
  std::string text;
  if (done.result < 0) {
    text = "-1 " + error_name(std::error_code(-done.result, std::system_category()));
  } else {
    text = std::to_string(done.result);
  }
  if ((done.flags & abi::kMore) != 0) text += " MORE";
  if ((done.flags & abi::kNotification) != 0) text += " NOTIF";
  if ((done.flags & abi::kHasBuffer) != 0) text += " buffer " + std::to_string(done.flags >> 16);
  if ((done.flags & abi::kBufferGoesOn) != 0) text += " BUF_MORE";
  return text;
}

void note_completion(ProbeContext& cx, std::string_view what,
                     const std::optional<abi::Completion>& done) {
  if (!done) return cx.note(what, "not complete");
  cx.note(what, completion_text(*done), done->result < 0 ? -done->result : 0);
}

std::string why_refused(int error) {
  const std::int64_t disabled = read_number("/proc/sys/kernel/io_uring_disabled").value_or(0);
  if (error == EPERM && disabled == 2) return "kernel.io_uring_disabled=2 forbids it to everybody";
  if (error == EPERM && disabled == 1) {
    return "kernel.io_uring_disabled=1 forbids it outside of kernel.io_uring_group";
  }
  if (error == ENOMEM) {
    return "no memory, or RLIMIT_MEMLOCK is used up (some kernels charge rings to it)";
  }
  if (error == EMFILE) return "RLIMIT_NOFILE is used up";
  if (status_field("Seccomp") == "2") {
    return "probably the seccomp filter of this process (container default)";
  }
  if (error == ENOSYS) return "this kernel has no io_uring (before 5.1, or built without)";
  return {};
}

FactResult verdict(const std::optional<abi::Completion>& done, bool right, std::string note) {
  if (!done) return null(Reason::timeout, "it did not complete");
  if (right) return yes(std::move(note));
  if (done->result >= 0) return no(Reason::failed, "it completed with something else");
  for (const int want : {EMFILE, ENFILE, ENOMEM, EINTR}) {
    if (done->result == -want) return null(Reason::failed, "a limit stood in the way");
  }
  return no(reason_of_errno(-done->result));
}

}  // namespace loopscope::probes
