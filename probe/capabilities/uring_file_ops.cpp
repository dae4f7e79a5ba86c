// The trials of the operations on files and their names, each compared with what a system call
// says afterwards.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>

#include "probe/capabilities/uring_ops.hpp"

namespace loopscope::probes {

namespace {

using abi::Op;

os::UniqueFd memory_file(ProbeContext& cx, off_t size = 0) {
  os::UniqueFd file(cx.call("memfd_create", ::memfd_create("loopscope", MFD_CLOEXEC)));
  if (file && size > 0 && cx.call("ftruncate", ::ftruncate(file.get(), size)) != 0) file.reset();
  return file;
}

off_t size_of(const os::UniqueFd& file) {
  struct stat status {};
  return ::fstat(file.get(), &status) == 0 ? status.st_size : -1;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

FactResult fsync(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd file = memory_file(cx, 1);
  if (!file) return cx.unknown();
  const auto done = ring.ask(cx, "IORING_OP_FSYNC", request_for(Op::fsync, file.get()));
  return verdict(done, succeeded(done));
}

FactResult sync_file_range(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd file = cx.temp_file("text");
  if (!file) return cx.unknown();
  const auto done = ring.ask(cx, "IORING_OP_SYNC_FILE_RANGE(0, 4)",
                             request_for(Op::sync_file_range, file.get(), nullptr, 4));
  return verdict(done, succeeded(done));
}

FactResult fallocate(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd file = memory_file(cx);
  if (!file) return cx.unknown();
  abi::Request request = request_for(Op::fallocate, file.get());
  request.address = 4096;  // The length; the mode stands in `length`.
  const auto done = ring.ask(cx, "IORING_OP_FALLOCATE(0, 4096)", request);
  return verdict(done, succeeded(done) && size_of(file) == 4096);
}

FactResult ftruncate(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd file = memory_file(cx, 100);
  if (!file) return cx.unknown();
  abi::Request request = request_for(Op::ftruncate, file.get());
  request.offset = 10;
  const auto done = ring.ask(cx, "IORING_OP_FTRUNCATE(10)", request);
  return verdict(done, succeeded(done) && size_of(file) == 10);
}

FactResult fadvise(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd file = cx.temp_file("text");
  if (!file) return cx.unknown();
  abi::Request request = request_for(Op::fadvise, file.get(), nullptr, 4);
  request.op_flags = POSIX_FADV_WILLNEED;
  const auto done = ring.ask(cx, "IORING_OP_FADVISE(WILLNEED)", request);
  return verdict(done, succeeded(done));
}

/// Two pages of memory that nobody else uses.
class Pages {
 public:
  explicit Pages(ProbeContext& cx) : size_(2 * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
    memory_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) cx.call("mmap", -1);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() {
    if (memory_ != MAP_FAILED) (void)::munmap(memory_, size_);
  }
  explicit operator bool() const { return memory_ != MAP_FAILED; }
  char* data() const { return static_cast<char*>(memory_); }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_;
  void* memory_;
};

FactResult madvise(ProbeContext& cx, RawRing& ring) {
  const Pages pages(cx);
  if (!pages) return cx.unknown();
  pages.data()[0] = 'x';
  abi::Request request =
      request_for(Op::madvise, -1, pages.data(), static_cast<std::uint32_t>(pages.size()));
  request.op_flags = MADV_DONTNEED;
  const auto done = ring.ask(cx, "IORING_OP_MADVISE(DONTNEED)", request);
  return verdict(done, succeeded(done) && pages.data()[0] == 0);
}

FactResult openat(ProbeContext& cx, RawRing& ring) {
  const std::string path = cx.temp_path("opened");
  abi::Request request = request_for(Op::openat, AT_FDCWD, path.c_str(), 0600);
  request.op_flags = O_RDWR | O_CREAT | O_CLOEXEC;
  const auto done = ring.ask(cx, "IORING_OP_OPENAT(O_CREAT)", request);
  const os::UniqueFd file(done ? done->result : -1);
  return verdict(done, done && done->result >= 0 && exists(path));
}

FactResult openat2(ProbeContext& cx, RawRing& ring) {
  struct {  // struct open_how
    std::uint64_t flags = O_RDONLY | O_CLOEXEC | O_DIRECTORY, mode = 0, resolve = 0;
  } how;
  const std::string path = cx.temp_dir();
  abi::Request request = request_for(Op::openat2, AT_FDCWD, path.c_str(), sizeof how);
  request.offset = abi::at(&how);
  const auto done = ring.ask(cx, "IORING_OP_OPENAT2(O_DIRECTORY)", request);
  const os::UniqueFd folder(done ? done->result : -1);
  return verdict(done, done && done->result >= 0);
}

FactResult statx(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd file = memory_file(cx, 123);
  if (!file) return cx.unknown();
  struct statx status {};
  abi::Request request = request_for(Op::statx, file.get(), "", STATX_SIZE);
  request.offset = abi::at(&status);
  request.op_flags = AT_EMPTY_PATH;
  const auto done = ring.ask(cx, "IORING_OP_STATX(SIZE)", request);
  return verdict(done, succeeded(done) && status.stx_size == 123);
}

FactResult renameat(ProbeContext& cx, RawRing& ring) {
  if (!cx.temp_file()) return cx.unknown();
  const std::string from = cx.temp_path("file-1");
  const std::string to = cx.temp_path("renamed");
  abi::Request request = request_for(Op::renameat, AT_FDCWD, from.c_str());
  request.length = static_cast<std::uint32_t>(AT_FDCWD);
  request.offset = abi::at(to.c_str());
  const auto done = ring.ask(cx, "IORING_OP_RENAMEAT", request);
  return verdict(done, succeeded(done) && exists(to) && !exists(from));
}

FactResult unlinkat(ProbeContext& cx, RawRing& ring) {
  if (!cx.temp_file()) return cx.unknown();
  const std::string path = cx.temp_path("file-1");
  const auto done =
      ring.ask(cx, "IORING_OP_UNLINKAT", request_for(Op::unlinkat, AT_FDCWD, path.c_str()));
  return verdict(done, succeeded(done) && !exists(path));
}

FactResult mkdirat(ProbeContext& cx, RawRing& ring) {
  const std::string path = cx.temp_path("folder");
  const auto done =
      ring.ask(cx, "IORING_OP_MKDIRAT", request_for(Op::mkdirat, AT_FDCWD, path.c_str(), 0700));
  return verdict(done, succeeded(done) && exists(path));
}

FactResult symlinkat(ProbeContext& cx, RawRing& ring) {
  const std::string link = cx.temp_path("link");
  abi::Request request = request_for(Op::symlinkat, AT_FDCWD, ".");
  request.offset = abi::at(link.c_str());
  const auto done = ring.ask(cx, "IORING_OP_SYMLINKAT", request);
  return verdict(done, succeeded(done) && exists(link));
}

FactResult linkat(ProbeContext& cx, RawRing& ring) {
  if (!cx.temp_file()) return cx.unknown();
  const std::string from = cx.temp_path("file-1");
  const std::string to = cx.temp_path("linked");
  abi::Request request = request_for(Op::linkat, AT_FDCWD, from.c_str());
  request.length = static_cast<std::uint32_t>(AT_FDCWD);
  request.offset = abi::at(to.c_str());
  const auto done = ring.ask(cx, "IORING_OP_LINKAT", request);
  return verdict(done, succeeded(done) && exists(from) && exists(to));
}

constexpr const char* kAttribute = "user.loopscope";

/// The four operations on extended attributes: one sets or gets "value" of a file, by its
/// descriptor or by its name.
FactResult attribute(ProbeContext& cx, RawRing& ring, Op op) {
  const os::UniqueFd file = cx.temp_file();
  if (!file) return cx.unknown();
  const bool sets = op == Op::fsetxattr || op == Op::setxattr;
  const bool by_name = op == Op::setxattr || op == Op::getxattr;
  const std::string path = cx.temp_path("file-1");
  std::array<char, 5> value{'v', 'a', 'l', 'u', 'e'};
  // By system call first: not every file system has attributes.
  if (cx.call("fsetxattr(user.loopscope)",
              ::fsetxattr(file.get(), kAttribute, value.data(), sets ? 0 : value.size(), 0)) != 0) {
    return cx.unknown("this file system has no attributes");
  }
  std::array<char, 5> got{};
  abi::Request request = request_for(op, by_name ? -1 : file.get(), kAttribute, 5);
  request.offset = abi::at(sets ? value.data() : got.data());
  if (by_name) request.more[0] = abi::at(path.c_str());
  const auto done = ring.ask(cx, "IORING_OP_" + std::string(abi::name(op)), request);
  if (sets) (void)::fgetxattr(file.get(), kAttribute, got.data(), got.size());  // Compared below.
  return verdict(done, done && done->result == (sets ? 0 : 5) && got == value);
}
template <Op op>
FactResult attribute(ProbeContext& cx, RawRing& ring) {
  return attribute(cx, ring, op);
}

/// Reads from or writes to memory that was registered before.
FactResult fixed(ProbeContext& cx, RawRing& ring, Op op) {
  const bool reads = op == Op::read_fixed || op == Op::readv_fixed;
  const bool vector = op == Op::readv_fixed || op == Op::writev_fixed;
  const Pages pages(cx);
  const os::UniqueFd file = memory_file(cx);
  if (!pages || !file) return cx.unknown();
  iovec whole{pages.data(), pages.size()};
  if (ring.configure(cx, "io_uring_register(BUFFERS)", abi::Register::buffers, &whole, 1) != 0) {
    return cx.unknown("memory could not be registered");
  }
  char text[] = "data";
  if (reads) (void)cx.call("pwrite", ::pwrite(file.get(), text, 4, 0));
  if (!reads) std::copy(text, text + 4, pages.data());
  iovec piece{pages.data(), 4};
  abi::Request request = vector ? request_for(op, file.get(), &piece, 1)
                                : request_for(op, file.get(), pages.data(), 4);
  const auto done = ring.ask(cx, "IORING_OP_" + std::string(abi::name(op)) + "(4)", request);
  std::string got(4, '\0');
  if (reads) got.assign(pages.data(), 4);
  if (!reads) (void)cx.call("pread", ::pread(file.get(), got.data(), 4, 0));
  return verdict(done, done && done->result == 4 && got == "data");
}
template <Op op>
FactResult fixed(ProbeContext& cx, RawRing& ring) {
  return fixed(cx, ring, op);
}

constexpr Trial kFileTrials[] = {
    {Op::fsync, fsync},
    {Op::read_fixed, fixed<Op::read_fixed>},
    {Op::write_fixed, fixed<Op::write_fixed>},
    {Op::sync_file_range, sync_file_range},
    {Op::fallocate, fallocate},
    {Op::openat, openat},
    {Op::statx, statx},
    {Op::fadvise, fadvise},
    {Op::madvise, madvise},
    {Op::openat2, openat2},
    {Op::renameat, renameat},
    {Op::unlinkat, unlinkat},
    {Op::mkdirat, mkdirat},
    {Op::symlinkat, symlinkat},
    {Op::linkat, linkat},
    {Op::fsetxattr, attribute<Op::fsetxattr>},
    {Op::setxattr, attribute<Op::setxattr>},
    {Op::fgetxattr, attribute<Op::fgetxattr>},
    {Op::getxattr, attribute<Op::getxattr>},
    {Op::ftruncate, ftruncate},
    {Op::readv_fixed, fixed<Op::readv_fixed>},
    {Op::writev_fixed, fixed<Op::writev_fixed>},
};

}  // namespace

std::span<const Trial> file_trials() { return kFileTrials; }

}  // namespace loopscope::probes
