// Children as descriptors: the BSDs have none for a child that was not made so. FreeBSD's pdfork(2)
// makes such ones, which our way of starting a child does not.
#include <cerrno>

#include "loops/os/child.hpp"

namespace loopscope::os {

Result<UniqueFd> open_pidfd(int) { return errno_error_of(ENOSYS, "pidfd_open"); }
std::optional<ChildEnd> collect_by_pidfd(NativeSocket) { return ChildEnd{}; }
Result<void> signal_by_pidfd(NativeSocket, int) {
  return errno_error_of(ENOSYS, "pidfd_send_signal");
}

}  // namespace loopscope::os
