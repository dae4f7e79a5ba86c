// The beginning and the end of every transport of our own loops.
#include "loops/common/transport_core.hpp"

namespace loopscope {

namespace {
Bytes raw_bytes(const Endpoint& address) {
  const auto* begin = static_cast<const std::byte*>(address.data());
  return Bytes(begin, begin + address.size());
}
}  // namespace

std::string current_exception_text() {
  try {
    throw;
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "an exception that is not a std::exception";
  }
}

TransportCore::TransportCore(NativeLoop& loop, os::UniqueFd fd,
                             std::shared_ptr<BaseProtocol> protocol, bool restore_blocking)
    : loop_(&loop),
      fd_(std::move(fd)),
      protocol_(std::move(protocol)),
      restore_blocking_(restore_blocking) {
  // Pipes and terminals have no names; sockets keep theirs for after the close.
  if (const auto local = os::local_address(fd_.get()); local.ok()) sockname_ = raw_bytes(*local);
  if (const auto peer = os::peer_address(fd_.get()); peer.ok()) peername_ = raw_bytes(*peer);
}

void TransportCore::begin(std::shared_ptr<BaseTransport> self) {
  self_ = std::move(self);
  loop_->adopt(fd_.get(), this);
  loop_->call_soon([this, keep = self_] {
    if (protocol_ == nullptr) return;
    const std::shared_ptr<BaseProtocol> protocol = protocol_;
    call([&] { protocol->connection_made(*keep); }, "connection_made");
  });
  loop_->call_soon([this, keep = self_] {
    if (loop_ != nullptr && !lost_) started();
  });
}

bool TransportCore::watch(Direction direction, std::function<void()> ready) {
  const Result<void> watched = loop_->watch(fd_.get(), direction, std::move(ready));
  if (!watched.ok()) lose(watched.error());
  return watched.ok();
}

void TransportCore::unwatch(Direction direction) {
  if (loop_ != nullptr && fd_) loop_->unwatch(fd_.get(), direction);
}

void TransportCore::lose(std::optional<Error> why) {
  if (lost_ || loop_ == nullptr) return;
  lost_ = true;
  closing_ = true;
  // Before the descriptor is closed: a copy of it elsewhere would go on feeding events.
  unwatch(Direction::read);
  unwatch(Direction::write);
  ending(why);
  drop_buffer();
  if (why) loss_ = std::make_unique<Error>(std::move(*why));
  if (!busy()) settled();
}

void TransportCore::settled() {
  if (loop_ == nullptr || std::exchange(settled_, true)) return;
  loop_->call_soon([this, keep = self_] { finish(); });
}

void TransportCore::finish() {
  const std::shared_ptr<BaseTransport> keep = std::move(self_);
  const std::shared_ptr<BaseProtocol> protocol = std::move(protocol_);
  if (loop_ == nullptr) return;
  NativeLoop* loop = loop_;
  struct GiveBack {  // whatever the protocol does
    TransportCore& core;
    BaseTransport& transport;
    ~GiveBack() {
      core.give_back();
      core.tell_owner(transport);
    }
  } const give_back_at_end{*this, *keep};
  const auto activity = protocol_call(protocol.get(), "connection_lost");
  loop->guard([&] { protocol->connection_lost(loss_.get()); }, "transport",
              "Exception in connection_lost()");
}

void TransportCore::give_back() {
  if (!fd_) return;
  if (loop_ != nullptr) loop_->release(fd_.get(), this);
  // The description may be shared with other processes, which expect it as it was.
  if (restore_blocking_) (void)os::set_blocking(fd_.get(), true);
  fd_.reset();
}

void TransportCore::tell_owner(BaseTransport& transport) {
  if (const auto owner = std::move(owner_)) owner->connection_ended(transport);
}

void TransportCore::loop_closed() {
  const std::shared_ptr<BaseTransport> keep = std::move(self_);
  const std::shared_ptr<BaseProtocol> dropped = std::move(protocol_);
  loop_ = nullptr;
  closing_ = lost_ = true;
  drop_buffer();
  give_back();
  if (keep != nullptr) tell_owner(*keep);
}

void TransportCore::protocol_failed(std::string_view callback) {
  const std::string text = current_exception_text();
  if (loop_ == nullptr) return;
  ExceptionContext context;
  context.message = "Fatal error: protocol." + std::string(callback) + "() call failed.";
  context.exception = std::current_exception();
  context.source = "transport";
  loop_->call_exception_handler(context);
  lose(make_error(Errc::protocol, "protocol", std::string(callback) + ": " + text));
}

void TransportCore::update_flow() {
  const FlowControl::Change change = flow_.update(buffered());
  const std::shared_ptr<BaseProtocol> protocol = protocol_;
  if (change == FlowControl::Change::none || loop_ == nullptr || protocol == nullptr) return;
  if (change == FlowControl::Change::pause) {
    const auto activity = protocol_call(protocol.get(), "pause_writing");
    loop_->guard([&] { protocol->pause_writing(); }, "transport",
                 "protocol.pause_writing() failed");
  } else {
    const auto activity = protocol_call(protocol.get(), "resume_writing");
    loop_->guard([&] { protocol->resume_writing(); }, "transport",
                 "protocol.resume_writing() failed");
  }
}

ExtraInfo TransportCore::describe(std::string_view name) const {
  const Bytes* address = name == "sockname"   ? &sockname_
                         : name == "peername" ? &peername_
                                              : nullptr;
  if (address != nullptr && !address->empty()) {
    return Endpoint::from_raw(address->data(), address->size());
  }
  if ((name == "pipe" || name == "socket") && fd_) return fd_.get();
  return {};
}

}  // namespace loopscope
