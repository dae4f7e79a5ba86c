// io_uring's operations: what the kernel announces, and what each of them does when it is used.
#include "probe/capabilities/uring_ops.hpp"

#include "probe/capabilities/subjects.hpp"

namespace loopscope::probes::uring_ops {

namespace {

using abi::Op;

const Trial* trial_of(std::size_t number) {
  for (const std::span<const Trial> trials : {loop_trials(), file_trials()}) {
    for (const Trial& trial : trials) {
      if (static_cast<std::size_t>(trial.op) == number) return &trial;
    }
  }
  return nullptr;
}

/// What the kernel says of its operations; nullopt where it cannot be asked (before 5.6).
std::optional<abi::Probe> ask_kernel(ProbeContext& cx, RawRing& ring) {
  abi::Probe probe;
  if (ring.configure(cx, "io_uring_register(PROBE)", abi::Register::probe, &probe, 256) != 0) {
    RawRing::forget_refusal();  // What is announced decides nothing.
    return std::nullopt;
  }
  return probe;
}

bool announces(const abi::Probe& probe, std::size_t number) {
  return number < probe.count && (probe.ops.at(number).flags & abi::kOpSupported) != 0;
}

/// The use, which decides, beside the announcement, which does not.
FactResult used(ProbeContext& cx, RawRing& ring, Op op,
                FactResult (*use)(ProbeContext&, RawRing&)) {
  const std::optional<abi::Probe> probe = ask_kernel(cx, ring);
  FactResult result = use(cx, ring);
  if (!probe) return result;
  const bool announced = announces(*probe, static_cast<std::size_t>(op));
  cx.note("it announces " + std::string(abi::name(op)), announced ? "yes" : "no");
  const bool* works = std::get_if<bool>(&result.value);
  if (works != nullptr && *works != announced) {
    result.note += (result.note.empty() ? "" : "; ") + std::string(abi::name(op)) +
                   (announced ? " is announced" : " is not announced");
  }
  return result;
}
template <Op op>
FactResult used(ProbeContext& cx, RawRing& ring) {
  return used(cx, ring, op, trial_of(static_cast<std::size_t>(op))->run);
}
template <Op op, FactResult (*use)(ProbeContext&, RawRing&)>
FactResult used(ProbeContext& cx, RawRing& ring) {
  return used(cx, ring, op, use);
}
/// A fact about an operation, or about one way to use it.
template <Op op, FactResult (*... use)(ProbeContext&, RawRing&)>
constexpr auto ask = with_ring<used<op, use...>>;

/// One operation in a ring of its own: whether its use proved it, and how that went.
std::pair<std::string, std::string> try_out(ProbeContext& cx, const Trial& trial) {
  ProbeContext own(cx.temp_path(abi::name(trial.op)));
  RawRing ring;
  const FactResult result = ring.open(own) ? trial.run(own, ring) : own.unknown("no ring");
  const int error = own.last_error();
  const bool* works = std::get_if<bool>(&result.value);
  std::string remark = result.note;
  if (works == nullptr || !*works) {
    const std::string cause = error != 0 ? errno_word(error) : std::string(name(result.reason));
    remark = remark.empty() ? cause : cause + ": " + remark;
  }
  return {works == nullptr ? "not proved" : *works ? "yes" : "no", remark};
}

FactResult ops(ProbeContext& cx, RawRing& ring) {
  const std::optional<abi::Probe> probe = ask_kernel(cx, ring);
  std::vector<std::string> proved;
  std::vector<FactRow> table;
  std::size_t announced = 0;
  for (std::size_t number = 0; number < 256; ++number) {
    const Trial* trial = trial_of(number);
    const bool said = probe && announces(*probe, number);
    if (trial == nullptr && !said) continue;
    announced += said ? 1 : 0;
    const std::string name = number < abi::kOpNames.size() ? std::string(abi::kOpNames[number])
                                                           : "op " + std::to_string(number);
    FactRow row{name, {{"announced", probe ? said ? "yes" : "no" : "?"}}};
    auto [used, remark] = trial != nullptr ? try_out(cx, *trial)
                                           : std::pair<std::string, std::string>(
                                                 "not proved", "newer than this program");
    if (used == "yes") proved.push_back(name);
    if (probe && ((said && used == "no") || (!said && used == "yes"))) {
      cx.disagree("IORING_REGISTER_PROBE: " + name, said ? "announced" : "not announced", "its use",
                  used == "yes" ? "works" : "refused: " + remark);
    }
    row.cells.emplace_back("used", std::move(used));
    row.cells.emplace_back("remark", std::move(remark));
    table.push_back(std::move(row));
  }
  FactResult result = word_set(std::move(proved));
  result.note = std::to_string(std::get<std::vector<std::string>>(result.value).size()) +
                " proved by use, " + std::to_string(announced) + " announced";
  result.table = std::move(table);
  return result;
}

constexpr Fact kFacts[] = {
    {"uring.ops", "Which operations does io_uring announce, and which did work?",
     "man 2 io_uring_register, IORING_REGISTER_PROBE", with_ring<ops>,
     "what is announced may be refused, and flags are not announced at all"},
    {"uring.op.recv", "Can io_uring receive from a socket?", "man 2 io_uring_enter, IORING_OP_RECV",
     ask<Op::recv>, "a read of a transport"},
    {"uring.op.recv_multishot", "Does one receive request take all that comes?",
     "man 3 io_uring_prep_recv_multishot", ask<Op::recv, recv_multishot>,
     "no request for every read of a stream"},
    {"uring.op.recvmsg", "Can io_uring receive a message with its sender?",
     "man 2 io_uring_enter, IORING_OP_RECVMSG", ask<Op::recvmsg>,
     "datagrams and passed descriptors"},
    {"uring.op.recvmsg_multishot", "Does one message request take all that come?",
     "man 3 io_uring_prep_recvmsg_multishot", ask<Op::recvmsg, recvmsg_multishot>,
     "no request for every datagram"},
    {"uring.op.send", "Can io_uring send to a socket?", "man 2 io_uring_enter, IORING_OP_SEND",
     ask<Op::send>, "a write of a transport"},
    {"uring.op.sendmsg", "Can io_uring send a message from several pieces?",
     "man 2 io_uring_enter, IORING_OP_SENDMSG", ask<Op::sendmsg>,
     "datagrams, and streams without a copy"},
    {"uring.op.send_zc", "Can io_uring send without copying?", "man 3 io_uring_prep_send_zc",
     ask<Op::send_zc>, "large writes; two completions for each"},
    {"uring.op.sendmsg_zc", "Can io_uring send pieces without copying?",
     "man 3 io_uring_prep_sendmsg_zc", ask<Op::sendmsg_zc>,
     "large writes; two completions for each"},
    {"uring.op.accept", "Can io_uring accept a connection?",
     "man 2 io_uring_enter, IORING_OP_ACCEPT", ask<Op::accept>, "a server"},
    {"uring.op.accept_multishot", "Does one accept request take all connections?",
     "man 3 io_uring_prep_multishot_accept", ask<Op::accept, accept_multishot>,
     "no request for every connection"},
    {"uring.op.connect", "Can io_uring connect a socket?",
     "man 2 io_uring_enter, IORING_OP_CONNECT", ask<Op::connect>,
     "a client without waiting for writability"},
    {"uring.op.socket", "Can io_uring make a socket?", "man 2 io_uring_enter, IORING_OP_SOCKET",
     ask<Op::socket>, "a whole connection in one chain of requests"},
    {"uring.op.bind", "Can io_uring bind a socket?", "man 3 io_uring_prep_bind", ask<Op::bind>,
     "a server without system calls"},
    {"uring.op.listen", "Can io_uring make a socket listen?", "man 3 io_uring_prep_listen",
     ask<Op::listen>, "a server without system calls"},
    {"uring.op.shutdown", "Can io_uring end one direction of a socket?",
     "man 2 io_uring_enter, IORING_OP_SHUTDOWN", ask<Op::shutdown>,
     "write_eof in its place in the chain"},
    {"uring.op.close", "Can io_uring close a descriptor?", "man 2 io_uring_enter, IORING_OP_CLOSE",
     ask<Op::close>, "an orderly end in a chain of requests"},
    {"uring.op.read", "Can io_uring read from a pipe?", "man 2 io_uring_enter, IORING_OP_READ",
     ask<Op::read>, "pipes, terminals and files"},
    {"uring.op.readv", "Can io_uring read into several pieces?",
     "man 2 io_uring_enter, IORING_OP_READV", ask<Op::readv>, "scattered reads"},
    {"uring.op.read_multishot", "Does one read request take all that comes?",
     "man 3 io_uring_prep_read_multishot", ask<Op::read_multishot>,
     "no request for every read of a pipe"},
    {"uring.op.write", "Can io_uring write to a pipe?", "man 2 io_uring_enter, IORING_OP_WRITE",
     ask<Op::write>, "pipes, terminals and files"},
    {"uring.op.writev", "Can io_uring write from several pieces?",
     "man 2 io_uring_enter, IORING_OP_WRITEV", ask<Op::writev>, "gathered writes"},
    {"uring.op.splice", "Can io_uring move bytes between descriptors?",
     "man 2 io_uring_enter, IORING_OP_SPLICE", ask<Op::splice>, "sendfile"},
    {"uring.op.tee", "Can io_uring copy a pipe without taking from it?",
     "man 2 io_uring_enter, IORING_OP_TEE", ask<Op::tee>, "watching what passes"},
    {"uring.op.pipe", "Can io_uring make a pipe?", "man 3 io_uring_prep_pipe", ask<Op::pipe>,
     "subprocesses without system calls"},
    {"uring.op.poll_add", "Does a poll request complete when there is data?",
     "man 2 io_uring_enter, IORING_OP_POLL_ADD", ask<Op::poll_add>, "add_reader and add_writer"},
    {"uring.op.poll_multishot", "Does one poll request report every time?",
     "man 3 io_uring_prep_poll_multishot", ask<Op::poll_add, poll_multishot>,
     "add_reader without a request for every event"},
    {"uring.op.poll_remove", "Can a poll request be taken back?",
     "man 2 io_uring_enter, IORING_OP_POLL_REMOVE", ask<Op::poll_remove>, "remove_reader"},
    {"uring.op.epoll_ctl", "Can io_uring change an epoll set?",
     "man 2 io_uring_enter, IORING_OP_EPOLL_CTL", ask<Op::epoll_ctl>,
     "a proactor as host of an epoll loop"},
    {"uring.op.epoll_wait", "Can io_uring wait for an epoll set?", "man 3 io_uring_prep_epoll_wait",
     ask<Op::epoll_wait>, "a proactor as host of an epoll loop"},
    {"uring.op.timeout", "Does a timeout request complete, and not early?",
     "man 2 io_uring_enter, IORING_OP_TIMEOUT", ask<Op::timeout>,
     "timers where the wait takes no timeout"},
    {"uring.op.timeout_multishot", "Does one timeout request go off repeatedly?",
     "man 3 io_uring_prep_timeout", ask<Op::timeout, timeout_multishot>, "periodic timers"},
    {"uring.op.timeout_remove", "Can a timeout request be taken back?",
     "man 2 io_uring_enter, IORING_OP_TIMEOUT_REMOVE", ask<Op::timeout_remove>, "cancelled timers"},
    {"uring.op.link_timeout", "Can a timeout end the request before it?",
     "man 2 io_uring_enter, IORING_OP_LINK_TIMEOUT", ask<Op::link_timeout>,
     "deadlines of single operations"},
    {"uring.op.async_cancel", "Can a request be cancelled?",
     "man 2 io_uring_enter, IORING_OP_ASYNC_CANCEL", ask<Op::async_cancel>,
     "every cancellation, and every close"},
    {"uring.op.msg_ring", "Can one ring post to another?",
     "man 2 io_uring_enter, IORING_OP_MSG_RING", ask<Op::msg_ring>,
     "waking a loop from another thread"},
    {"uring.op.futex_wait", "Can io_uring wait for a futex?", "man 3 io_uring_prep_futex_wait",
     ask<Op::futex_wait>, "locks and queues without a thread"},
    {"uring.op.futex_wake", "Can io_uring wake a futex?", "man 3 io_uring_prep_futex_wake",
     ask<Op::futex_wake>, "handing work to other threads"},
    {"uring.op.waitid", "Can io_uring wait for a child process?", "man 3 io_uring_prep_waitid",
     ask<Op::waitid>, "subprocesses without SIGCHLD or pidfd"},
    {"uring.op.fixed_fd_install", "Can a registered file become a descriptor?",
     "man 3 io_uring_prep_fixed_fd_install", ask<Op::fixed_fd_install>,
     "leaving the ring with a connection"},
    {"uring.op.files_update", "Can a request change the table of registered files?",
     "man 2 io_uring_enter, IORING_OP_FILES_UPDATE", ask<Op::files_update>,
     "descriptors without a reference for each request"},
    {"uring.op.provide_buffers", "Can io_uring choose the memory of a receive?",
     "man 2 io_uring_enter, IORING_OP_PROVIDE_BUFFERS", ask<Op::provide_buffers>,
     "idle connections hold no memory"},
    {"uring.op.uring_cmd", "Can io_uring ask a socket how much it holds?",
     "man 3 io_uring_prep_cmd_sock", ask<Op::uring_cmd>, "socket options without system calls"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "io_uring", .group = "B7", .facts = kFacts, .effect = Effect::traffic};

}  // namespace loopscope::probes::uring_ops
