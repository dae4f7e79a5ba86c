// NativeServer: a server of our own loops; a derived class accepts.
#pragma once

#include "loops/common/native_loop.hpp"
#include "loops/common/server_core.hpp"

namespace loopscope {

/// A derived class calls end() in its destructor, while it can still stop accepting.
class NativeServer : public ServerCore, public LoopResource {
 public:
  NativeServer(NativeLoop& loop, std::vector<Listener> listeners, ServerRules rules);
  void loop_closed() override { end(); }

 protected:
  void listeners_end() override;
  std::shared_ptr<Transport> open_connection(os::UniqueFd fd,
                                             std::shared_ptr<BaseProtocol> protocol) override;

  NativeLoop& native_loop_;  // gone before this server, perhaps: only behind loop()
};

}  // namespace loopscope
