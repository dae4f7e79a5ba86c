// Servers over readiness: a listener that is readable has somebody to accept.
#include "loops/selector/server.hpp"

namespace loopscope {

std::shared_ptr<ServerCore> SelectorLoop::new_server(std::vector<Listener> listeners,
                                                     ServerRules rules) {
  return std::make_shared<SelectorServer>(*this, std::move(listeners), std::move(rules));
}

Result<void> SelectorServer::begin_accepting(std::size_t index) {
  return native_loop_.watch(listener(index), Direction::read,
                            [this, keep = shared_from_this(), index] { on_readable(index); });
}

void SelectorServer::end_accepting(std::size_t index) {
  if (loop() != nullptr) native_loop_.unwatch(listener(index), Direction::read);
}

void SelectorServer::on_readable(std::size_t index) {
  for (int left = at_once(); left > 0 && accepting(); --left) {
    auto accepted = os::accept(listener(index));
    if (!accepted.ok()) {
      if (!accept_failed(index, accepted.error())) return;
    } else if (!*accepted) {
      return;
    } else {
      admit(std::move((*accepted)->first));
    }
  }
}

}  // namespace loopscope
