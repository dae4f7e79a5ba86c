// The facts of kqueue: listed everywhere, measured where the mechanism exists.
#include "probe/probe.hpp"

namespace loopscope::probes::kqueue {

namespace {

constexpr Fact kFacts[] = {
    {"kqueue.filters", "Which filters can be registered?", "FreeBSD man 2 kqueue", nullptr,
     "what a loop over kqueue can watch"},
    {"kqueue.user_multishot", "Does EVFILT_USER with EV_CLEAR survive 1000 triggers?",
     "FreeBSD man 2 kqueue, EVFILT_USER", nullptr, "a wake-up channel without descriptors"},
    {"kqueue.proc_exit_before_reap", "Is a child reapable when NOTE_EXIT arrives?",
     "FreeBSD man 2 kqueue, EVFILT_PROC", nullptr, "watching children without SIGCHLD"},
    {"kqueue.kinds", "Which kinds of descriptor can kqueue watch?",
     "FreeBSD man 2 kqueue, EVFILT_READ", nullptr, "devices and FIFOs differ on Darwin"},
    {"kqueue.fork_inherited", "Does a forked child inherit the queue?",
     "FreeBSD man 2 kqueue, DESCRIPTION", nullptr, "a loop must be rebuilt after fork"},
    {"kqueue.timeout_cap", "What is the longest wait before it is cut?", "FreeBSD man 2 kqueue",
     nullptr, "far deadlines must be cut into pieces"},
    {"kqueue.nested_accuracy", "Is an idle queue inside a queue quiet?", "FreeBSD man 2 kqueue",
     nullptr, "running a loop as a guest of another loop"},
    {"kqueue.limits", "How many queues and timers may there be?",
     "FreeBSD man 2 kqueue; sysctl kern.kq_calloutmax", nullptr, "creation failures at scale"},
    {"timer.kqueue_units", "Which units and flags does EVFILT_TIMER know?",
     "FreeBSD man 2 kqueue, EVFILT_TIMER", nullptr, "precision of timers"},
    {"wait.ns.kevent", "How long does a kevent of 300 us take?", "FreeBSD man 2 kqueue", nullptr,
     "what a sub-millisecond timer costs in lateness"},
    {"wait.max_timeout.kevent", "What is the longest wait that kevent accepts?",
     "FreeBSD man 2 kqueue", nullptr, "far deadlines must be cut into pieces"},
    {"signal.kqueue_counts", "Does EVFILT_SIGNAL count how often a signal was raised?",
     "FreeBSD man 2 kqueue, EVFILT_SIGNAL", nullptr, "counting signals"},
    {"aio.kqueue", "Does a finished aio_read arrive on the queue?", "FreeBSD man 4 aio", nullptr,
     "file I/O off the loop's thread"},
    {"procdesc", "Does pdfork give a descriptor for the child?", "FreeBSD man 2 pdfork", nullptr,
     "watching children without SIGCHLD"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "kqueue",
                            .group = "B2",
                            .facts = kFacts,
                            .absent_because = "needs kqueue: macOS or a BSD"};

}  // namespace loopscope::probes::kqueue
