// Loops whose servers accept wrongly, in one way each.
#include <cerrno>

#include "harness/testing/serving.hpp"
#include "loops/common/accept_failure.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::testing::server_accept_faults {
namespace {

/// Lists the errors of accept(2) and goes on listening: the client in the queue brings it back.
class NeverRests final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  bool accept_failed(std::size_t, const Error& error) override {
    ExceptionContext context;
    context.message = "accept() failed";
    context.error = error;
    loop()->call_exception_handler(context);
    return false;
  }
};

/// What the proactor of asyncio does (gh-93821).
class StopsAtAnyError final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  bool accept_failed(std::size_t index, const Error&) override {
    end_accepting(index);
    return false;
  }
};

class RestsForEver final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  bool accept_failed(std::size_t index, const Error& error) override {
    if (classify_accept(error) == AcceptFailure::transient) return true;
    end_accepting(index);
    ExceptionContext context;
    context.message = "accept() failed";
    context.error = error;
    loop()->call_exception_handler(context);
    return false;
  }
};

class AcceptsAllAtOnce final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  void on_readable(std::size_t index) override {
    while (accepting()) {
      auto accepted = os::accept(listener(index));
      if (!accepted.ok() || !*accepted) return;
      admit(std::move((*accepted)->first));
    }
  }
};

/// An accept that is not started again.
class AcceptsOnce final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  void on_readable(std::size_t index) override {
    auto accepted = os::accept(listener(index));
    if (!accepted.ok() || !*accepted) return;
    end_accepting(index);
    admit(std::move((*accepted)->first));
  }
};

class BlocksInAccept final : public SelectorServer {
 public:
  using SelectorServer::SelectorServer;
  void on_readable(std::size_t index) override {
    (void)os::set_blocking(listener(index), true);
    auto accepted = os::accept(listener(index));
    if (accepted.ok() && *accepted) admit(std::move((*accepted)->first));
  }
};

/// An exception of the factory closes the server.
class FactoryFailureStops final : public SelectorServer {
 public:
  FactoryFailureStops(SelectorLoop& loop, std::vector<Listener> listeners, ServerRules rules)
      : SelectorServer(loop, std::move(listeners), watched(std::move(rules))) {}

 private:
  ServerRules watched(ServerRules rules) {
    rules.factory = [this, user = std::move(rules.factory)] {
      try {
        return user();
      } catch (const std::exception&) {
        close();
        throw;
      }
    };
    return rules;
  }
};

/// A client whose factory failed stays connected to nobody.
class FailedClientKept final : public SelectorServer {
 public:
  FailedClientKept(SelectorLoop& loop, std::vector<Listener> listeners, ServerRules rules)
      : SelectorServer(loop, std::move(listeners), watched(std::move(rules))) {}

 protected:
  void admit(os::UniqueFd connection) override {
    Result<os::UniqueFd> copy = os::duplicate(connection.get());
    failed_ = false;
    SelectorServer::admit(std::move(connection));
    if (failed_ && copy.ok()) kept_.push_back(std::move(copy).value());
  }

 private:
  ServerRules watched(ServerRules rules) {
    rules.factory = [this, user = std::move(rules.factory)] {
      failed_ = true;
      auto made = user();
      failed_ = false;
      return made;
    };
    return rules;
  }
  bool failed_ = false;
  std::vector<os::UniqueFd> kept_;
};

using Names = std::string_view;
constexpr Names kExhausted[] = {"srv.accept.emfile"};
constexpr Names kTransient[] = {"srv.accept.transient_errors"};
constexpr Names kAll[] = {"srv.accept.backlog_loop", "srv.backlog_one"};
constexpr Names kOnce[] = {"srv.accept.backlog_loop", "srv.backlog_one",
                           "srv.accept.reset_before_accept"};
constexpr Names kShared[] = {"srv.shared_listener_processes"};
constexpr Names kFactory[] = {"srv.factory_raises"};

constexpr Names kPass[] = {"srv.close.*", "srv.wait_closed", "srv.reuse_port", "unix.stream.echo"};
constexpr Names kOncePass[] = {"srv.close.pending_backlog", "srv.wait_closed", "srv.keep_alive"};

constexpr FaultyLoop kLoops[] = {
    faulty<ServersAs<NeverRests>>("faulty.accept_spins",
                                  "A server without descriptors accepts again and again.",
                                  kExhausted, kPass),
    faulty<ServersAs<RestsForEver>>("faulty.accept_rests_for_ever",
                                    "A server that ran out of descriptors never accepts again.",
                                    kExhausted, kPass),
    faulty<ServersAs<StopsAtAnyError>>("faulty.accept_error_stops",
                                       "Any error of accept stops the server.", kTransient, kPass),
    faulty<ServersAs<AcceptsAllAtOnce>>("faulty.accepts_all_at_once",
                                        "A server accepts until nobody waits.", kAll, kPass),
    faulty<ServersAs<AcceptsOnce>>("faulty.accepts_once",
                                   "A listener is not watched again after an accept.", kOnce,
                                   kOncePass),
    faulty<ServersAs<BlocksInAccept>>("faulty.accept_blocks", "Listening sockets block in accept.",
                                      kShared, kPass),
    faulty<ServersAs<FactoryFailureStops>>("faulty.factory_failure_stops",
                                           "An exception of the factory closes the server.",
                                           kFactory, kPass),
    faulty<ServersAs<FailedClientKept>>("faulty.failed_client_kept",
                                        "The client of a factory that failed stays open.", kFactory,
                                        kPass),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::server_accept_faults
