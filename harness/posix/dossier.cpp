// Collecting a hang dossier from /proc, signals and the report channel.
#include "harness/posix/dossier.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/crash.hpp"
#include "harness/host.hpp"
#include "harness/posix/proc.hpp"
#include "harness/posix/thread_id.hpp"

namespace loopscope {
namespace {

std::vector<std::string> descriptors_of(pid_t pid) {
  constexpr std::size_t kListed = 64;
  const std::string folder = "/proc/" + std::to_string(pid);
  const std::vector<int> numbers = proc::numbers_in(folder + "/fd");
  std::vector<std::string> result;
  for (const int fd : numbers) {
    if (result.size() == kListed) {
      result.push_back("... " + std::to_string(numbers.size()) + " in all");
      break;
    }
    const std::string number = std::to_string(fd);
    std::string line = number + " -> " + proc::link_target(folder + "/fd/" + number);
    if (line.find("[eventpoll]") != std::string::npos) {
      const std::string info = proc::contents(folder + "/fdinfo/" + number);
      for (std::size_t at = info.find("tfd:"); at != std::string::npos;
           at = info.find("tfd:", at + 1)) {
        const std::size_t end = std::min(info.find("data:", at), info.size());
        line += "; " + info.substr(at, end - at);
      }
    }
    result.push_back(std::move(line));
  }
  return result;
}

}  // namespace

Dossier interrogate(pid_t pid) {
  Dossier dossier;
  for (const proc::Thread& thread : proc::threads_of(pid)) {
    const std::string folder =
        "/proc/" + std::to_string(pid) + "/task/" + std::to_string(thread.tid);
    dossier.threads.push_back({.tid = thread.tid,
                               .name = thread.name,
                               .state = proc::field(folder + "/status", "State:"),
                               .wchan = proc::contents(folder + "/wchan")});
  }
  dossier.descriptors = descriptors_of(pid);
  for (const ThreadEvidence& thread : dossier.threads) {
    threads::signal(pid, thread.tid, crash::stack_signal());
  }
  return dossier;
}

void add_stacks(std::vector<std::string>& lines, Dossier& dossier) {
  const auto is_stack = [&](const std::string& line) {
    if (line.rfind("{\"stack\":", 0) != 0) return false;
    const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_discarded()) return false;
    const nlohmann::json& stack = json["stack"];
    for (ThreadEvidence& thread : dossier.threads) {
      if (thread.tid != stack.value("tid", 0L)) continue;
      for (const auto& frame : stack["frames"]) {
        thread.stack.push_back(host::demangled_frame(frame.get<std::string>()));
      }
    }
    return true;
  };
  lines.erase(std::remove_if(lines.begin(), lines.end(), is_stack), lines.end());
}

}  // namespace loopscope
