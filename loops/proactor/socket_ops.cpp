// sock_* by operations: one at a time for each socket and direction.
#include "loops/proactor/socket_ops.hpp"

#include <algorithm>
#include <cerrno>

#include "loops/common/socket_checks.hpp"
#include "loops/proactor/file_sender.hpp"
#include "loops/proactor/proactor_loop.hpp"

namespace loopscope {

/// One call of sock_*: waits for its turn, is served, and is over.
class SocketOps::Job : public std::enable_shared_from_this<Job> {
 public:
  Job(SocketOps& ops, Key key) : ops_(ops), key_(key) {}
  virtual ~Job() = default;
  Key key() const { return key_; }
  bool started() const { return started_; }
  void serve() {
    started_ = true;
    begin();
  }
  virtual bool wanted() const = 0;
  /// It has been started and nobody wants its outcome.
  virtual void stop() = 0;
  /// It has not been started and will not be: its socket has been closed.
  virtual void refuse() = 0;

 protected:
  virtual void begin() = 0;
  void over() { ops_.over(*this); }

  SocketOps& ops_;

 private:
  const Key key_;
  bool started_ = false;
};

template <class T>
class SocketOps::JobOf : public Job {
 public:
  JobOf(SocketOps& ops, Key key) : Job(ops, key), future_(ops.loop_.create_future<T>()) {}
  Future<T> future() const { return future_; }
  bool wanted() const override { return !future_.done(); }

  void refuse() override {
    if (wanted()) future_.set_error(errno_error_of(EBADF, "sock", "the socket was closed"));
  }

 protected:
  void fail(std::error_code code, std::string_view op) {
    if (wanted()) future_.set_error(Error{code, op, {}});
  }
  Future<T> future_;
};

namespace {

/// The operation of a job. The job is kept while the system works.
class JobOperation final : public LoopOperation {
 public:
  using Ended = std::function<void(Completion)>;
  using LoopOperation::LoopOperation;
  Ended ended;  // holds the job

 private:
  void released() override { ended = nullptr; }
  void done(Completion completion) override {
    std::exchange(ended, nullptr)(std::move(completion));
  }
};

/// Nothing is ever saved for this kind.
constexpr auto kNothing = [](auto&) { return false; };

}  // namespace

/// One operation. finish(job, completion) completes the future, or saves what nobody wants.
/// claim(job): true when it has completed the future with what was saved for it.
template <class T, class Finish, class Claim>
class SocketOps::SimpleFor final : public JobOf<T> {
 public:
  SimpleFor(SocketOps& ops, Key key, Operation::Kind kind, std::string_view op, Finish finish,
            Claim claim)
      : JobOf<T>(ops, key),
        operation(std::make_shared<JobOperation>(kind, key.first)),
        op_(op),
        finish_(std::move(finish)),
        claim_(std::move(claim)) {}
  using JobOf<T>::future_;

  void stop() override { this->ops_.loop_.cancel(*operation); }

  Bytes data;  // lent to the system
  const std::shared_ptr<JobOperation> operation;

 private:
  void begin() override {
    if (claim_(*this)) {
      this->over();
      return;
    }
    operation->ended = [this, keep = this->shared_from_this()](Completion completion) {
      if (completion.ok()) {
        finish_(*this, completion);
      } else {
        this->fail(completion.error, op_);
      }
      this->over();
    };
    if (const Result<void> started = this->ops_.loop_.start(operation); !started.ok()) {
      operation->ended = nullptr;
      if (this->wanted()) future_.set_error(started.error());
      this->over();
    }
  }

