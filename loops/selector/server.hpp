// SelectorServer: a server that accepts when its listeners are readable.
#pragma once

#include "loops/common/server_core.hpp"
#include "loops/selector/stream.hpp"

namespace loopscope {

class SelectorServer : public ServerCore, public LoopResource {
 public:
  SelectorServer(SelectorLoop& loop, std::vector<Listener> listeners, ServerRules rules);
  ~SelectorServer() override;
  void loop_closed() override { end(); }

 protected:
  Result<void> begin_accepting(std::size_t index) override;
  void end_accepting(std::size_t index) override;
  void listeners_end() override;
  std::shared_ptr<Transport> open_connection(os::UniqueFd fd,
                                             std::shared_ptr<BaseProtocol> protocol) override;

  /// The listener has somebody to accept, or an error.
  virtual void on_readable(std::size_t index);

  SelectorLoop& selector_loop_;  // gone before this server, perhaps: only behind loop()
};

}  // namespace loopscope
