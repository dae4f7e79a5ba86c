// Subjects: a descriptor of every kind that a loop may be given, with what must stay open beside
// it.
#pragma once

#include <sys/socket.h>

#include <span>
#include <string_view>

#include "probe/probe_context.hpp"

namespace loopscope::probes {

/// The descriptor in question, and what must stay open beside it: the other end, or a listener
/// that holds it in its queue. Not open: the errno of what failed stands.
struct Subject {
  os::UniqueFd fd{};
  os::UniqueFd other{};
  explicit operator bool() const { return static_cast<bool>(fd); }
};

/// No answer, because what a fact asks about could not be made: by errno, recorded.
FactResult no_subject(ProbeContext& cx);

struct Kind {
  std::string_view name;
  Subject (*open)(ProbeContext&);  // non-blocking
};
std::span<const Kind> all_kinds();

/// A pipe; its read end is fd, or the write end.
Subject make_pipe(bool write_end);
/// Both ends without line editing when `raw`; fd is the master, or the slave.
Subject make_pty(bool slave, bool raw);
Subject make_unix_pair(int type);
/// Listens with the given queue, on a name that the kernel picks.
os::UniqueFd make_unix_listener(int backlog);
/// Listens on a loopback port that the kernel picks.
os::UniqueFd make_tcp_listener();
/// The two ends of one connection over loopback.
Subject make_tcp_pair();
/// A socket that is connected, or on its way, to a listener of any family; `flags` of socket(2).
os::UniqueFd connect_to(const os::UniqueFd& listener, int flags = 0);
/// The name of a socket, as far as the calls that take one are concerned.
struct SocketName {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&address); }
};
SocketName name_of(const os::UniqueFd& socket);

void set_blocking(const os::UniqueFd& fd, bool blocking);
/// "EPERM"
std::string errno_word(int number);
/// poll's bits as words, "IN HUP"; "-" for none. epoll and io_uring use the same values.
std::string mask_words(std::uint32_t mask);

}  // namespace loopscope::probes
