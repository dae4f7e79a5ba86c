// Transfers inside the kernel: sendfile, splice, tee, vmsplice, copy_file_range.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "probe/probe_context.hpp"

namespace loopscope::probes::transfers {

namespace {

constexpr std::string_view kText = "some octets to move";

struct Ends {
  os::UniqueFd read, write;
};

std::optional<Ends> make_pipe(ProbeContext& cx) {
  int ends[2];
  if (cx.call("pipe2", ::pipe2(ends, O_CLOEXEC | O_NONBLOCK)) != 0) return std::nullopt;
  return Ends{os::UniqueFd(ends[0]), os::UniqueFd(ends[1])};
}

bool holds_text(int fd) {
  std::array<char, 64> data{};
  const ssize_t n = ::read(fd, data.data(), data.size());
  return n == static_cast<ssize_t>(kText.size()) &&
         std::string_view(data.data(), kText.size()) == kText;
}

FactResult moved(ProbeContext& cx, ssize_t n, int reader) {
  if (n < 0) return cx.refused();
  return holds_text(reader) ? yes() : no(Reason::failed, "short or wrong data");
}

FactResult splice_moves(ProbeContext& cx) {
  const os::UniqueFd file = cx.temp_file(kText);
  const auto pipe = make_pipe(cx);
  if (!file || !pipe) return cx.unknown();
  const ssize_t n = cx.call("splice(file, pipe)", ::splice(file.get(), nullptr, pipe->write.get(),
                                                           nullptr, kText.size(), 0));
  return moved(cx, n, pipe->read.get());
}

FactResult tee_copies(ProbeContext& cx) {
  const auto from = make_pipe(cx);
  const auto to = make_pipe(cx);
  if (!from || !to) return cx.unknown();
  (void)cx.call("write(pipe)", ::write(from->write.get(), kText.data(), kText.size()));
  const ssize_t n = cx.call(
      "tee(pipe, pipe)", ::tee(from->read.get(), to->write.get(), kText.size(), SPLICE_F_NONBLOCK));
  if (n < 0) return cx.refused();
  return holds_text(to->read.get()) && holds_text(from->read.get())
             ? yes("both pipes hold the data")
             : no(Reason::failed, "short or wrong data");
}

FactResult vmsplice_maps(ProbeContext& cx) {
  const auto pipe = make_pipe(cx);
  if (!pipe) return cx.unknown();
  std::string text(kText);
  const iovec data{.iov_base = text.data(), .iov_len = text.size()};
  const ssize_t n = cx.call("vmsplice", ::vmsplice(pipe->write.get(), &data, 1, 0));
  return moved(cx, n, pipe->read.get());
}

FactResult copy_range(ProbeContext& cx) {
  const os::UniqueFd from = cx.temp_file(kText);
  const os::UniqueFd to = cx.temp_file();
  if (!from || !to) return cx.unknown();
  const ssize_t n = cx.call("copy_file_range", ::copy_file_range(from.get(), nullptr, to.get(),
                                                                 nullptr, kText.size(), 0));
  (void)::lseek(to.get(), 0, SEEK_SET);
  return moved(cx, n, to.get());
}

FactResult sendfile_signature(ProbeContext& cx) {
  const os::UniqueFd file = cx.temp_file(kText);
  int ends[2];
  if (!file ||
      cx.call("socketpair", ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) != 0) {
    return cx.unknown();
  }
  const os::UniqueFd one(ends[0]);
  const os::UniqueFd two(ends[1]);
  off_t offset = 0;
  const ssize_t n = cx.call("sendfile(out=socket, in=file, &offset, count)",
                            ::sendfile(one.get(), file.get(), &offset, kText.size()));
  if (n < 0) return cx.unknown();
  if (!holds_text(two.get())) return null(Reason::failed, "short or wrong data");
  return words("linux",
               "sendfile(out, in, *offset, count); the offset moved to " + std::to_string(offset));
}

FactResult sendfile_to_pipe(ProbeContext& cx) {
  const os::UniqueFd file = cx.temp_file(kText);
  const auto pipe = make_pipe(cx);
  if (!file || !pipe) return cx.unknown();
  const ssize_t n = cx.call("sendfile(pipe, file)",
                            ::sendfile(pipe->write.get(), file.get(), nullptr, kText.size()));
  return moved(cx, n, pipe->read.get());
}

/// The kernel cuts every transfer at the same length. A sendfile of 3 GiB would read 2 GiB; a
/// write of 3 GiB to /dev/null shows the same cut and touches no memory. Where addresses have 32
/// bits the longest object has an octet less than 2 GiB, which is still beyond the cut.
FactResult sendfile_max(ProbeContext& cx) {
  constexpr auto kAsked =
      static_cast<std::size_t>(std::min<std::uint64_t>(std::uint64_t{3} << 30, PTRDIFF_MAX));
  const os::UniqueFd sink(cx.call("open(/dev/null)", ::open("/dev/null", O_WRONLY | O_CLOEXEC)));
  if (!sink) return cx.unknown();
  void* room =
      ::mmap(nullptr, kAsked, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) {
    cx.call("mmap(" + std::to_string(kAsked) + ", reserved only)", -1);
    return cx.unknown("no address space to ask with");
  }
  const ssize_t n = cx.call("write(/dev/null, " + std::to_string(kAsked) + ")",
                            ::write(sink.get(), room, kAsked));
  (void)::munmap(room, kAsked);
  if (n < 0) return cx.unknown();
  return byte_count(n, "the cut of all transfers, seen on write; sendfile has the same");
}

constexpr Fact kFacts[] = {
    {"splice", "Does splice move data from a file to a pipe?", "man 2 splice", splice_moves,
     "sending files without copying"},
    {"tee", "Does tee duplicate the data of a pipe?", "man 2 tee", tee_copies,
     "one stream to two readers"},
    {"vmsplice", "Does vmsplice put memory into a pipe?", "man 2 vmsplice", vmsplice_maps,
     "writing without copying"},
    {"copy_file_range", "Does copy_file_range copy between files?", "man 2 copy_file_range",
     copy_range, "file copies without a loop's buffers"},
    {"sendfile.signature", "Which of the sendfile signatures works here?", "man 2 sendfile",
     sendfile_signature, "Linux, BSD and macOS have three different calls of this name"},
    {"sendfile.to_pipe", "Does sendfile write to a pipe?", "man 2 sendfile", sendfile_to_pipe,
     "sendfile of a write-pipe transport"},
    {"sendfile.max_call", "How much does one call transfer at most?", "man 2 sendfile, NOTES",
     sendfile_max, "large files need a loop around the call"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "transfers", .group = "B4", .facts = kFacts};

}  // namespace loopscope::probes::transfers
