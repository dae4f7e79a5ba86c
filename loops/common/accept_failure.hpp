// What an error of accept(2) means for a server: go on, wait a while, or give the listener up.
#pragma once

#include "loops/base/error.hpp"

namespace loopscope {

enum class AcceptFailure : unsigned char {
  transient,  // the error of one connection that has gone already: take the next one
  exhausted,  // the system is out of something: the connection stays queued, try again later
  broken      // the listener itself: it will never accept again
};

/// source: accept(2), "Error handling"; the network errors of a connection arrive through it.
AcceptFailure classify_accept(const Error& error);

}  // namespace loopscope
