// loopscope answer-facts: the process in which facts are asked, where nothing can be forked.
#include "harness/exit_code.hpp"
#include "probe/cli/command.hpp"
#include "probe/isolate.hpp"

namespace loopscope::commands::answer_facts {
namespace {

struct Options {
  std::string folder;
  bool thorough = false;
  int deadline_ms = 500;
  int report_fd = -1;
  std::vector<std::string> ids;
};

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  takes.add({.names = "--folder",
             .target = &options->folder,
             .help = "Where facts may make files",
             .hidden = true});
  takes.add({.names = "--thorough",
             .target = &options->thorough,
             .help = "Take more samples",
             .hidden = true});
  takes.add({.names = "--deadline-ms",
             .target = &options->deadline_ms,
             .help = "When this process will be killed over one fact",
             .hidden = true});
  takes.add({.names = "--report-fd",
             .target = &options->report_fd,
             .help = "Where the answers go",
             .required = true,
             .hidden = true});
  takes.add({.names = "facts", .target = &options->ids, .help = "Ids of the facts"});
  return [options] {
    const ProbeOptions asking{.deadline = std::chrono::milliseconds(options->deadline_ms),
                              .thorough = options->thorough};
    return loopscope::answer_facts(options->ids, options->folder, asking, options->report_fd);
  };
}

}  // namespace

extern const Command command{.name = "answer-facts",
                             .summary = "Answer facts for another process of this program",
                             .setup = setup,
                             .hidden = true};

}  // namespace loopscope::commands::answer_facts
