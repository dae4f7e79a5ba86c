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

/// A poll loop whose accepted connections and Unix connections have a B in front of them.
template <class B>
class ServersThrough : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  MadeServer create_server(ProtocolFactory factory, ServerOptions options) override {
    return SelectorLoop::create_server(through(std::move(factory)), std::move(options));
  }
  MadeServer create_unix_server(ProtocolFactory factory, UnixServerOptions options) override {
    return SelectorLoop::create_unix_server(through(std::move(factory)), std::move(options));
  }
  Future<Link> create_unix_connection(ProtocolFactory factory,
                                      UnixConnectOptions options) override {
    return open_between<B, Link>(*this, std::move(factory), [&](ProtocolFactory with_between) {
      return SelectorLoop::create_unix_connection(std::move(with_between), std::move(options));
    });
  }

 private:
  ProtocolFactory through(ProtocolFactory user) {
    return [this, user = std::move(user)] {
      const auto between = std::make_shared<B>(*this);
      between->set_user(user());
      return between;
    };
  }
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
