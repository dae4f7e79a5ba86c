// SelectorServer: a server that accepts when its listeners are readable.
#pragma once

#include "loops/common/native_server.hpp"
#include "loops/selector/selector_loop.hpp"

namespace loopscope {

class SelectorServer : public NativeServer {
 public:
  using NativeServer::NativeServer;
  ~SelectorServer() override { end(); }

 protected:
  Result<void> begin_accepting(std::size_t index) override;
  void end_accepting(std::size_t index) override;

  /// The listener has somebody to accept, or an error.
  virtual void on_readable(std::size_t index);
};

}  // namespace loopscope
