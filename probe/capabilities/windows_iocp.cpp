// Completion ports of Windows: listed everywhere, measured where the mechanism exists.
#include "probe/probe.hpp"

namespace loopscope::probes::windows_iocp {

namespace {

constexpr const char* kOperation = "what a proactor can leave to the kernel";

constexpr Fact kFacts[] = {
    {"iocp.gqcsex", "Does GetQueuedCompletionStatusEx exist?",
     "Microsoft Learn, GetQueuedCompletionStatusEx", nullptr, "many completions by one call"},
    {"iocp.skip_on_success", "For which handles can completions that are done at once be skipped?",
     "Microsoft Learn, SetFileCompletionNotificationModes", nullptr,
     "one trip through the port less"},
    {"iocp.skip_set_event", "For which handles can setting the event be skipped?",
     "Microsoft Learn, SetFileCompletionNotificationModes", nullptr, "a cheaper completion"},
    {"iocp.cancelioex", "Does CancelIoEx end one pending operation?", "Microsoft Learn, CancelIoEx",
     nullptr, "a cancel that leaves the other operations alone"},
    {"iocp.cancel_scope", "Does a cancel end one of two reads, or both?",
     "Microsoft Learn, CancelIoEx", nullptr, "a cancel that leaves the other operations alone"},
    {"iocp.connectex", "Is there ConnectEx?", "Microsoft Learn, ConnectEx", nullptr, kOperation},
    {"iocp.acceptex", "Is there AcceptEx?", "Microsoft Learn, AcceptEx", nullptr, kOperation},
    {"iocp.disconnectex", "Is there DisconnectEx?", "Microsoft Learn, DisconnectEx", nullptr,
     kOperation},
    {"iocp.transmitfile", "Is there TransmitFile?", "Microsoft Learn, TransmitFile", nullptr,
     kOperation},
    {"iocp.wsarecvmsg", "Is there WSARecvMsg?", "Microsoft Learn, WSARecvMsg", nullptr, kOperation},
    {"iocp.rio", "Is there Registered I/O?", "Microsoft Learn, Winsock Registered I/O", nullptr,
     kOperation},
    {"iocp.pipe_cancel_latency", "How long does the cancel of a pending pipe read take?",
     "Microsoft Learn, CancelIoEx", nullptr, "how fast a loop can close"},
    {"iocp.console_handle", "What does associating a console with a port say?",
     "Microsoft Learn, CreateIoCompletionPort", nullptr, "standard input needs a thread"},
    {"iocp.reassociate", "Can a handle be moved to another port?",
     "Microsoft Learn, FILE_COMPLETION_INFORMATION", nullptr, "handles handed from loop to loop"},
    {"iocp.timer_latency", "How late do waits of 1, 5 and 16 ms on a port end?",
     "Microsoft Learn, GetQueuedCompletionStatus", nullptr, "lateness of every timer"},
    {"iocp.concurrency", "How many threads does a port let run at once?",
     "Microsoft Learn, CreateIoCompletionPort", nullptr, "several threads on one loop"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "completion ports",
                            .group = "B6",
                            .facts = kFacts,
                            .absent_because = "needs Windows"};

}  // namespace loopscope::probes::windows_iocp
