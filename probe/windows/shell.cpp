// Measuring whether a command can be given to the shell.
#include "loops/os/child.hpp"
#include "loops/os/spawn.hpp"
#include "probe/probe_context.hpp"
#include "probe/windows/answers.hpp"

namespace loopscope::windows {
namespace {

FactResult shell_runs(ProbeContext& cx) {
  os::SpawnRequest request;
  request.argv = os::shell_words("exit 7");
  const Result<int> pid = os::spawn(request);
  cx.note("CreateProcess(" + request.argv.front() + ")",
          pid.ok() ? "done" : to_string(pid.error()));
  if (!pid.ok()) return no(Reason::not_implemented);
  const os::ChildEnd end = os::collect_waiting(*pid);
  cx.note("exit code", std::to_string(end.code.value_or(-1)));
  return end.code == 7 ? yes() : no(Reason::failed, "another exit code than the command's");
}

constexpr PlatformAnswer kShellAnswers[] = {{"proc.shell", shell_runs}};

}  // namespace

std::span<const PlatformAnswer> shell_answers() { return kShellAnswers; }

}  // namespace loopscope::windows
