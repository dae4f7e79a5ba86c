// The files of ported programs, in the order in which they run.
#pragma once

#include <optional>

#include "ci/ported/program.hpp"

namespace loopscope::ported {

extern const Programs scheduling, lifecycle, futures, tasks, cancellation, errors, readiness,
    sockets, pipes, signals, datagrams, connections, streams, servers, executors, files, processes;

/// A loop without the capability says so instead of running the programs.
struct Topic {
  const Programs& programs;
  std::optional<Cap> needs{};
};
inline const Topic kTopics[] = {{scheduling},
                                {lifecycle},
                                {futures},
                                {tasks},
                                {cancellation},
                                {errors},
                                {readiness},
                                {sockets},
                                {pipes},
                                {signals},
                                {datagrams},
                                {connections},
                                {streams},
                                {servers},
                                {executors},
                                {files},
                                {processes, Cap::subprocess}};

}  // namespace loopscope::ported
