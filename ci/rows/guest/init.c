// The first process of a virtual machine that is a row of the matrix: makes the file systems and
// the loopback interface, runs what /row/commands says, and hands files to the outside.
//
// The outside reads this machine's memory, which is a file there: that needs no driver, on no
// architecture. Each page of a file that is handed over begins with a mark that only this
// machine's start knows, its number, how many there are, and its length; see guest_memory.py.
//
// /row/commands has a word and what belongs to it on each line, done in this order:
//   mark HEX           16 bytes, before which nothing can be handed over
//   folder PATH        makes a folder that all may write
//   write PATH TEXT    writes a setting of the kernel
//   nofile N           the limit of descriptors, for what is run from then on
//   memlock BYTES      the limit of locked memory, for what is run from then on
//   user N             user and group of what is run from then on
//   loopback           brings lo up
//   clock_step SECONDS sets the wall clock so much later, while the next command runs
//   limit_scale NS LEAST  from the calibration on: what it took where the scale is 1
//   calibrate ARG...   runs /row/loopscope; @SCALE@ is then how much longer it took, at least LEAST
//   run ARG...         runs /row/loopscope
//   hand PATH          hands a file over
//   power_off          ends the machine; where there is none of that, its end is a restart, which
//                      qemu is told to take for the end
// Each is answered on the console by a line that begins with "@@row ".
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kPage = 4096, kMark = 16, kHead = kMark + 12, kBody = kPage - kHead, kWords = 64 };

static unsigned char mark[kMark];
static long user = -1;
static long long step_seconds, unscaled_ns;
static double least_scale = 1;
static char scale[32] = "1";

static void say(const char* what, const char* of, long long number) {
  printf("@@row %s %s %lld\n", what, of, number);
  fflush(stdout);
}

static long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void make_folder(const char* path, const char* kind, const char* options) {
  mkdir(path, 0755);
  if (mount("none", path, kind, 0, options) != 0) say("no-mount", path, errno);
}

static void bring_loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo"};
  const int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (ioctl(socket_fd, SIOCGIFFLAGS, &request) != 0) say("no-loopback", "get", errno);
  request.ifr_flags |= IFF_UP;
  if (ioctl(socket_fd, SIOCSIFFLAGS, &request) != 0) say("no-loopback", "set", errno);
  close(socket_fd);
}

static void write_setting(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) say("no-setting", path, errno);
  if (fd >= 0) close(fd);
}

static void set_limit(int which, const char* name, unsigned long long value) {
  const struct rlimit limit = {value, value};
  if (setrlimit(which, &limit) != 0) say("no-limit", name, errno);
}

static void step_clock(void) {
  struct timespec t;
  if (step_seconds == 0) return;
  sleep(2);
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_sec += step_seconds;
  step_seconds = 0;
  say("clock-stepped", "errno", clock_settime(CLOCK_REALTIME, &t) == 0 ? 0 : errno);
}

// Returns what it took; the status is told.
static long long run(char** words) {
  const long long began = now_ns();
  const pid_t child = fork();
  if (child == 0) {
    const int other = user >= 0;
    if (other && (setgroups(0, NULL) != 0 || setgid(user) != 0 || setuid(user) != 0)) _exit(125);
    if (chdir("/tmp") != 0) _exit(125);
    execv("/row/loopscope", words);
    _exit(126);
  }
  step_clock();
  int status = 0;
  pid_t ended;
  // Orphans come to the first process.
  while ((ended = waitpid(-1, &status, 0)) != child && (ended > 0 || errno == EINTR)) {
  }
  const long long took = now_ns() - began;
  say("took_ns", words[1], took);
  say("status", words[1], WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return took;
}

static void put(unsigned char* to, uint32_t value) {
  for (int i = 0; i < 4; ++i) to[i] = (unsigned char)(value >> (8 * i));
}

// What is written here stays in the memory that the outside reads.
static void hand_over(const char* path) {
  struct stat about;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &about) != 0) {
    say("not-handed", path, errno);
    return;
  }
  const size_t count = ((size_t)about.st_size + kBody - 1) / kBody;
  unsigned char* pages = mmap(NULL, count * kPage, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (count == 0 || pages == MAP_FAILED) {
    say("not-handed", path, errno);
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    unsigned char* page = pages + i * kPage;
    size_t filled = 0;
    ssize_t got = 0;
    while (filled < kBody && (got = read(fd, page + kHead + filled, kBody - filled)) > 0) {
      filled += (size_t)got;
    }
    put(page + kMark, (uint32_t)i);
    put(page + kMark + 4, (uint32_t)count);
    put(page + kMark + 8, (uint32_t)filled);
    memcpy(page, mark, kMark);
  }
  close(fd);
  say("handed", path, (long long)about.st_size);
}

