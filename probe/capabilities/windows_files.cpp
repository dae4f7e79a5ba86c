// The files and pipes of Windows: listed everywhere, measured where the mechanism exists.
#include "probe/probe.hpp"

namespace loopscope::probes::windows_files {

namespace {

constexpr Fact kFacts[] = {
    {"iocp.file", "Does a completion port complete file reads?",
     "Microsoft Learn, Synchronous and Asynchronous I/O", nullptr, "file I/O without threads"},
    {"pipe.win.overlapped_anonymous", "Can an anonymous pipe join a completion port?",
     "Microsoft Learn, CreatePipe", nullptr, "standard streams of children"},
    {"pipe.win.named_instances_max", "How many instances can a named pipe have?",
     "Microsoft Learn, CreateNamedPipe", nullptr, "servers on named pipes"},
    {"transmitfile.concurrency", "How many TransmitFile calls run at once?",
     "Microsoft Learn, TransmitFile, Remarks", nullptr, "two on workstation editions"},
    {"ReadDirectoryChanges", "Does ReadDirectoryChangesW report a new file?",
     "Microsoft Learn, ReadDirectoryChangesW", nullptr, "file watching"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "Windows files",
                            .group = "B4",
                            .facts = kFacts,
                            .absent_because = "needs Windows"};

}  // namespace loopscope::probes::windows_files
