// sendfile of OpenBSD and NetBSD, which have none: the caller reads and sends.
#include "loops/os/file.hpp"

namespace loopscope::os {

Result<Transfer> sendfile(NativeSocket, NativeSocket, std::uint64_t, std::size_t) {
  return make_error(Errc::not_supported, "sendfile", "the system has no such call");
}

}  // namespace loopscope::os
