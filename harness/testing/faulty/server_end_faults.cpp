// Loops whose servers begin or end wrongly, in one way each.
#include "harness/testing/serving.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::testing::server_end_faults {
namespace {

/// Somebody still holds the listening socket: an accept in flight, for one.
class ListenerKept final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  void close() override {
    for (const os::NativeSocket fd : descriptors()) {
      Result<os::UniqueFd> copy = os::duplicate(fd);
      if (copy.ok()) kept_.push_back(std::move(copy).value());
    }
    SelectorServer::close();
  }

 private:
  std::vector<os::UniqueFd> kept_;
};

/// An accept that was under way is completed after the close.
class AcceptsAfterClose final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  void close() override {
    const std::vector<os::NativeSocket> open = descriptors();
    if (!open.empty()) {
      const auto copy = std::make_shared<os::UniqueFd>(os::duplicate(open.front()).value());
      loop()->call_soon([this, keep = shared_from_this(), copy] {
        auto accepted = os::accept(copy->get());
        if (accepted.ok() && *accepted) admit(std::move((*accepted)->first));
      });
    }
    SelectorServer::close();
  }
};

class WaitersToldAtClose final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  void close() override {
    SelectorServer::close();
    for (Future<void>& each : std::exchange(early_, {})) each.set_result();
  }
  Future<void> wait_closed() override {
    early_.push_back(loop()->create_future<void>());
    if (!is_serving()) early_.back().set_result();
    return early_.back();
  }

 private:
  std::vector<Future<void>> early_;
};

class WaitersShareFuture final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  Future<void> wait_closed() override {
    if (!shared_) shared_ = SelectorServer::wait_closed();
    return *shared_;
  }

 private:
  std::optional<Future<void>> shared_;
};

class ClosingIsAborting final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  void close_clients() override { abort_clients(); }
};
class AbortingIsClosing final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  void abort_clients() override { close_clients(); }
};

class ServesAtOnce final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  MadeServer create_server(ProtocolFactory factory, ServerOptions options) override {
    options.start_serving = true;
    return SelectorLoop::create_server(std::move(factory), std::move(options));
  }
};

/// close() of the loop tells the protocols that their connections are lost.
class CallsBackInClose final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  MadeServer create_server(ProtocolFactory factory, ServerOptions options) override {
    const auto listed = [this, user = std::move(factory)] {
      std::shared_ptr<BaseProtocol> made = user();
      made_.push_back(made);
      return made;
    };
    return SelectorLoop::create_server(listed, std::move(options));
  }
  Result<void> close() override {
    for (const std::weak_ptr<BaseProtocol>& each : std::exchange(made_, {})) {
      if (const auto protocol = each.lock()) protocol->connection_lost(nullptr);
    }
    return SelectorLoop::close();
  }

 private:
  std::vector<std::weak_ptr<BaseProtocol>> made_;
};

using Names = std::string_view;
constexpr Names kStops[] = {"srv.close.stops_listening"};
constexpr Names kPending[] = {"srv.close.pending_backlog"};
constexpr Names kWaiting[] = {"srv.wait_closed"};
constexpr Names kClients[] = {"srv.close_clients_abort_clients"};
constexpr Names kLater[] = {"srv.start_serving_later"};
constexpr Names kLoop[] = {"srv.loop_closed"};

constexpr Names kStopsPass[] = {"srv.accept.*", "srv.wait_closed", "srv.keep_alive"};
constexpr Names kPass[] = {"srv.accept.backlog_loop", "srv.close.stops_listening", "srv.reuse_port",
                           "unix.stream.echo"};

constexpr FaultyLoop kLoops[] = {
    faulty<ServersAs<ListenerKept>>("faulty.listener_kept",
                                    "The listening socket outlives close().", kStops, kStopsPass),
    faulty<ServersAs<AcceptsAfterClose>>(
        "faulty.accepts_after_close", "A client is accepted after close().", kPending, kStopsPass),
    faulty<ServersAs<WaitersToldAtClose>>(
        "faulty.wait_closed_early", "wait_closed ends while connections live.", kWaiting, kPass),
    faulty<ServersAs<WaitersShareFuture>>("faulty.wait_closed_shared",
                                          "Cancelling one waiter of wait_closed cancels all.",
                                          kWaiting, kPass),
    faulty<ServersAs<ClosingIsAborting>>("faulty.close_clients_aborts",
                                         "close_clients drops what is buffered.", kClients, kPass),
    faulty<ServersAs<AbortingIsClosing>>("faulty.abort_clients_closes",
                                         "abort_clients waits for slow readers.", kClients, kPass),
    faulty<ServesAtOnce>("faulty.serves_at_once", "start_serving=false is ignored.", kLater, kPass),
    faulty<CallsBackInClose>("faulty.servers_call_back_in_close",
                             "The loop's close() calls connection_lost.", kLoop, kPass),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::server_end_faults
