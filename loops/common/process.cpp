// One child as a transport: pipes are connected first, then connection_made is called, and only
// then are data, losses and the exit told. connection_lost follows the last of them.
#include "loops/common/process.hpp"

#include <cerrno>
#include <utility>

#include "loops/os/process_id.hpp"

namespace loopscope {
namespace {

constexpr std::size_t kStreams = 3;

/// The ends of the pipes to a child, and what stands in for its other streams, while it starts.
struct Ends {
  std::array<os::UniqueFd, kStreams> ours, childs;
};

os::SpawnRequest request_for(const ProcessOptions& options) {
  os::SpawnRequest request{.argv = options.argv,
                           .executable = options.executable,
                           .environment = options.env,
                           .directory = options.cwd,
                           .pass = options.pass_fds,
                           .new_session = options.start_new_session,
                           .process_group = options.process_group};
  const Stdio* streams[kStreams] = {&options.std_in, &options.std_out, &options.std_err};
  for (std::size_t i = 0; i < kStreams; ++i) {
    if (streams[i]->kind == Stdio::Kind::descriptor) request.standard[i] = streams[i]->fd;
  }
  return request;
}

Result<void> open_pipe(Children& children, std::size_t stream, Ends& ends) {
  Result<os::Pipe> pipe = stream == 0 ? children.open_input() : os::open_pipe();
  if (!pipe.ok()) return pipe.error();
  // Where the parent has closed 0, 1 or 2, a pipe may get such a number, and would be taken for
  // the parent's standard stream.
  Result<os::UniqueFd> read = os::above_standard(std::move(pipe->read));
  if (!read.ok()) return read.error();
  Result<os::UniqueFd> write = os::above_standard(std::move(pipe->write));
  if (!write.ok()) return write.error();
  ends.ours[stream] = std::move(stream == 0 ? *write : *read);
  ends.childs[stream] = std::move(stream == 0 ? *read : *write);
  return {};
}

Result<void> open_devnull(std::size_t stream, Ends& ends) {
  Result<os::UniqueFd> opened = os::open_null();
  if (!opened.ok()) return opened.error();
  Result<os::UniqueFd> placed = os::above_standard(std::move(opened).value());
  if (!placed.ok()) return placed.error();
  ends.childs[stream] = std::move(placed).value();
  return {};
}

Result<void> open_streams(Children& children, const ProcessOptions& options,
                          os::SpawnRequest& request, Ends& ends) {
  const Stdio* streams[kStreams] = {&options.std_in, &options.std_out, &options.std_err};
  for (std::size_t i = 0; i < kStreams; ++i) {
    Result<void> opened;
    if (streams[i]->kind == Stdio::Kind::pipe) opened = open_pipe(children, i, ends);
    if (streams[i]->kind == Stdio::Kind::devnull) opened = open_devnull(i, ends);
    if (!opened.ok()) return opened;
    if (ends.childs[i]) request.standard[i] = ends.childs[i].get();
  }
  if (options.std_err.kind == Stdio::Kind::std_out) {
    request.standard[2] = request.standard[1].value_or(os::standard_stream(1));
  }
  return {};
}

Result<void> check(const ProcessOptions& options, const os::SpawnRequest& request) {
  if (options.std_in.kind == Stdio::Kind::std_out || options.std_out.kind == Stdio::Kind::std_out) {
    return make_error(Errc::invalid_argument, "subprocess_exec", "only std_err may be std_out");
  }
  return os::check(request);
}

}  // namespace

// --- children of os::spawn

Result<int> WatchedChildren::start(const os::SpawnRequest& request, ExitWatcher::Ended ended) {
  const Result<int> pid = os::spawn(request);
  if (!pid.ok()) return pid;
  const Result<void> watched = watcher_->watch(*pid, std::move(ended));
  if (watched.ok()) return pid;
  if (os::signal_child(*pid, os::kKillSignal).ok()) (void)os::collect_waiting(*pid);
  return watched.error();
}

void WatchedChildren::end(int pid) {
  const Result<void> killed = watcher_->signal(pid, os::kKillSignal);
  if (!watcher_->forget(pid)) return;
  if (killed.ok()) {
    (void)os::collect_waiting(pid);
  } else {
    (void)os::collect(pid);
  }
}

// --- one process

class ProcessTransport final : public SubprocessTransport,
                               public std::enable_shared_from_this<ProcessTransport> {
 public:
  ProcessTransport(Processes& owner, std::shared_ptr<SubprocessProtocol> protocol)
      : owner_(&owner), protocol_(std::move(protocol)) {}

  /// The child runs: connects its pipes, then completes the future.
  void begin(int pid, Ends& ends, const Future<ProcessLink>& made);
  void ended(os::ChildEnd end);
  void loop_closed();

  void close() override;
  bool is_closing() const override { return closing_; }
  ExtraInfo get_extra_info(std::string_view) const override { return {}; }
  void set_protocol(std::shared_ptr<BaseProtocol> protocol) override {
    protocol_ = std::dynamic_pointer_cast<SubprocessProtocol>(std::move(protocol));
  }
  std::shared_ptr<BaseProtocol> get_protocol() const override { return protocol_; }
  int get_pid() const override { return pid_; }
  std::shared_ptr<BaseTransport> get_pipe_transport(int fd) const override;
  std::optional<int> get_returncode() const override { return returncode_; }
  Result<void> kill() override { return send_signal(os::kKillSignal); }
  Result<void> terminate() override { return send_signal(os::kTerminateSignal); }
  Result<void> send_signal(int signum) override;

 private:
  /// The protocol of one stream's transport.
  class Pipe final : public Protocol {
   public:
    Pipe(std::shared_ptr<ProcessTransport> process, int fd)
        : process_(std::move(process)), fd_(fd) {}
    void connection_made(BaseTransport& made_for) override {
      // Nothing is told before the process's own connection_made.
      if (auto* stream = dynamic_cast<Transport*>(&made_for)) stream->pause_reading();
    }
    void data_received(ByteView data) override {
      // Where standard input is a socket the child could answer through it: nobody listens.
      const auto protocol = process_->protocol_;
      if (protocol && fd_ != 0) protocol->pipe_data_received(fd_, data);
    }
    void connection_lost(const Error* why) override {
      lost = true;
      if (why != nullptr) reason = *why;
      if (const auto process = std::move(process_)) process->pipe_lost(*this);
    }
    void pause_writing() override {
      if (const auto protocol = process_->protocol_) protocol->pause_writing();
    }
    void resume_writing() override {
      if (const auto protocol = process_->protocol_) protocol->resume_writing();
    }
    int fd() const { return fd_; }
    /// The loop has closed. What is pending would keep itself alive.
    void detach() {
      process_.reset();
      connecting = {};
    }

    Future<Link> connecting;
    std::shared_ptr<Transport> transport;  // null until it is connected
    bool lost = false;
    std::optional<Error> reason;

   private:
    std::shared_ptr<ProcessTransport> process_;
    int fd_;
  };

  /// false in a forked child: the process is its parent's.
  bool started_here() const { return generation_ == os::fork_generation(); }
  void pipe_connected(Pipe& pipe);
  void connected();
  void tell_made();
  void open_up();
  void pipe_lost(const Pipe& pipe);
  void tell_pipe_lost(const Pipe& pipe);
  void try_finish();
  void finish();

  Processes* owner_;  // null once the loop closed, or after connection_lost
  std::shared_ptr<SubprocessProtocol> protocol_;
  Future<ProcessLink> made_;
  int pid_ = 0;
  const unsigned generation_ = os::fork_generation();
  std::optional<int> returncode_;
  std::array<std::shared_ptr<Pipe>, kStreams> pipes_;  // null: no pipe
  std::size_t connecting_ = 0;
  std::optional<Error> failure_;  // of connecting a pipe
  bool told_ = false;             // connection_made was called: events are told from here on
  bool abandoned_ = false;        // nobody waits for it: the protocol is told nothing
  bool closing_ = false;
  bool finished_ = false;  // connection_lost is queued
};

void ProcessTransport::begin(int pid, Ends& ends, const Future<ProcessLink>& made) {
  pid_ = pid;
  made_ = made;
  const std::shared_ptr<ProcessTransport> self = shared_from_this();
  made_.set_cancel_hook([self] {
    self->abandoned_ = true;
    self->close();
  });
  EventLoop& loop = owner_->loop_;
  for (std::size_t i = 0; i < kStreams; ++i) {
    if (!ends.ours[i]) continue;
    const auto pipe = std::make_shared<Pipe>(self, static_cast<int>(i));
    pipes_[i] = pipe;
    const ProtocolFactory factory = [pipe] { return pipe; };
    pipe->connecting =
        i == 0 ? owner_->children_->connect_input(loop, factory, std::move(ends.ours[i]))
               : loop.connect_read_pipe(factory, std::move(ends.ours[i]));
    ++connecting_;
    pipe->connecting.add_done_callback([self, pipe] { self->pipe_connected(*pipe); });
  }
  if (connecting_ == 0) loop.call_soon([self] { self->connected(); });
}

void ProcessTransport::pipe_connected(Pipe& pipe) {
  const Future<Link> connecting = std::exchange(pipe.connecting, {});
  if (!connecting.valid()) return;  // the loop has closed
  const Result<Link> link = connecting.result();
  if (link.ok()) {
    pipe.transport = link->transport;
    if (closing_) pipe.transport->close();
  } else {
    failure_ = link.error();
    pipe.lost = true;
    pipe.detach();
  }
  if (--connecting_ == 0) connected();
}

void ProcessTransport::connected() {
  if (owner_ == nullptr) return;
  if (failure_ && !abandoned_) {
    abandoned_ = true;
    std::exchange(made_, {}).set_error(*failure_);
    close();
  }
  if (abandoned_) {
    try_finish();
    return;
  }
  const std::shared_ptr<ProcessTransport> self = shared_from_this();
  owner_->loop_.call_soon([self] { self->tell_made(); });
  owner_->loop_.call_soon([self] { self->open_up(); });
}

void ProcessTransport::tell_made() {
  const auto protocol = protocol_;
  if (abandoned_ || !protocol) return;
  // Nothing is read before the next poll; the protocol may pause them again in connection_made.
  for (const std::shared_ptr<Pipe>& pipe : pipes_) {
    if (pipe && !pipe->lost) pipe->transport->resume_reading();
  }
  try {
    protocol->connection_made(*this);
  } catch (...) {
    close();
    throw;  // to the exception handler, or out of the run
  }
}

void ProcessTransport::open_up() {
  if (owner_ == nullptr) return;
  if (abandoned_) {  // since connected()
    try_finish();
    return;
  }
  told_ = true;
  // Not kept: the future holds this transport.
  std::exchange(made_, {}).set_result(ProcessLink{shared_from_this(), protocol_});
  EventLoop& loop = owner_->loop_;
  const std::shared_ptr<ProcessTransport> self = shared_from_this();
  for (const std::shared_ptr<Pipe>& pipe : pipes_) {
    if (pipe && pipe->lost) loop.call_soon([self, pipe] { self->tell_pipe_lost(*pipe); });
  }
  if (returncode_) {
    loop.call_soon([self] {
      if (const auto protocol = self->protocol_) protocol->process_exited();
    });
  }
  try_finish();
}

void ProcessTransport::pipe_lost(const Pipe& pipe) {
  if (owner_ == nullptr) return;
  // Queued first, called last: an exception of the protocol changes nothing of the end.
  try_finish();
  if (told_) tell_pipe_lost(pipe);
}

void ProcessTransport::tell_pipe_lost(const Pipe& pipe) {
  const auto protocol = protocol_;
  if (protocol) protocol->pipe_connection_lost(pipe.fd(), pipe.reason ? &*pipe.reason : nullptr);
}

void ProcessTransport::ended(os::ChildEnd end) {
  if (owner_ == nullptr || returncode_) return;
  returncode_ = end.code.value_or(255);
  if (!end.code) {
    owner_->loop_.log(LogLevel::warning,
                      "the exit status of the child process " + std::to_string(pid_) +
                          " was collected by somebody else: it is reported as 255");
  }
  try_finish();
  const auto protocol = protocol_;
  if (told_ && protocol) protocol->process_exited();
}

void ProcessTransport::try_finish() {
  if (!returncode_ || finished_ || owner_ == nullptr || !(told_ || abandoned_)) return;
  for (const std::shared_ptr<Pipe>& pipe : pipes_) {
    if (pipe && !pipe->lost) return;
  }
  finished_ = true;
  owner_->loop_.call_soon([self = shared_from_this()] { self->finish(); });
}

void ProcessTransport::finish() {
  if (owner_ == nullptr) return;
  closing_ = true;
  const std::shared_ptr<ProcessTransport> self = shared_from_this();
  std::exchange(owner_, nullptr)->transports_.erase(self);
  const auto protocol = std::move(protocol_);
  if (told_ && protocol) protocol->connection_lost(nullptr);
}

void ProcessTransport::close() {
  if (closing_) return;
  closing_ = true;
  for (const std::shared_ptr<Pipe>& pipe : pipes_) {
    if (pipe && pipe->transport && !pipe->lost) pipe->transport->close();
  }
  // It may have ended this moment, or belong to another user by now.
  if (owner_ != nullptr && !returncode_ && started_here()) {
    (void)owner_->children_->signal(pid_, os::kKillSignal);
  }
}

void ProcessTransport::loop_closed() {
  Processes* owner = std::exchange(owner_, nullptr);
  closing_ = finished_ = true;
  const auto dropped = std::move(protocol_);
  const Future<ProcessLink> pending = std::exchange(made_, {});
  for (const std::shared_ptr<Pipe>& pipe : pipes_) {
    if (pipe) pipe->detach();
  }
  if (owner == nullptr || returncode_) return;
  if (started_here()) {
    owner->children_->end(pid_);
  } else {
    owner->children_->forget(pid_);
  }
}

std::shared_ptr<BaseTransport> ProcessTransport::get_pipe_transport(int fd) const {
  const bool known = fd >= 0 && static_cast<std::size_t>(fd) < kStreams;
  if (!known || !pipes_[static_cast<std::size_t>(fd)]) return nullptr;
  return pipes_[static_cast<std::size_t>(fd)]->transport;
}

Result<void> ProcessTransport::send_signal(int signum) {
  if (owner_ == nullptr || returncode_) return errno_error_of(ESRCH, "send_signal");
  return owner_->children_->signal(pid_, signum);
}

// --- all processes of a loop

Processes::Processes(EventLoop& loop, std::unique_ptr<Children> children)
    : loop_(loop), children_(std::move(children)) {}

Processes::~Processes() { close(); }

void Processes::close() {
  while (!transports_.empty()) {
    const std::shared_ptr<ProcessTransport> transport = *transports_.begin();
    transports_.erase(transports_.begin());
    transport->loop_closed();
  }
}

Future<ProcessLink> Processes::start(const ProcessFactory& factory, const ProcessOptions& options) {
  os::SpawnRequest request = request_for(options);
  if (const Result<void> fit = check(options, request); !fit.ok()) {
    return loop_.done_future<ProcessLink>(fit.error());
  }
  Future<ProcessLink> made = loop_.create_future<ProcessLink>();
  std::shared_ptr<SubprocessProtocol> protocol;
  try {
    protocol = factory();
  } catch (const ExitException&) {
    throw;
  } catch (...) {
    made.set_exception(std::current_exception());
    return made;
  }
  Ends ends;
  if (const Result<void> opened = open_streams(*children_, options, request, ends); !opened.ok()) {
    return loop_.done_future<ProcessLink>(opened.error());
  }
  const auto transport = std::make_shared<ProcessTransport>(*this, std::move(protocol));
  const Result<int> pid =
      children_->start(request, [transport](os::ChildEnd end) { transport->ended(end); });
  if (!pid.ok()) return loop_.done_future<ProcessLink>(pid.error());
  for (os::UniqueFd& end : ends.childs) end.reset();
  transports_.insert(transport);
  transport->begin(*pid, ends, made);
  return made;
}

ProcessOptions shell_options(std::string command, ProcessOptions options) {
  options.argv = os::shell_words(std::move(command));
  return options;
}

}  // namespace loopscope
