// What a server of our own loops does with its listeners and with a new connection.
#include "loops/common/native_server.hpp"

#include "loops/common/stream.hpp"

namespace loopscope {

NativeServer::NativeServer(NativeLoop& loop, std::vector<Listener> listeners, ServerRules rules)
    : ServerCore(loop, std::move(listeners), std::move(rules)), native_loop_(loop) {
  for (const os::NativeSocket fd : descriptors()) native_loop_.adopt(fd, this);
}

void NativeServer::listeners_end() {
  if (loop() == nullptr) return;
  for (const os::NativeSocket fd : descriptors()) native_loop_.release(fd, this);
}

std::shared_ptr<Transport> NativeServer::open_connection(os::UniqueFd fd,
                                                         std::shared_ptr<BaseProtocol> protocol) {
  const std::shared_ptr<StreamTransport> transport =
      native_loop_.new_socket_stream(std::move(fd), std::move(protocol));
  transport->set_owner(shared_from_this());
  transport->open();
  return transport;
}

}  // namespace loopscope