static void do_line(char* line) {
  char* words[kWords + 1] = {0};
  int count = 0;
  char* word = strtok(line, " \n");
  for (; word != NULL && count < kWords; word = strtok(NULL, " \n")) {
    words[count++] = strcmp(word, "@SCALE@") == 0 ? scale : word;
  }
  if (count == 0) return;
  const char* verb = words[0];
  const char* first = count > 1 ? words[1] : "";
  if (strcmp(verb, "mark") == 0) {
    for (int i = 0; i < kMark; ++i) sscanf(first + 2 * i, "%2hhx", &mark[i]);
  } else if (strcmp(verb, "folder") == 0) {
    mkdir(first, 0777);
    chmod(first, 0777);
  } else if (strcmp(verb, "write") == 0) {
    write_setting(first, count > 2 ? words[2] : "");
  } else if (strcmp(verb, "nofile") == 0) {
    set_limit(RLIMIT_NOFILE, verb, strtoull(first, NULL, 10));
  } else if (strcmp(verb, "memlock") == 0) {
    set_limit(RLIMIT_MEMLOCK, verb, strtoull(first, NULL, 10));
  } else if (strcmp(verb, "user") == 0) {
    user = atol(first);
  } else if (strcmp(verb, "loopback") == 0) {
    bring_loopback_up();
  } else if (strcmp(verb, "clock_step") == 0) {
    step_seconds = atoll(first);
  } else if (strcmp(verb, "limit_scale") == 0) {
    unscaled_ns = atoll(first);
    least_scale = count > 2 ? atof(words[2]) : 1;
  } else if (strcmp(verb, "calibrate") == 0) {
    const double longer = unscaled_ns > 0 ? (double)run(words) / (double)unscaled_ns : 1;
    snprintf(scale, sizeof scale, "%.2f", longer < least_scale ? least_scale : longer);
    printf("@@row scale %s 0\n", scale);
  } else if (strcmp(verb, "run") == 0) {
    run(words);
  } else if (strcmp(verb, "hand") == 0) {
    hand_over(first);
  } else if (strcmp(verb, "power_off") == 0) {
    sync();
    reboot(RB_POWER_OFF);
  } else {
    say("unknown", verb, 0);
  }
}

int main(void) {
  make_folder("/dev", "devtmpfs", "");
  make_folder("/proc", "proc", "");
  make_folder("/sys", "sysfs", "");
  make_folder("/dev/pts", "devpts", "ptmxmode=0666");
  make_folder("/dev/shm", "tmpfs", "mode=1777");
  make_folder("/tmp", "tmpfs", "mode=1777");
  const int console = open("/dev/console", O_RDWR);
  for (int fd = 0; console >= 0 && fd < 3; ++fd) dup2(console, fd);
  if (console > 2) close(console);
  setenv("PATH", "/bin:/usr/bin", 1);
  setenv("HOME", "/tmp", 1);

  FILE* commands = fopen("/row/commands", "re");
  if (commands == NULL) say("no-commands", "/row/commands", errno);
  static char line[8192];
  while (commands != NULL && fgets(line, sizeof line, commands) != NULL) do_line(line);
  say("end", "of-commands", 0);
  sync();
  reboot(RB_AUTOBOOT);
  return 1;
}
