// Loops whose servers and Unix connections have something in front of them.
#include "harness/testing/serving.hpp"

namespace loopscope::testing {

MadeServer ServersBehind::create_server(ProtocolFactory factory, ServerOptions options) {
  return SelectorLoop::create_server(
      each_behind([this] { return new_between(); }, std::move(factory)), std::move(options));
}

MadeServer ServersBehind::create_unix_server(ProtocolFactory factory, UnixServerOptions options) {
  return SelectorLoop::create_unix_server(
      each_behind([this] { return new_between(); }, std::move(factory)), std::move(options));
}

Future<Link> ServersBehind::create_unix_connection(ProtocolFactory factory,
                                                   UnixConnectOptions options) {
  return open_between(*this, new_between(), std::move(factory), [&](ProtocolFactory behind) {
    return SelectorLoop::create_unix_connection(std::move(behind), std::move(options));
  });
}

}  // namespace loopscope::testing
