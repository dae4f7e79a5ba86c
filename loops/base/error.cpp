// Error categories, names of errno values, and the text of an Error.
#include "loops/base/error.hpp"

#include <cerrno>
#include <cstring>

namespace loopscope {
namespace {

struct LoopscopeCategory final : std::error_category {
  const char* name() const noexcept override { return "loopscope"; }
  std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::not_supported:
        return "not_supported";
      case Errc::cancelled:
        return "cancelled";
      case Errc::closed:
        return "closed";
      case Errc::timed_out:
        return "timed_out";
      case Errc::invalid_state:
        return "invalid_state";
      case Errc::invalid_argument:
        return "invalid_argument";
      case Errc::wrong_thread:
        return "wrong_thread";
      case Errc::stopped_early:
        return "stopped_early";
      case Errc::protocol:
        return "protocol";
    }
    return "unknown";
  }
};

struct ErrnoName {
  int number;
  std::string_view name;
};
#define LOOPSCOPE_ERRNO(x) \
  ErrnoName { x, #x }
constexpr ErrnoName kErrnoNames[] = {
    LOOPSCOPE_ERRNO(EPERM),        LOOPSCOPE_ERRNO(ENOENT),       LOOPSCOPE_ERRNO(ESRCH),
    LOOPSCOPE_ERRNO(EINTR),        LOOPSCOPE_ERRNO(EIO),          LOOPSCOPE_ERRNO(ENXIO),
    LOOPSCOPE_ERRNO(EBADF),        LOOPSCOPE_ERRNO(ECHILD),       LOOPSCOPE_ERRNO(EAGAIN),
    LOOPSCOPE_ERRNO(ENOMEM),       LOOPSCOPE_ERRNO(EACCES),       LOOPSCOPE_ERRNO(EFAULT),
    LOOPSCOPE_ERRNO(EBUSY),        LOOPSCOPE_ERRNO(EEXIST),       LOOPSCOPE_ERRNO(ENODEV),
    LOOPSCOPE_ERRNO(ENOTDIR),      LOOPSCOPE_ERRNO(EISDIR),       LOOPSCOPE_ERRNO(EINVAL),
    LOOPSCOPE_ERRNO(ENFILE),       LOOPSCOPE_ERRNO(EMFILE),       LOOPSCOPE_ERRNO(ENOTTY),
    LOOPSCOPE_ERRNO(EFBIG),        LOOPSCOPE_ERRNO(ENOSPC),       LOOPSCOPE_ERRNO(ESPIPE),
    LOOPSCOPE_ERRNO(EROFS),        LOOPSCOPE_ERRNO(EPIPE),        LOOPSCOPE_ERRNO(EDOM),
    LOOPSCOPE_ERRNO(ERANGE),       LOOPSCOPE_ERRNO(EDEADLK),      LOOPSCOPE_ERRNO(ENAMETOOLONG),
    LOOPSCOPE_ERRNO(ENOSYS),       LOOPSCOPE_ERRNO(ELOOP),        LOOPSCOPE_ERRNO(EPROTO),
    LOOPSCOPE_ERRNO(EOVERFLOW),    LOOPSCOPE_ERRNO(EILSEQ),       LOOPSCOPE_ERRNO(ENOTSOCK),
    LOOPSCOPE_ERRNO(EDESTADDRREQ), LOOPSCOPE_ERRNO(EMSGSIZE),     LOOPSCOPE_ERRNO(EPROTOTYPE),
    LOOPSCOPE_ERRNO(ENOPROTOOPT),  LOOPSCOPE_ERRNO(EOPNOTSUPP),   LOOPSCOPE_ERRNO(EAFNOSUPPORT),
    LOOPSCOPE_ERRNO(EADDRINUSE),   LOOPSCOPE_ERRNO(ENETDOWN),     LOOPSCOPE_ERRNO(EADDRNOTAVAIL),
    LOOPSCOPE_ERRNO(ENETUNREACH),  LOOPSCOPE_ERRNO(ECONNABORTED), LOOPSCOPE_ERRNO(ECONNRESET),
    LOOPSCOPE_ERRNO(ENOBUFS),      LOOPSCOPE_ERRNO(EISCONN),      LOOPSCOPE_ERRNO(ENOTCONN),
    LOOPSCOPE_ERRNO(ETIMEDOUT),    LOOPSCOPE_ERRNO(ECONNREFUSED), LOOPSCOPE_ERRNO(EHOSTUNREACH),
    LOOPSCOPE_ERRNO(EALREADY),     LOOPSCOPE_ERRNO(EINPROGRESS),  LOOPSCOPE_ERRNO(ECANCELED),
    LOOPSCOPE_ERRNO(ENOTSUP),      LOOPSCOPE_ERRNO(ETXTBSY),      LOOPSCOPE_ERRNO(E2BIG),
#ifdef ETIME  // POSIX took it out again; io_uring's timeouts say it.
    LOOPSCOPE_ERRNO(ETIME),
#endif
};
#undef LOOPSCOPE_ERRNO

}  // namespace

const std::error_category& loopscope_category() noexcept {
  static const LoopscopeCategory category;
  return category;
}

std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), loopscope_category()};
}

const std::error_category& errno_category() noexcept {
  static const bool same =
      std::system_category().default_error_condition(ECONNREFUSED) == std::errc::connection_refused;
  return same ? std::system_category() : std::generic_category();
}

std::string error_name(std::error_code code) {
  const bool of_errno =
      code.category() == errno_category() || code.category() == std::generic_category();
  if (!of_errno && code.category() == std::system_category()) {
    return "error " + std::to_string(code.value());
  }
  if (!of_errno) return code.message();  // our own categories answer with the name
  for (const ErrnoName& row : kErrnoNames) {
    if (row.number == code.value()) return std::string(row.name);
  }
  return "errno " + std::to_string(code.value());
}

std::string to_string(const Error& error) {
  std::string text(error.op);
  text += ": " + error_name(error.code);
  const std::string message = error.code.message();
  const bool of_system =
      error.code.category() == std::system_category() || error.code.category() == errno_category();
  // Where the C library has no words for a code, the name alone says more.
  if (of_system && message != "Unknown error") text += " (" + message + ")";
  if (!error.detail.empty()) text += "; " + error.detail;
  return text;
}

Error errno_error_of(int number, std::string_view op, std::string detail) {
  return Error{std::error_code(number, errno_category()), op, std::move(detail)};
}

Error errno_error(std::string_view op, std::string detail) {
  return errno_error_of(errno, op, std::move(detail));
}

Failure::Failure(Error error) : error_(std::move(error)), text_(to_string(error_)) {}

}  // namespace loopscope
