// Options of sockets: sharing addresses, signals, and tuning.
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "probe/capabilities/inet.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::socket_options {

namespace {

os::UniqueFd fresh(ProbeContext& cx) {
  return os::UniqueFd(cx.call("socket(AF_INET, SOCK_STREAM)",
                              ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
}

bool turn_on(ProbeContext& cx, const os::UniqueFd& socket, int option, std::string_view what) {
  const int one = 1;
  return socket && cx.call("setsockopt(" + std::string(what) + ")",
                           ::setsockopt(socket.get(), SOL_SOCKET, option, &one, sizeof one)) == 0;
}

/// A second socket binds the address of the first; both with the option.
/// returns "yes" or the errno of what refused it.
std::string second_bind(ProbeContext& cx, int option, std::string_view name, bool listening) {
  const os::UniqueFd first = fresh(cx);
  const os::UniqueFd second = fresh(cx);
  if (!turn_on(cx, first, option, name) || !turn_on(cx, second, option, name)) {
    return errno_word(errno);
  }
  SocketName address = loopback_name(AF_INET);
  if (cx.call("bind(first)", ::bind(first.get(), address.raw(), address.size)) != 0) return "";
  if (listening && cx.call("listen(first)", ::listen(first.get(), 1)) != 0) return "";
  address = name_of(first);
  if (cx.call("bind(second, same address)", ::bind(second.get(), address.raw(), address.size)) !=
      0) {
    return errno_word(errno);
  }
  return "yes";
}

/// Leaves a connection in TIME_WAIT at a listener's port, and binds the port again.
std::string bind_over_time_wait(ProbeContext& cx, bool reuse) {
  os::UniqueFd listener = fresh(cx);
  if (reuse && !turn_on(cx, listener, SO_REUSEADDR, "SO_REUSEADDR")) return errno_word(errno);
  SocketName address = loopback_name(AF_INET);
  if (!listener || cx.call("bind", ::bind(listener.get(), address.raw(), address.size)) != 0 ||
      cx.call("listen", ::listen(listener.get(), 1)) != 0) {
    return "";
  }
  address = name_of(listener);
  os::UniqueFd client = connect_to(listener);
  pollfd slot{.fd = listener.get(), .events = POLLIN, .revents = 0};
  (void)::poll(&slot, 1, 200);
  os::UniqueFd served(cx.call("accept", ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  if (!client || !served) return "";
  served.reset();  // Closes first: TIME_WAIT is on the listener's port.
  char octet = 0;
  (void)::recv(client.get(), &octet, 1, 0);
  client.reset();
  listener.reset();
  const os::UniqueFd again = fresh(cx);
  if (reuse && !turn_on(cx, again, SO_REUSEADDR, "SO_REUSEADDR")) return errno_word(errno);
  const int rc =
      cx.call(reuse ? "bind(port in TIME_WAIT, SO_REUSEADDR)" : "bind(port in TIME_WAIT)",
              ::bind(again.get(), address.raw(), address.size));
  return rc == 0 ? "yes" : errno_word(errno);
}

FactResult reuseaddr_semantics(ProbeContext& cx) {
  FactResult result;
  const auto add = [&](const char* what, const std::string& outcome) {
    result.table.push_back({what, {{"second bind", outcome.empty() ? "not made" : outcome}}});
    return outcome;
  };
  const std::string live =
      add("a live listener", second_bind(cx, SO_REUSEADDR, "SO_REUSEADDR", true));
  const std::string bound =
      add("bound, not listening", second_bind(cx, SO_REUSEADDR, "SO_REUSEADDR", false));
  add("a port in TIME_WAIT, without the option", bind_over_time_wait(cx, false));
  const std::string waiting = add("a port in TIME_WAIT", bind_over_time_wait(cx, true));
  if (live.empty() || bound.empty() || waiting.empty()) {
    FactResult none = cx.unknown();
    none.table = std::move(result.table);
    return none;
  }
  result.value = std::string(live == "yes"      ? "steals a live listener"
                             : waiting == "yes" ? "TIME_WAIT only"
                                                : "nothing");
  result.note = "what SO_REUSEADDR on both sockets allows";
  return result;
}

FactResult reuseport(ProbeContext& cx) {
  const std::string outcome = second_bind(cx, SO_REUSEPORT, "SO_REUSEPORT", true);
  if (outcome == "yes") return yes("two listeners on one port");
  return outcome.empty() ? cx.unknown() : cx.refused();
}

/// Connections that two listeners of one port get, of `kConnects`.
FactResult reuseport_balances(ProbeContext& cx) {
  constexpr int kConnects = 1000;
  const os::UniqueFd listeners[] = {fresh(cx), fresh(cx)};
  SocketName address = loopback_name(AF_INET);
  for (const os::UniqueFd& one : listeners) {
    if (!turn_on(cx, one, SO_REUSEPORT, "SO_REUSEPORT")) return cx.refused();
    if (cx.call("bind", ::bind(one.get(), address.raw(), address.size)) != 0 ||
        cx.call("listen", ::listen(one.get(), kConnects)) != 0) {
      return cx.unknown();
    }
    address = name_of(one);
  }
  std::array<int, 2> got{};
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  for (int i = 0; i < kConnects; ++i) {
    const os::UniqueFd client = connect_to(listeners[0]);
    if (!client) return no_subject(cx);
    pollfd slots[] = {{.fd = listeners[0].get(), .events = POLLIN, .revents = 0},
                      {.fd = listeners[1].get(), .events = POLLIN, .revents = 0}};
    (void)::poll(slots, 2, 200);
    for (std::size_t k = 0; k < 2; ++k) {
      if (slots[k].revents == 0) continue;
      const os::UniqueFd served(::accept4(listeners[k].get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (served) ++got[k];
      // A reset rather than a thousand ports in TIME_WAIT.
      (void)::setsockopt(served.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
  }
  cx.note("connections of the two listeners",
          std::to_string(got[0]) + " and " + std::to_string(got[1]));
  const int fewer = std::min(got[0], got[1]);
  const std::string split = std::to_string(got[0]) + " : " + std::to_string(got[1]);
  constexpr int kFair = kConnects / 4;
  return fewer >= kFair ? yes("1000 connections were shared out " + split)
                        : no(Reason::none, "1000 connections went " + split);
}

volatile std::sig_atomic_t g_pipes = 0;
void count_pipe(int) { g_pipes = g_pipes + 1; }

/// Sends to a dead peer; how often SIGPIPE came, -1 when it could not be tried.
int sigpipes(ProbeContext& cx, std::string_view what, int flags) {
  Subject pair = make_unix_pair(SOCK_STREAM);
  if (!pair) return -1;
  struct sigaction action {};
  action.sa_handler = count_pipe;
  (void)::sigaction(SIGPIPE, &action, nullptr);  // A valid signal: cannot fail.
  g_pipes = 0;
  pair.other.reset();
  (void)cx.call(what, ::send(pair.fd.get(), "x", 1, flags));
  cx.note("SIGPIPE", std::to_string(g_pipes));
  return g_pipes;
}

FactResult msg_nosignal(ProbeContext& cx) {
  const int without = sigpipes(cx, "send(dead peer)", 0);
  const int with = sigpipes(cx, "send(dead peer, MSG_NOSIGNAL)", MSG_NOSIGNAL);
  if (without < 0 || with < 0) return no_subject(cx);
  if (without == 1 && with == 0) return yes("EPIPE without SIGPIPE");
  return no(Reason::failed, with > 0 ? "the flag is ignored" : "no SIGPIPE came without it either");
}

/// Reads back what it set: the option exists.
template <int kOption, int kValue>
FactResult tuned(ProbeContext& cx, std::string_view what) {
  return settable(cx, fresh(cx), SOL_SOCKET, kOption, kValue, what);
}
FactResult busy_poll(ProbeContext& cx) {
  constexpr int kBusyPoll = 46;
  return tuned<kBusyPoll, 50>(cx, "SO_BUSY_POLL");
}
FactResult incoming_cpu(ProbeContext& cx) {
  constexpr int kIncomingCpu = 49;
  return tuned<kIncomingCpu, 0>(cx, "SO_INCOMING_CPU");
}

FactResult attach_reuseport_bpf(ProbeContext& cx) {
  constexpr int kAttachCbpf = 51;  // SO_ATTACH_REUSEPORT_CBPF
  const os::UniqueFd socket = fresh(cx);
  if (!turn_on(cx, socket, SO_REUSEPORT, "SO_REUSEPORT")) return cx.unknown();
  SocketName address = loopback_name(AF_INET);
  if (cx.call("bind", ::bind(socket.get(), address.raw(), address.size)) != 0) {
    return cx.unknown();
  }
  sock_filter first_listener[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog program{.len = 1, .filter = first_listener};
  if (cx.call("setsockopt(SO_ATTACH_REUSEPORT_CBPF)",
              ::setsockopt(socket.get(), SOL_SOCKET, kAttachCbpf, &program, sizeof program)) != 0) {
    return cx.refused();
  }
  return yes("with a classic filter that always names the first listener");
}

constexpr Fact kFacts[] = {
    {"so.reuseaddr_semantics", "What does SO_REUSEADDR allow a second bind?",
     "man 7 socket, SO_REUSEADDR; Microsoft Learn, Using SO_REUSEADDR", reuseaddr_semantics,
     "TIME_WAIT on Unix, theft of live ports on Windows",
     "binds a second socket to the address of one that is bound, that listens, and that has a "
     "connection in TIME_WAIT"},
    {"so.reuseport", "Can two listeners share a port with SO_REUSEPORT?",
     "man 7 socket, SO_REUSEPORT", reuseport, "one loop for each CPU on one port"},
    {.id = "so.reuseport_balances",
     .question = "Are connections shared out between listeners of one port?",
     .source = "man 7 socket, SO_REUSEPORT",
     .ask = reuseport_balances,
     .why = "without it the first loop starves the others, or they starve it",
     .how = "a thousand connects to two listeners; at least a quarter must reach each",
     .effect = Effect::traces},
    {"msg.nosignal", "Does MSG_NOSIGNAL keep SIGPIPE away?", "POSIX send, MSG_NOSIGNAL",
     msg_nosignal, "a loop must not be killed by a peer that left"},
    {.id = "so.busy_poll",
     .question = "Can a socket be polled busily?",
     .source = "man 7 socket, SO_BUSY_POLL",
     .ask = busy_poll,
     .why = "less latency for more CPU time",
     .privilege = "CAP_NET_ADMIN"},
    {"so.incoming_cpu", "Can a socket be bound to the CPU of its packets?",
     "man 7 socket, SO_INCOMING_CPU", incoming_cpu, "connections that stay on their loop's CPU"},
    {"so.attach_reuseport_bpf", "Can a program choose among listeners of one port?",
     "man 7 socket, SO_ATTACH_REUSEPORT_CBPF", attach_reuseport_bpf,
     "connections that go to the loop that the author chose"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "socket options", .group = "B5", .facts = kFacts, .effect = Effect::traffic};

}  // namespace loopscope::probes::socket_options
