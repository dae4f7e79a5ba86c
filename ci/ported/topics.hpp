// The files of ported programs, in the order in which they run.
#pragma once

#include <optional>

#include "ci/ported/program.hpp"

namespace loopscope::ported {

namespace scheduling {
extern const Programs programs;
}
namespace lifecycle {
extern const Programs programs;
}
namespace futures {
extern const Programs programs;
}
namespace tasks {
extern const Programs programs;
}
namespace cancellation {
extern const Programs programs;
}
namespace errors {
extern const Programs programs;
}
namespace readiness {
extern const Programs programs;
}
namespace sockets {
extern const Programs programs;
}
namespace pipes {
extern const Programs programs;
}
namespace signals {
extern const Programs programs;
}
namespace datagrams {
extern const Programs programs;
}
namespace connections {
extern const Programs programs;
}
namespace streams {
extern const Programs programs;
}
namespace servers {
extern const Programs programs;
}
namespace executors {
extern const Programs programs;
}
namespace files {
extern const Programs programs;
}
namespace processes {
extern const Programs programs;
}

/// A loop without the capability says so instead of running the programs.
struct Topic {
  const Programs& programs;
  std::optional<Cap> needs{};
};
inline const Topic kTopics[] = {{scheduling::programs},
                                {lifecycle::programs},
                                {futures::programs},
                                {tasks::programs},
                                {cancellation::programs},
                                {errors::programs},
                                {readiness::programs},
                                {sockets::programs},
                                {pipes::programs},
                                {signals::programs},
                                {datagrams::programs},
                                {connections::programs},
                                {streams::programs},
                                {servers::programs},
                                {executors::programs},
                                {files::programs},
                                {processes::programs, Cap::subprocess}};

}  // namespace loopscope::ported
