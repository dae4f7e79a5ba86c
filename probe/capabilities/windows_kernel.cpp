// What stands below Winsock, and which Windows it is: listed everywhere, measured where the
// mechanism exists.
#include "probe/probe.hpp"

namespace loopscope::probes::windows_kernel {

namespace {

constexpr Fact kFacts[] = {
    {"afd.poll", "Does IOCTL_AFD_POLL report readiness to a completion port?",
     "wepoll and libuv, sources; no published document", nullptr,
     "readiness and completions in one wait"},
    {"afd.cancel_scaling", "How long does it take to cancel 32, 512 and 2048 polls?",
     "wepoll, issue threads on IOCTL_AFD_POLL", nullptr, "closing many sockets at once"},
    {"afd.two_polls_one_socket", "Do a read poll and a write poll on one socket both report?",
     "libuv, src/win/poll.c", nullptr, "readers and writers of one socket"},
    {"winsock.lsp_present", "Is a layered service provider installed?",
     "Microsoft Learn, WSAEnumProtocols", nullptr, "handles that are not the kernel's"},
    {"winsock.base_handle", "Which ioctl gives the base handle of a socket?",
     "Microsoft Learn, SIO_BASE_HANDLE", nullptr, "AFD and the skip modes need it"},
    {"winsock.ifs_handles", "Are sockets handles of the file system?",
     "Microsoft Learn, WSAPROTOCOL_INFO, XP1_IFS_HANDLES", nullptr,
     "completions that may be skipped"},
    {"ioring.win", "Which version of I/O rings is there, with which operations?",
     "Microsoft Learn, QueryIoRingCapabilities", nullptr, "file I/O in batches"},
    {"wine", "Is this Wine, and which version?", "Wine, ntdll, wine_get_version", nullptr,
     "answers of Wine are not answers of Windows"},
    {"win.build", "Which build of Windows is this?", "Microsoft Learn, RtlGetVersion", nullptr,
     "19041 mends WSAPoll, 17063 brings Unix sockets"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "Windows kernel",
                            .group = "B6",
                            .facts = kFacts,
                            .absent_because = "needs Windows"};

}  // namespace loopscope::probes::windows_kernel