  const std::string_view op_;
  Finish finish_;
  Claim claim_;
};

template <class T, class Finish, class Claim>
auto SocketOps::job_for(Key key, Operation::Kind kind, std::string_view op, Finish finish,
                        Claim claim) {
  return std::make_shared<SimpleFor<T, Finish, Claim>>(*this, key, kind, op, std::move(finish),
                                                       std::move(claim));
}

// --- turns

template <class T>
Future<T> SocketOps::begin(std::shared_ptr<JobOf<T>> job) {
  Future<T> future = job->future();
  future.set_cancel_hook([this, weak = std::weak_ptr<Job>(job)] {
    if (const std::shared_ptr<Job> cancelled = weak.lock()) drop(cancelled);
  });
  os::begin_use(job->key().first, *this);
  auto& queue = pending_[job->key()];
  queue.push_back(job);
  if (queue.size() == 1) job->serve();
  return future;
}

void SocketOps::over(Job& job) {
  const auto found = pending_.find(job.key());
  // The loop or the socket has closed.
  if (found == pending_.end() || found->second.front().get() != &job) return;
  const std::shared_ptr<Job> keep = found->second.front();
  found->second.pop_front();
  if (found->second.empty()) {
    pending_.erase(found);
    end_use_of(job.key().first);
  } else {
    found->second.front()->serve();
  }
}

void SocketOps::end_use_of(os::NativeSocket fd) {
  if (pending_.contains({fd, Direction::read}) || pending_.contains({fd, Direction::write})) return;
  os::end_use(fd);
}

/// Ends what the system works on, so that the peer sees the end at once. The futures learn it.
void SocketOps::descriptor_closes(os::NativeSocket fd) noexcept {
  for (const Direction direction : {Direction::read, Direction::write}) {
    const auto found = pending_.find({fd, direction});
    if (found == pending_.end()) continue;
    const auto ended = std::move(found->second);
    // Its number may be another socket's right after: what is under way is nobody's turn any more.
    pending_.erase(found);
    for (const std::shared_ptr<Job>& job : ended) {
      if (job->started()) {
        job->stop();
      } else {
        job->refuse();
      }
    }
  }
  leftovers_.erase(fd);
}

void SocketOps::drop(const std::shared_ptr<Job>& job) {
  if (job->started()) {
    job->stop();
    return;
  }
  const auto found = pending_.find(job->key());
  if (found == pending_.end()) return;
  std::erase(found->second, job);
  if (!found->second.empty()) return;
  pending_.erase(found);
  end_use_of(job->key().first);
}

void SocketOps::clear() {
  const auto dropped = std::exchange(pending_, {});
  for (const auto& [key, jobs] : dropped) os::end_use(key.first);
  leftovers_.clear();
}

// --- what cancelled operations have taken

SocketOps::Leftovers* SocketOps::leftovers_of(os::NativeSocket fd) {
  const auto found = leftovers_.find(fd);
  if (found == leftovers_.end()) return nullptr;
  const Result<os::FdIdentity> identity = os::identity_of(fd);
  if (identity.ok() && *identity == found->second.socket) return &found->second;
  leftovers_.erase(found);
  return nullptr;
}

SocketOps::Leftovers& SocketOps::leftovers_for(os::NativeSocket fd) {
  if (Leftovers* known = leftovers_of(fd)) return *known;
  Leftovers& fresh = leftovers_[fd];
  if (const Result<os::FdIdentity> identity = os::identity_of(fd); identity.ok()) {
    fresh.socket = *identity;
  }
  return fresh;
}

Bytes SocketOps::claim(os::NativeSocket fd) {
  Leftovers* left = leftovers_of(fd);
  return left == nullptr ? Bytes() : std::exchange(left->bytes, {});
}

// --- receiving

/// The memory that is lent to the system is the job's: a caller's buffer, which may be gone when
/// its future was cancelled, is written when the bytes are there. make(Bytes): what becomes of
/// them.
template <class T, class Make>
Future<T> SocketOps::receive(std::string_view op, const Socket& socket, std::size_t max_bytes,
                             Make make) {
  if (auto may = check_socket(loop_, op, socket); !may.ok()) {
    return loop_.done_future<T>(may.error());
  }
  const os::NativeSocket fd = socket.native();
  const Key key{fd, Direction::read};
  const auto claim = [this, fd, max_bytes, make](auto& job) {
    Leftovers* left = leftovers_of(fd);
    if (left == nullptr || left->bytes.empty()) return false;
    const std::size_t count = std::min(max_bytes, left->bytes.size());
    const auto end = left->bytes.begin() + static_cast<std::ptrdiff_t>(count);
    Bytes taken(left->bytes.begin(), end);
    left->bytes.erase(left->bytes.begin(), end);
    job.future_.set_result(make(std::move(taken)));
    return true;
  };
  const auto finish = [this, fd, make](auto& job, Completion& completion) {
    job.data.resize(completion.count);
    if (job.wanted()) {
      job.future_.set_result(make(std::move(job.data)));
    } else {
      Bytes& kept = leftovers_for(fd).bytes;
      kept.insert(kept.end(), job.data.begin(), job.data.end());
    }
  };
  const auto job = job_for<T>(key, Operation::Kind::receive, "recv", finish, claim);
  job->data.resize(max_bytes);
  job->operation->into = job->data;
  return begin<T>(job);
}

template <class T, class Make>
Future<T> SocketOps::receive_from(std::string_view op, const Socket& socket, std::size_t max_bytes,
                                  Make make) {
  if (auto may = check_socket(loop_, op, socket); !may.ok()) {
    return loop_.done_future<T>(may.error());
  }
  const os::NativeSocket fd = socket.native();
  const Key key{fd, Direction::read};
  const auto claim = [this, fd, max_bytes, make](auto& job) {
    Leftovers* left = leftovers_of(fd);
    if (left == nullptr || left->datagrams.empty()) return false;
    Datagram first = std::move(left->datagrams.front());
    left->datagrams.pop_front();
    first.data.resize(std::min(max_bytes, first.data.size()));
    job.future_.set_result(make(std::move(first)));
    return true;
  };
  const auto finish = [this, fd, make](auto& job, Completion& completion) {
    job.data.resize(completion.count);
    Datagram datagram{std::move(job.data), job.operation->address};
    if (job.wanted()) {
      job.future_.set_result(make(std::move(datagram)));
    } else {
      leftovers_for(fd).datagrams.push_back(std::move(datagram));
    }
  };
  const auto job = job_for<T>(key, Operation::Kind::receive_from, "recvfrom", finish, claim);
  job->data.resize(max_bytes);
  job->operation->into = job->data;
  return begin<T>(job);
}

Future<Bytes> SocketOps::recv(Socket& socket, std::size_t max_bytes) {
  return receive<Bytes>("sock_recv", socket, max_bytes, [](Bytes data) { return data; });
}

Future<std::size_t> SocketOps::recv_into(Socket& socket, std::span<std::byte> buffer) {
  return receive<std::size_t>("sock_recv_into", socket, buffer.size(), [buffer](const Bytes& data) {
    std::copy(data.begin(), data.end(), buffer.begin());
    return data.size();
  });
}

Future<Datagram> SocketOps::recvfrom(Socket& socket, std::size_t max_bytes) {
  return receive_from<Datagram>("sock_recvfrom", socket, max_bytes,
                                [](Datagram datagram) { return datagram; });
}

Future<std::pair<std::size_t, Endpoint>> SocketOps::recvfrom_into(Socket& socket,
                                                                  std::span<std::byte> buffer) {
  using Received = std::pair<std::size_t, Endpoint>;
  return receive_from<Received>("sock_recvfrom_into", socket, buffer.size(),
                                [buffer](const Datagram& datagram) {
                                  const Bytes& data = datagram.data;
                                  std::copy(data.begin(), data.end(), buffer.begin());
                                  return Received(data.size(), datagram.sender);
                                });
}

// --- sending

Future<void> SocketOps::sendall(Socket& socket, Bytes data) {
  if (auto may = check_socket(loop_, "sock_sendall", socket); !may.ok()) {
    return loop_.done_future<void>(may.error());
  }
  const Key key{socket.native(), Direction::write};
  if (data.empty() && !pending_.contains(key)) return loop_.done_future<void>({});
  const auto finish = [](auto& job, Completion&) {
    if (job.wanted()) job.future_.set_result();
  };
  const auto job = job_for<void>(key, Operation::Kind::send, "send", finish, kNothing);
  job->data = std::move(data);
  job->operation->pieces.assign(1, ByteView(job->data));
  return begin<void>(job);
}

Future<std::size_t> SocketOps::sendto(Socket& socket, Bytes data, Endpoint peer) {
  if (auto may = check_socket(loop_, "sock_sendto", socket); !may.ok()) {
    return loop_.done_future<std::size_t>(may.error());
  }
  const auto finish = [](auto& job, Completion& completion) {
    if (job.wanted()) job.future_.set_result(completion.count);
  };
  const auto job = job_for<std::size_t>(Key{socket.native(), Direction::write},
                                        Operation::Kind::send, "sendto", finish, kNothing);
  job->data = std::move(data);
  job->operation->pieces.assign(1, ByteView(job->data));
  job->operation->address = peer;
  return begin<std::size_t>(job);
}

// --- connections

Future<void> SocketOps::connect(Socket& socket, Endpoint peer) {
  if (auto may = check_socket(loop_, "sock_connect", socket); !may.ok()) {
    return loop_.done_future<void>(may.error());
  }
  const auto finish = [](auto& job, Completion&) {
    if (job.wanted()) job.future_.set_result();
  };
  const auto job = job_for<void>(Key{socket.native(), Direction::write}, Operation::Kind::connect,
                                 "connect", finish, kNothing);
  job->operation->address = peer;
  return begin<void>(job);
}

Future<Accepted> SocketOps::accept(Socket& listener) {
  if (auto may = check_socket(loop_, "sock_accept", listener); !may.ok()) {
    return loop_.done_future<Accepted>(may.error());
  }
  const os::NativeSocket fd = listener.native();
  const Key key{fd, Direction::read};
  const auto claim = [this, fd](auto& job) {
    Leftovers* left = leftovers_of(fd);
    if (left == nullptr || left->connections.empty()) return false;
    job.future_.set_result(std::move(left->connections.front()));
    left->connections.pop_front();
    return true;
  };
  const auto finish = [this, fd](auto& job, Completion& completion) {
    Accepted accepted{Socket(std::move(completion.accepted)), job.operation->address};
    if (job.wanted()) {
      job.future_.set_result(std::move(accepted));
    } else {
      leftovers_for(fd).connections.push_back(std::move(accepted));
    }
  };
  return begin<Accepted>(job_for<Accepted>(key, Operation::Kind::accept, "accept", finish, claim));
}

// --- files

class SocketOps::SendFileJob final : public JobOf<std::uint64_t> {
 public:
  SendFileJob(SocketOps& ops, Key key, const FileTransfer& transfer)
      : JobOf(ops, key),
        transfer_(std::make_shared<FileTransfer>(transfer)),
        sender_(std::make_shared<FileSender>(ops.loop_, key.first, true)) {}
  void stop() override { sender_->give_up(); }

 private:
  void begin() override {
    sender_->send_piece(transfer_, [this, keep = shared_from_this()](const Result<bool>& done) {
      // One piece a turn: a fast reader must not keep the loop here.
      ops_.loop_.queue([this, keep, done] { piece_over(done); });
    });
  }
  void piece_over(const Result<bool>& done) {
    if (wanted() && done.ok() && !*done) {
      begin();
      return;
    }
    if (wanted()) {
      done.ok() ? future_.set_result(transfer_->sent()) : future_.set_error(done.error());
    }
    over();
  }

  std::shared_ptr<FileTransfer> transfer_;
  std::shared_ptr<FileSender> sender_;
};

Future<std::uint64_t> SocketOps::sendfile(Socket& socket, const FileRange& range) {
  const Result<FileTransfer> transfer = check_sendfile(loop_, "sock_sendfile", socket, range);
  if (!transfer.ok()) return loop_.done_future<std::uint64_t>(transfer.error());
  return begin<std::uint64_t>(
      std::make_shared<SendFileJob>(*this, Key{socket.native(), Direction::write}, *transfer));
}

}  // namespace loopscope
