// DescriptorUser: who has the system work on a descriptor and must end that before it is closed.
#pragma once

#include "loops/os/native.hpp"

namespace loopscope::os {

/// The system would go on with the descriptor otherwise: what it works on keeps it open.
class DescriptorUser {
 public:
  /// On the thread that began the use, before close_fd() closes the descriptor. The use has ended.
  virtual void descriptor_closes(NativeSocket fd) noexcept = 0;

 protected:
  ~DescriptorUser() = default;
};

/// From now on, until end_use or the close: `user` is told. One user for a descriptor. A close on
/// another thread, and one that does not go through close_fd(), is not seen.
/// thread  Any; it is about closes on the same one.
void begin_use(NativeSocket fd, DescriptorUser& user);
void end_use(NativeSocket fd) noexcept;

}  // namespace loopscope::os
