// The files of ported programs, in the order in which they run.
#pragma once

#include "ci/ported/program.hpp"

namespace loopscope::ported {

extern const Programs scheduling, lifecycle, futures, tasks, cancellation, errors, readiness,
    sockets, pipes, signals, datagrams, connections, streams, servers, executors, files;

inline const Programs kTopics[] = {
    scheduling, lifecycle, futures,   tasks,       cancellation, errors,  readiness, sockets,
    pipes,      signals,   datagrams, connections, streams,      servers, executors, files};

}  // namespace loopscope::ported
