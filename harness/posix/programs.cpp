// Programs as POSIX has them: a shell, and what stands beside it in /bin.
#include "harness/tools/programs.hpp"

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::tools {

// Not cat, which may leave the copying to the kernel, as that of busybox does: sendfile(2) from a
// socket holds the lock of the pipe that it fills while it waits, and then a read of that pipe
// blocks, whatever O_NONBLOCK says (seen on Linux 6.1 and 6.18).
Words copying() { return {"/usr/bin/tee"}; }
Words sleeping() { return {"/bin/sleep", "1000"}; }
Words ending() { return {"/bin/true"}; }
Words printing(std::string line) { return {"/bin/echo", std::move(line)}; }
Words printing_environment() { return {"/usr/bin/env"}; }
Words printing_directory() { return {"/bin/pwd"}; }
Words printing_descriptors() { return {"/bin/ls", "/proc/self/fd"}; }
Words printing_descriptor(long long number) {
  return {"/bin/readlink", "/proc/self/fd/" + std::to_string(number)};
}

Words install_program(const std::string& folder, const std::string& name) {
  const std::string path = folder + "/" + name;
  (void)create_file(path, "#!/bin/sh\necho found\n");
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return {name};
}

namespace step {
std::string copy() { return "tee"; }
std::string stay() { return "exec sleep 1000"; }
std::string write(std::string line) { return "echo " + line; }
std::string write_error(std::string line) { return "echo " + line + " >&2"; }
std::string write_zeros(unsigned long long count) {
  return "head -c " + std::to_string(count) + " /dev/zero";
}
std::string read_line() { return "read line"; }
std::string close_input() { return "exec 0<&-"; }
// Of a job in the background the shell would make the input /dev/null.
std::string copy_in_background() { return "exec 3<&0; tee <&3 & echo $! >&2"; }
std::string exit(int code) { return "exit " + std::to_string(code); }
std::string end_by_signal(int signum) { return "kill -" + std::to_string(signum) + " $$"; }
}  // namespace step

Words program(Steps steps) { return {"/bin/sh", "-c", command(steps)}; }

std::string command(Steps steps) {
  std::string joined;
  for (const std::string& one : steps) joined += (joined.empty() ? "" : "; ") + one;
  return joined;
}

const bool kEndsNameSignals = true;
const std::vector<int> kEndingSignals{SIGTERM, SIGKILL, SIGHUP};
const bool kForks = true;
const StartErrors kStartErrors{.no_program = EACCES,
                               .folder = EACCES,
                               .no_directory = ENOENT,
                               .file_for_directory = ENOTDIR,
                               .too_long = E2BIG};

}  // namespace loopscope::tools
