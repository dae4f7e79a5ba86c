// The standard descriptors as this process got them: kind, mode, and who shares them.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::stdio {

namespace {

const char* kind_word(mode_t mode, int fd) {
  if (S_ISREG(mode)) return "regular file";
  if (S_ISDIR(mode)) return "directory";
  if (S_ISFIFO(mode)) return "pipe";
  if (S_ISSOCK(mode)) return "socket";
  if (S_ISBLK(mode)) return "block device";
  if (S_ISCHR(mode)) return ::isatty(fd) == 1 ? "terminal" : "character device";
  return "anonymous";
}

template <int kFd>
FactResult kind(ProbeContext& cx) {
  struct stat status {};
  if (cx.call("fstat(" + std::to_string(kFd) + ")", ::fstat(kFd, &status)) != 0) {
    return errno == EBADF ? words("closed") : cx.unknown();
  }
  FactResult result = words(kind_word(status.st_mode, kFd));
  result.method = Method::api;
  return result;
}

template <int kFd>
FactResult nonblock(ProbeContext& cx) {
  const int flags = cx.call("fcntl(" + std::to_string(kFd) + ", F_GETFL)", ::fcntl(kFd, F_GETFL));
  if (flags < 0) return cx.unknown();
  FactResult result =
      (flags & O_NONBLOCK) != 0 ? yes("somebody made it non-blocking before us") : no(Reason::none);
  result.method = Method::api;
  return result;
}

/// The process that started this program: the parent of the one that forked us; 0 if unknown.
pid_t starter() {
  const auto status = read_text("/proc/" + std::to_string(::getppid()) + "/status");
  const std::size_t at = status ? status->find("\nPPid:") : std::string::npos;
  return at == std::string::npos ? 0 : static_cast<pid_t>(std::atoi(status->c_str() + at + 6));
}

/// Compares open file descriptions: with our own two others, and with the starter's three.
template <int kFd>
FactResult shared(ProbeContext& cx) {
  constexpr int kFile = 0;  // KCMP_FILE
  std::vector<std::string> with;
  const pid_t own = ::getpid();
  for (int other = 0; other < 3; ++other) {
    if (other == kFd) continue;
    const long rc =
        cx.call("kcmp(own " + std::to_string(kFd) + ", own " + std::to_string(other) + ")",
                ::syscall(SYS_kcmp, own, own, kFile, kFd, other));
    if (rc == -1 && errno != EBADF) return cx.unknown("kcmp may be switched off or filtered");
    if (rc == 0) with.push_back("descriptor " + std::to_string(other));
  }
  if (const pid_t other = starter(); other > 0) {
    const long rc = cx.call("kcmp(own " + std::to_string(kFd) + ", the same of the starter)",
                            ::syscall(SYS_kcmp, own, other, kFile, kFd, kFd));
    if (rc == 0) with.emplace_back("the process that started this one");
  }
  if (with.empty()) return word_set({}, "nobody that could be asked");
  return word_set(std::move(with), "non-blocking mode set here shows there as well");
}

constexpr const char* kWhyKind = "what connect_read_pipe and connect_write_pipe will meet";
constexpr const char* kWhyMode = "the flag belongs to everybody who has the same description";

constexpr Fact kFacts[] = {
    {"stdio.0.kind", "What is standard input?", "man 2 fstat", kind<0>, kWhyKind},
    {"stdio.0.nonblock", "Is standard input non-blocking?", "man 2 fcntl, F_GETFL", nonblock<0>,
     kWhyMode},
    {"stdio.0.shared", "Who shares the description of standard input?", "man 2 kcmp, KCMP_FILE",
     shared<0>, kWhyMode},
    {"stdio.1.kind", "What is standard output?", "man 2 fstat", kind<1>, kWhyKind},
    {"stdio.1.nonblock", "Is standard output non-blocking?", "man 2 fcntl, F_GETFL", nonblock<1>,
     kWhyMode},
    {"stdio.1.shared", "Who shares the description of standard output?", "man 2 kcmp, KCMP_FILE",
     shared<1>, kWhyMode},
    {"stdio.2.kind", "What is standard error?", "man 2 fstat", kind<2>, kWhyKind},
    {"stdio.2.nonblock", "Is standard error non-blocking?", "man 2 fcntl, F_GETFL", nonblock<2>,
     kWhyMode},
    {"stdio.2.shared", "Who shares the description of standard error?", "man 2 kcmp, KCMP_FILE",
     shared<2>, kWhyMode},
};

}  // namespace

extern const ProbeFile file{.mechanism = "standard streams", .group = "B4", .facts = kFacts};

}  // namespace loopscope::probes::stdio
