// posix_spawn: which of its attributes exist in this C library, seen by their effect.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "probe/capabilities/libc_function.hpp"
#include "probe/probe_context.hpp"

extern char** environ;

// What the linker found of two functions that a C library may lack; null where it found none.
extern "C" {
[[gnu::weak]] int linked_addchdir(posix_spawn_file_actions_t*,
                                  const char*) __asm__("posix_spawn_file_actions_addchdir_np");
[[gnu::weak]] int linked_addclosefrom(posix_spawn_file_actions_t*,
                                      int) __asm__("posix_spawn_file_actions_addclosefrom_np");
}

namespace loopscope::probes::spawn {

namespace {

constexpr short kSetSid = 0x80;            // POSIX_SPAWN_SETSID of glibc and musl
constexpr short kCloexecDefault = 0x4000;  // POSIX_SPAWN_CLOEXEC_DEFAULT of macOS

/// The attributes and file actions of one spawn.
struct Plan {
  Plan() {
    (void)::posix_spawnattr_init(&attributes);
    (void)::posix_spawn_file_actions_init(&actions);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    (void)::posix_spawn_file_actions_destroy(&actions);
    (void)::posix_spawnattr_destroy(&attributes);
  }
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
};

/// A running shell, killed and reaped at the end of its life.
class Shell {
 public:
  Shell(ProbeContext& cx, Plan& plan, std::string script) {
    char name[] = "sh";
    char flag[] = "-c";
    char* const arguments[] = {name, flag, script.data(), nullptr};
    const int rc =
        ::posix_spawn(&pid_, "/bin/sh", &plan.actions, &plan.attributes, arguments, environ);
    if (cx.call_status("posix_spawn(/bin/sh -c '" + script + "')", rc) != 0) pid_ = -1;
  }
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;
  ~Shell() {
    if (pid_ <= 0) return;
    (void)::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
  }
  bool started() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  /// Its exit code; -1 when it was killed.
  int wait(ProbeContext& cx) {
    int status = 0;
    const pid_t reaped = ::waitpid(pid_, &status, 0);
    pid_ = -1;
    const int code = reaped > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    cx.note("exit code of the shell", std::to_string(code));
    return code;
  }

 private:
  pid_t pid_ = -1;
};

FactResult setsid_flag(ProbeContext& cx) {
  Plan plan;
  if (cx.call_status("posix_spawnattr_setflags(SETSID)",
                     ::posix_spawnattr_setflags(&plan.attributes, kSetSid)) != 0) {
    return cx.refused();
  }
  int ends[2];
  if (cx.call("pipe2", ::pipe2(ends, O_CLOEXEC)) != 0) return cx.unknown();
  const os::UniqueFd read(ends[0]);
  const os::UniqueFd write(ends[1]);
  (void)::posix_spawn_file_actions_adddup2(&plan.actions, read.get(), 0);
  const Shell shell(cx, plan, "read line");  // Blocks, so that it can be looked at.
  if (!shell.started()) return cx.unknown();
  const pid_t session = cx.call("getsid(child)", ::getsid(shell.pid()));
  if (session < 0) return cx.unknown();
  return session == shell.pid() ? yes() : no(Reason::not_implemented, "the flag was ignored");
}

FactResult change_dir(ProbeContext& cx) {
  using Add = int(posix_spawn_file_actions_t*, const char*);
  Add* add = libc_function<Add>("posix_spawn_file_actions_addchdir_np", linked_addchdir);
  if (add == nullptr) add = libc_function<Add>("posix_spawn_file_actions_addchdir", nullptr);
  cx.note("dlsym(posix_spawn_file_actions_addchdir_np)", add != nullptr ? "found" : "not found");
  if (add == nullptr) return no(Reason::not_implemented, "the C library has no such function");
  Plan plan;
  if (cx.call_status("addchdir(temporary folder)", add(&plan.actions, cx.temp_dir().c_str())) !=
      0) {
    return cx.refused();
  }
  const os::UniqueFd marker = cx.temp_file();
  if (!marker) return cx.unknown();
  Shell shell(cx, plan, "test -f file-1");
  if (!shell.started()) return cx.unknown();
  return shell.wait(cx) == 0 ? yes() : no(Reason::failed, "the child started elsewhere");
}

FactResult close_from(ProbeContext& cx) {
  using Add = int(posix_spawn_file_actions_t*, int);
  Add* add = libc_function<Add>("posix_spawn_file_actions_addclosefrom_np", linked_addclosefrom);
  cx.note("dlsym(posix_spawn_file_actions_addclosefrom_np)",
          add != nullptr ? "found" : "not found");
  if (add == nullptr) return no(Reason::not_implemented, "the C library has no such function");
  Plan plan;
  const os::UniqueFd file(cx.call("open(/)", ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  if (!file) return cx.unknown();
  (void)::posix_spawn_file_actions_adddup2(&plan.actions, file.get(), 9);
  if (cx.call_status("addclosefrom(3)", add(&plan.actions, 3)) != 0) return cx.refused();
  Shell shell(cx, plan, "exec 2>&-; : <&9");
  if (!shell.started()) return cx.unknown();
  return shell.wait(cx) != 0 ? yes("descriptor 9 was gone in the child")
                             : no(Reason::failed, "descriptor 9 was still open");
}

FactResult cloexec_default(ProbeContext& cx) {
  Plan plan;
  if (cx.call_status("posix_spawnattr_setflags(0x4000)",
                     ::posix_spawnattr_setflags(&plan.attributes, kCloexecDefault)) != 0) {
    return cx.refused("the flag is macOS's");
  }
  const os::UniqueFd file = cx.temp_file();
  if (!file) return cx.unknown();
  const os::UniqueFd inherited(::fcntl(file.get(), F_DUPFD, 3));
  if (!inherited || inherited.get() > 9) return cx.unknown("no single-digit descriptor is free");
  Shell shell(cx, plan, "exec 2>&-; : <&" + std::to_string(inherited.get()));
  if (!shell.started()) return cx.unknown();
  return shell.wait(cx) != 0 ? yes() : no(Reason::not_implemented, "the flag was ignored");
}

FactResult runs_a_shell(ProbeContext& cx) {
  Plan plan;
  Shell shell(cx, plan, "exit 7");
  if (!shell.started()) return cx.refused("/bin/sh cannot be run");
  return shell.wait(cx) == 7 ? yes() : no(Reason::failed, "another exit code than the command's");
}

constexpr Fact kFacts[] = {
    {"proc.shell", "Does the shell run a command?", "POSIX.1-2017 system()", runs_a_shell,
     "subprocess_shell"},
    {"posix_spawn.setsid", "Can posix_spawn start a new session?",
     "man 3 posix_spawn, POSIX_SPAWN_SETSID", setsid_flag, "start_new_session without fork"},
    {"posix_spawn.chdir", "Can posix_spawn change the folder of the child?",
     "POSIX.1-2024 posix_spawn_file_actions_addchdir", change_dir, "cwd= without fork"},
    {"posix_spawn.closefrom", "Can posix_spawn close all descriptors from a number on?",
     "glibc manual, posix_spawn_file_actions_addclosefrom_np", close_from,
     "close_fds= without fork"},
    {"posix_spawn.cloexec_default", "Can posix_spawn treat all descriptors as close-on-exec?",
     "macOS man 3 posix_spawnattr_setflags", cloexec_default, "close_fds= without fork on macOS"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "posix_spawn", .group = "B3", .facts = kFacts, .effect = Effect::process};

}  // namespace loopscope::probes::spawn
