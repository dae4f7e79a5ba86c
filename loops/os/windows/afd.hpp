// Poll requests to the driver of Winsock, as Winsock's own select and WSAPoll make them.
//
// Not in any header of the SDK; libuv, wepoll and mio have used them for ten years.
// Source: wepoll, src/afd.h; Wine, include/wine/afd.h.
#pragma once

#include <winternl.h>

#include "loops/os/fd.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::os::afd {

inline constexpr ULONG kReceive = 0x0001, kReceiveExpedited = 0x0002, kSend = 0x0004,
                       kDisconnect = 0x0008, kAbort = 0x0010, kLocalClose = 0x0020,
                       kAccept = 0x0080, kConnectFail = 0x0100;
inline constexpr NTSTATUS kPending = 0x00000103;

struct PollHandle {
  HANDLE handle;
  ULONG events;
  NTSTATUS status;
};
struct PollInfo {
  LARGE_INTEGER timeout;
  ULONG count;
  ULONG exclusive;
  PollHandle handles[1];
};

/// A handle of the driver's own, to ask by.
Result<UniqueFd> open();
/// The socket below layered providers: what the driver knows.
Result<NativeSocket> base_of(NativeSocket socket);
/// Asks for one socket, once. A completion of the driver's port names `request`; the answer is in
/// `info`, when the status in `request` says so. Both stay alive until then.
NTSTATUS poll(HANDLE driver, PollInfo& info, OVERLAPPED& request);
/// Ends a request early; its completion still comes. Nothing happens when it is over.
void cancel(HANDLE driver, OVERLAPPED& request);

}  // namespace loopscope::os::afd
