// The one error type: which call failed, with which code, and optional detail for a reader.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <system_error>

namespace loopscope {

/// What errno values are codes of: the system's own category where its numbers are errno's, else
/// the generic one. An error of Windows that has no name in errno keeps system_category().
const std::error_category& errno_category() noexcept;

/// Refusals that no operating system made. Everything else is a code of the system.
enum class Errc {
  not_supported = 1,  ///< the loop does not offer this capability; it did nothing
  cancelled,          ///< the future or task was cancelled
  closed,             ///< the loop or the transport is closed
  timed_out,          ///< a limit of ours passed, not one of the system's
  invalid_state,      ///< the call does not fit the state: nested run, result of a pending future
  invalid_argument,   ///< an argument outside its documented range
  wrong_thread,       ///< debug mode: called from a thread that does not own the loop
  stopped_early,      ///< run_until_complete ended before its future was done
  protocol,           ///< a peer or a subject broke a protocol of ours
};
const std::error_category& loopscope_category() noexcept;
std::error_code make_error_code(Errc code) noexcept;

struct Error {
  std::error_code code;  ///< the system's or loopscope_category(); never a bare int
  std::string_view op;   ///< the call that failed, a literal: "epoll_ctl(ADD)"
  std::string detail{};  ///< optional: path, peer, size; nobody branches on it

  bool is(Errc errc) const { return code == make_error_code(errc); }
  /// True when the code is this errno value of the system.
  bool is_errno(int number) const { return code == std::error_code(number, errno_category()); }
  friend bool operator==(const Error& a, const Error& b) {
    return a.code == b.code && a.op == b.op;
  }
};

/// "epoll_ctl(ADD): EPERM (Operation not permitted); detail".
std::string to_string(const Error& error);
/// The symbolic name of an error code: "ECONNREFUSED", "cancelled", or "errno 999".
std::string error_name(std::error_code code);

/// The Error for the calling thread's errno. Call it on the line after the failed call.
Error errno_error(std::string_view op, std::string detail = {});
Error errno_error_of(int number, std::string_view op, std::string detail = {});
inline Error make_error(Errc code, std::string_view op, std::string detail = {}) {
  return Error{make_error_code(code), op, std::move(detail)};
}

/// An Error in flight as an exception: what `or_throw` and a failed task throw.
class Failure : public std::exception {
 public:
  explicit Failure(Error error);
  const Error& error() const noexcept { return error_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  Error error_;
  std::string text_;
};

/// Base of the exceptions that leave run_forever instead of reaching the exception handler
/// (asyncio's SystemExit and KeyboardInterrupt). Deliberately not a std::exception.
class ExitException {
 public:
  virtual ~ExitException() = default;
  virtual const char* reason() const noexcept = 0;
};

}  // namespace loopscope

template <>
struct std::is_error_code_enum<loopscope::Errc> : std::true_type {};
