// A process under test: started, signalled, waited for. For tests of the command line.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "loops/base/result.hpp"
#include "loops/os/fd.hpp"

namespace loopscope {

class Spawned {
 public:
  struct Options {
    std::vector<std::string> argv;                     // the first is the executable's path
    std::map<std::string, std::string> environment{};  // added to ours
    std::string output;                                // a file for standard output and error
    std::size_t descriptor_limit = 0;                  // of the process; 0: ours
  };
  static Result<Spawned> start(const Options& options);
  Spawned(Spawned&& other) noexcept;
  Spawned& operator=(Spawned&&) = delete;
  ~Spawned();  // kills and reaps what still runs

  void send(int signal) const;
  /// The exit code, or 128 and the number of the signal that ended it.
  int wait();
  bool running();

 private:
  explicit Spawned(pid_t pid) : pid_(pid) {}
  pid_t pid_ = 0;
  int status_ = -1;
};

/// Processes whose environment has this text ("LOOPSCOPE_CELL_ID="), by pid.
std::vector<long> processes_with(const std::string& environment_text);

}  // namespace loopscope
