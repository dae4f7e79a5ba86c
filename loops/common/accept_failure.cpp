// The errors of accept(2) and what they mean.
#include "loops/common/accept_failure.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace loopscope {
namespace {

// ECONNABORTED: BSD, for a client that has reset; Linux returns the connection instead. EPERM: a
// firewall rule of Linux forbids it. The others are pending errors of the new socket.
constexpr int kOfTheConnection[] = {ECONNABORTED,
                                    ECONNRESET,
                                    EPERM,
                                    EPROTO,
                                    ENETDOWN,
                                    ENOPROTOOPT,
                                    EHOSTUNREACH,
                                    EOPNOTSUPP,
                                    ENETUNREACH,
                                    ETIMEDOUT,
                                    EAGAIN
#ifdef EHOSTDOWN
                                    ,
                                    EHOSTDOWN
#endif
#ifdef ENONET
                                    ,
                                    ENONET
#endif
};
constexpr int kOfTheListener[] = {EBADF, ENOTSOCK, EINVAL, EFAULT};

template <std::size_t n>
bool among(const Error& error, const int (&numbers)[n]) {
  return std::any_of(std::begin(numbers), std::end(numbers),
                     [&error](int number) { return error.is_errno(number); });
}

}  // namespace

AcceptFailure classify_accept(const Error& error) {
  if (among(error, kOfTheConnection)) return AcceptFailure::transient;
  if (among(error, kOfTheListener)) return AcceptFailure::broken;
  // EMFILE, ENFILE, ENOBUFS, ENOMEM; and what nobody foresaw, which must not make the loop spin.
  return AcceptFailure::exhausted;
}

}  // namespace loopscope
