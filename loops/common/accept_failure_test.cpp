// Tests of what the errors of accept(2) mean.
#include "loops/common/accept_failure.hpp"

#include <doctest/doctest.h>

#include <cerrno>

using namespace loopscope;

TEST_CASE("an error of accept is that of one connection, of the system or of the listener") {
  struct Row {
    int number;
    AcceptFailure means;
  };
  const Row rows[] = {
      {ECONNABORTED, AcceptFailure::transient}, {EPERM, AcceptFailure::transient},
      {EPROTO, AcceptFailure::transient},       {ENETDOWN, AcceptFailure::transient},
      {EHOSTUNREACH, AcceptFailure::transient}, {ECONNRESET, AcceptFailure::transient},
      {EMFILE, AcceptFailure::exhausted},       {ENFILE, AcceptFailure::exhausted},
      {ENOBUFS, AcceptFailure::exhausted},      {ENOMEM, AcceptFailure::exhausted},
      {EBADF, AcceptFailure::broken},           {EINVAL, AcceptFailure::broken},
      {EXDEV, AcceptFailure::exhausted},  // unforeseen: a rest is safe, a spin is not
  };
  for (const Row& row : rows) {
    CAPTURE(row.number);
    CHECK(classify_accept(errno_error_of(row.number, "accept4")) == row.means);
  }
}
