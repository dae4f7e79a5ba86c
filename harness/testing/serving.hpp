// Serving: what faulty loops with wrong servers are made from.
#pragma once

#include <memory>
#include <utility>

#include "harness/testing/between.hpp"
#include "loops/selector/server.hpp"

namespace loopscope::testing {

using MadeServer = Future<std::shared_ptr<Server>>;

/// A poll loop whose servers are all an S, which derives from SelectorServer.
template <class S>
class ServersAs : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;

 protected:
  std::shared_ptr<ServerCore> new_server(std::vector<Listener> listeners,
                                         ServerRules rules) override {
    return std::make_shared<S>(*this, std::move(listeners), std::move(rules));
  }
};

/// A poll loop whose accepted connections and Unix connections have something in front of them.
class ServersBehind : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  MadeServer create_server(ProtocolFactory factory, ServerOptions options) override;
  MadeServer create_unix_server(ProtocolFactory factory, UnixServerOptions options) override;
  Future<Link> create_unix_connection(ProtocolFactory factory, UnixConnectOptions options) override;

 protected:
  virtual std::shared_ptr<StreamBetween> new_between() = 0;
};

/// Such a loop with a B in front of each.
template <class B>
class ServersThrough : public ServersBehind {
 public:
  using ServersBehind::ServersBehind;

 protected:
  std::shared_ptr<StreamBetween> new_between() override { return std::make_shared<B>(*this); }
};

/// The row of a faulty loop; the lists are arrays of scenario ids.
template <class L>
constexpr FaultyLoop faulty(std::string_view name, std::string_view defect,
                            std::span<const std::string_view> must_fail,
                            std::span<const std::string_view> must_pass) {
  return {.loop = poll_based<L>(name),
          .defect = defect,
          .must_fail = must_fail,
          .must_pass = must_pass};
}

}  // namespace loopscope::testing
