// Starting a child process, without a platform header.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "loops/base/result.hpp"
#include "loops/os/fd.hpp"

namespace loopscope::os {

/// A child that is to be started.
struct SpawnRequest {
  std::vector<std::string> argv;                          // not empty
  std::string executable{};                               // empty: argv[0]
  std::optional<std::vector<std::string>> environment{};  // "NAME=value"; nullopt: the parent's
  std::string directory{};                                // empty: the parent's
  /// Descriptors of the parent for 0, 1 and 2; nullopt: as the parent has it, closed included.
  std::array<std::optional<NativeSocket>, 3> standard{};
  std::vector<NativeSocket> pass{};  // above 2; under the same numbers, their flags as they are
  bool new_session = false;
  std::optional<int> process_group{};  // 0: a group of its own
};

/// Refuses what no child can be started with; opens nothing.
/// errors  invalid_argument: no argv, a NUL inside a text, an environment entry without a name,
///         a descriptor below 3 in `pass`, a negative process group. EBADF: a closed descriptor.
Result<void> check(const SpawnRequest& request);

/// Starts a child and returns when the new program runs. value: its process id.
///
/// A name without a slash is searched in the PATH that the child will have; without one in
/// /bin and /usr/bin. A relative path counts from the child's directory. The child has 0, 1, 2
/// and what is passed, no other descriptor; no signal blocked; every signal that the parent
/// handles, and SIGPIPE, at its default, while those that the parent ignores stay ignored.
/// errors  those of check(); of chdir, setsid, setpgid, dup2 and execve with the path in the
///         detail. EACCES when some file of the PATH may not be executed and no other was found.
///         Then no child and no descriptor is left behind.
/// cost    Does not depend on the size of the parent's memory where the child can borrow it.
/// thread  Any. The calling thread waits for the child's execve.
/// source  subprocess.Popen; man 3 posix_spawn; man 3 exec, EACCES
Result<int> spawn(const SpawnRequest& request);

/// The same descriptor under a number above 2, where no child's standard stream will clobber it.
Result<UniqueFd> above_standard(UniqueFd fd);

/// The parent's own standard stream, 0 to 2; kInvalid where it has none.
NativeSocket standard_stream(unsigned index);
/// What reads as ended and swallows what is written, for both; close-on-exec.
Result<UniqueFd> open_null();
/// What runs a command of the shell: {"/bin/sh", "-c", command}.
std::vector<std::string> shell_words(std::string command);

/// The paths that `executable` may stand for under the environment of `request`.
std::vector<std::string> search_path(const SpawnRequest& request);

/// For the platform: runs `child(argument)`, which never returns, in a new process that shares
/// the parent's memory where the platform can, and does not return in the parent before the child
/// has called execve or has ended. -1 and errno where there can be none.
int start_child(int (*child)(void*), void* argument);
/// For the platform, in the new process: closes the numbers from `first` to `last`.
void close_numbers(unsigned first, unsigned last) noexcept;

}  // namespace loopscope::os
